"""How the cost of a shaded step grows with pixels, views and triangles: processor time, memory, and their exponents.

Claim: nothing grows much faster than in proportion: exponents are 1.25 at most, where a mesh leaves the caches.

    python benchmarks/rasterizer_growth.py            # ten minutes
    python benchmarks/rasterizer_growth.py --quick    # a minute: without the three largest of each

A step is that of rasterizer.py: colours from normals, silhouettes, loss, gradients, on one thread; medians of five,
each row in a process of its own. Memory is the peak above the imported libraries: mesh and targets too. An exponent
is the slope between two rows on logarithmic axes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

# What grows, and (icosphere's level, views, size) of each row.
GROWTHS = {
    "size of 4 views, 20,480 triangles": [(5, 4, 2**n) for n in range(6, 12)],
    "views of 128², 5,120 triangles": [(4, n, 128) for n in (1, 4, 16, 64, 200)],
    "triangles, 2 views of 256²": [(n, 2, 256) for n in range(3, 10)],
}
BIG = str(2**30)
SETTINGS = {"MALLOC_MMAP_THRESHOLD_": BIG, "MALLOC_TRIM_THRESHOLD_": BIG, "OMP_NUM_THREADS": "1"}
MOST = 1.25


def measure(level: int, views: int, size: int) -> None:
    """Print what a step takes, in this process."""
    import torch
    from rasterizer import peak_memory
    from rasterizer_peers import PEERS, problem

    torch.set_num_threads(1)
    before, times = peak_memory(), []
    step = PEERS["ours"](problem(level, views=views, size=size))
    step()  # compiles
    for _ in range(5):
        begin = time.thread_time()
        step()
        times.append(time.thread_time() - begin)
    memory = (peak_memory() - before) / 2**20
    print(json.dumps({"time": 1e3 * statistics.median(times), "memory": memory}))


def in_own_process(level: int, views: int, size: int) -> dict[str, float]:
    """Run this file again for one row."""
    command = [sys.executable, str(Path(__file__).resolve()), "--row", str(level), str(views), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | SETTINGS, check=True)
    return json.loads(done.stdout[done.stdout.rindex("{") :])


def table(name: str, rows: list[tuple[int, int, int]]) -> list[float]:
    """Print one table; the exponents of its times."""
    grown = [next(n for n, values in enumerate(zip(*rows, strict=True)) if len(set(values)) > 1)]
    label = {0: "triangles", 1: "views", 2: "size"}[grown[0]]
    print(f"**{name}**\n\n| {label} | ms | exponent | MiB | exponent |\n|---|---|---|---|---|")
    found: list[tuple[float, dict[str, float]]] = []
    exponents = []
    for row in rows:
        amount = {"triangles": 20.0 * 4 ** row[0], "views": row[1], "size": row[2] ** 2}[label]
        result, slopes = in_own_process(*row), ["", ""]
        if found:
            before, last = found[-1]
            for n, what in enumerate(("time", "memory")):
                if last[what] > 0 and result[what] > 0:
                    slope = math.log(result[what] / last[what]) / math.log(amount / before)
                    slopes[n] = f"{slope:.2f}"
                    exponents += [slope] if what == "time" else []
        shown = f"{row[2]}²" if label == "size" else f"{amount:,.0f}"
        print(
            f"| {shown} | {result['time']:.1f} | {slopes[0]} | {result['memory']:.0f} | {slopes[1]} |",
            flush=True,
        )
        found.append((amount, result))
    print()
    return exponents


def main() -> None:
    """Measure, print the tables, check the claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="without the three largest of each")
    parser.add_argument("--row", type=int, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        measure(*options.row)
        return
    print(f"$ {shlex.join(['python', *sys.argv])}\n")
    exponents = []
    for name, rows in GROWTHS.items():
        exponents += table(name, rows[:-3] if options.quick else rows)
    assert max(exponents) <= MOST, exponents


if __name__ == "__main__":
    main()
