"""Claim: from 8 of 40 views a reconstruction is nearer to the true surface than the hull of all 40.

    python benchmarks/few_views.py SCENE [--views 8]

SCENE has a true mesh. The hull is carved from all training views on 192^3 cells; both are compared with the truth
from points drawn evenly, in thousandths of its diagonal.
"""

from __future__ import annotations

import argparse

import torch

from largesteps_zg.metrics import surface_distances
from largesteps_zg.reconstruct import Settings, reconstruct
from largesteps_zg.scenes import bounding_sphere, load_scene
from largesteps_zg.starts import choose_start, visual_hull

CELLS = 192


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene")
    parser.add_argument("--views", type=int, default=8)
    arguments = parser.parse_args()
    scene = load_scene(arguments.scene)
    assert scene.mesh is not None, "the scene has no true mesh"

    def distance(mesh) -> float:
        found = surface_distances(mesh, scene.mesh, generator=torch.Generator().manual_seed(0))
        return found.chamfer_permille

    hull = visual_hull(scene.train, *bounding_sphere(scene.train), cells=CELLS, vertices=20_000)
    carved = distance(hull)
    print(f"hull of all {len(scene.train)} views: {carved:.2f} permille")
    few = scene.train[
        list(range(0, len(scene.train), len(scene.train) // arguments.views))[: arguments.views]
    ]
    start = choose_start(few, *bounding_sphere(few))
    print(f"{len(few)} views, start: {start.kind} ({start.reason})")
    *_, last = reconstruct(few, Settings(), start=start.mesh)
    found = distance(last.run.mesh())
    print(f"reconstructed from {len(few)} views: {found:.2f} permille")
    assert found < carved


if __name__ == "__main__":
    main()
