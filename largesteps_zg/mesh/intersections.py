"""Where a surface passes through itself: triangle against triangle, over a tree of boxes."""

# No `from __future__ import annotations` here: Warp reads the annotations of kernels as objects.
# mypy: ignore-errors
import torch
import warp as wp
from jaxtyping import Float, Int
from torch import Tensor

from .._support.warp_launch import as_array, launch
from ..geometry.connectivity import check_mesh


@wp.kernel(enable_backward=False, module="largesteps_zg.mesh.intersections")
def _meet(
    tree: wp.uint64,
    corners: wp.array(dtype=wp.vec3d),
    names: wp.array(dtype=wp.int32),
    lower: wp.array(dtype=wp.vec3),
    upper: wp.array(dtype=wp.vec3),
    found: wp.array(dtype=wp.bool),
):
    face = wp.tid()
    i, j, k = names[3 * face], names[3 * face + 1], names[3 * face + 2]
    a, b, c = corners[3 * face], corners[3 * face + 1], corners[3 * face + 2]
    size = wp.max(wp.length(b - a), wp.max(wp.length(c - b), wp.length(a - c)))
    query = wp.bvh_query_aabb(tree, lower[face], upper[face])
    other = wp.int32(0)
    while wp.bvh_query_next(query, other):
        if other <= face or (found[face] and found[other]):
            continue
        shared = wp.int32(0)
        for corner in range(3):
            name = names[3 * other + corner]
            if name == i or name == j or name == k:
                shared += 1
        if shared > 0:
            continue
        p, q, r = corners[3 * other], corners[3 * other + 1], corners[3 * other + 2]
        width = wp.max(wp.length(q - p), wp.max(wp.length(r - q), wp.length(p - r)))
        # The test takes distances below 1e-6 for 0, so it gets them in units of the smaller of the two triangles.
        unit = wp.float64(1.0) / wp.max(wp.min(size, width), wp.float64(1e-300))
        origin = wp.vec3d(wp.float64(0.0), wp.float64(0.0), wp.float64(0.0))
        if (
            wp.intersect_tri_tri(
                origin, (b - a) * unit, (c - a) * unit, (p - a) * unit, (q - a) * unit, (r - a) * unit
            )
            == 1
        ):
            found[face] = True
            found[other] = True


def self_intersections(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> Tensor:
    """Which faces pass through another face of the same surface.

    Parameters
    ----------
    vertices : (V, 3) float tensor
    faces : (F, 3) integer tensor
        Open or closed, manifold or not.

    Returns
    -------
    (F,) bool tensor
        True for both faces of a pair that has a point in common. Faces that share a vertex are not compared: they
        always have one, and where one is folded over its neighbour `quality.flipped` finds it.

    Raises
    ------
    ValueError
        Not a sound mesh; see `check_mesh`.

    Notes
    -----
    Triangle against triangle in float64 by Möller's test; faces that lie in one plane and overlap count, those that
    merely touch as rounding has it. The scale of the mesh makes no difference. Not differentiable. 0.06 s for
    40,000 faces on one core.

    Examples
    --------
    >>> from largesteps_zg import icosphere
    >>> ball = icosphere(2)
    >>> int(self_intersections(ball.vertices, ball.faces).sum())
    0
    """
    check_mesh(vertices, faces)
    device = vertices.device
    positions = vertices.detach().double()
    low, high = positions.amin(dim=0), positions.amax(dim=0)
    positions = (positions - (low + high) / 2) / (high - low).amax().clamp(min=1e-300)
    corners = positions[faces.long()]  # (F, 3 corners, 3)
    # The tree is in float32: boxes a little larger than the rounding that this costs.
    slack = 1e-6
    lower = (corners.amin(dim=1) - slack).float().contiguous()
    upper = (corners.amax(dim=1) + slack).float().contiguous()
    names = faces.to(torch.int32).reshape(-1).contiguous()
    flat = corners.reshape(-1, 3).contiguous()
    found = torch.zeros(len(faces), dtype=torch.bool, device=device)
    lowers, uppers = as_array(lower, dtype=wp.vec3), as_array(upper, dtype=wp.vec3)
    tree = wp.Bvh(lowers, uppers)
    inputs = [
        tree.id, flat, names, lower, upper, found
    ]  # fmt: skip
    launch(_meet, len(faces), inputs, device)
    return found
