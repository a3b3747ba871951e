"""3-D Gaussian splats, composited front to back by a renderer without derivatives that keeps lists of who was seen."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from largesteps_zg._support.warp_kernels import INTS, KernelModule, compiled
from largesteps_zg._support.warp_launch import run_items
from largesteps_zg.cameras import Cameras
from largesteps_zg.estimators import Contributors
from largesteps_zg.renderers import Pictures

DEEPEST = 24  # splats that a pixel can show
UNSEEN, FAINT = 16, 0.02  # steps unseen, or an opacity, at which a splat is dead

# Splat after splat, the nearest first; a pixel is full where its list is, or where little light would come through.
COMPOSE = """
    for (int view = first; view < last; ++view) {
        const size_t plane = (size_t)view * height * width;
        for (int place = 0; place < count; ++place) {
            const int id = order.data[(size_t)view * count + place];
            const real* s = splats.data + ((size_t)view * count + id) * 10;
            if (!(s[2] > 0)) continue;
            const int left = wp::max(0, (int)(s[0] - s[2])), right = wp::min(width - 1, (int)(s[0] + s[2]));
            const int top = wp::max(0, (int)(s[1] - s[2])), bottom = wp::min(height - 1, (int)(s[1] + s[2]));
            for (int y = top; y <= bottom; ++y) for (int x = left; x <= right; ++x) {
                const size_t pixel = plane + (size_t)y * width + x;
                real* image = images.data + 4 * pixel;
                int& used = lengths.data[pixel];
                if (used == places || image[3] > real(0.98)) continue;
                const real dx = x + real(0.5) - s[0], dy = y + real(0.5) - s[1];
                const real alpha = s[6] * wp::exp(-(s[3] * dx * dx + s[5] * dy * dy) / 2 - s[4] * dx * dy);
                if (!(alpha > real(1) / 255)) continue;
                const real share = (1 - image[3]) * alpha;
                for (int n = 0; n < 3; ++n) image[n] += share * s[7 + n];
                image[3] += share;
                deep.data[pixel * places + used++] = id;
            }
        }
    }
"""


def build(dtype: torch.dtype) -> SimpleNamespace:
    make = KernelModule("examples.papers.per_pixel.splats", dtype)
    make.items(
        "compose", COMPOSE, order=INTS, splats=make.reals, count=int, places=int, height=int, width=int,
        images=make.reals, deep=INTS, lengths=INTS,
    )  # fmt: skip
    return make.finished()


kernels_for = compiled(build)


def draw(places: Tensor, shapes: Tensor, paints: Tensor, cameras: Cameras) -> Pictures:
    """Pictures (B, H, W, 4) of N splats, the same or others in each view, on the CPU.

    `places` (..., N, 3); `shapes` (..., N, 7), logarithms of three radii and a quaternion; `paints` (..., N, 4), linear
    RGB and the logit of the opacity.
    """
    views, height, width = len(cameras), cameras.height, cameras.width
    rotation, shift = cameras.world_to_camera[:, None, :3, :3], cameras.world_to_camera[:, None, :3, 3]
    x, y, z = ((rotation @ places[..., None])[..., 0] + shift).unbind(-1)  # (B, N)
    near = z > 0.1
    z = z.clamp(min=0.1)
    focal = cameras.intrinsics[:, None, 0, 0]
    zero = torch.zeros_like(x)
    slopes = torch.stack(
        [focal / z, zero, -focal * x / z**2, zero, focal / z, -focal * y / z**2], -1
    ).unflatten(-1, (2, 3))
    axes = slopes @ rotation @ (turns(shapes[..., 3:]) * shapes[..., None, :3].exp())
    spread = axes @ axes.mT + 0.3 * torch.eye(2)  # at least half a pixel wide
    a, b, c = spread[..., 0, 0], spread[..., 0, 1], spread[..., 1, 1]
    area = a * c - b * b
    radius = 3 * (0.5 * (a + c) + (0.25 * (a - c) ** 2 + b * b).sqrt()).sqrt()
    u, v = (focal * t / z + cameras.intrinsics[:, None, i, 2] for i, t in enumerate((x, y)))
    paint = paints.expand(views, *paints.shape[-2:])
    columns = [u, v, radius * near, c / area, -b / area, a / area, paint[..., 3].sigmoid()]
    splats = torch.stack([*columns, *paint[..., :3].unbind(-1)], -1).contiguous()
    order = z.argsort(-1).int()
    images = torch.zeros(views, height, width, 4)
    deep = torch.full((views, height, width, DEEPEST), -1, dtype=torch.int32)
    lengths = torch.zeros(views, height, width, dtype=torch.int32)
    given = [order, splats, splats.shape[1], DEEPEST, height, width]
    given += [images, deep, lengths]
    run_items(kernels_for(torch.float32, images.device).compose, views, given, images.device)
    return Pictures(images, contributors=Contributors.of(deep))


def turns(quaternions: Tensor) -> Tensor:
    """(..., 3, 3) rotations."""
    w, x, y, z = torch.nn.functional.normalize(quaternions, dim=-1).unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def resample(places: Tensor, shapes: Tensor, paints: Tensor, unseen: Tensor) -> tuple[Tensor, Tensor]:
    """Each dead splat becomes half of a large one, parted along its longest axis; which, and of which."""
    opacity, radii = paints[:, 3].sigmoid(), shapes[:, :3].exp()
    gone = (unseen >= UNSEEN) | (opacity < FAINT)
    dead = gone.nonzero().flatten()
    number = min(len(dead), int((~gone).sum()))
    whole = torch.where(gone, -1, opacity * radii.amax(-1)).topk(number).indices
    dead, longest, one = dead[:number], radii[whole].argmax(1), torch.arange(number)
    axis = turns(shapes[whole, 3:])[one, :, longest] * radii[whole, longest][:, None]
    shapes[whole, longest] -= 0.5
    shapes[dead], paints[dead] = shapes[whole], paints[whole]
    places[dead] = places[whole] + 0.6 * axis
    places[whole] -= 0.6 * axis
    return dead, whole
