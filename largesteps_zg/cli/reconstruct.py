"""``largesteps-zg reconstruct``: options, progress, Ctrl-C, and what a run leaves behind."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from .._support.compiling import telling
from .._support.stopping import Stopping
from ..reconstruct.settings import Settings
from .faults import FAILED, RunError, inputs
from .inputs import (
    STARTS,
    add_reading,
    face_count,
    light_named,
    read_with,
    scene_named,
    start_named,
    texture_size,
    with_masks,
)
from .options import add_options, given
from .progress import Progress
from .summary import summary
from .view import PORT, port_number

if TYPE_CHECKING:
    from ..mesh.mesh import Mesh
    from ..output.placing import Scale
    from ..output.run_files import RunStart
    from ..output.run_folder import RunFolder
    from ..reconstruct.camera_bundle import Bundled
    from ..reconstruct.loop import Reconstruction, State
    from ..scenes.views import Scene, Views
    from ..viewing.live import LiveView
    from .inputs import NamedStart

INTERRUPTED = "interrupted"


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    made = commands.add_parser("reconstruct", help="from images, masks and cameras to a mesh")
    made.set_defaults(command=command)
    add = made.add_argument
    add(
        "scene", nargs="?", metavar="SCENE",
        help="folder or file: COLMAP, transforms*.json, IDR/NeuS, MVSNet, Middlebury, Mitsuba, or photographs alone; "
        "without it the built-in scene",
    )  # fmt: skip
    add("--output", required=True, metavar="DIR", help="folder for meshes, numbers and pictures")
    add_reading(made)
    add(
        "--init", default="auto", metavar="auto|depths|sphere|hull|MESH",
        help="start shape: a sphere, the hull of the masks, the hull carved by depths that photographs confirm to one "
        "another, the one of them that is nearest to the object (auto, the default), or a mesh file in the scene's "
        "coordinates",
    )  # fmt: skip
    add(
        "--keep-support", action="store_true",
        help="without masks, keep the table that the object stands on",
    )  # fmt: skip
    add("--light", metavar="FILE", help="known environment map (.npy, .png, .jpg); else estimated")
    add_options(made, Settings)
    add(
        "--unseen", choices=("closed", "open"), default="closed",
        help="parts that no photograph sees: closed smoothly, and marked in mesh.ply by views_seeing = 0 (default), or "
        "left out",
    )  # fmt: skip
    add(
        "--texture", type=texture_size, metavar="off|auto|N",
        help="UV texture of N x N texels for mesh.obj and mesh.glb; with --remesh off in the layout of MESH, if it has "
        "one (default: auto for such a MESH, else off: colours at the vertices)",
    )  # fmt: skip
    add("--size", metavar="METRES", help="the longest distance across the object; mesh.glb is in metres then")
    add(
        "--scale", metavar="A,B,METRES",
        help="the distance between the places that two photographs were taken from, in place of --size",
    )  # fmt: skip
    add(
        "--faces", type=face_count, metavar="N",
        help="decimate mesh.obj and mesh.glb to N faces, with textures of the colours and the detail; mesh.ply has all",
    )  # fmt: skip
    add(
        "--view", nargs="?", type=port_number, const=PORT, metavar="PORT",
        help=f"show it in the browser as it goes on (default port {PORT}), and leave recording.html",
    )  # fmt: skip
    add("--resume", action="store_true", help="go on from the checkpoint in DIR")
    add("--quiet", action="store_true", help="no progress bar")


def _settings(arguments: argparse.Namespace) -> Settings:
    from ..reconstruct.devices import resolve_device
    from .capabilities import rasterizer_fault

    settings = given(arguments, Settings)
    fault = rasterizer_fault(settings.backend, resolve_device(settings.device))
    if fault is not None:
        raise ImportError(f"backend: {settings.backend} {fault}")
    return settings


def command(arguments: argparse.Namespace) -> int:
    """Run a reconstruction; 0, 128 + N after signal N (130 after Ctrl-C), 1 where it failed."""
    with inputs():
        settings = _settings(arguments)  # cheap mistakes first
        with nullcontext() if arguments.quiet else telling(partial(print, file=sys.stderr, flush=True)):
            folder, run = _prepared(arguments, settings)
        live = _live(arguments.view, folder, run)
    try:
        return _run(arguments, folder, run, live)
    finally:
        if live is not None:
            live.close()


def _run(arguments: argparse.Namespace, folder: RunFolder, run: Reconstruction, live: LiveView | None) -> int:
    """All steps, and what they leave behind; the exit status."""
    for note in folder.scene.provenance:  # before the minutes that follow, in which it can still be put right
        print(f"{note.about:9} {note.text}", flush=True)
    state, stopped = None, None
    shown = Progress(run.steps, quiet=arguments.quiet, start=run.step, unit="step")
    with Stopping() as stopping, shown as progress:
        state, stopped = _steps(run, folder, stopping, progress, live)
        if state is None:
            if folder.is_complete():
                print(f"{folder.path} is finished already ({run.step} steps): {folder.path / 'mesh.ply'}")
                return 0
            with inputs():
                folder.prepare()  # a run that was killed while it wrote its pictures has parts of them left
            state = run.state()
        if stopped == INTERRUPTED and not arguments.quiet:
            progress.say("interrupted: saving what there is")
        # Two signals in here wait: what is written now makes the run one that can be gone on with.
        folder.keep(state, resumable=stopped in (None, INTERRUPTED))
    if stopping.hurried:
        return _stopped_early(folder, state, stopping)
    if live is not None:
        folder.keep_recording(live.record)
    result = folder.finish(state, stopped=stopped)
    return _end(folder, result, stopped, stopping.signum)


def _prepared(arguments: argparse.Namespace, settings: Settings) -> tuple[RunFolder, Reconstruction]:
    """Everything read and checked: the folder to write to, and the run before its next step."""
    import torch

    from ..output.destination import refuse_scene, writable_folder
    from ..output.pictures.drawing import plotting
    from ..output.run_checkpoint import RunCheckpoint
    from ..output.run_folder import RunFolder
    from ..reconstruct.loop import Reconstruction
    from ..reconstruct.resume import go_on

    if arguments.unseen == "open" and settings.remesh == "off":
        raise ValueError(
            "unseen: open leaves faces out, and remesh off keeps them all; leave one of the two away"
        )
    scale = _scale(arguments)
    if arguments.faces is not None and arguments.texture == "off":
        raise ValueError(
            "faces: the detail goes into textures, and texture off makes none; leave one of the two away"
        )
    plotting()  # what does not work is told before the first step
    path = writable_folder(arguments.output)
    refuse_scene(path)
    light = light_named(arguments.light)
    with read_with(arguments, path, quiet=arguments.quiet) as reading:
        scene = scene_named(arguments.scene, arguments.format, reading)
    scale.check(scene)
    scene, found = with_masks(scene, keep_support=arguments.keep_support)
    options = {key: value for key, value in vars(arguments).items() if key not in ("command", "debug")}
    checkpoint, earlier = RunCheckpoint(path, scene, options).load() if arguments.resume else (None, None)
    scene, placed, bundle = _placed(scene, settings)
    mesh, start = _start(arguments, placed, found, keeps_faces=settings.remesh == "off")
    folder = RunFolder(
        path, scene, options, start=start, unseen=arguments.unseen, scale=scale, earlier=earlier
    )
    run = Reconstruction(
        scene.train, settings, start=mesh, light=scene.light if light is None else light,
        refining=arguments.init not in STARTS, bundle=bundle,
    )  # fmt: skip
    if checkpoint is not None:
        faces = run.fit.faces
        go_on(run, checkpoint)
        if start.texture.layout and settings.remesh == "off" and not torch.equal(faces, run.fit.faces):
            raise ValueError(
                f"resume: the run was started from another {arguments.init}, of other triangles; "
                "give the same mesh, or another output folder"
            )
    return folder, run


def _scale(arguments: argparse.Namespace) -> Scale:
    """What --size and --scale say; ValueError where that is nothing."""
    from ..output.placing import Scale, between, metres

    size, apart = arguments.size, arguments.scale
    return Scale(None if size is None else metres(size), None if apart is None else between(apart))


def _placed(scene: Scene, settings: Settings) -> tuple[Scene, Views, Bundled | None]:
    """A scene, which says it, and its photographs, where they were taken if their cameras are off."""
    from ..reconstruct.camera_bundle import bundled
    from ..scenes.provenance import Note

    # Cameras of photographs alone come from matches.
    asked = settings.refine_cameras != "off" and scene.format != "photographs"
    found = bundled(scene.train, settings.advanced) if asked else None
    if found is None:
        return scene, scene.train, None
    off, left = found.evidence.given, found.evidence.corrected
    text = (
        f"moved before the run: matches between photographs were off by {off:.2g} pixels in the median, and are by "
        f"{left:.2g} with cameras that other matches asked for (--no-refine-cameras keeps the given ones)"
    )
    noted = replace(scene, provenance=(*scene.provenance, Note("cameras", text)))
    return noted, replace(scene.train, cameras=found.cameras), found


def _start(
    arguments: argparse.Namespace, views: Views, found: NamedStart | None, *, keeps_faces: bool
) -> tuple[Mesh, RunStart]:
    """The mesh to start from, and what the folder has to know of it."""
    from ..output.export.texture_choice import choose_texture
    from ..output.run_files import RunStart

    began = time.perf_counter()
    named = found if arguments.init == "auto" else None
    named = named or start_named(arguments.init, views, patches=arguments.patches != "off")
    texture, notes = choose_texture(
        arguments.texture, named.layout, keeps_faces=keeps_faces, fault=named.fault, faces=arguments.faces
    )
    attributes = named.attributes
    if attributes is not None and attributes.names and not keeps_faces:
        lost = ", ".join(attributes.names)
        notes.append(f"{lost} lost in remeshing; --remesh off keeps what vertices and faces have")
    kept = attributes if attributes is not None and attributes.names and keeps_faces else None
    told = (*named.notes, *(f"{arguments.init}: {note}" for note in notes))
    return named.mesh, RunStart(told, texture, kept, time.perf_counter() - began)


def _steps(
    run: Reconstruction, folder: RunFolder, stopping: Stopping, progress: Progress, live: LiveView | None
) -> tuple[State | None, str | None]:
    """The last state, if there was a step to take, and why it is not the end, if it is not."""
    from ..reconstruct.faults import NonFiniteError

    state, noted = None, 0
    while run.step < run.steps:
        try:
            state = run.advance()
        except NonFiniteError as error:
            if state is None:
                raise RunError(f"{error}; no step succeeded, so no mesh was written") from error
            return state, str(error)
        stopping.worthwhile = True
        with inputs():
            folder.prepare()  # not before a step: a mistake leaves nothing behind
        folder.watch(state)
        if live is not None:
            live.watch(state)
        text = f"step {state.step}, loss {state.loss:.4f}, {state.vertices:,} vertices"
        progress.update(state.step, text, total=state.steps)
        if len(folder.not_written) > noted:
            progress.say(f"largesteps-zg: {folder.not_written.told()}; the run goes on")
        noted = len(folder.not_written)
        if stopping.signum is not None and state.step < state.steps:
            return state, INTERRUPTED
    return state, None


def _stopped_early(folder: RunFolder, state: State, stopping: Stopping) -> int:
    """Tell what there is after two signals, which leave out pictures and numbers; the exit status."""
    assert stopping.signum is not None
    if folder.not_written:
        raise RunError(folder.not_written.told())
    print(f"stopped at step {state.step}; the same command with --resume goes on", file=sys.stderr)
    return 128 + stopping.signum


def _end(folder: RunFolder, result: dict[str, Any], stopped: str | None, signum: int | None) -> int:
    """Tell what came out; the exit status."""
    path = folder.path
    print(summary(path, result))
    if folder.not_written:
        raise RunError(folder.not_written.told())
    if stopped == INTERRUPTED:
        print(f"stopped at step {result['steps']}; the same command with --resume goes on", file=sys.stderr)
        assert signum is not None
        return 128 + signum
    if stopped is not None:
        print(f"largesteps-zg: {stopped}; {path / 'mesh.ply'} is the last good mesh", file=sys.stderr)
        return FAILED
    return 0


def _live(port: int | None, folder: RunFolder, run: Reconstruction) -> LiveView | None:
    """The view of a run, if one was asked for."""
    if port is None:
        return None
    from ..viewing.live import LiveView

    live = LiveView(folder.scene, run, port=port)
    print(f"view:     {live.address}", flush=True)
    return live
