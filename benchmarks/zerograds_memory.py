"""Memory of ZeroGrads for a texture of 256 x 256 RGB, with a positional encoding, next to a small problem.

Claim: the peak of the whole process is below 4 GB, with the published size of network: 8 layers of 128 neurons, six
bands, 20 pairs a step. The published first layer alone has 196,608 x 13 x 128 weights, 1.3 GB, and as many gradients
and moments.

    python benchmarks/zerograds_memory.py           # half a minute
"""

from __future__ import annotations

import argparse
import resource
import shlex
import subprocess
import sys
import time

import torch

from largesteps_zg.estimators import ZeroGrads, differentiable

SIZES = (16, 64, 256)
STEPS = 3


def measure(size: int) -> str:
    """A few steps in this process; a row of the table with the peak of its memory."""
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(size, size, 3, generator=generator)
    texture = torch.full_like(target, 0.5).requires_grad_()
    estimator = ZeroGrads(sigma=0.025, pairs=20, bands=6, width=128, depth=8)
    loss = differentiable(lambda x: (x - target).abs().mean(), estimator, generator=generator)
    optimizer = torch.optim.Adam([texture], lr=1e-3)
    start = time.perf_counter()
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss(texture).backward()
        optimizer.step()
    seconds = (time.perf_counter() - start) / STEPS
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform != "darwin" else 1 / 1024
    )
    return f"{3 * size**2} {kilobytes / 1e6 * 1.024:.2f} {seconds:.2f}"


def main() -> None:
    """Measure each size in a process of its own, print the table, check the claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, help="measure this one, here, and print its numbers")
    size = parser.parse_args().size
    if size:
        print(measure(size))
        return
    print(f"$ {shlex.join(['python', *sys.argv])}")
    print("| parameters | peak of the process, GB | seconds per step without the renderings |\n|---|---|---|")
    peak = 0.0
    for size in SIZES:
        command = [sys.executable, __file__, "--size", str(size)]
        row = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        print(f"| {int(row[0]):,} | {row[1]} | {row[2]} |", flush=True)
        peak = float(row[1])
    assert peak < 4, peak


if __name__ == "__main__":
    main()
