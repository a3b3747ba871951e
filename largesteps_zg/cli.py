"""The command line: a thin shell over the library."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from . import compare_command
from ._version import __version__
from .cli_inputs import (
    built_in_meshes,
    image_size,
    light_named,
    mesh_named,
    remesh_steps,
    scene_named,
    seed_number,
)

if TYPE_CHECKING:
    from .reconstruct import Settings, State

INTERRUPTED = "interrupted"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line and not the usage as well."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0, 2 for bad input, 1 for a run that failed, 130 for Ctrl-C."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.command(arguments)
    except (ValueError, OSError, ImportError, RuntimeError, MemoryError) as error:
        print(f"largesteps-zg: {_one_line(error)}", file=sys.stderr)
        return 2
    except ArithmeticError as error:
        print(f"largesteps-zg: {_one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("largesteps-zg: stopped", file=sys.stderr)
        return 130


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="largesteps-zg", description="Reconstruct meshes from multi-view images.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    made = commands.add_parser("reconstruct", help="from a folder of images, masks and cameras to a mesh")
    made.set_defaults(command=_reconstruct)
    made.add_argument(
        "scene", nargs="?", metavar="SCENE",
        help="folder with transforms*.json (NeRF-synthetic, nerfstudio); without it the built-in scene",
    )  # fmt: skip
    made.add_argument("--output", required=True, metavar="DIR", help="folder for mesh, numbers and pictures")
    made.add_argument(
        "--init", default="sphere", metavar="sphere|MESH", help="start shape; a mesh file is in the scene's coordinates"
    )  # fmt: skip
    made.add_argument(
        "--light", metavar="FILE", help="known environment map (.npy, .png, .jpg); else estimated"
    )
    _add_settings(made)
    made.add_argument("--resume", action="store_true", help="go on from the checkpoint in DIR")
    made.add_argument("--quiet", action="store_true", help="no progress bar")

    drawn = commands.add_parser("render", help="a multi-view scene made from a mesh file")
    drawn.set_defaults(command=_render)
    drawn.add_argument(
        "mesh", metavar="MESH", help="PLY, OBJ, STL, GLB or OFF; or the name of a built-in mesh"
    )
    drawn.add_argument(
        "--output", required=True, metavar="DIR", help="a folder that does not hold a scene yet"
    )
    drawn.add_argument("--views", type=int, default=32, metavar="N", help="training views (default 32)")
    drawn.add_argument("--test-views", type=int, default=6, metavar="N", help="held-out views (default 6)")
    drawn.add_argument(
        "--size", type=image_size, default=(256, 256), metavar="N|WxH", help="pixels (default 256)"
    )
    drawn.add_argument(
        "--up", choices=("y", "z"), default="y", help="the mesh's upward axis (default y); the scene's is z"
    )
    drawn.add_argument(
        "--light", metavar="FILE", help="environment map (.npy, .png, .jpg); a studio by default"
    )

    compare_command.add_parser(commands)

    told = commands.add_parser(
        "info", help="which backends and devices are usable here, and why the others are not"
    )
    told.set_defaults(command=_info)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--steps", type=int, default=1500, metavar="N", help="gradient steps (default 1500)")
    add("--lambda", dest="lambda_", type=float, default=19.0, metavar="L", help="smoothing (default 19)")
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
        metavar="auto|off|N,N,...",
        help="at which steps (default auto)",
    )
    add("--views-per-step", type=int, default=8, metavar="K", help="images compared in a step (default 8)")
    add(
        "--max-vertices", type=int, default=20_000, metavar="N", help="bound of the remeshing (default 20000)"
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


def _settings(arguments: argparse.Namespace) -> Settings:
    from .capabilities import rasterizer_fault
    from .reconstruct import Settings, resolve_device

    settings = Settings(**{field.name: getattr(arguments, field.name) for field in fields(Settings)})
    fault = rasterizer_fault(settings.backend, resolve_device(settings.device))
    if fault is not None:
        raise ImportError(f"backend: {settings.backend} {fault}")
    return settings


def _reconstruct(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)  # cheap mistakes first
    from .fit import NonFiniteError
    from .reconstruct import Reconstruction, State, reconstruct
    from .run_folder import RunFolder, refuse_scene, writable_folder

    path = writable_folder(arguments.output)
    refuse_scene(path)
    light = light_named(arguments.light)
    start = mesh_named(arguments.init)
    scene = scene_named(arguments.scene)
    folder = RunFolder(path, scene, {k: v for k, v in vars(arguments).items() if k != "command"})
    checkpoint = folder.load_checkpoint() if arguments.resume else None
    state, stopped = None, None
    try:
        with (
            _CtrlC() as interrupt,
            _Progress(settings.steps, quiet=arguments.quiet, start=len(folder.losses)) as show,
        ):
            for state in reconstruct(scene.train, settings, start=start, light=light, checkpoint=checkpoint):
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
        run = Reconstruction(scene.train, settings, start=start, light=light)
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
        signal.signal(signal.SIGINT, self.before)


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


def _summary(path: Path, result: dict[str, Any]) -> str:
    mesh = result["mesh"]
    lines = [
        f"{result['steps']} step{'s' * (result['steps'] > 1)} in {result['seconds']:.0f} s, "
        f"loss {result['loss'][0]:.4g} -> {result['loss'][-1]:.4g}",
        f"mesh      {mesh['vertices']:,} vertices, {mesh['faces']:,} faces, "
        f"{'watertight' if mesh['watertight'] else 'open'}, {mesh['flipped_faces']} flipped",
    ]
    if "held_out" in result:
        held = result["held_out"]
        lines.append(f"held out  PSNR {held['psnr_db']:.1f} dB, mask IoU {held['mask_iou']:.4f}")
    if "distance_to_truth" in mesh:
        truth = mesh["distance_to_truth"]
        lines.append(
            f"truth     Chamfer {truth['chamfer_permille']:.2f} permille of the diagonal, "
            f"F-score {truth['f_score']:.3f} at 0.5 %, normals {truth['normal_consistency']:.3f}"
        )
    lines += [
        f"mesh:     {path / 'mesh.ply'}",
        f"pictures: {path / 'comparison.png'}, {path / 'progression.gif'}",
    ]
    return "\n".join(lines)


def _render(arguments: argparse.Namespace) -> int:
    from .mesh import load_mesh
    from .run_folder import refuse_scene, writable_folder
    from .scenes import save_scene
    from .scenes.synthetic import scene_from_mesh

    path = writable_folder(arguments.output)
    refuse_scene(path)
    # A word that neither is a file nor looks like one is a built-in mesh's name; the error for others lists them.
    is_name = not Path(arguments.mesh).suffix and not Path(arguments.mesh).exists()
    mesh = load_mesh(built_in_meshes().path(arguments.mesh) if is_name else arguments.mesh)
    height, width = arguments.size
    light = light_named(arguments.light)
    scene = scene_from_mesh(
        mesh,
        views=arguments.views,
        test_views=arguments.test_views,
        height=height,
        width=width,
        light=light,
        up=arguments.up,
    )
    save_scene(path, scene)
    print(f"{arguments.views} + {arguments.test_views} views of {width} x {height} pixels in {path}")
    return 0


def _info(_: argparse.Namespace) -> int:
    from .capabilities import capabilities

    for group, rows in capabilities().items():
        print(group)
        for name, usable, note in rows:
            print(f"  {'' if usable is None else 'yes' if usable else 'no':3} {name:14} {note}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
