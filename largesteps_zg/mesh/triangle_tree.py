"""A tree of boxes around the triangles of a mesh, in float64, which finds the closest one exactly.

Warp's own mesh queries are float32: between faces whose distances differ by less than a ten millionth of the scene
they choose at random, and a face without area can hide the others. A vertex that lies on a surface would be found
1e-7 away from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import warp as wp
from torch import Tensor

from .._support.warp_launch import chunks_of, launch, run_chunks

# Faces in a leaf: 2.2 µs for a point near a mesh of 80,000 faces; with 2 it is 3.0, with 8 it is 2.5.
LEAF = 4
STACK = 32  # of nodes to come back to: one a level, and 2^31 faces have no more levels
_Stack = wp.types.vector(length=STACK, dtype=wp.int32)
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class TriangleTree:
    """A complete binary tree over the faces of a mesh, sorted so that those of a node are close together.

    Node 0 is the root, nodes 2 i + 1 and 2 i + 2 are the children of node i, and the last level are the leaves.

    Attributes
    ----------
    vertices : (V, 3) float64 tensor
    faces : (F, 3) int64 tensor
        The mesh, on the CPU.
    corners : (F, 3, 3) float64 tensor
        Of the sorted faces.
    order : (F,) int64 tensor
        The number of each sorted face in the mesh.
    boxes : (2 L - 1, 2, 3) float64 tensor
        Lower and upper corners; empty ones, where there are more leaves than faces, from +inf to -inf.
    """

    vertices: Tensor
    faces: Tensor
    corners: Tensor
    order: Tensor
    boxes: Tensor

    def closest(self, points: Tensor) -> Tensor:
        """(N,) int64: the face nearest to each of the points, (N, 3) float64 on the CPU; of equals any."""
        found = torch.empty(len(points), dtype=torch.int64)
        points = points.contiguous()

        def work(_: int, some: range) -> None:
            part = slice(some.start, some.stop)
            inputs = [points[part], self.corners, self.boxes, len(self.corners), found[part]]
            launch(_closest, len(some), inputs, _CPU)

        run_chunks(work, chunks_of(len(points), _CPU))
        return self.order[found]


def triangle_tree(vertices: Tensor, faces: Tensor) -> TriangleTree:
    """The tree of a mesh of at least one face, on any device and of any type."""
    vertices, faces = vertices.detach().double().cpu(), faces.long().cpu()
    corners = vertices[faces]
    leaves = 1
    while leaves * LEAF < len(corners):
        leaves *= 2
    order = _halved(corners.mean(dim=1), leaves * LEAF)
    corners = corners[order].contiguous()
    low = torch.full((leaves * LEAF, 3), torch.inf, dtype=torch.float64)
    high = -low
    low[: len(corners)], high[: len(corners)] = corners.amin(dim=1), corners.amax(dim=1)
    low, high = low.view(leaves, LEAF, 3).amin(dim=1), high.view(leaves, LEAF, 3).amax(dim=1)
    levels = [torch.stack([low, high], dim=1)]
    while len(levels[0]) > 1:
        pairs = levels[0].view(-1, 2, 2, 3)
        levels.insert(0, torch.stack([pairs[:, :, 0].amin(dim=1), pairs[:, :, 1].amax(dim=1)], dim=1))
    return TriangleTree(vertices, faces, corners, order, torch.cat(levels).contiguous())


def _halved(points: Tensor, block: int) -> Tensor:
    """The order in which each block of points, of so many, is halved across its longest side, down to the leaves.

    All blocks of a level at once: a sort by block, then along that side.
    """
    order = torch.arange(len(points))
    while block > LEAF:
        number = torch.arange(len(points)) // block
        here, where = points[order], number[:, None].expand(-1, 3)
        low = points.new_full((int(number[-1]) + 1, 3), torch.inf).scatter_reduce_(0, where, here, "amin")
        size = torch.full_like(low, -torch.inf).scatter_reduce_(0, where, here, "amax") - low
        side = size.argmax(dim=1, keepdim=True)
        start, length = (value.gather(1, side)[number, 0] for value in (low, size))
        share = (here.gather(1, side[number])[:, 0] - start) / length.clamp(min=1e-300)
        order = order[(2.0 * number + share).argsort()]
        block //= 2
    return order


@wp.func
def _to_box(p: wp.vec3d, low: wp.vec3d, high: wp.vec3d):
    """Squared distance to a box; infinite for an empty one."""
    zero = wp.float64(0.0)
    outside = wp.vec3d(
        wp.max(zero, wp.max(low[0] - p[0], p[0] - high[0])),
        wp.max(zero, wp.max(low[1] - p[1], p[1] - high[1])),
        wp.max(zero, wp.max(low[2] - p[2], p[2] - high[2])),
    )
    return wp.dot(outside, outside)


@wp.func
def _to_segment(p: wp.vec3d, along: wp.vec3d):
    """Squared distance of p to the segment from the origin."""
    length = wp.dot(along, along)
    t = wp.float64(0.0)
    if length > wp.float64(0.0):
        t = wp.clamp(wp.dot(p, along) / length, wp.float64(0.0), wp.float64(1.0))
    away = p - t * along
    return wp.dot(away, away)


@wp.func
def _to_triangle(p: wp.vec3d, a: wp.vec3d, b: wp.vec3d, c: wp.vec3d):
    """Squared distance to a triangle, which may be a segment or a point: its edges, then its inside."""
    zero = wp.float64(0.0)
    u = b - a
    v = c - a
    w = p - a
    least = wp.min(wp.min(_to_segment(w, u), _to_segment(w, v)), _to_segment(p - b, c - b))
    normal = wp.cross(u, v)
    area = wp.dot(normal, normal)
    if area > wp.float64(1e-24) * wp.dot(u, u) * wp.dot(v, v):
        second = wp.dot(wp.cross(w, v), normal)
        third = wp.dot(wp.cross(u, w), normal)
        if second >= zero and third >= zero and second + third <= area:
            height = wp.dot(w, normal)
            least = wp.min(least, height * height / area)
    return least


@wp.kernel(enable_backward=False, module="largesteps_zg.mesh.triangle_tree")
def _closest(
    points: wp.array(dtype=wp.vec3d),
    corners: wp.array(dtype=wp.vec3d),
    boxes: wp.array(dtype=wp.vec3d),
    count: int,
    found: wp.array(dtype=wp.int64),
):
    i = wp.tid()
    p = points[i]
    inner = boxes.shape[0] / 4  # nodes with children: 2 L - 1 nodes, L - 1 of them
    best = wp.float64(wp.inf)
    nearest = wp.int32(0)
    stack = _Stack()
    depth = wp.int32(0)
    node = wp.int32(0)
    while node >= 0:
        following = wp.int32(-1)
        if _to_box(p, boxes[2 * node], boxes[2 * node + 1]) < best:
            if node >= inner:
                first = (node - inner) * wp.static(LEAF)
                for f in range(first, wp.min(first + wp.static(LEAF), count)):
                    distance = _to_triangle(p, corners[3 * f], corners[3 * f + 1], corners[3 * f + 2])
                    if distance < best:
                        best = distance
                        nearest = f
            else:
                left = 2 * node + 1
                right = left + 1
                to_left = _to_box(p, boxes[2 * left], boxes[2 * left + 1])
                to_right = _to_box(p, boxes[2 * right], boxes[2 * right + 1])
                following = wp.where(to_left <= to_right, left, right)
                stack[depth] = left + right - following
                depth += 1
        if following < 0 and depth > 0:
            depth -= 1
            following = stack[depth]
        node = following
    found[i] = wp.int64(nearest)
