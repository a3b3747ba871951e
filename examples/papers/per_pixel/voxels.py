"""A volume of voxels, marched through by a renderer without derivatives; the march is repeated for the ids."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from largesteps_zg._support.warp_kernels import INT64S, INTS, KernelModule, compiled
from largesteps_zg._support.warp_launch import run_items
from largesteps_zg.cameras import Cameras
from largesteps_zg.estimators import Contributors

# Steps of half a voxel, until little light would come through. The first march makes the picture and counts voxels,
# the second one (`ids` is not empty) writes down which they were.
MARCH = """
    for (int pixel = first; pixel < last; ++pixel) {
        const int view = pixel / pixels;
        const real* origin = origins.data + 3 * view;
        const real* way = ways.data + 3 * (size_t)pixel;
        real from = 0, to = 1e9f;
        for (int n = 0; n < 3; ++n) {
            const real a = (-1 - origin[n]) / way[n], b = (1 - origin[n]) / way[n];
            from = wp::max(from, wp::min(a, b));
            to = wp::min(to, wp::max(a, b));
        }
        const real step = real(1) / side, *grid = voxels.data + (size_t)view * apart;
        real image[4] = {};
        int before = -1, seen = 0;
        for (real t = from + step / 2; t < to && image[3] < real(0.98); t += step) {
            int index = 0;
            for (int n = 2; n >= 0; --n) {
                const int place = (int)((origin[n] + t * way[n] + 1) / 2 * side);
                index = index * side + wp::min(wp::max(place, 0), side - 1);
            }
            if (index != before && write) ids.data[starts.data[pixel] + seen] = index;
            seen += index != before;
            before = index;
            const real* v = grid + 4 * (size_t)index;
            const real share = (1 - image[3]) * (1 - wp::exp(-wp::max(v[0], real(0)) * step));
            for (int n = 0; n < 3; ++n) image[n] += share * v[1 + n];
            image[3] += share;
        }
        for (int n = 0; n < 4 && !write; ++n) images.data[4 * (size_t)pixel + n] = image[n];
        if (!write) starts.data[pixel + 1] = seen;
    }
"""


def build(dtype: torch.dtype) -> SimpleNamespace:
    make = KernelModule("examples.papers.per_pixel.voxels", dtype)
    make.items(
        "march", MARCH, origins=make.reals, ways=make.reals, voxels=make.reals, apart=int, side=int, pixels=int,
        write=int, images=make.reals, starts=INT64S, ids=INTS,
    )  # fmt: skip
    return make.finished()


kernels_for = compiled(build)


def rays(cameras: Cameras) -> tuple[Tensor, Tensor]:
    """Origins (B, 3) and directions (B, H, W, 3) through the pixels' centres."""
    rotation, shift = cameras.world_to_camera[:, :3, :3], cameras.world_to_camera[:, :3, 3:]
    y, x = torch.meshgrid(torch.arange(cameras.height), torch.arange(cameras.width), indexing="ij")
    pixels = torch.stack([x + 0.5, y + 0.5, torch.ones_like(x)], -1)[..., None]
    ways = (rotation.mT @ cameras.intrinsics.inverse())[:, None, None] @ pixels
    return (-rotation.mT @ shift)[..., 0], torch.nn.functional.normalize(ways[..., 0], dim=-1).contiguous()


def draw(density: Tensor, colors: Tensor, side: int, cameras: Cameras) -> tuple[Tensor, Contributors]:
    """Pictures (B, H, W, 4) of densities (..., V, 1) and colours (..., V, 3) in [-1, 1]³, and who made them."""
    origins, ways = rays(cameras)
    voxels = torch.cat([density, colors], -1)
    images, total = torch.zeros(*ways.shape[:3], 4), ways[..., 0].numel()
    starts, ids = torch.zeros(total + 1, dtype=torch.int64), torch.zeros(1, dtype=torch.int32)
    kernel = kernels_for(torch.float32, images.device).march
    apart = side**3 * 4 if voxels.dim() == 3 else 0
    given = [origins, ways, voxels, apart, side, total // len(ways)]
    run_items(kernel, total, [*given, 0, images, starts, ids], images.device)
    starts = starts.cumsum(0)
    ids = torch.empty(int(starts[-1]), dtype=torch.int32)
    run_items(kernel, total, [*given, 1, images, starts, ids], images.device)
    return images, Contributors(starts, ids)
