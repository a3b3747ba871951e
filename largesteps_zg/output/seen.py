"""How many photographs see each vertex: what few see, the images say little about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..cameras.model import Cameras
from ..geometry.normals import face_normals, vertex_normals
from ..mesh.mesh import Mesh
from ..rasterizer.api import interpolate, rasterize
from ..rasterizer.silhouette_edges import edge_table
from ..reconstruct.frame import Frame
from ..renderers.rasterized import homogeneous_pixels
from ..scenes.views import Views
from .pictures.drawing import absolute_errors

QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)


@torch.no_grad()
def seen_from(
    mesh: Mesh, points: Float[Tensor, "N 3"], camera: Cameras, *, of_faces: Int[Tensor, " N"] | None = None
) -> Bool[Tensor, " N"]:
    """Which points of a surface one camera sees: in the image, facing it, and with nothing in front.

    Parameters
    ----------
    mesh : Mesh
    points : (N, 3) float
        On the surface: its vertices, unless `of_faces` says on which faces they lie.
    camera : Cameras
        One.
    of_faces : (N,) int, optional

    Returns
    -------
    (N,) bool tensor, on the CPU
        Within a pixel: what hides a point less than a pixel from its own outline may be missed.
    """
    frame, faces = Frame.around(mesh.vertices), mesh.faces.cpu()
    placed = camera.to("cpu", torch.float64).transformed(1 / frame.radius, frame.center)
    near, places = (
        (of.detach().double().cpu() - frame.center) / frame.radius for of in (mesh.vertices, points)
    )
    pixels, depth = (of[0] for of in placed.project(places))
    normals = vertex_normals(near, faces) if of_faces is None else face_normals(near, faces)[of_faces.cpu()]
    facing = (normals * (placed.centers - places)).sum(dim=1) > 0
    at = pixels.floor().nan_to_num(nan=-1.0).clamp(-1, max(camera.height, camera.width)).long()
    shown = facing & (depth > 0) & (at >= 0).all(1) & (at[:, 0] < camera.width) & (at[:, 1] < camera.height)
    behind = _farthest_around(near.float(), faces, placed.to(dtype=torch.float32))
    x, y = at[shown].unbind(1)
    # 1e-5: of the unit sphere, what 32-bit depths are good for.
    shown[shown.clone()] = depth[shown] <= behind[y, x].double() + 1e-5
    return shown


def _farthest_around(vertices: Tensor, faces: Tensor, camera: Cameras) -> Tensor:
    """(H, W) the largest depth of the surface in a pixel and its eight neighbours; infinity where one is empty.

    Pixels know the depth at their centres alone: a point of a slope between them is never farther than the farthest.
    """
    size = (camera.height, camera.width)
    points = homogeneous_pixels(vertices, camera)
    fragments = rasterize(points, faces, size, edges=edge_table(faces), near=1e-4)
    depth = torch.full((camera.height * camera.width,), torch.inf)
    depth[fragments.pixels.long()] = interpolate(points[0, :, 2:].contiguous(), fragments)[:, 0]
    farthest: Tensor = torch.nn.functional.max_pool2d(depth.view(1, 1, *size), 3, stride=1, padding=1)[0, 0]
    return farthest


def views_seeing(mesh: Mesh, views: Views, cameras: Cameras) -> Int[Tensor, " V"]:
    """How many photographs see each vertex.

    Parameters
    ----------
    mesh : Mesh
        In the scene's coordinates.
    views : Views
        Pixels that belong to no photograph see nothing.
    cameras : Cameras
        The views' cameras, as corrected.

    Returns
    -------
    (V,) int64 tensor, on the CPU
    """
    counts = torch.zeros(len(mesh.vertices), dtype=torch.int64)
    for seen, _ in _sightings(mesh, views, cameras):
        counts[seen] += 1
    return counts


def residuals(
    mesh: Mesh, views: Views, cameras: Cameras, image: Callable[[int], Tensor]
) -> tuple[Int[Tensor, " V"], Float[Tensor, " V"]]:
    """How many photographs see each vertex, and how wrong pictures of the surface are where they do.

    Parameters
    ----------
    mesh, views, cameras
        As of `views_seeing`.
    image : function
        From a view's number to its picture (H, W, 4), linear, premultiplied.

    Returns
    -------
    counts : (V,) int64 tensor, on the CPU
    residual : (V,) float32 tensor, on the CPU
        The mean over the photographs that see a vertex of the error maps' values in its pixels: the mean absolute
        difference of four channels, sRGB and alpha, in [0, 1]. NaN where none sees it.
    """
    counts, total = torch.zeros(len(mesh.vertices), dtype=torch.int64), torch.zeros(len(mesh.vertices))
    for i, (seen, (x, y)) in enumerate(_sightings(mesh, views, cameras)):
        # Only there: the curve of sRGB over all pixels would take most of the time.
        pair = (
            picture.detach().cpu()[None, None, y, x].numpy() for picture in (views.linear(i)[0], image(i))
        )
        counts[seen] += 1
        total[seen] += torch.from_numpy(absolute_errors(*pair)[0, 0]).float()
    return counts, torch.where(counts > 0, total / counts, torch.nan)


def _sightings(mesh: Mesh, views: Views, cameras: Cameras) -> Iterator[tuple[Tensor, tuple[Tensor, Tensor]]]:
    """For each view the numbers of the vertices that it sees, and the columns and rows of their pixels."""
    for i in range(len(views)):
        seen = seen_from(mesh, mesh.vertices, cameras[i])
        pixels = cameras[i].to("cpu", torch.float64).project(mesh.vertices.detach().double().cpu())[0][0]
        x, y = pixels[seen].floor().long().unbind(1)
        # By another division than in `seen_from`: the last digit may lie beyond the border.
        x, y = x.clamp(0, views.cameras.width - 1), y.clamp(0, views.cameras.height - 1)
        known = torch.ones_like(x, dtype=torch.bool) if views.known is None else views.known[i].cpu()[y, x]
        yield seen.nonzero()[:, 0][known], (x[known], y[known])


def without_unseen(mesh: Mesh, counts: Int[Tensor, " V"]) -> tuple[Mesh, Int[Tensor, " N"]]:
    """A mesh without the faces of which no photograph sees a vertex, open there; and which vertices these were.

    As it was where no photograph sees any.
    """
    shown = (counts > 0)[mesh.faces.cpu()].any(dim=1)
    if bool(shown.all()) or not bool(shown.any()):
        return mesh, torch.arange(len(counts))
    faces = mesh.faces[shown.to(mesh.faces.device)]
    used, faces = torch.unique(faces, return_inverse=True)
    colors = None if mesh.colors is None else mesh.colors[used]
    return Mesh(mesh.vertices[used], faces, colors), used.cpu()


def seeing_report(counts: Int[Tensor, " V"], views: int) -> dict[str, Any]:
    """For ``run.json``: vertices that no photograph sees, quantiles, and how many vertices 0, 1, 2, ... see."""
    levels = torch.tensor(QUANTILES, dtype=torch.float64)
    quantiles = torch.quantile(counts.double(), levels, interpolation="lower").long()
    return {
        "unseen": int((counts == 0).sum()),
        "quantiles": {f"{level:g}": int(value) for level, value in zip(QUANTILES, quantiles, strict=True)},
        "histogram": torch.bincount(counts, minlength=views + 1).tolist(),
    }
