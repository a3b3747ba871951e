"""CPU seconds of a short reconstruction alone and beside a full load: do its threads wait without spinning?

Claim: user and system seconds beside a load on every core are at most half as much again as alone. Threads that spin
while they wait take four times as much. Beside a load caches are shared and work is moved between cores, which costs
some of the rest.

    python benchmarks/busy_machine.py               # two minutes; nothing else should run
"""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

MOST = 1.5  # times as many CPU seconds beside the load
BURN = "while True: pass"


def cpu_seconds(steps: int, folder: Path) -> float:
    """User and system seconds of one run, its threads and processes included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = ["reconstruct", "--output", str(folder), "--steps", str(steps), "--quiet", "--init", "sphere"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "MKL_"))}
    command = [sys.executable, "-m", "largesteps_zg", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Runs alone and beside a load in turn, the table, and the claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    alone, beside = [], []
    with tempfile.TemporaryDirectory() as folder:
        cpu_seconds(1, Path(folder, "first"))  # compiles the kernels
        for run in range(options.runs):
            alone.append(cpu_seconds(options.steps, Path(folder, f"alone-{run}")))
            # Their seconds are not counted: they have not ended when the run's are read.
            load = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(cores)]
            try:
                beside.append(cpu_seconds(options.steps, Path(folder, f"beside-{run}")))
            finally:
                for process in load:
                    process.kill()
                    process.wait()
    print(f"$ {shlex.join(['python', *sys.argv])}")
    print(f"{cores} cores, {options.steps} steps, medians of {options.runs}")
    print("| | CPU seconds | of each run |\n|---|---|---|")
    for name, seconds in (("alone", alone), ("beside a full load", beside)):
        each = ", ".join(f"{value:.1f}" for value in seconds)
        print(f"| {name} | {statistics.median(seconds):.1f} | {each} |")
    ratio = statistics.median(beside) / statistics.median(alone)
    print(f"beside over alone: {ratio:.2f}")
    assert ratio <= MOST, f"{ratio:.2f} times as many CPU seconds, expected at most {MOST}"


if __name__ == "__main__":
    main()
