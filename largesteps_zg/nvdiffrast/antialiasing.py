"""Silhouettes blended in a given image, where the mesh has them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .._support.warp_launch import chunks_of, in_chunks, launch, run_chunks
from ..geometry import vertex_components
from ..rasterizer import Fragments, edge_table, pixels_from_clip
from ..rasterizer.depth_test import in_clip_space
from ..rasterizer.warp_backend import blend, blend_adjoint, find_pairs
from .checks import check_device, check_image, check_like, check_positions, check_triangles
from .kernels import kernels_for

ELSEWHERE = 2  # on `sides`: the triangle's mesh is not in this image


@dataclass(frozen=True)
class TopologyHash:
    """Edges of a triangle tensor, made once by `antialias_construct_topology_hash`."""

    tri: Tensor
    edges: Tensor

    @cached_property
    def meshes(self) -> Tensor:
        """(T,): which connected mesh each triangle belongs to."""
        corner = self.tri.long()
        return vertex_components(self.tri, int(corner.max()) + 1)[corner[:, 0]]


def antialias_construct_topology_hash(tri: Tensor) -> TopologyHash:
    """What `antialias` needs to know of the triangles (T, 3) int32, for many calls; a ValueError if they are none."""
    tri = check_triangles(tri, torch.iinfo(torch.int32).max, tri.device)
    return TopologyHash(tri, edge_table(tri))


def antialias(
    color: Tensor,
    rast: Tensor,
    pos: Tensor,
    tri: Tensor,
    topology_hash: TopologyHash | None = None,
    pos_gradient_boost: float = 1.0,
) -> Tensor:
    """The image, blended along silhouettes, which become differentiable in the positions.

    **Differs from nvdiffrast on purpose.** There an edge is found through the triangle that a pixel shows, so the edges
    of triangles between the pixels' centres are missed, and with them nearly all of the gradient of a fine mesh. Here
    all edges of the mesh are looked at; see :func:`largesteps_zg.rasterizer.antialias`.

    Parameters
    ----------
    color : (B, H, W, C) float32
    rast : (B, H, W, 4)
        The first result of `rasterize`; of the image's type.
    pos, tri
        What was rasterized; `pos` may also be (1, V, 4).
    topology_hash : optional
        ``antialias_construct_topology_hash(tri)``.
    pos_gradient_boost : float
        What gradients to `pos` are multiplied by.

    Returns
    -------
    (B, H, W, C)

    Raises
    ------
    ValueError
        If a shape, a type, an index or a device is wrong.

    Notes
    -----
    Differentiable in `color` and `pos`. In range mode a mesh that an image does not show has no silhouettes in it.
    """
    check_image("rast", rast, 4)
    check_like("color", color, rast)
    check_positions(pos, len(rast))
    if pos.dtype != rast.dtype:
        raise ValueError(f"pos: expected {rast.dtype} as rast, got {pos.dtype}")
    check_device("pos", pos, rast.device)
    tri = check_triangles(tri, pos.shape[-2], pos.device)
    if topology_hash is None:
        topology_hash = antialias_construct_topology_hash(tri)
    if not isinstance(topology_hash, TopologyHash) or not (
        topology_hash.tri is tri or torch.equal(topology_hash.tri, tri)
    ):
        raise ValueError(
            "topology_hash: expected antialias_construct_topology_hash(tri) of the same tri, got another"
        )
    given = pixels_from_clip(pos.expand(len(rast), *pos.shape[-2:]), (rast.shape[1], rast.shape[2]))
    points = torch.cat([given[..., :2], given[..., 3:]], dim=-1)
    f = _dense(given.detach(), points.detach(), rast.detach(), topology_hash, several=pos.dim() == 2)
    return _Antialias.apply(points, color, f, float(pos_gradient_boost))


def _dense(
    given: Tensor, points: Tensor, rast: Tensor, topology: TopologyHash, *, several: bool
) -> Fragments:
    """Fragments of which each pixel has one, also the empty ones: slots are -1 there."""
    views, height, width, _ = rast.shape
    tri, area = topology.tri, height * width
    ids = rast[..., 3].reshape(views, area).to(torch.int32) - 1
    ids = torch.where((ids >= 0) & (ids < len(tri)), ids, -1)
    slots = torch.where(ids >= 0, torch.arange(area, dtype=torch.int32, device=rast.device), -1)
    sides = _sides(points, tri)
    if several:
        shown = ids.new_zeros(views, int(topology.meshes.max()) + 1, dtype=torch.bool)
        view, place = (ids >= 0).nonzero(as_tuple=True)
        shown[view, topology.meshes[ids[view, place].long()]] = True
        sides[~shown[:, topology.meshes]] = ELSEWHERE
    test = in_clip_space(given)
    return Fragments(
        points=points, faces=tri, edges=topology.edges, resolution=(height, width), near=test.near,
        pixels=torch.empty(0, dtype=torch.int32, device=rast.device), triangles=ids.view(-1), slots=slots.view(-1),
        sides=sides, view_ends=torch.arange(views + 1, dtype=torch.int32, device=rast.device) * area,
        closeness=test.closeness,
    )  # fmt: skip


def _sides(points: Tensor, tri: Tensor) -> Tensor:
    """(B, T) uint8: which side of each triangle is seen."""
    device = points.device
    k = kernels_for(points.dtype, device)
    sides = torch.empty(len(points), len(tri), dtype=torch.uint8, device=device)
    block = len(tri) if in_chunks(device) else 1
    given = [points, tri, points.shape[1], sides]

    def run(_: int, chunk: range) -> None:
        launch(k.sides, (len(chunk), len(tri) // block), [chunk.start, block, *given], device)

    run_chunks(run, chunks_of(len(points), device))
    return sides


class _Antialias(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, color: Tensor, f: Fragments, boost: float) -> Tensor:
        color = color.contiguous()
        ctx.fragments, ctx.boost, ctx.pairs = _full(f), boost, find_pairs(f)
        ctx.save_for_backward(color)
        image = color.clone()
        blend(ctx.fragments, ctx.pairs, color.view(-1, color.shape[-1]), image)
        return image

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_image: Tensor) -> tuple[Tensor | None, ...]:
        f: Fragments = ctx.fragments
        (color,) = ctx.saved_tensors
        grad_image = grad_image.contiguous()
        grad_color, grad_points = grad_image.clone(), torch.zeros_like(f.points)
        values = color.view(-1, color.shape[-1])
        blend_adjoint(f, ctx.pairs, values, grad_image, grad_color, grad_points)
        return grad_points * ctx.boost, grad_color, None, None


def _full(f: Fragments) -> Fragments:
    """The same where blending takes empty pixels for covered ones: their colour is the background's."""
    views, area = len(f.points), f.resolution[0] * f.resolution[1]
    slots = torch.arange(area, dtype=torch.int32, device=f.slots.device).repeat(views)
    return replace(f, slots=slots)
