"""``largesteps-zg reconstruct``: options, progress, Ctrl-C, and what a run leaves behind."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from ..mesh.mesh import Mesh
    from ..output.run_folder import RunFolder
    from ..reconstruct.loop import State
    from ..reconstruct.settings import Settings
    from ..scenes.views import Views

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

    settings = Settings(**{field.name: getattr(arguments, field.name) for field in fields(Settings)})
    if settings.renderer != "rasterizer" and settings.gradients == "rasterizer":
        raise ValueError(
            f"renderer: {settings.renderer} is called for estimates alone; add --gradients per-pixel, for instance"
        )
    fault = rasterizer_fault(settings.backend, resolve_device(settings.device))
    if fault is not None:
        raise ImportError(f"backend: {settings.backend} {fault}")
    return settings


def command(arguments: argparse.Namespace) -> int:
    """Run a reconstruction; 0, 130 after Ctrl-C, 1 where a step failed."""
    settings = _settings(arguments)  # cheap mistakes first
    from ..output.destination import refuse_scene, writable_folder
    from ..output.run_folder import RunFolder
    from ..reconstruct.fit import NonFiniteError
    from ..reconstruct.loop import Reconstruction, State, reconstruct

    path = writable_folder(arguments.output)
    refuse_scene(path)
    light = light_named(arguments.light)
    scene = scene_named(arguments.scene, arguments.format, reading_of(arguments))
    light = scene.light if light is None else light
    options = {key: value for key, value in vars(arguments).items() if key != "command"}
    folder = RunFolder(path, scene, options)
    checkpoint = folder.load_checkpoint() if arguments.resume else None
    start = _start(arguments, scene.train, folder, checkpoint)
    for note in scene.provenance:  # before the minutes that follow, in which it can still be put right
        print(f"{note.about:9} {note.text}", flush=True)
    given: dict[str, Any] = {"start": start, "light": light, "refining": arguments.init not in STARTS}
    state, stopped = None, None
    try:
        with (
            _CtrlC() as interrupt,
            _Progress(settings.steps, quiet=arguments.quiet, start=len(folder.losses)) as show,
        ):
            for state in reconstruct(scene.train, settings, checkpoint=checkpoint, **given):
                folder.watch(state)
                show(state)
                if interrupt.asked and state.step < state.steps:
                    stopped = INTERRUPTED
                    break
    except NonFiniteError as error:
        stopped = str(error)
    if state is None:
        if stopped is not None:
            raise ArithmeticError(f"{stopped}; no step succeeded, so no mesh was written")
        assert checkpoint is not None  # there is at least one step, unless they were all taken before
        if folder.is_complete():
            print(f"{path} is finished already ({settings.steps} steps): {path / 'mesh.ply'}")
            return 0
        run = Reconstruction(scene.train, settings, **given)
        run.load_state_dict(checkpoint)
        state = State(run.step, settings.steps, folder.losses[-1], len(run.fit.rest), "", run)
    if stopped == INTERRUPTED and not arguments.quiet:
        print("interrupted: saving what there is", file=sys.stderr)
    result = folder.finish(state, stopped=stopped, resumable=stopped in (None, INTERRUPTED))
    print(_summary(path, result))
    if stopped == INTERRUPTED:
        print(f"stopped at step {state.step}; the same command with --resume goes on", file=sys.stderr)
        return 130
    if stopped is not None:
        print(f"largesteps-zg: {stopped}; {path / 'mesh.ply'} is the last good mesh", file=sys.stderr)
        return 1
    return 0


def _start(
    arguments: argparse.Namespace, views: Views, folder: RunFolder, checkpoint: dict[str, Any] | None
) -> Mesh:
    """The mesh to start from; the folder is told what to say of it, and the texture to make."""
    import torch

    from ..output.export.texture_choice import choose_texture

    named = start_named(arguments.init, views)
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
    if checkpoint is not None and checkpoint["settings"]["remesh"] == "off" and folder.texture.layout:
        if not torch.equal(checkpoint["fit"]["faces"].cpu(), named.mesh.faces):
            raise ValueError(
                f"resume: the run was started from another {arguments.init}, of other triangles; "
                "give the same mesh, or another output folder"
            )
    return named.mesh


class _CtrlC:
    """The first Ctrl-C lets the step end, so that what is saved is whole; the second one stops at once."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> _CtrlC:
        self.before = signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(self, *_: object) -> None:
        # None: a handler that was not installed from Python.
        signal.signal(signal.SIGINT, signal.SIG_DFL if self.before is None else self.before)


class _Progress:
    """A bar with the loss; nothing where it would only fill a log."""

    def __init__(self, steps: int, *, quiet: bool, start: int) -> None:
        from tqdm import tqdm

        self.bar: Any = tqdm(
            total=steps,
            initial=start,
            unit="step",
            disable=True if quiet else None,
            dynamic_ncols=True,
            leave=False,
        )
        self.bar.set_postfix_str("preparing")  # the first run on a machine compiles its kernels

    def __enter__(self) -> _Progress:
        return self

    def __call__(self, state: State) -> None:
        self.bar.set_postfix_str(f"loss {state.loss:.4f}, {state.vertices:,} vertices", refresh=False)
        self.bar.update()

    def __exit__(self, *_: object) -> None:
        self.bar.close()


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
    lines += [
        f"mesh:     {path / 'mesh.ply'}, mesh.obj, mesh.glb",
        f"pictures: {path / 'comparison.png'}, {path / 'progression.gif'}",
    ]
    return "\n".join(lines)
