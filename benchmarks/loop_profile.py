"""Where the processor time of `reconstruct` goes, phase by phase.

    python benchmarks/loop_profile.py                       # the built-in scene; two minutes
    python benchmarks/loop_profile.py SCENE --init sphere   # words of the command

A run's own stopwatch, set to processor time, of one thread. "before" is all that comes before the run is set up:
Python's modules, the scene, the start. "rest" is what no phase counts.
"""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import torch

from largesteps_zg._support import stopwatch
from largesteps_zg.cli import program
from largesteps_zg.reconstruct.loop import Reconstruction


def measure(words: list[str]) -> tuple[dict[str, float], int]:
    """Run the command; seconds of each phase, and steps."""
    stopwatch.time = SimpleNamespace(perf_counter=time.process_time)
    made, before = Reconstruction.__init__, []

    def init(self: Reconstruction, *given: object, **options: object) -> None:
        before.append(time.process_time())
        made(self, *given, **options)

    Reconstruction.__init__ = init
    with tempfile.TemporaryDirectory() as folder:
        status = program.run(["reconstruct", *words, "--quiet", "--output", folder])
        if status:
            raise SystemExit(status)
        told = json.loads((Path(folder) / "run.json").read_text())
    seconds = {"before": before[0], **told["seconds_by_phase"]}
    seconds["rest"] = time.process_time() - sum(seconds.values())
    return seconds, told["steps"]


def main() -> None:
    """Measure and print the table."""
    torch.set_num_threads(1)
    seconds, steps = measure(sys.argv[1:])
    whole = sum(seconds.values())
    print(f"\n$ {shlex.join(['python', *sys.argv])}\nseconds of processor time\n")
    print("| phase | seconds | ms a step | share |\n|---|---:|---:|---:|")
    for name, value in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"| {name} | {value:.1f} | {1000 * value / steps:.1f} | {value / whole:.1%} |")
    print(f"| all {steps} steps | {whole:.1f} | {1000 * whole / steps:.1f} | |")


if __name__ == "__main__":
    main()
