"""How long edges should be: a field of lengths from the curvature, graded, and within a budget of vertices."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...constants import DEFAULTS, Remeshing
from ...geometry.connectivity import check_mesh
from ...geometry.half_edges import edge_faces, edges
from ...geometry.neighbors import neighbors

_GROWTH = 1.5


def graded(
    field: Tensor, vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], *, growth: float = _GROWTH
) -> Float[Tensor, " V"]:
    """The largest field below the given one that grows by no more than a factor over an edge of its own length.

    h(v) = min over u of l(u) + (growth - 1) d(u, v), with d along the edges of the mesh.

    Parameters
    ----------
    field : (V,) float tensor
        Lengths l, > 0.
    vertices : (V, 3) float tensor
    faces : (F, 3) integer tensor
    growth : float
        > 1.

    Returns
    -------
    (V,) float tensor
        At most `field`, on its device and with its type.

    Raises
    ------
    ValueError
        Not a sound mesh, not one length > 0 for each vertex, or a growth that is not above 1.

    Notes
    -----
    One shortest-path search from a node that lies l(v) before each vertex v: 0.1 s for 40,000 faces. Paths along
    edges are longer than those across faces, so that in between the field may grow by a few per cent more.

    Examples
    --------
    >>> from largesteps_zg.mesh import icosphere
    >>> ball = icosphere(3)
    >>> wish = torch.full((642,), 1.0)
    >>> wish[0] = 0.01
    >>> bool((graded(wish, ball.vertices, ball.faces) < 0.2).sum() > 10)
    True
    """
    # Plain types in the signature: here is where a wrong shape gets its message.
    check_field(field, vertices, faces)
    if not growth > 1:
        raise ValueError(f"growth: expected a factor > 1, got {growth:g}")
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    count = len(field)
    pairs = edges(faces)
    points = vertices.detach().double()
    apart = (points[pairs[:, 0]] - points[pairs[:, 1]]).norm(dim=1) * (growth - 1)
    low = field.detach().double().cpu().numpy()
    if not bool((torch.from_numpy(low)[pairs.cpu()].diff(dim=1)[:, 0].abs() > apart.cpu()).any()):
        return field
    a, b = pairs.cpu().numpy().T
    # Node V stands before all of them. Stored zeros would be taken for no edge.
    start, end = np.concatenate([a, b, np.full(count, count)]), np.concatenate([b, a, np.arange(count)])
    step = np.maximum(apart.cpu().numpy(), 1e-300)
    graph = coo_array((np.concatenate([step, step, low]), (start, end)), shape=(count + 1, count + 1))
    reached = dijkstra(graph.tocsr(), indices=count)[:count]
    return torch.from_numpy(np.minimum(reached, low)).to(field)


def check_field(field: Tensor, vertices: Tensor, faces: Tensor, *, name: str = "field") -> None:
    """Refuse what is not one positive, finite length for each vertex of a sound mesh.

    Raises
    ------
    ValueError
        Says which vertex is the first that is wrong.
    """
    check_mesh(vertices, faces)
    if field.shape != (len(vertices),) or not field.is_floating_point():
        raise ValueError(
            f"{name}: expected ({len(vertices)},) floats, one for each vertex, got {tuple(field.shape)} {field.dtype}"
        )
    wrong = ~(torch.isfinite(field) & (field > 0))
    if bool(wrong.any()):
        first = int(wrong.nonzero()[0, 0])
        raise ValueError(
            f"{name}: expected finite lengths > 0, got {float(field[first]):g} at vertex {first} "
            f"({int(wrong.sum())} in all)"
        )


def expected_vertices(
    field: Float[Tensor, " V"], vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]
) -> float:
    """About how many vertices a mesh with edges of these lengths has: the sum over faces of area / (√3/2 l²).

    A vertex of a lattice of equilateral triangles has an area of √3/2 l² to itself.
    """
    a, b, c = vertices.detach().double()[faces.long()].unbind(dim=1)
    area = torch.linalg.cross(b - a, c - a).norm(dim=1) / 2
    length = field.detach().double()[faces.long()].mean(dim=1)
    return float((area / (3**0.5 / 2 * length**2)).sum())


def within_budget(
    field: Tensor,
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    max_vertices: int,
    *,
    growth: float = _GROWTH,
) -> Float[Tensor, " V"]:
    """A field, graded, times the smallest factor >= 1 at which no more than so many vertices are expected.

    Parameters
    ----------
    field : (V,) float tensor
        Lengths, > 0.
    vertices : (V, 3) float tensor
    faces : (F, 3) integer tensor
    max_vertices : int
        At least 4.
    growth : float
        As in `graded`.

    Returns
    -------
    (V,) float tensor
        Graded. Where the budget is too small its lengths are above those asked for everywhere, so that detail keeps
        its share.

    Raises
    ------
    ValueError
        As `graded`, or a budget below 4.

    Notes
    -----
    What is expected (`expected_vertices`) and what a remesher makes differ by a few per cent.
    """
    if max_vertices < 4:
        raise ValueError(f"max_vertices: expected at least 4, got {max_vertices}")
    scale = 1.0
    for _ in range(30):
        result = graded(field * scale, vertices, faces, growth=growth)
        excess = expected_vertices(result, vertices, faces) / max_vertices
        if excess <= 1:
            break
        # Grading takes away from a scaled field's lengths, so that the exact factor is approached from below.
        scale *= math.sqrt(excess) * 1.001
    return result


def curved_lengths(
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    edge_length: float,
    max_vertices: int,
    rules: Remeshing = DEFAULTS.remeshing,
) -> Float[Tensor, " V"]:
    """Lengths around a given one, within a budget: half of it where the surface is curved, 1.5 where it is flat."""
    field = sizing_field(
        vertices,
        faces,
        finest=rules.finest * edge_length,
        coarsest=rules.coarsest * edge_length,
        tolerance=rules.tolerance * edge_length,
    )
    return within_budget(field, vertices, faces, max_vertices)


def sizing_field(
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    *,
    finest: float,
    coarsest: float,
    tolerance: float,
    smoothing: int = 3,
) -> Float[Tensor, " V"]:
    """Edge lengths at which edges stay within a tolerance of the surface: l = √(8 tolerance / κ), κ the curvature.

    A chord of length l of a circle of curvature κ is l² κ / 8 away from it in its middle.

    Parameters
    ----------
    vertices : (V, 3) float tensor
    faces : (F, 3) integer tensor
        A manifold, closed or with borders.
    finest, coarsest : float
        Bounds of the lengths, 0 < finest <= coarsest.
    tolerance : float
        > 0, in the unit of the vertices, for instance a tenth of the size of a pixel.
    smoothing : int
        Rounds in which each vertex takes the mean curvature tensor of itself and its neighbours, at least 0.

    Returns
    -------
    (V,) float tensor
        Not graded: see `graded` and `within_budget`.

    Raises
    ------
    ValueError
        Not a sound mesh, bounds or tolerance out of range.

    Notes
    -----
    κ is the largest principal curvature, of either sign, of the tensor of Cohen-Steiner and Morvan [1]_: the sum of
    (dihedral angle) (length) e eᵀ over the edges near a vertex, over the area there. Tensors, and not their
    eigenvalues, are averaged, so that noise, which bends edges both ways, cancels. Not differentiable.

    References
    ----------
    .. [1] D. Cohen-Steiner and J.-M. Morvan, "Restricted Delaunay triangulations and normal cycle", SoCG 2003.

    Examples
    --------
    >>> from largesteps_zg.mesh import icosphere
    >>> ball = icosphere(4)
    >>> field = sizing_field(ball.vertices, ball.faces, finest=0.01, coarsest=1.0, tolerance=0.01)
    >>> round(float(field.median()), 2)  # √0.08
    0.28
    """
    check_mesh(vertices, faces)
    if not 0 < finest <= coarsest < math.inf:
        raise ValueError(
            f"finest, coarsest: expected 0 < finest <= coarsest, got {finest:g} and {coarsest:g}"
        )
    if not 0 < tolerance < math.inf:
        raise ValueError(f"tolerance: expected a finite distance > 0, got {tolerance:g}")
    if smoothing < 0:
        raise ValueError(f"smoothing: expected at least 0 rounds, got {smoothing}")
    curvature = largest_curvature(vertices, faces, smoothing=smoothing)
    length = (8 * tolerance / curvature.clamp(min=1e-300)).sqrt()
    return length.clamp(finest, coarsest).to(vertices.dtype)


def largest_curvature(
    vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], *, smoothing: int = 3
) -> Float[Tensor, " V"]:
    """(V,) float64: the absolute value of the larger principal curvature at each vertex; see `sizing_field`."""
    points, triangles = vertices.detach().double(), faces.long()
    sides = edge_faces(triangles)
    corners = points[triangles]
    cross = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    unit = torch.nn.functional.normalize(cross, dim=1)
    inner = sides.faces[:, 1] >= 0
    a, b = sides.edges[inner].T
    edge = points[b] - points[a]
    length = edge.norm(dim=1)
    along = edge / length.clamp(min=1e-300)[:, None]
    first, second = (unit[sides.faces[inner, i]] for i in (0, 1))
    # Signed: positive where the second face bends down from the first, whichever way the edge is looked along.
    ridge = points[sides.opposite[inner, 1]] - points[a]
    angle = torch.atan2(torch.linalg.cross(first, second).norm(dim=1), (first * second).sum(dim=1))
    angle = torch.where((ridge * first).sum(dim=1) > 0, -angle, angle)
    # Half of each edge belongs to either end, and a third of each face to each corner.
    tensor = (angle * length / 2)[:, None, None] * along[:, :, None] * along[:, None, :]
    sums = points.new_zeros(len(points), 10)
    sums[:, :9].index_add_(0, torch.cat([a, b]), tensor.reshape(-1, 9).repeat(2, 1))
    sums[:, 9].index_add_(0, triangles.reshape(-1), (cross.norm(dim=1) / 6).repeat_interleave(3))
    around = neighbors(sides.edges, len(points))
    for _ in range(smoothing):
        sums = (sums + around.sum(sums)) / (1 + around.degree[:, None])
    density = sums[:, :9].reshape(-1, 3, 3) / sums[:, 9].clamp(min=1e-300)[:, None, None]
    # On the CPU: many small eigenvalue problems are slow on CUDA.
    values = torch.linalg.eigvalsh(density.cpu())
    return torch.as_tensor(np.abs(values.numpy()).max(axis=1)).to(vertices.device)
