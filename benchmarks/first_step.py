"""From `largesteps-zg reconstruct` to the first step: where the time goes, with compiled kernels and without.

    python benchmarks/first_step.py                       # the built-in scene; two minutes
    python benchmarks/first_step.py SCENE --init sphere   # words of the command

Each number is processor time, in a process of its own: on an idle machine with one thread that is what one waits. Of
the runs with compiled kernels the quickest counts. "Nothing compiled" starts with an empty cache of kernels.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from functools import wraps
from pathlib import Path
from typing import Any

RUNS = 2
PHASES = ("torch", "scene", "start", "prepared", "first step")


def measure(words: list[str]) -> None:
    """Run the command in this process; at its first step print when each phase ended, and end."""
    ends: dict[str, float] = {}

    def ending(name: str, function: Any) -> Any:
        @wraps(function)
        def timed(*given: Any, **options: Any) -> Any:
            result = function(*given, **options)
            ends.setdefault(name, time.process_time())
            if name == PHASES[-1]:
                print(json.dumps(ends), file=sys.__stdout__, flush=True)
                os._exit(0)
            return result

        return timed

    from largesteps_zg.cli.own_process import take_over

    take_over()
    import torch

    ends["torch"] = time.process_time()
    torch.set_num_threads(1)
    from largesteps_zg.cli import program, reconstruct
    from largesteps_zg.reconstruct.loop import Reconstruction

    reconstruct.scene_named = ending("scene", reconstruct.scene_named)
    reconstruct.start_named = ending("start", reconstruct.start_named)
    Reconstruction.__init__ = ending("prepared", Reconstruction.__init__)
    Reconstruction.advance = ending("first step", Reconstruction.advance)
    sys.exit(program.run(words))


def in_own_process(words: list[str], cache: Path | None) -> dict[str, float]:
    """What `measure` printed in a process that has an empty cache, or the user's."""
    environment = (
        os.environ | {"OMP_NUM_THREADS": "1"} | ({} if cache is None else {"WARP_CACHE_PATH": str(cache)})
    )
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            __file__,
            "--measure",
            "reconstruct",
            *words,
            "--quiet",
            "--output",
            folder,
        ]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip() or done.stdout.strip())
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print the table."""
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2:])
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    _, words = parser.parse_known_args()
    in_own_process(words, None)  # compiles
    warm = min((in_own_process(words, None) for _ in range(RUNS)), key=lambda ends: ends["first step"])
    with tempfile.TemporaryDirectory() as cache:
        cold = in_own_process(words, Path(cache))
    print(f"$ {shlex.join(['python', *sys.argv])}\nseconds of processor time\n")
    print("| | compiled before | nothing compiled |\n|---|---|---|")
    for name, before in zip(PHASES, (None, *PHASES), strict=False):
        cells = [ends[name] - (ends[before] if before else 0.0) for ends in (warm, cold)]
        print(f"| {name} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    print(f"| all | {warm['first step']:.2f} | {cold['first step']:.2f} |")


if __name__ == "__main__":
    main()
