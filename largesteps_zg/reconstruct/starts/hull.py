"""The visual hull as a closed mesh: the part of space inside all masks, with its holes and separate parts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...constants import DEFAULTS, Carving
from ...geometry.connectivity import topology, vertex_components
from ...mesh.isosurface import isosurface
from ...mesh.mesh import Mesh
from ...mesh.remeshing.remesher import remesh
from ...scenes.carving.carve import carve
from ...scenes.carving.evidence import unconfirmed, views_with_holes
from ...scenes.carving.grid import Grid
from ...scenes.views import Views

CELLS = 96  # along the bounding sphere's cube
VERTICES = 3000
_LONGEST = 2.5  # edge in cells: thin parts need several triangles around them


@dataclass(frozen=True)
class Hull:
    """A surface between the nodes of a grid, before it is remeshed.

    Attributes
    ----------
    vertices : (V, 3) float64 tensor
    faces : (F, 3) int64 tensor
        Closed, outside out.
    genus, parts : int
        The number of handles of all parts together, and the number of parts.
    grid : Grid
    field : np.ndarray
        Signed distances to the surface at its nodes, positive inside; of the parts that were left out, too.
    """

    vertices: Tensor
    faces: Tensor
    genus: int
    parts: int
    grid: Grid
    field: np.ndarray

    @property
    def order(self) -> tuple[int, int]:
        """The less, the simpler: handles, then parts."""
        return self.genus, self.parts


def visual_hull(
    views: Views,
    center: Tensor,
    radius: float,
    *,
    cells: int = CELLS,
    vertices: int = VERTICES,
    constants: Carving = DEFAULTS.carving,
) -> Mesh:
    """The intersection of the cones of all masks as a mesh to start from.

    Views vote on distances to the outlines on a grid. With exact masks and cameras the surface is exact to a fraction
    of a cell. If nothing would be left, the views that contradict the others are outvoted. Bridges and specks that no
    view confirms are taken off. Sheets thinner than a cell become thicker where the grid has torn holes that no mask
    shows. Holes, handles and separate parts stay.

    Parameters
    ----------
    views : Views
    center, radius
        ``bounding_sphere(views)``.
    cells : int
        Along each side of the grid around the bounding sphere, >= 16. Parts thinner than two cells may get lost.
    vertices : int
        The approximate number of vertices; thin parts may need more.
    constants : Carving, optional

    Returns
    -------
    Mesh
        Closed, manifold, float64, in the scene's coordinates, without colours.

    Raises
    ------
    ValueError
        If there are fewer than 16 cells, or if masks leave nothing as large as a cell.

    Notes
    -----
    About 6 seconds for 40 views on one core. Concavities that no outline shows are filled; the reconstruction has to
    carve them.
    """
    return remeshed(carved_hull(views, center, radius, cells=cells, constants=constants), vertices)


def carved_hull(
    views: Views, center: Tensor, radius: float, *, cells: int = CELLS, constants: Carving = DEFAULTS.carving
) -> Hull:
    """The hull on its grid, with no more handles than the masks ask for; arguments as for `visual_hull`."""
    if cells < 16:
        raise ValueError(f"cells: expected at least 16 along each side, got {cells}")
    grid, field, cones = carve(views, center, radius, cells, constants)
    best = surface_of(grid, field, constants)
    if best is not None and best.genus == 0 and best.parts == 1:
        return best
    loose = unconfirmed(grid, field, cones, radius, constants)
    for erosion in constants.erosions:
        found = surface_of(grid, field - erosion * grid.cell * loose, constants)
        if found is not None and (best is None or found.order < best.order):
            best = found
    if best is not None and best.genus > 0 and views_with_holes(views, constants) == 0:
        for thickening in constants.thickenings:
            found = surface_of(grid, field + thickening * grid.cell, constants)
            if found is not None and found.parts == best.parts and found.genus < best.genus:
                best = found
    if best is None:
        raise ValueError(
            f"views: the masks leave nothing as large as {grid.cell:.3g} in common; correct masks or cameras, "
            "or carve a finer grid"
        )
    return best


def surface_of(grid: Grid, field: np.ndarray, constants: Carving) -> Hull | None:
    """Marching cubes of a field, without specks and hollows; None where nothing is left."""
    # A surface that passes through a node would have triangles without area.
    least = 0.02 * grid.cell
    values = np.where(np.abs(field) < least, np.where(field > 0, least, -least), field)
    values = np.pad(values, 1, constant_values=-grid.cell)
    if not (values > 0).any():
        return None
    nodes, faces = isosurface(values)
    vertices = torch.from_numpy(grid.corner) + grid.cell * (nodes - 1.0)
    vertices, faces, parts = _sizeable(vertices, faces, constants)
    # Closed, so it has 3 F / 2 edges, and V - E + F = 2 (parts - handles).
    return Hull(vertices, faces, parts - (len(vertices) - len(faces) // 2) // 2, parts, grid, field)


def _sizeable(vertices: Tensor, faces: Tensor, constants: Carving) -> tuple[Tensor, Tensor, int]:
    """Without specks and without hollows inside other parts, outside out; and how many parts are left."""
    label = vertex_components(faces, len(vertices))
    count = int(label.max()) + 1
    volume = torch.zeros(count, dtype=vertices.dtype)
    volume.index_add_(0, label[faces[:, 0]], torch.linalg.det((vertices - vertices.mean(dim=0))[faces]))
    if float(volume[volume.abs().argmax()]) < 0:
        faces, volume = faces.flip(1), -volume
    where = label[:, None].expand(-1, 3)
    shape = (count, 3)
    high = torch.full(shape, -math.inf, dtype=vertices.dtype).scatter_reduce_(0, where, vertices, "amax")
    low = torch.full(shape, math.inf, dtype=vertices.dtype).scatter_reduce_(0, where, vertices, "amin")
    size = (high - low).norm(dim=1)
    sizeable = size > constants.speck * float(size.max())
    kept = (volume > constants.speck_volume * volume.max()) & sizeable
    used = kept[label]
    faces = (used.cumsum(dim=0) - 1)[faces[used[faces[:, 0]]]]
    return vertices[used], faces, int(kept.sum())


def cut_off(hull: Hull, above: np.ndarray, constants: Carving = DEFAULTS.carving) -> Hull:
    """A hull without what is below a plane; as it is where that leaves nothing.

    Parameters
    ----------
    hull : Hull
    above : (N,) float
        How far the nodes of its grid are above the plane.
    constants : Carving, optional
    """
    field = np.minimum(hull.field, above.reshape(hull.field.shape))
    return surface_of(hull.grid, field, constants) or hull


def remeshed(hull: Hull, vertices: int = VERTICES) -> Mesh:
    """The hull with nearly equilateral triangles, and the same holes and parts."""
    a, b, c = hull.vertices[hull.faces].unbind(dim=1)
    area = float(torch.linalg.cross(b - a, c - a).norm(dim=1).sum()) / 2
    length = min(math.sqrt(2 * area / (math.sqrt(3) * vertices)), _LONGEST * hull.grid.cell)
    for _ in range(3):
        try:
            made = remesh(hull.vertices, hull.faces, length)
        except RuntimeError:
            made = None
        if made is not None:
            counts = topology(made.faces)
            if (counts.genus, counts.components) == hull.order:
                return Mesh(made.vertices, made.faces)
        length *= 0.7  # coarse triangles close narrow gaps
    return Mesh(hull.vertices, hull.faces)
