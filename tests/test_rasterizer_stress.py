"""Ten thousand small launches from eight threads at once give what one thread gives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from raster_oracle import sphere

from largesteps_zg.geometry import vertex_normals
from largesteps_zg.rasterizer import antialias, interpolate, rasterize

THREADS, ROUNDS = 8, 160  # of eight launches: draw, interpolate, find, compose, blend, and three adjoints


def rendered(points: torch.Tensor, faces: torch.Tensor) -> list[torch.Tensor]:
    """An image and the gradient of its sum."""
    points = points.clone().requires_grad_()
    fragments = rasterize(points, faces, (16, 16))
    image = antialias(interpolate(vertex_normals(points[0].detach(), faces), fragments), fragments)
    image.square().sum().backward()
    assert points.grad is not None
    return [fragments.triangles, image.detach(), points.grad]


@pytest.mark.slow
def test_ten_thousand_small_launches_from_eight_threads_agree_with_one() -> None:
    scenes = []
    for seed in range(THREADS):
        vertices, faces = sphere(2, seed=seed)
        depth = vertices[:, 2:] + 3
        points = torch.cat([(vertices[:, :2] * 20 + 8 * depth), depth], dim=1)[None].float()
        scenes.append((points, faces, rendered(points, faces)))

    def repeat(index: int) -> bool:
        points, faces, expected = scenes[index]
        found = (rendered(points, faces) for _ in range(ROUNDS))
        return all(torch.equal(a, b) for result in found for a, b in zip(result, expected, strict=True))

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(repeat, range(THREADS)))
