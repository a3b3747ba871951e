"""Claim: from 8 of 40 views a reconstruction is nearer to the true surface than the hull of all 40.

    python benchmarks/few_views.py SCENE [--views 8] [--first 0]

SCENE has a true mesh. The hull is carved from all training views on 192^3 cells. Points drawn evenly compare both with
the truth, in thousandths of its diagonal. The choice of views decides what they see. So a second table shows the
distance from the true surface by the number of views that see it, from less than 80 degrees off its normal.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from largesteps_zg.cameras import Cameras
from largesteps_zg.geometry import vertex_normals
from largesteps_zg.mesh import Mesh, closest_points, sample_surface, surface_distances
from largesteps_zg.reconstruct import Settings, reconstruct
from largesteps_zg.reconstruct.appearance.occlusion import hidden_directions
from largesteps_zg.reconstruct.starts import choose_start, visual_hull
from largesteps_zg.scenes import bounding_sphere, load_scene

CELLS = 192
SAMPLES = 100_000
GRAZING = 0.17  # cosine


def times_seen(mesh: Mesh, cameras: Cameras) -> Tensor:
    """(V,) the number of cameras that see each vertex."""
    vertices = mesh.vertices.double()
    middle = vertices.mean(0)
    radius = (vertices - middle).norm(dim=1).max()
    normals = vertex_normals(vertices, mesh.faces)
    towards = torch.nn.functional.normalize(cameras.centers.double()[:, None] - vertices, dim=-1)
    hidden = hidden_directions((vertices - middle) / radius, mesh.faces, normals, towards)
    return (((normals * towards).sum(-1) > GRAZING) & ~hidden).sum(0)


def table(mesh: Mesh, truth: Mesh, cameras: Cameras) -> None:
    """Print the distance of the mesh from the true surface, by the number of cameras that see it."""
    points, faces = sample_surface(
        truth.vertices, truth.faces, SAMPLES, generator=torch.Generator().manual_seed(0)
    )
    corners = truth.faces[faces]
    nearest = (truth.vertices[corners] - points[:, None]).norm(dim=-1).argmin(dim=1, keepdim=True)
    seen = times_seen(truth, cameras)[corners.gather(1, nearest)[:, 0]]
    extent = float((truth.vertices.max(0).values - truth.vertices.min(0).values).norm())
    away = 1000 * closest_points(points, mesh.vertices, mesh.faces).distances / extent
    print("| seen by | of the surface | permille off | of the mean |\n| --- | ---: | ---: | ---: |")
    for name, where in (("no view", seen == 0), ("one", seen == 1), ("two", seen == 2), ("more", seen > 2)):
        count, off = int(where.sum()), float(away[where].sum())
        print(f"| {name} | {count / SAMPLES:.0%} | {off / max(count, 1):.2f} | {off / SAMPLES:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene")
    parser.add_argument("--views", type=int, default=8)
    parser.add_argument(
        "--first", type=int, default=0, help="of the views chosen, which are evenly apart in the list"
    )
    arguments = parser.parse_args()
    scene = load_scene(arguments.scene)
    truth = scene.mesh
    assert truth is not None, "the scene has no true mesh"

    def distance(mesh: Mesh) -> float:
        found = surface_distances(mesh, truth, generator=torch.Generator().manual_seed(0))
        return found.chamfer_permille

    hull = visual_hull(scene.train, *bounding_sphere(scene.train), cells=CELLS, vertices=20_000)
    carved = distance(hull)
    print(f"hull of all {len(scene.train)} views: {carved:.2f} permille")
    every = len(scene.train) // arguments.views
    few = scene.train[list(range(arguments.first, len(scene.train), every))[: arguments.views]]
    start = choose_start(few, *bounding_sphere(few))
    print(f"{len(few)} views, start: {start.kind} ({start.reason})")
    *_, last = reconstruct(few, Settings(), start=start.mesh)
    mesh = last.run.mesh()
    found = distance(mesh)
    print(f"reconstructed from {len(few)} views: {found:.2f} permille\n")

    table(mesh, truth, few.cameras)
    assert found < carved


if __name__ == "__main__":
    main()
