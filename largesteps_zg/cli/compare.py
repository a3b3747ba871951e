"""``largesteps-zg compare``: options, progress, and the folder that a comparison leaves behind."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._support.stopping import Stopped, Stopping, raising, status_of
from ..comparison.budget import UNITS, Budget
from ..comparison.plan import BUDGET, SIDE, VIEWS, Plan
from .faults import FAILED, inputs
from .inputs import DEFAULT_MESH, image_size, light_named, mesh_named, target_mesh
from .options import add_options, given
from .progress import Progress as Shown

if TYPE_CHECKING:
    from ..comparison.folder import ComparisonFolder
    from ..comparison.records import Progress, Result, Target


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
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
    add_options(made, Plan)
    budget, of_each = made.add_mutually_exclusive_group(), "budget of each run, in"
    default = {BUDGET.unit: f" (default {BUDGET.amount:g})"}
    for unit, words in UNITS.items():
        budget.add_argument(
            f"--budget-{unit}", type=float, metavar="N", help=f"{of_each} {words}{default.get(unit, '')}"
        )
    add("--views", type=int, metavar="N", help=f"of a mesh (default {VIEWS})")
    add("--size", type=image_size, metavar="N|WxH", help=f"pixels of a mesh's views (default {SIDE})")
    add("--init", default="sphere", metavar="sphere|MESH", help="start shape, in the target's coordinates")
    add(
        "--light",
        metavar="FILE",
        help="known environment map; for a mesh a studio, for a scene estimated by default",
    )
    add("--resume", action="store_true", help="only the runs that are not finished in DIR")
    add("--quiet", action="store_true", help="no progress bar")


def command(arguments: argparse.Namespace) -> int:
    """Run a comparison; 0, 128 + N after signal N (130 after Ctrl-C), 1 where no run succeeded."""
    with inputs():
        plan = given(arguments, Plan, budget=_budget(arguments))  # cheap mistakes first
        folder, target = _prepared(arguments, plan)
    from ..comparison import jobs
    from ..comparison.table import finished, text_table

    done = [(row["gradient"], row["seed"]) for row in finished(folder.rows)]
    records = jobs.carry_out(target, plan, isolated=True, skip=done)
    stopped: KeyboardInterrupt | None = None
    with _Bar(len(plan.runs) - len(done), quiet=arguments.quiet) as show, raising():
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


def _prepared(arguments: argparse.Namespace, plan: Plan) -> tuple[ComparisonFolder, Target]:
    """The folder to write to, with the runs that are there where it is gone on with, and the target."""
    from ..comparison.folder import ComparisonFolder
    from ..output.destination import refuse_scene, writable_folder
    from ..renderers.registry import load_renderer

    path = writable_folder(arguments.output)
    refuse_scene(path)
    load_renderer(arguments.renderer)
    target = _target(arguments)
    options = {"renderer": plan.renderer, "lambda": plan.lambda_, "diagnostics": plan.diagnostics}
    folder = ComparisonFolder(path, target, plan.budget, options)
    if arguments.resume:
        folder.load()
    return folder, target


def _budget(arguments: argparse.Namespace) -> Budget:
    amounts = {unit: getattr(arguments, f"budget_{unit}") for unit in UNITS}
    return next((Budget(amount, unit) for unit, amount in amounts.items() if amount is not None), BUDGET)


def _target(arguments: argparse.Namespace) -> Target:
    """The scene of a folder or an XML file, or a mesh in clay."""
    from ..comparison import jobs
    from ..comparison.records import laid
    from ..scenes.provenance import UNUSED
    from ..scenes.registry import load_scene

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
    height, width = arguments.size or (SIDE, SIDE)
    views = VIEWS if arguments.views is None else arguments.views
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
