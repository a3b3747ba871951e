"""Where a solid is seen in photographs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from ....cameras import Cameras
from ....rasterizer.api import edge_table
from ....renderers.rasterized import render
from ....scenes.from_photographs.object import Support
from ....scenes.views import Ball, Views


def coverages(views: Views, vertices: Tensor, faces: Tensor) -> Iterator[np.ndarray]:
    """(H, W) alpha of a mesh in each view."""
    vertices, faces, white = vertices.double().cpu(), faces.cpu(), torch.ones(len(vertices), 1)
    edges = edge_table(faces)
    for i in range(len(views)):
        yield _rendered(vertices, faces, edges, white, views.cameras[i])[..., 1].clamp(0, 1).numpy()


def known_of(views: Views) -> np.ndarray:
    """(B, H, W) bool: pixels of photographs."""
    if views.known is None:
        return np.ones(views.images.shape[:3], dtype=bool)
    return views.known.cpu().numpy()


def spans(views: Views, vertices: Tensor, faces: Tensor) -> Iterator[np.ndarray]:
    """(2, H, W) depths of the nearest and of the farthest place of a mesh in each view, inf and -inf beside it."""
    vertices, faces = vertices.double().cpu(), faces.cpu()
    edges, back, edges_behind = edge_table(faces), faces.flip(1), edge_table(faces.flip(1))
    for i in range(len(views)):
        camera = views.cameras[i].to("cpu", torch.float64)
        turn, move = camera.world_to_camera[0, :3, :3], camera.world_to_camera[0, :3, 3]
        seen = vertices @ turn.T + move
        depth = seen[:, 2:]
        usual = float(depth.mean())
        near = _depths(vertices, faces, edges, depth, camera)
        # What is farthest is nearest where depths are inverted along the rays, at the same pixels.
        behind = (seen * (usual / depth) ** 2 - move) @ turn
        far = usual**2 / _depths(behind, back, edges_behind, usual**2 / depth, camera)
        yield np.stack([near, np.where(np.isfinite(near), far, -np.inf)])


def _depths(vertices: Tensor, faces: Tensor, edges: Tensor, depth: Tensor, camera: Cameras) -> np.ndarray:
    """(H, W) depths of a mesh, inf beside it."""
    image = _rendered(vertices, faces, edges, depth.float(), camera)
    alpha = image[..., 1]
    return torch.where(alpha > 0.5, image[..., 0] / alpha, torch.inf).double().numpy()


def _rendered(vertices: Tensor, faces: Tensor, edges: Tensor, values: Tensor, camera: Cameras) -> Tensor:
    """(H, W, 2) one value of each vertex (V, 1), times alpha, and alpha."""
    middle = vertices.mean(0)
    moved = (vertices - middle).float()
    size = float(moved.norm(dim=1).max())
    framed = camera.to("cpu", torch.float64).transformed(1 / size, middle).to(dtype=torch.float32)
    return render(moved / size, faces, values, framed, edges=edges, near=1e-4)[0]


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
