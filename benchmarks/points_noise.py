"""How far points triangulated from photographs lie from one another's planes: no mesh can be nearer to them.

    python benchmarks/points_noise.py POINTS.npz [--radius MM]

Where most of the neighbours of a point lie in a plane, its distance to that plane is the noise of the points. The
point itself has no say in the plane: the best of some through three of its neighbours, fitted to those near it. Prints
the median, and within which distance 90 % lie, by how many photographs show a point, where the file has `track`.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.spatial import cKDTree

FEWEST, AGREE = 12, 0.6  # neighbours, and the share of them that a plane needs
TRIES, NEAR = 60, 0.3  # planes; times the median spacing


def off_plane(point: np.ndarray, others: np.ndarray, near: float, lots: np.random.Generator) -> float | None:
    """The distance of a point to the plane of the others; None where they have none."""
    best = np.zeros(len(others), dtype=bool)
    for _ in range(TRIES):
        a, b, c = others[lots.choice(len(others), 3, replace=False)]
        normal = np.cross(b - a, c - a)
        length = np.linalg.norm(normal)
        if length > 0:
            inside = np.abs((others - a) @ normal) < near * length
            best = inside if inside.sum() > best.sum() else best
    if best.sum() < AGREE * len(others):
        return None
    middle = others[best].mean(0)
    return float(abs((point - middle) @ np.linalg.svd(others[best] - middle)[2][2]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("points")
    parser.add_argument("--radius", type=float, default=8.0, help="of the neighbours, in the points' unit")
    given = parser.parse_args()
    file, lots = np.load(given.points), np.random.default_rng(0)
    points, tree = file["xyz"], cKDTree(file["xyz"])
    near = NEAR * float(np.median(tree.query(points, k=2)[0][:, 1]))
    found = np.full(len(points), np.nan)
    for i, around in enumerate(tree.query_ball_point(points, given.radius)):
        others = points[[j for j in around if j != i]]
        if len(others) >= FEWEST and (off := off_plane(points[i], others, near, lots)) is not None:
            found[i] = off
    known = np.isfinite(found)
    print("| photographs | points | median | 90 % within |\n| --- | ---: | ---: | ---: |")
    track = file["track"] if "track" in file else np.full(len(points), 3)
    for low, high, name in ((0, 10**9, "all"), (3, 3, "3"), (4, 5, "4, 5"), (6, 10**9, "6 and more")):
        part = found[known & (track >= low) & (track <= high)]
        if len(part):
            print(f"| {name} | {len(part):,} | {np.median(part):.3f} | {np.quantile(part, 0.9):.3f} |")


if __name__ == "__main__":
    main()
