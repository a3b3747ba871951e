"""Where a solid is seen in photographs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from ....renderers.rasterized import render
from ....scenes.from_photographs.object import Support
from ....scenes.views import Ball, Views


def coverages(views: Views, vertices: Tensor, faces: Tensor) -> Iterator[np.ndarray]:
    """(H, W) alpha of a mesh in each view."""
    middle = vertices.double().cpu().mean(0)
    moved, white = (vertices.double().cpu() - middle).float(), torch.ones(len(vertices), 1)
    size = float(moved.norm(dim=1).max())
    for i in range(len(views)):
        camera = (
            views.cameras[i].to("cpu", torch.float64).transformed(1 / size, middle).to(dtype=torch.float32)
        )
        image = render(moved / size, faces.cpu(), white, camera, near=1e-4)
        yield image[0, ..., 1].clamp(0, 1).numpy()


def within_reach(views: Views, ball: Ball, support: Support | None) -> np.ndarray:
    """(B, H, W) bool: pixels that may see what is in a ball, and above a plane."""
    found = np.zeros(views.images.shape[:3], dtype=bool)
    height, width = found.shape[1:]
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    center = ball.center.double().cpu().numpy()
    for index, reached in enumerate(found):
        matrix = views.cameras.world_to_camera[index].double().cpu().numpy()
        k = views.cameras.intrinsics[index].double().cpu().numpy()
        turn, eye = matrix[:3, :3], -matrix[:3, :3].T @ matrix[:3, 3]
        rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ (np.linalg.inv(k).T @ turn)
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
        along = rays @ (center - eye)
        half = along**2 - ((center - eye) ** 2).sum() + ball.radius**2
        reached[:] = half > 0
        if support is not None:
            ends = along[None] + np.sqrt(half.clip(0)) * np.array([-1.0, 1.0])[:, None, None]
            heights = support.above(eye[None])[0] + ends * (rays @ support.normal)
            reached &= (heights > 0).any(axis=0)
    return found


def seen_at(views: Views, points: np.ndarray) -> np.ndarray:
    """(B, H, W) bool: pixels at which points (N, 3) are, if nothing stands before them."""
    found = np.zeros(views.images.shape[:3], dtype=bool)
    pixels, depths = views.cameras.project(torch.from_numpy(points))
    for seen, at, depth in zip(found, pixels.cpu().numpy(), depths.cpu().numpy(), strict=True):
        column, row = np.floor(at).astype(np.int64).clip(-1, 1 << 20).T
        ok = (depth > 0) & (row >= 0) & (row < seen.shape[0]) & (column >= 0) & (column < seen.shape[1])
        seen[row[ok], column[ok]] = True
    return found


def smaller(views: Views, side: int) -> Views:
    """The views with squares of pixels for pixels, so that no side has more than so many."""
    height, width = views.images.shape[1:3]
    factor = -(-max(height, width) // side)
    if factor == 1:
        return views
    beyond = -width % factor, -height % factor
    known = torch.ones(views.images.shape[:3]) if views.known is None else views.known.float()
    known = avg_pool2d(pad(known, (0, beyond[0], 0, beyond[1])), factor) > 0.999
    images = []
    for image in views.images:
        wide = pad(image.permute(2, 0, 1).float(), (0, beyond[0], 0, beyond[1]))
        images.append(avg_pool2d(wide, factor).round().byte().permute(1, 2, 0))
    made = torch.stack(images)
    k = views.cameras.intrinsics.clone()
    k[:, :2] /= factor
    cameras = replace(views.cameras, intrinsics=k, height=made.shape[1], width=made.shape[2])
    return replace(views, images=made, cameras=cameras, known=known)
