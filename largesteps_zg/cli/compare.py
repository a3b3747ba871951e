"""``largesteps-zg compare``: options, progress, and the folder that a comparison leaves behind."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._support.stopping import Stopped, Stopping, raising, status_of
from .faults import FAILED, inputs
from .progress import Progress as Shown

if TYPE_CHECKING:
    from ..comparison.folder import ComparisonFolder
    from ..comparison.records import Budget, Progress, Result, Target

DEFAULT_RENDERS = 48_000  # jobs.BUDGET, which --help must not wait for


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    from .inputs import DEFAULT_MESH, image_size

    made = commands.add_parser(
        "compare",
        help="every gradient on one target, at the same budget",
        description="Give every gradient the same target, start, optimiser and budget, and write a report.",
        epilog="The default, five gradients on the built-in fennec, takes about 4 minutes on 2 cores.",
    )
    made.set_defaults(command=command)
    add = made.add_argument
    add(
        "target", nargs="?", default=DEFAULT_MESH, metavar="SCENE|MESH",
        help=f"a scene as for reconstruct; or a mesh file or built-in name, shown in clay (default {DEFAULT_MESH})",
    )  # fmt: skip
    add("--output", required=True, metavar="DIR", help="folder for report.html, results.json and meshes")
    add(
        "--gradients",
        default="",
        metavar="A,B,...",
        help="which (default all: rasterizer, per-pixel, zerograds, ...)",
    )
    budget = made.add_mutually_exclusive_group()
    of_each = "budget of each run"
    budget.add_argument(
        "--budget-renders",
        type=float,
        metavar="N",
        help=f"{of_each} in images of one view (default {DEFAULT_RENDERS})",
    )
    budget.add_argument("--budget-seconds", type=float, metavar="S", help=f"{of_each} in seconds")
    budget.add_argument("--budget-steps", type=float, metavar="N", help=f"{of_each} in steps")
    add(
        "--seeds",
        type=int,
        default=1,
        metavar="N",
        help="runs of each gradient, with seeds 0 to N - 1 (default 1)",
    )
    add(
        "--renderer", default="rasterizer", metavar="NAME",
        help="what is called for estimates: rasterizer, opengl or FILE.py:FUNCTION (default rasterizer)",
    )  # fmt: skip
    add("--views", type=int, metavar="N", help="of a mesh (default 16)")
    add("--size", type=image_size, metavar="N|WxH", help="pixels of a mesh's views (default 256)")
    add("--init", default="sphere", metavar="sphere|MESH", help="start shape, in the target's coordinates")
    add(
        "--light",
        metavar="FILE",
        help="known environment map; for a mesh a studio, for a scene estimated by default",
    )
    add("--lambda", dest="lambda_", type=float, default=19.0, metavar="L", help="smoothing (default 19)")
    add(
        "--no-diagnostics",
        action="store_true",
        help="skip variance and cosine along the runs, which take more renders",
    )
    add("--resume", action="store_true", help="only the runs that are not finished in DIR")
    add("--quiet", action="store_true", help="no progress bar")


def command(arguments: argparse.Namespace) -> int:
    """Run a comparison; 0, 128 + N after signal N (130 after Ctrl-C), 1 where no run succeeded."""
    with inputs():
        gradients, budget, seeds = _choices(arguments)  # cheap mistakes first
        folder, target = _prepared(arguments, budget)
    from ..comparison import jobs
    from ..comparison.table import finished, text_table

    done = [(row["gradient"], row["seed"]) for row in finished(folder.rows)]
    records = jobs.compare(
        target, gradients=gradients, seeds=seeds, budget=budget, renderer=arguments.renderer,
        lambda_=arguments.lambda_, diagnostics=not arguments.no_diagnostics, isolated=True, skip=done,
    )  # fmt: skip
    stopped: KeyboardInterrupt | None = None
    with _Bar(len(gradients) * len(seeds) - len(done), quiet=arguments.quiet) as show, raising():
        try:
            while True:
                with inputs():  # what cannot work the run's own process tells before its first step
                    progress = next(records, None)
                if progress is None:
                    break
                show(progress)
                if progress.result is not None:
                    _keep(folder, progress.result, debug=arguments.debug)
        except KeyboardInterrupt as error:
            stopped = error
        finally:
            records.close()
    if not folder.rows:
        print("largesteps-zg: stopped before the first run was finished; nothing to report", file=sys.stderr)
        return FAILED if stopped is None else status_of(stopped)
    folder.write_report()
    print(text_table(folder.rows))
    print(f"report: {folder.report}")
    failed = len(folder.rows) - len(finished(folder.rows))
    if failed and not arguments.debug:
        print(
            f"largesteps-zg: {failed} run{'s' * (failed > 1)} failed; the same command with --debug shows where",
            file=sys.stderr,
        )
    if stopped is not None:
        print("stopped; the same command with --resume goes on", file=sys.stderr)
        return status_of(stopped)
    return 0 if finished(folder.rows) else FAILED


def _keep(folder: ComparisonFolder, result: Result, *, debug: bool) -> None:
    """Write down a run that is over, before a signal is answered."""
    with Stopping() as stopping:
        stopping.worthwhile = True
        folder.add(result)
    if debug and result.traceback:
        print(result.traceback, file=sys.stderr, end="")
    if stopping.signum is not None:
        raise Stopped(stopping.signum)


def _prepared(arguments: argparse.Namespace, budget: Budget) -> tuple[ComparisonFolder, Target]:
    """The folder to write to, with the runs that are there where it is gone on with, and the target."""
    from ..comparison.folder import ComparisonFolder
    from ..output.destination import refuse_scene, writable_folder
    from ..renderers.registry import load_renderer

    path = writable_folder(arguments.output)
    refuse_scene(path)
    load_renderer(arguments.renderer)
    target = _target(arguments)
    options = {
        "renderer": arguments.renderer,
        "lambda": arguments.lambda_,
        "diagnostics": not arguments.no_diagnostics,
    }
    folder = ComparisonFolder(path, target, budget, options)
    if arguments.resume:
        folder.load()
    return folder, target


def _choices(arguments: argparse.Namespace) -> tuple[list[str], Budget, range]:
    """Gradients, budget and seeds, checked."""
    from ..comparison.jobs import BUDGET, check_gradients
    from ..comparison.records import UNITS, Budget
    from ..reconstruct.gradients.registry import GRADIENTS

    gradients = (
        [name.strip() for name in arguments.gradients.split(",")] if arguments.gradients else [*GRADIENTS]
    )
    check_gradients(gradients)
    if arguments.seeds < 1:
        raise ValueError(f"seeds: expected at least 1, got {arguments.seeds}")
    if not (math.isfinite(arguments.lambda_) and arguments.lambda_ >= 0):
        raise ValueError(f"lambda: expected a number >= 0, got {arguments.lambda_}; 19 is a good start")
    given = {unit: getattr(arguments, f"budget_{unit}") for unit in UNITS}
    budgets = [Budget(amount, unit) for unit, amount in given.items() if amount is not None]
    return gradients, budgets[0] if budgets else BUDGET, range(arguments.seeds)


def _target(arguments: argparse.Namespace) -> Target:
    """The scene of a folder or an XML file, or a mesh in clay."""
    from ..comparison import jobs
    from ..comparison.records import laid
    from ..scenes.provenance import UNUSED
    from ..scenes.registry import load_scene
    from .inputs import light_named, mesh_named, target_mesh

    light, named = light_named(arguments.light), mesh_named(arguments.init)
    start = None if named is None else named.mesh
    _say("start", [] if named is None else named.notes)
    place = Path(arguments.target)
    if place.is_dir() or place.suffix.lower() == ".xml":  # Mitsuba's
        for name in ("views", "size"):
            if getattr(arguments, name) is not None:
                raise ValueError(f"{name}: {place} is a scene, which has its own; leave out --{name}")
        scene = load_scene(place)
        for note in scene.provenance:
            _say(note.about, [note.text])
        return jobs.scene_target(scene, name=place.resolve().name, start=start, light=light)
    mesh, unread = target_mesh(arguments.target)
    _say(UNUSED, unread)
    height, width = arguments.size or (jobs.SIDE, jobs.SIDE)
    views = jobs.VIEWS if arguments.views is None else arguments.views
    start = None if start is None else laid(start)  # given as the target is
    return jobs.mesh_target(
        mesh, name=place.stem, views=views, height=height, width=width, start=start, light=light
    )


def _say(about: str, notes: list[str]) -> None:
    """What was read, before the minutes that follow, in which it can still be put right."""
    for note in notes:
        print(f"{about:9} {note}", flush=True)


class _Bar:
    """One bar for all runs, with the one in progress."""

    def __init__(self, runs: int, *, quiet: bool) -> None:
        self.runs, self.over = runs, 0
        form = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
        self.shown = Shown(100.0 * runs, quiet=quiet, bar_format=form)

    def __enter__(self) -> _Bar:
        return self

    def __call__(self, progress: Progress) -> None:
        text = f"run {self.over + 1} of {self.runs}: {progress.gradient}, loss {progress.loss:.4f}"
        self.shown.update(100.0 * (self.over + progress.share), text)
        self.over += progress.result is not None

    def __exit__(self, *_: object) -> None:
        self.shown.__exit__()
