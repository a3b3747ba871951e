"""Where a step of the rasterizer's benchmark spends its processor time, against DEODR, its floor and a second thread.

Claim: DEODR takes at least 3, 5 and 9 times the processor time of one thread at 2,562, 10,242 and 40,962 vertices.

    python benchmarks/rasterizer_phases.py            # needs deodr (pip install -e .[bench]); about a minute
    python benchmarks/rasterizer_phases.py --rounds 3

Processor time is compared, of programs that take turns in one process: so other work on the machine changes little. Of
two threads the *span* counts: the main thread's time, and what the slower one takes longer where both work. It leaves
out waiting for a core, and what two threads take from each other's memory bandwidth shows in it.

The floor of a phase is the larger of two times: of its bytes, each moved once, at the bandwidth of a copy that this
process measures, and of its arithmetic operations at the rate of a product of matrices.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

BIG = str(2**30)
# Large blocks are kept, as in rasterizer.py: otherwise images would be mapped and cleared anew in every step.
SETTINGS = {"MALLOC_MMAP_THRESHOLD_": BIG, "MALLOC_TRIM_THRESHOLD_": BIG, "OMP_WAIT_POLICY": "PASSIVE"}
LEVELS = {4: 2_562, 5: 10_242, 6: 40_962}
CLAIMS = {4: 3.0, 5: 5.0, 6: 9.0}
PHASES = {
    "draw_views": "coverage", "find_crossings": "silhouettes", "settle": "silhouettes", "draw": "image",
    "compare_rows": "loss", "draw_adjoint": "adjoint of image", "project": "projection", "add": "normals",
    "project_adjoint": "projection", "add_adjoint": "normals", "unit": "normals", "unit_adjoint": "normals",
}  # fmt: skip
REST = "torch and Python"


def replace(name: str, new: Callable[..., None]) -> Callable[..., None]:
    """Another function of `warp_launch` in every module that has it; the old one."""
    from largesteps_zg._support import warp_launch

    old = getattr(warp_launch, name)
    for module in list(sys.modules.values()):
        if getattr(module, name, None) is old:
            setattr(module, name, new)
    return old


class Timers:
    """Processor time of each kernel's launches in the calling thread, by phase."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._launch = replace("launch", self._timed)

    def _timed(self, kernel, *arguments) -> None:
        begin = time.thread_time()
        self._launch(kernel, *arguments)
        name = kernel.key.split(".")[-1].split("__")[-1]
        self.spent[PHASES.get(name, REST)] += time.thread_time() - begin


class Chunks:
    """What threads take longer than the main one, where they work side by side."""

    def __init__(self) -> None:
        self.longer, self._run = 0.0, replace("run_chunks", self._timed)

    def _timed(self, work, chunks) -> None:
        times = [0.0] * len(chunks)

        def timed(index: int, chunk: range) -> None:
            begin = time.thread_time()
            work(index, chunk)
            times[index] = time.thread_time() - begin

        self._run(timed, chunks)
        self.longer += max(times) - times[0]


def rates() -> tuple[float, float]:
    """Bytes and operations a second that one thread moves in a copy and makes in a product, at best."""
    import torch

    block, matrix = torch.zeros(2**24), torch.ones(1024, 1024)
    copy, product = torch.zeros_like(block), torch.empty_like(matrix)
    best = [float("inf"), float("inf")]
    for _ in range(7):
        for n, work in enumerate((lambda: copy.copy_(block), lambda: torch.mm(matrix, matrix, out=product))):
            begin = time.thread_time()
            work()
            best[n] = min(best[n], time.thread_time() - begin)
    return 8 * block.numel() / best[0], 2 * 1024**3 / best[1]


def demands(problem) -> dict[str, tuple[float, float]]:
    """Bytes and operations of each phase; operations are counted in the kernels' formulas."""
    from largesteps_zg.rasterizer import edge_table, rasterize
    from largesteps_zg.rasterizer.warp_backend import find_pairs
    from largesteps_zg.renderers import homogeneous_pixels

    points = homogeneous_pixels(problem.vertices, problem.cameras)
    edges = edge_table(problem.faces)
    f = rasterize(points, problem.faces, (problem.cameras.height, problem.cameras.width), edges=edges)
    views, vertices, faces = len(points), points.shape[1], len(problem.faces)
    area, found, pairs = len(f.slots), len(f.pixels), len(find_pairs(f)[0])
    runs = int(((f.triangles[1:] != f.triangles[:-1]) | (f.pixels[1:] != f.pixels[:-1] + 1)).sum()) + 1
    corners, image = views * vertices, 16 * area
    return {
        "coverage": (
            views * faces * 12 + corners * 24 + area * 4 + found * 24,
            views * faces * 60 + found * 32,
        ),
        "silhouettes": (views * len(edges) * 24 + pairs * 40, views * len(edges) + pairs * 120),
        "image": (image + found * 8 + corners * 12 + pairs * 80, found * 34 + runs * 30 + pairs * 40),
        "loss": (3 * image, 16 * area),
        "adjoint of image": (found * 24 + corners * 28 + pairs * 80, found * 90 + runs * 60 + pairs * 340),
        "projection": (corners * 28, corners * 36),
        "normals": (faces * 24 + vertices * 120, faces * 60 + vertices * 40),
    }


def turns(problem, rounds: int) -> tuple[list[dict[str, float]], list[float], list[tuple[float, float]]]:
    """Seconds by phase and of the whole; DEODR's over ours in each round; spans of one thread and of two."""
    import torch
    from rasterizer_peers import PEERS

    timers, chunks = Timers(), Chunks()
    ours, deodr = (PEERS[name](problem) for name in ("ours", "deodr"))
    phases, ratios, spans = [], [], []
    for begun in range(rounds + 1):  # the first one compiles
        for _ in range(3):
            timers.spent.clear()
            begin = time.thread_time()
            ours()
            whole = time.thread_time() - begin
            found = dict(timers.spent, whole=whole)
            found[REST] = whole - sum(timers.spent.values())
            phases.append(found)
        begin = time.process_time()
        deodr()
        ratios.append((time.process_time() - begin) / statistics.median(p["whole"] for p in phases[-3:]))
        both = []
        ours()  # after DEODR the caches hold nothing of ours
        for threads in (2, 1):
            torch.set_num_threads(threads)
            chunks.longer, begin = 0.0, time.thread_time()
            ours()
            both.append(time.thread_time() - begin + chunks.longer)
        spans.append((both[1], both[0]))
        if not begun:
            phases, ratios, spans = [], [], []
    return phases, ratios, spans


def measure(level: int, rounds: int) -> None:
    """Print a level's numbers, in a process of its own."""
    import torch
    from rasterizer_peers import problem

    torch.set_num_threads(1)
    prepared = problem(level)
    (bandwidth, speed), needed = rates(), demands(prepared)
    phases, ratios, spans = turns(prepared, rounds)
    whole = statistics.median(p["whole"] for p in phases)
    ratio, gain = statistics.median(ratios), statistics.median(one / two for one, two in spans)
    print(
        f"{LEVELS[level]:,} vertices: {1e3 * whole:.1f} ms a step, DEODR takes {ratio:.1f} times as long, two threads"
    )
    print(
        f"have a span of {1e3 * statistics.median(two for _, two in spans):.1f} ms: {gain:.2f} times as fast as one."
    )
    print(f"A copy moves {bandwidth / 1e9:.1f} GB/s, a product makes {speed / 1e9:.0f} GFLOP/s.\n")
    print("| | ms | MB | MFLOP | floor, ms | times the floor |\n|---|---|---|---|---|---|")
    total = 0.0
    for phase in [*needed, REST]:
        spent = 1e3 * statistics.median(p.get(phase, 0.0) for p in phases)
        if phase not in needed:
            print(f"| {phase} | {spent:.1f} | | | | |")
            continue
        size, operations = needed[phase]
        floor = 1e3 * max(size / bandwidth, operations / speed)
        total += floor
        print(
            f"| {phase} | {spent:.1f} | {size / 1e6:.1f} | {operations / 1e6:.0f} | {floor:.2f} | {spent / floor:.1f} |"
        )
    print(f"| all | {1e3 * whole:.1f} | | | {total:.1f} | {1e3 * whole / total:.1f} |\n", flush=True)
    assert ratio >= CLAIMS[level], (ratio, CLAIMS[level])


def main() -> None:
    """Start each level in a process with the right settings; one thread for torch's own loops."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--level", type=int, choices=LEVELS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.level:
        measure(options.level, options.rounds)
        return
    print(f"$ {shlex.join(['python', *sys.argv])}\n", flush=True)
    for level in LEVELS:
        command = [
            sys.executable,
            str(Path(__file__).resolve()),
            "--level",
            str(level),
            "--rounds",
            str(options.rounds),
        ]
        if os.spawnve(os.P_WAIT, sys.executable, command, os.environ | SETTINGS):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
