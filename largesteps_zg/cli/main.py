"""The command line: a thin shell over the library."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from .._version import __version__
from . import compare as compare_command
from . import evaluate as evaluate_command
from . import info as info_command
from . import reconstruct as reconstruct_command
from .faults import FAILED, answer, inputs
from .inputs import image_size, light_named, target_mesh
from .own_process import take_over


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line and not the usage as well."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Its words. By default those of the process, which is then taken to be the command's own; with words given,
        nothing is changed for the process but while a run is on, so that other programs, notebooks and threads may
        call this.

    Returns
    -------
    int
        The exit status: 0; 2 for bad input; 1 for a run that failed and for faults of the program, which ask for a
        report; 128 + N where signal N stopped it, 130 for Ctrl-C.
    """
    if argv is None:
        take_over()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no degree sign is no reason to stop
    warnings.filterwarnings("ignore", module=r"PIL\.")  # what is wrong with a file is said in one line
    arguments = _parser().parse_args(argv)
    try:
        status = _run(arguments)
        _flush()
        return status
    except BrokenPipeError:  # whoever read, as `head` does, has seen enough
        _silence()
        return FAILED
    except (Exception, KeyboardInterrupt) as error:
        status = answer(error, debug=arguments.debug)
        with contextlib.suppress(OSError):
            _flush()
        return status


def _run(arguments: argparse.Namespace) -> int:
    """The command, after what it needs of the machine."""
    from .._support.caches import use_temporary_cache

    if told := use_temporary_cache():
        print(f"largesteps-zg: {told}", file=sys.stderr)
    status: int = arguments.command(arguments)
    return status


def _flush() -> None:
    """What was printed has to arrive: an error of the disk shows only now."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _silence()
        raise OSError(error.errno, error.strerror, "standard output") from None


def _silence() -> None:
    """Python flushes standard output once more as it ends, and would say what is known already."""
    with contextlib.suppress(OSError, ValueError):  # not a file, in a notebook
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="largesteps-zg", description="Reconstruct meshes from multi-view images.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    reconstruct_command.add_parser(commands)

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

    evaluate_command.add_parser(commands)

    info_command.add_parser(commands)
    for command in commands.choices.values():
        command.add_argument("--debug", action="store_true", help="show where in the program an error arose")
    return parser


def _render(arguments: argparse.Namespace) -> int:
    from ..output.destination import refuse_scene, writable_folder
    from ..scenes.provenance import UNUSED
    from ..scenes.save import save_scene
    from ..scenes.synthetic import scene_from_mesh

    with inputs():
        path = writable_folder(arguments.output)
        refuse_scene(path, unfinished=True)
        mesh, notes = target_mesh(arguments.mesh)
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
    for note in notes:
        print(f"{UNUSED:9} {note}")
    save_scene(path, scene)
    print(f"{arguments.views} + {arguments.test_views} views of {width} x {height} pixels in {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
