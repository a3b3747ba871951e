"""Factor and solve times of the Large Steps system on spheres, against plain cholespy and SciPy.

Claim: what CholeskySolver adds to cholespy (checks, shapes, autograd) costs less than half again its solve, and a
solve beats SciPy's splu, the factor that needs no further package, at every size.

    python benchmarks/solvers.py            # 2,562 to 163,842 vertices, about two minutes on two cores
    python benchmarks/solvers.py --quick    # the two smaller ones, a few seconds
"""

from __future__ import annotations

import argparse
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import cholespy
import numpy as np
import torch
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu
from torch import Tensor

from largesteps_zg.geometry import compute_matrix
from largesteps_zg.mesh import icosphere
from largesteps_zg.solvers import CholeskySolver, ConjugateGradientSolver

Solve = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Row:
    """Times in milliseconds and the largest error of the solution."""

    name: str
    vertices: int
    factor: float
    solve: float
    error: float


def ours(matrix: Tensor) -> Solve:
    """The default of this package."""
    return CholeskySolver(matrix, backend="cholespy").solve


def ours_scikit_sparse(matrix: Tensor) -> Solve:
    """The other backend."""
    return CholeskySolver(matrix, backend="scikit-sparse").solve


def ours_conjugate_gradients(matrix: Tensor) -> Solve:
    """Conjugate gradients from zero each time, the worst case."""
    solver = ConjugateGradientSolver(matrix)

    def solve(b: Tensor) -> Tensor:
        solver._guesses.clear()
        return solver.solve(b)

    return solve


def plain_cholespy(matrix: Tensor) -> Solve:
    """cholespy, called as the published package calls it."""
    rows, columns = matrix.indices().int()
    solver = cholespy.CholeskySolverF(
        matrix.shape[0],
        rows.contiguous(),
        columns.contiguous(),
        matrix.values().double(),
        cholespy.MatrixType.COO,
    )

    def solve(b: Tensor) -> Tensor:
        x = torch.zeros_like(b)
        solver.solve(b, x)
        return x

    return solve


def scipy_splu(matrix: Tensor) -> Solve:
    """SuperLU with its default ordering, its fastest for spheres of 40,000 vertices and more."""
    rows, columns = matrix.indices().numpy()
    system = csc_matrix((matrix.values().double().numpy(), (rows, columns)), shape=tuple(matrix.shape))
    factor = splu(system)
    return lambda b: torch.from_numpy(factor.solve(b.double().numpy()).astype(np.float32))


def median_ms(run: Callable[[], object], *, repeats: int) -> float:
    """Median time of a call, after one that does not count."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def measure(name: str, make: Callable[[Tensor], Solve], matrix: Tensor, vertices: Tensor) -> Row:
    """One line of the table, for three right-hand sides with a known solution."""
    large = len(vertices) > 50_000
    factor = median_ms(lambda: make(matrix), repeats=1 if large else 5)
    solve, right = make(matrix), matrix @ vertices
    error = float((solve(right) - vertices).abs().max())
    return Row(
        name, len(vertices), factor, median_ms(lambda: solve(right), repeats=5 if large else 25), error
    )


def main() -> None:
    """Measure, print the table, check the claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2,562 and 10,242 vertices only")
    quick = parser.parse_args().quick
    makers = {
        "CholeskySolver (cholespy)": ours,
        "plain cholespy": plain_cholespy,
        "SciPy splu": scipy_splu,
        "ConjugateGradientSolver, cold": ours_conjugate_gradients,
    }
    try:
        import sksparse.cholmod  # noqa: F401

        makers["CholeskySolver (scikit-sparse)"] = ours_scikit_sparse
    except ImportError:
        print("scikit-sparse is not installed: left out\n")
    print(f"command: {shlex.join(['python', *sys.argv])}")
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.processor() or platform.machine()}"
    )
    print("I + 19 L in float32, three right-hand sides, medians in milliseconds\n")
    print("| vertices | solver | factor | solve | largest error |")
    print("| ---: | --- | ---: | ---: | ---: |")
    broken = []
    for level in (4, 5) if quick else (4, 5, 6, 7):
        mesh = icosphere(level)
        matrix = compute_matrix(mesh.vertices, mesh.faces, 19.0)
        rows = {name: measure(name, make, matrix, mesh.vertices) for name, make in makers.items()}
        for row in rows.values():
            print(
                f"| {row.vertices:,} | {row.name} | {row.factor:.1f} | {row.solve:.3f} | {row.error:.0e} |",
                flush=True,
            )
        solve = rows["CholeskySolver (cholespy)"].solve
        if solve > 1.5 * rows["plain cholespy"].solve + 0.05 or solve > rows["SciPy splu"].solve:
            broken.append(f"{len(mesh.vertices):,} vertices")
    if broken:
        sys.exit(f"the claim does not hold at {', '.join(broken)}; is something else running?")


if __name__ == "__main__":
    main()
