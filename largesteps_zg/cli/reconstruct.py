"""``largesteps-zg reconstruct``: options, progress, Ctrl-C, and what a run leaves behind."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._support.stopping import Stopping
from .faults import FAILED, RunError, inputs
from .inputs import (
    STARTS,
    add_reading,
    light_named,
    reading_of,
    remesh_steps,
    scene_named,
    seed_number,
    start_named,
    texture_size,
)
from .progress import Progress

if TYPE_CHECKING:
    from ..output.run_folder import RunFolder
    from ..reconstruct.loop import Reconstruction, State
    from ..reconstruct.settings import Settings
    from ..scenes.views import Scene

INTERRUPTED = "interrupted"
HELD_OUT_CAMERAS = {
    "held_out_predicted": "with their cameras corrected as their neighbours'",
    "held_out_exposed": "with their exposures too, each half by the other half",
    "held_out_aligned": "with their cameras aligned to the photographs",
}


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    made = commands.add_parser("reconstruct", help="from images, masks and cameras to a mesh")
    made.set_defaults(command=command)
    add = made.add_argument
    add(
        "scene", nargs="?", metavar="SCENE",
        help="folder or file: COLMAP, transforms*.json, IDR/NeuS, MVSNet, Middlebury, Mitsuba; without it the "
        "built-in scene",
    )  # fmt: skip
    add("--output", required=True, metavar="DIR", help="folder for meshes, numbers and pictures")
    add_reading(made)
    add(
        "--init", default="auto", metavar="auto|sphere|hull|MESH",
        help="start shape: a sphere, the hull of the masks, the one of them that has the right topology (auto, the "
        "default), or a mesh file in the scene's coordinates",
    )  # fmt: skip
    add("--light", metavar="FILE", help="known environment map (.npy, .png, .jpg); else estimated")
    _add_settings(made)
    add(
        "--texture", type=texture_size, metavar="off|auto|N",
        help="UV texture of N x N texels for mesh.obj and mesh.glb; with --remesh off in the layout of MESH, if it has "
        "one (default: auto for such a MESH, else off: colours at the vertices)",
    )  # fmt: skip
    add("--resume", action="store_true", help="go on from the checkpoint in DIR")
    add("--quiet", action="store_true", help="no progress bar")


def _add_settings(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--steps", type=int, default=1500, metavar="N", help="gradient steps (default 1500)")
    add("--lambda", dest="lambda_", type=float, metavar="L", help="smoothing (default 5; 19 for estimates)")
    add(
        "--step-size",
        type=float,
        default=0.1,
        metavar="S",
        help="first step size, in scene radii (default 0.1)",
    )
    add(
        "--remesh",
        type=remesh_steps,
        default="auto",
        metavar="auto|adaptive|off|N,...",
        help="at which steps (default auto)",
    )
    add("--views-per-step", type=int, default=8, metavar="K", help="images compared in a step (default 8)")
    add(
        "--max-vertices",
        type=int,
        metavar="N",
        help="bound of the remeshing (default 50000; 20000 for estimates)",
    )
    add("--device", default="auto", metavar="auto|cpu|cuda", help="where to compute (default auto)")
    add("--backend", default="auto", metavar="auto|warp|nvdiffrast", help="the rasterizer (default auto)")
    add("--seed", type=seed_number, default=0, metavar="N", help="of views and perturbations (default 0)")
    add(
        "--gradients",
        default="rasterizer",
        metavar="NAME",
        help="rasterizer, or estimates through a renderer that is only called: per-pixel, zerograds, smoothed, spsa",
    )
    add(
        "--renderer",
        default="rasterizer",
        metavar="NAME",
        help="which renderer is called for estimates: rasterizer, opengl or FILE.py:FUNCTION (default rasterizer)",
    )
    add(
        "--loss", default="l1", metavar="l1|robust", help="robust: outliers in colour count less (default l1)"
    )
    add(
        "--bending", type=float, default=0.025, metavar="B",
        help="how much smooth shapes are preferred where images leave a choice; 0 for not at all (default 0.025)",
    )  # fmt: skip
    add(
        "--gloss",
        default="auto",
        metavar="auto|on|off",
        help="reflections that move with the view (default auto)",
    )
    add("--exposure", default="auto", metavar="auto|on|off", help="brightness of each image (default auto)")
    add(
        "--refine-cameras", action="store_const", const="on", default="auto",
        help="correct poses and focal length along with the shape where they are off by a quarter of a pixel; the "
        "default wherever gradients reach cameras",
    )  # fmt: skip
    add(
        "--no-refine-cameras", dest="refine_cameras", action="store_const", const="off", help="keep cameras as given"
    )  # fmt: skip


def _settings(arguments: argparse.Namespace) -> Settings:
    from ..reconstruct.settings import Settings, resolve_device
    from .capabilities import rasterizer_fault

    names = (field.name for field in fields(Settings) if field.name != "advanced")
    settings = Settings(**{name: getattr(arguments, name) for name in names})
    if settings.renderer != "rasterizer" and settings.gradients == "rasterizer":
        raise ValueError(
            f"renderer: {settings.renderer} is called for estimates alone; add --gradients per-pixel, for instance"
        )
    fault = rasterizer_fault(settings.backend, resolve_device(settings.device))
    if fault is not None:
        raise ImportError(f"backend: {settings.backend} {fault}")
    return settings


def command(arguments: argparse.Namespace) -> int:
    """Run a reconstruction; 0, 128 + N after signal N (130 after Ctrl-C), 1 where it failed."""
    with inputs():
        settings = _settings(arguments)  # cheap mistakes first
        folder, run = _prepared(arguments, settings)
    for note in folder.scene.provenance:  # before the minutes that follow, in which it can still be put right
        print(f"{note.about:9} {note.text}", flush=True)
    state, stopped = None, None
    with Stopping() as stopping, _progress(settings, run, quiet=arguments.quiet) as progress:
        state, stopped = _steps(run, folder, stopping, progress)
        if state is None:
            if folder.is_complete():
                print(
                    f"{folder.path} is finished already ({settings.steps} steps): {folder.path / 'mesh.ply'}"
                )
                return 0
            state = run.state()
        if stopped == INTERRUPTED and not arguments.quiet:
            progress.say("interrupted: saving what there is")
        # A signal in here waits: what is written now makes the run one that can be gone on with.
        folder.keep(state, resumable=stopped in (None, INTERRUPTED))
    result = folder.finish(state, stopped=stopped)
    return _end(folder, result, stopped, stopping.signum)


def _prepared(arguments: argparse.Namespace, settings: Settings) -> tuple[RunFolder, Reconstruction]:
    """Everything read and checked: the folder to write to, and the run before its next step."""
    import torch

    from ..output.destination import refuse_scene, writable_folder
    from ..output.pictures.drawing import plotting
    from ..output.run_folder import RunFolder
    from ..reconstruct.resume import go_on

    plotting()  # what does not work is told before the first step
    path = writable_folder(arguments.output)
    refuse_scene(path)
    light = light_named(arguments.light)
    scene = scene_named(arguments.scene, arguments.format, reading_of(arguments))
    options = {key: value for key, value in vars(arguments).items() if key not in ("command", "debug")}
    folder = RunFolder(path, scene, options)
    checkpoint = folder.load_checkpoint() if arguments.resume else None
    run = _run(arguments, settings, scene, folder, scene.light if light is None else light)
    if checkpoint is not None:
        faces = run.fit.faces
        go_on(run, checkpoint)
        if folder.texture.layout and settings.remesh == "off" and not torch.equal(faces, run.fit.faces):
            raise ValueError(
                f"resume: the run was started from another {arguments.init}, of other triangles; "
                "give the same mesh, or another output folder"
            )
    return folder, run


def _steps(
    run: Reconstruction, folder: RunFolder, stopping: Stopping, progress: Progress
) -> tuple[State | None, str | None]:
    """The last state, if there was a step to take, and why it is not the end, if it is not."""
    from ..reconstruct.faults import NonFiniteError

    state, steps, noted = None, run.settings.steps, 0
    while run.step < steps:
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
        progress.update(state.step, f"step {state.step}, loss {state.loss:.4f}, {state.vertices:,} vertices")
        if len(folder.not_written) > noted:
            progress.say(f"largesteps-zg: {folder.faults()}; the run goes on")
        noted = len(folder.not_written)
        if stopping.signum is not None and state.step < steps:
            return state, INTERRUPTED
    return state, None


def _end(folder: RunFolder, result: dict[str, Any], stopped: str | None, signum: int | None) -> int:
    """Tell what came out; the exit status."""
    path = folder.path
    print(_summary(path, result))
    if folder.not_written:
        raise RunError(folder.faults())
    if stopped == INTERRUPTED:
        print(f"stopped at step {result['steps']}; the same command with --resume goes on", file=sys.stderr)
        assert signum is not None
        return 128 + signum
    if stopped is not None:
        print(f"largesteps-zg: {stopped}; {path / 'mesh.ply'} is the last good mesh", file=sys.stderr)
        return FAILED
    return 0


def _run(
    arguments: argparse.Namespace, settings: Settings, scene: Scene, folder: RunFolder, light: Any
) -> Reconstruction:
    """The run before its first step; the folder is told what to say of its start, and the texture to make."""
    from ..output.export.texture_choice import choose_texture
    from ..reconstruct.loop import Reconstruction

    named = start_named(arguments.init, scene.train)
    folder.texture, notes = choose_texture(
        arguments.texture, named.layout, keeps_faces=arguments.remesh == "off", fault=named.fault
    )
    if named.attributes is not None and named.attributes.names:
        if arguments.remesh == "off":
            folder.attributes = named.attributes
        else:
            lost = ", ".join(named.attributes.names)
            notes.append(f"{lost} lost in remeshing; --remesh off keeps what vertices and faces have")
    folder.notes["start"] = [*named.notes, *(f"{arguments.init}: {note}" for note in notes)]
    return Reconstruction(
        scene.train, settings, start=named.mesh, light=light, refining=arguments.init not in STARTS
    )


def _progress(settings: Settings, run: Reconstruction, *, quiet: bool) -> Progress:
    return Progress(settings.steps, quiet=quiet, start=run.step, unit="step")


def _quality(measured: dict[str, float]) -> str:
    linear, shown = measured["psnr_db"], measured["psnr_srgb_db"]
    return f"PSNR {linear:.1f} dB ({shown:.1f} in sRGB), mask IoU {measured['mask_iou']:.4f}"


def _summary(path: Path, result: dict[str, Any]) -> str:
    mesh = result["mesh"]
    lines = [
        f"{result['steps']} step{'s' * (result['steps'] > 1)} in {result['seconds']:.0f} s, "
        f"loss {result['loss'][0]:.4g} -> {result['loss'][-1]:.4g}",
        *(f"start     {line}" for line in result["start"]),
        f"mesh      {mesh['vertices']:,} vertices, {mesh['faces']:,} faces, "
        f"{'watertight' if mesh['watertight'] else 'open'}, {mesh['flipped_faces']} flipped, "
        f"{mesh['self_intersecting_faces']} self-intersecting",
    ]
    if "held_out" in result:
        lines.append(f"held out  {_quality(result['held_out'])}")
    for name, note in HELD_OUT_CAMERAS.items():
        if name in result:
            lines.append(f"          {_quality(result[name])} {note}")
    if "distance_to_truth" in mesh:
        truth = mesh["distance_to_truth"]
        lines.append(
            f"truth     Chamfer {truth['chamfer_permille']:.2f} permille of the diagonal, "
            f"F-score {truth['f_score']:.3f} at 0.5 %, normals {truth['normal_consistency']:.3f}"
        )
    off = result["cameras_off_pixels"]
    if result["cameras"]:
        turns = [found["rotation_degrees"] for found in result["cameras"].values()]
        shifts = [found["shift_percent"] for found in result["cameras"].values()]
        lines.append(
            f"cameras   corrected{f' by {off:.2g} pixels' if off else ''}: turned by up to {max(turns):.2f} degrees, "
            f"shifted by up to {max(shifts):.2f} % of the distance"
        )
    elif off is not None:
        lines.append(f"cameras   kept as given: corrections came to {off:.2g} pixels, which is nothing")
    meshes, pictures = (
        [name for name in names if str(path / name) not in result["not_written"]]
        for names in (("mesh.ply", "mesh.obj", "mesh.glb"), ("comparison.png", "progression.gif"))
    )
    if meshes:
        lines.append(f"mesh:     {', '.join([str(path / meshes[0]), *meshes[1:]])}")
    if pictures:
        lines.append(f"pictures: {', '.join(str(path / name) for name in pictures)}")
    return "\n".join(lines)
