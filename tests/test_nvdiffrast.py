"""The nvdiffrast backend as far as it goes without CUDA: its conversions, and what it says where it cannot run."""

from __future__ import annotations

import pytest
import torch
from raster_oracle import seen_at, sphere

from largesteps_zg.rasterizer import rasterize
from largesteps_zg.rasterizer.nvdiffrast_backend import clip_from_pixels, compact


def test_clip_coordinates_put_row_zero_first():
    # A 4 x 8 image (rows x columns); pixel corners to the corners of clip space, at depths near and far.
    corners = torch.tensor(
        [[0.0, 0.0], [8.0, 0.0], [0.0, 4.0], [8.0, 4.0], [4.0, 2.0], [0.5, 0.5]], dtype=torch.float64
    )
    for depth in (0.1, 2.0, 1e5):
        points = depth * torch.cat([corners, torch.ones(6, 1, dtype=torch.float64)], dim=1)[None]
        x, y, z, w = clip_from_pixels(points, (4, 8), near=0.1)[0].unbind(-1)
        assert torch.allclose(w, points[0, :, 2])
        assert torch.allclose(x / w, torch.tensor([-1.0, 1.0, -1.0, 1.0, 0.0, -7 / 8], dtype=torch.float64))
        # nvdiffrast's row 0 is the one at y/w = -1.
        assert torch.allclose(y / w, torch.tensor([-1.0, -1.0, 1.0, 1.0, 0.0, -3 / 4], dtype=torch.float64))
        assert torch.allclose(
            z / w, {0.1: -1.0, 2.0: 0.9, 1e5: 1.0}[depth] * torch.ones(6).double(), atol=1e-5
        )


def test_points_behind_the_camera_stay_behind():
    points = torch.tensor([[[3.0, 2.0, -1.0]]])
    assert clip_from_pixels(points, (4, 8), near=0.1)[0, 0, 3] == -1
    inside = clip_from_pixels(points, (4, 8), near=0.1)[0, 0]
    assert inside[2] < inside[3]  # beyond -w <= z: clipped


def test_compact_lists_are_those_of_the_other_backend():
    vertices, faces = sphere(2)
    points = torch.cat([seen_at(vertices, 24, shift=(s, 0)) for s in (-9.0, 900.0, 5.0)]).float()
    f = rasterize(points, faces, (24, 24))
    rast = torch.zeros(3, 24, 24, 4)
    rast[..., 3] = f.triangle_ids() + 1
    for found, expected in zip(compact(rast), (f.pixels, f.triangles, f.slots, f.view_ends), strict=True):
        assert torch.equal(found, expected) and found.dtype == expected.dtype


def test_without_cuda_it_says_so():
    vertices, faces = sphere(1)
    with pytest.raises(
        ImportError, match=r"^backend: nvdiffrast needs CUDA tensors, got cpu; use backend='warp'$"
    ):
        rasterize(seen_at(vertices, 8).float(), faces, (8, 8), backend="nvdiffrast")
