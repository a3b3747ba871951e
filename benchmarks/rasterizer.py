"""One forward and backward step of 16 shaded views at 256², with silhouettes: ours, DEODR 0.2.3 and Mitsuba 3.

Claim: at 2,562 vertices a step on all cores is at least 2 times as fast as DEODR's, at 10,242 at least 3 times; and 100
views at 512² fit in 4 GiB.

    python benchmarks/rasterizer.py            # needs deodr and mitsuba (pip install -e .[bench]); about three minutes
    python benchmarks/rasterizer.py --quick    # without Mitsuba and the largest mesh
    python benchmarks/rasterizer.py --level 4  # 2,562 vertices, without Mitsuba: half a minute, if nothing else may run

Each number comes from a process of its own, because of peak memory and the number of threads. The processes take turns,
twice, so other work on the machine slows all alike. glibc's malloc is told to keep large blocks: otherwise DEODR's
images in float64 would be mapped and cleared anew in every step, which makes it 2 times slower. Mitsuba needs LLVM 16
or newer as DRJIT_LIBLLVM_PATH (Debian: libllvm19). It takes 4 samples a pixel and 1 for silhouettes, its cheapest
choice.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

LEVELS = {4: 2_562, 5: 10_242, 6: 40_962}
CLAIMS = {4: 2.0, 5: 3.0}
STEPS = {"mitsuba": 2, "deodr": 9}
ROUNDS = 2
GIGABYTE = 2**30


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory() -> int:
    """The peak of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(peer: str, level: int, threads: int) -> dict[str, Any]:
    """Time and memory of a peer's steps, in this process."""
    import torch
    from rasterizer_peers import PEERS, problem

    torch.set_num_threads(threads)
    step, prepared = PEERS[peer](problem(level)), peak_memory()
    losses = [step(), step()]  # the first step compiles
    walls, cpus = [], []
    for _ in range(STEPS.get(peer, 15)):
        wall, cpu = time.perf_counter(), time.process_time()
        losses.append(step())
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    assert losses[0] > 0 and abs(losses[-1] - losses[1]) < 0.02 * losses[1], losses
    memory = (peak_memory() - prepared) / 2**20
    return {"wall": 1e3 * statistics.median(walls), "cpu": 1e3 * statistics.median(cpus), "memory": memory}


def measure_memory() -> dict[str, Any]:
    """Peak of a step of 100 views at 512², everything included."""
    import torch
    from rasterizer_peers import PEERS, problem

    torch.set_num_threads(cores())
    PEERS["ours"](problem(5, views=100, size=512))()
    return {"memory": peak_memory() / GIGABYTE}


def in_own_process(*arguments: str, threads: int = 1) -> dict[str, Any]:
    """Run this file again; return what it measured, or why it did not."""
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        # Where other processes run too, threads that spin while they wait take the core from threads that work.
        "OMP_WAIT_POLICY": "PASSIVE",
        "MALLOC_MMAP_THRESHOLD_": str(GIGABYTE),
        "MALLOC_TRIM_THRESHOLD_": str(4 * GIGABYTE),
    }
    command = [sys.executable, str(Path(__file__).resolve()), "--measure", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        reason = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        return {"failed": reason[-1]}
    return json.loads(done.stdout[done.stdout.rindex('{"') :])  # Mitsuba colours the terminal around it


def main() -> None:
    """Measure, print the table, check the claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="without Mitsuba and the largest mesh")
    parser.add_argument(
        "--level", type=int, choices=LEVELS, help="one mesh alone, without Mitsuba and 100 views"
    )
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        name, *rest = options.measure
        result = measure_memory() if name == "memory" else measure(name, *(int(r) for r in rest))
        print(json.dumps(result))
        return
    rows = [("ours", cores()), ("ours", 1), ("deodr", cores()), ("deodr", 1)]
    levels = [options.level] if options.level else [4, 5] if options.quick else list(LEVELS)
    if not options.quick and not options.level:
        rows.append(("mitsuba", cores()))
    found: dict[tuple[str, int, int], list[dict[str, Any]]] = {}
    for _ in range(ROUNDS):
        for level in levels:
            for peer, threads in rows:
                result = in_own_process(peer, str(level), str(threads), threads=threads)
                found.setdefault((peer, threads, level), []).append(result)
    memory = {} if options.level else in_own_process("memory", threads=cores())
    report(rows, levels, found, memory)


def report(rows, levels, found, memory) -> None:
    """Print the table and check the claims; for each program the better round counts."""
    print(f"$ {shlex.join(['python', *sys.argv])}")
    print(f"{platform.machine()}, {cores()} cores; ms a step (CPU ms), MiB above the prepared problem\n")
    print("| | " + " | ".join(f"{LEVELS[level]:,} vertices" for level in levels) + " |")
    print("|---" * (len(levels) + 1) + "|")
    best: dict[tuple[str, int, int], dict[str, Any]] = {}
    for peer, threads in rows:
        cells = []
        for level in levels:
            results = [r for r in found[peer, threads, level] if "failed" not in r]
            if not results:
                cells.append("-")
                continue
            result = min(results, key=lambda r: r["wall"])
            best[peer, threads, level] = result
            cells.append(f"{result['wall']:.1f} ({result['cpu']:.1f}), {result['memory']:.0f} MiB")
        print(f"| {peer}, {threads} thread{'s' * (threads > 1)} | " + " | ".join(cells) + " |")
    for key, results in found.items():
        for message in {r["failed"] for r in results if "failed" in r}:
            print(f"\n{key[0]} at {LEVELS[key[2]]:,} vertices was left out: {message}")
    if memory:
        print(f"\n100 views at 512²: {memory['memory']:.2f} GiB at most")
    claimed = []
    for level in levels:
        peers = [best[key]["wall"] for key in best if key[0] == "deodr" and key[2] == level]
        if peers and ("ours", cores(), level) in best:
            ratio = min(peers) / best["ours", cores(), level]["wall"]
            print(f"{LEVELS[level]:,} vertices: {ratio:.1f} times as fast as DEODR at its best")
            claimed.append((ratio, CLAIMS.get(level, 0)))
    assert claimed, "deodr is not installed: pip install -e .[bench]"
    assert all(ratio >= claim for ratio, claim in claimed), claimed
    assert not memory or memory["memory"] < 4, memory


if __name__ == "__main__":
    main()
