"""What a triangle mesh is made of and whether it is sound: checks, edge counts, welding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from .._support.checks import check_tensor
from .half_edges import half_edge_table


@dataclass(frozen=True)
class Topology:
    """Counts that describe how the faces of a mesh hang together.

    Attributes
    ----------
    vertices : int
        Vertices that a face uses.
    edges, faces : int
    boundary_edges : int
        Edges with one face.
    nonmanifold_edges : int
        Edges with more than two faces.
    components : int
        Pieces that are connected through shared vertices.
    euler : int
        Euler characteristic V - E + F.
    misoriented_edges : int
        Edges whose two faces run along them in the same direction, so that one of the two is inside out.
    isolated_vertices : int
        Vertices that no face uses (0 when the number of vertices was not given).
    """

    vertices: int
    edges: int
    faces: int
    boundary_edges: int
    nonmanifold_edges: int
    components: int
    euler: int
    misoriented_edges: int = 0
    isolated_vertices: int = 0

    @property
    def watertight(self) -> bool:
        """True when every edge has exactly two faces, of consistent winding."""
        return self.faces > 0 and not (
            self.boundary_edges or self.nonmanifold_edges or self.misoriented_edges
        )

    @property
    def genus(self) -> int | None:
        """Number of handles, summed over the components; None for a surface that is not closed."""
        return self.components - self.euler // 2 if self.watertight else None


def check_mesh(vertices: Tensor, faces: Tensor, *, name: str = "", allow_no_faces: bool = False) -> None:
    """Refuse arrays that are not a triangle mesh.

    Parameters
    ----------
    vertices : (V, 3) float tensor
    faces : (F, 3) integer tensor
    name : str
        Put in front of each message, for instance the name of the file that the mesh came from.
    allow_no_faces : bool
        Accept F = 0.

    Raises
    ------
    ValueError
        Wrong shape or type, no vertices, no faces, a position that is not finite (names the vertex),
        an index out of range or a repeated corner (names the face).
    """
    # Plain types in the signature: this is where wrong shapes get their message.
    prefix = f"{name}: " if name else ""
    check_tensor(f"{prefix}vertices", vertices)
    check_tensor(f"{prefix}faces", faces)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or not vertices.is_floating_point():
        raise ValueError(
            f"{prefix}vertices: expected a (V, 3) tensor of floats, got {tuple(vertices.shape)} {vertices.dtype}"
        )
    integers = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype not in integers:
        raise ValueError(
            f"{prefix}faces: expected an (F, 3) tensor of integers, got {tuple(faces.shape)} {faces.dtype}; "
            + ("triangulate polygons first" if faces.dtype in integers else "convert them to torch.int64")
        )
    if vertices.shape[0] == 0:
        raise ValueError(f"{prefix}vertices: expected at least 3, got none; the mesh is empty")
    if faces.shape[0] == 0 and not allow_no_faces:
        raise ValueError(f"{prefix}faces: expected at least one triangle, got none; is this a point cloud?")
    finite = torch.isfinite(vertices).all(dim=1)
    if not bool(finite.all()):
        first = int((~finite).nonzero()[0, 0])
        raise ValueError(
            f"{prefix}vertices: expected finite positions, got {vertices[first].tolist()} at vertex {first} "
            f"({int((~finite).sum())} in all)"
        )
    check_faces(faces, vertices.shape[0], prefix=prefix)
    check_corners(faces, prefix=prefix)


def check_faces(faces: Int[Tensor, "F 3"], vertex_count: int, *, prefix: str = "") -> None:
    """Refuse faces that are no triangles, and those that name a vertex that is not there.

    Whole numbers may be of a floating-point type, as some bindings hand them over.

    Raises
    ------
    ValueError
        Another shape, no whole numbers, or an index out of [0, vertex_count); names the first face that has one.
    """
    check_tensor(f"{prefix}faces", faces)
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueError(
            f"{prefix}faces: expected shape (F, 3), got {tuple(faces.shape)}; triangulate polygons first"
        )
    if faces.dtype == torch.bool or faces.is_complex():
        raise ValueError(
            f"{prefix}faces: expected whole numbers, got {faces.dtype}; convert them to torch.int64"
        )
    if faces.numel() == 0:
        return
    if faces.is_floating_point() and bool((faces != faces.round()).any()):
        raise ValueError(f"{prefix}faces: expected whole numbers, got fractions; are these positions?")
    low, high = (int(x) for x in torch.aminmax(faces))
    if low >= 0 and high < vertex_count:
        return
    face, corner = ((faces < 0) | (faces >= vertex_count)).nonzero()[0].tolist()
    hint = "; is the file 1-indexed?" if low > 0 and high == vertex_count else ""
    raise ValueError(
        f"{prefix}faces: expected indices in [0, {vertex_count}), got {int(faces[face, corner])} "
        f"at face {face}{hint}"
    )


def check_corners(faces: Int[Tensor, "F 3"], *, prefix: str = "") -> None:
    """Refuse faces that name a vertex twice.

    Raises
    ------
    ValueError
        Names the first such face.
    """
    repeated = repeated_corners(faces).nonzero()
    if len(repeated):
        face = int(repeated[0, 0])
        raise ValueError(
            f"{prefix}faces: expected three different corners, got {faces[face].tolist()} at face {face} "
            f"({len(repeated)} in all); drop such faces"
        )


def repeated_corners(faces: Int[Tensor, "F 3"]) -> Tensor:
    """(F,) bool: faces that name a vertex twice and so have no area."""
    return (faces[:, 0] == faces[:, 1]) | (faces[:, 1] == faces[:, 2]) | (faces[:, 2] == faces[:, 0])


def check_start_mesh(vertices: Tensor, faces: Tensor, *, name: str = "start mesh") -> None:
    """Refuse a mesh that can't be deformed and remeshed: `check_mesh`, and a manifold of one winding.

    Borders are allowed. Coincident vertices are allowed too, but each is taken as its own: `weld` first when
    they are seams.

    Raises
    ------
    ValueError
        As `check_mesh`; or edges with more than two faces, or with two faces of opposed winding. Says how many
        and names the first.
    """
    check_mesh(vertices, faces, name=name)
    table = half_edge_table(faces)
    first, _ = table.twins()
    for wrong, expected, remedy in (
        (
            table.number[table.begin[table.count > 2]],
            "at most two faces at an edge",
            "split or remove the extra faces",
        ),
        (first[table.misoriented()], "neighbouring faces with the same winding", "reorient the faces"),
    ):
        if len(wrong):
            a, b = sorted((int(table.start(wrong[0])), int(table.end(wrong[0]))))
            where = [round(x, 6) for x in vertices[[a, b]].double().mean(dim=0).tolist()]
            raise ValueError(
                f"{name}: expected {expected}, got {len(wrong)} edges that break this, the first between "
                f"vertices {a} and {b} near {where}; {remedy}"
            )


def vertex_components(faces: Int[Tensor, "F 3"], vertex_count: int) -> Tensor:
    """(V,) label of the connected piece that each vertex belongs to; isolated vertices are their own."""
    half = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]]]).cpu().numpy()
    return _connected(half[:, 0], half[:, 1], vertex_count).to(faces.device)


def _connected(first: np.ndarray, second: np.ndarray, count: int) -> Tensor:
    """Labels of the connected components of a graph given by its edges."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(count, count))
    _, labels = connected_components(graph.tocsr(), directed=False)
    return torch.from_numpy(labels.astype(np.int64))


def topology(faces: Int[Tensor, "F 3"], vertex_count: int | None = None) -> Topology:
    """Count edges, borders, components and the Euler characteristic of a mesh.

    Parameters
    ----------
    faces : (F, 3) integer tensor
    vertex_count : int, optional
        Number of vertices of the mesh, to count the isolated ones. The other counts do not depend on it.

    Returns
    -------
    Topology

    Examples
    --------
    >>> import torch
    >>> tetrahedron = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
    >>> topology(tetrahedron).euler
    2
    """
    size = int(faces.max()) + 1 if len(faces) else 0
    total = size if vertex_count is None else vertex_count
    check_faces(faces, total)
    check_corners(faces)
    table = half_edge_table(faces)
    used = torch.zeros(total, dtype=torch.bool, device=faces.device)
    used[faces.reshape(-1).long()] = True
    labels = vertex_components(faces, total)
    vertices, edges = int(used.sum()), len(table.keys)
    return Topology(
        vertices=vertices,
        edges=edges,
        faces=len(faces),
        boundary_edges=int((table.count == 1).sum()),
        nonmanifold_edges=int((table.count > 2).sum()),
        components=int((torch.bincount(labels[used]) > 0).sum()),
        euler=vertices - edges + len(faces),
        misoriented_edges=int(table.misoriented().sum()),
        isolated_vertices=0 if vertex_count is None else vertex_count - vertices,
    )


def nonmanifold_vertices(faces: Int[Tensor, "F 3"], vertex_count: int) -> Tensor:
    """Indices of vertices where several fans of faces touch in one point.

    ::

        \\ | /
         \\|/      each fan is a surface of its own; the vertex belongs to both
          x
         /|\\
    """
    # Two corners at one vertex belong to the same fan when their faces share an edge there.
    table = half_edge_table(faces.cpu())
    low, high = table.corners(table.number)
    after = torch.ones(len(table.number), dtype=torch.bool)
    after[table.begin] = False
    after = after.nonzero()[:, 0]
    fans = _connected(
        torch.cat([low[after - 1], high[after - 1]]).numpy(),
        torch.cat([low[after], high[after]]).numpy(),
        table.faces.numel(),
    )
    vertex_of_fan = torch.empty(int(fans.max()) + 1 if len(fans) else 0, dtype=torch.int64)
    vertex_of_fan[fans] = table.faces.reshape(-1)  # all corners of a fan are at one vertex
    return (torch.bincount(vertex_of_fan, minlength=vertex_count) > 1).nonzero()[:, 0]


def weld(
    vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], tolerance: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Merge coincident vertices, so that a seam is one row of vertices and can't tear.

    Parameters
    ----------
    vertices : (V, 3) float tensor
    faces : (F, 3) integer tensor
    tolerance : float
        Vertices at most this far apart are merged, transitively; 0 merges equal positions alone.

    Returns
    -------
    vertices : (W, 3) float tensor
        The first of each group, in the order of first appearance. Differentiable: a selection of rows.
    faces : (G, 3) int64 tensor
        Faces that collapsed (two corners merged) are dropped.
    index : (V,) int64 tensor
        New vertex of each old one.

    Raises
    ------
    ValueError
        A negative tolerance.
    """
    if not tolerance >= 0:
        raise ValueError(f"tolerance: expected a distance >= 0, got {tolerance}")
    points = vertices.detach()
    if tolerance > 0:
        from scipy.spatial import cKDTree

        pairs = cKDTree(points.double().cpu().numpy()).query_pairs(tolerance, output_type="ndarray")
        group = _connected(pairs[:, 0], pairs[:, 1], len(points)).to(points.device)
    else:
        group = torch.unique(points, dim=0, return_inverse=True)[1]
    count = int(group.max()) + 1 if len(group) else 0
    rows = torch.arange(len(points), device=points.device)
    first = torch.full((count,), len(points), device=points.device).scatter_reduce_(0, group, rows, "amin")
    kept, order = torch.sort(first)
    rank = torch.empty_like(order).index_put_((order,), torch.arange(count, device=points.device))
    index = rank[group]
    welded = index[faces.long()]
    return vertices[kept], welded[~repeated_corners(welded)], index
