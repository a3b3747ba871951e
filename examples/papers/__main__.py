"""The papers' experiments, from one command.

    python -m examples.papers --output out/papers                      # everything: up to three hours on two cores
    python -m examples.papers --small --output out/small               # the same in five minutes
    python -m examples.papers zerograds prdpt/cup --output out/papers  # a paper, an experiment
    python -m examples.papers --list

Leaves results.json, pictures, and index.html, which opens in any browser. Each experiment is written when it is done,
and a second command with the same output goes on from there.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from .page import write_page
from .records import Experiment, Record, Setup, read_records, write_records

PAPERS = ("large_steps", "soft_rasterizer", "zerograds", "prdpt", "per_pixel", "metappearance")


def experiments() -> dict[str, Experiment]:
    """All of them, as paper/experiment."""
    found = {}
    for paper in PAPERS:
        part = importlib.import_module(f".{paper}", __package__)
        found |= {f"{paper}/{name}": run for name, run in part.EXPERIMENTS.items()}
    return found


def chosen(names: Sequence[str], every: Sequence[str]) -> list[str]:
    """Those that were asked for, in their own order."""
    for name in names:
        if not any(one == name or one.startswith(f"{name}/") for one in every):
            raise ValueError(f"{name}: expected a paper or paper/experiment; --list names them")
    return [one for one in every if not names or one in names or one.split("/")[0] in names]


def show(line: str) -> None:
    """Progress: over the line before where that can be, and nothing elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def run(name: str, experiment: Experiment, folder: Path, small: bool, seeds: int) -> list[Record] | None:
    """The records of one experiment; none where a package is missing, None where it failed."""
    paper, short = name.split("/")
    pictures = folder / paper / short
    pictures.mkdir(parents=True, exist_ok=True)
    before = time.perf_counter()
    setup = Setup(paper, short, small, tuple(range(seeds)), pictures, lambda text: show(f"{name}: {text}"))
    try:
        records = list(experiment(setup))
    except ImportError as error:
        show("")
        print(f"{name}: left out: {error}", file=sys.stderr)
        return []
    except Exception:
        show("")
        print(f"{name}: failed", file=sys.stderr)
        traceback.print_exc()
        return None
    show("")
    print(f"{name}: {time.perf_counter() - before:.0f} s", flush=True)
    return records


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit status is 1 where an experiment failed. The others are run all the same."""
    summary, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m examples.papers",
        description=summary,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a paper or paper/experiment (default: all)")
    parser.add_argument("--small", action="store_true", help="in seconds each")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, metavar="DIR")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    given = parser.parse_args(argv)
    every = experiments()
    try:
        names = chosen(given.names, list(every))
    except ValueError as error:
        parser.error(str(error))
    if given.list:
        print("\n".join(names))
        return 0
    if given.output is None:
        parser.error("--output: expected a folder")
    if given.seeds < 1:
        parser.error(f"--seeds: expected 1 or more, got {given.seeds}")
    given.output.mkdir(parents=True, exist_ok=True)
    results = given.output / "results.json"
    records, status = read_records(results), 0
    for name in names:
        if any(f"{record.paper}/{record.experiment}" == name for record in records):
            print(f"{name}: is there already", flush=True)
            continue
        found = run(name, every[name], given.output, given.small, 1 if given.small else given.seeds)
        if found is None:
            status = 1
            continue
        records += found
        write_records(results, records)
        write_page(given.output, records, every)
    print(given.output / "index.html")
    return status


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on with what is missing", file=sys.stderr)
        raise SystemExit(130) from None
