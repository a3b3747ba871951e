"""Mesh: vertices, faces and colours in one place; starting shapes; files in and out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .atomic import atomic_path
from .color import linear_to_srgb
from .mesh_parts import Attributes, joined, linear_colors, obj_has_coordinates, read_parts
from .topology import Topology as Topology
from .topology import check_mesh as check_mesh
from .topology import check_start_mesh as check_start_mesh
from .topology import nonmanifold_vertices as nonmanifold_vertices
from .topology import repeated_corners
from .topology import topology as topology
from .topology import vertex_components as vertex_components
from .topology import weld as weld

if TYPE_CHECKING:
    import trimesh

# glTF defines vertex colours as linear; everywhere else 8-bit colours are sRGB by custom.
_LINEAR_SUFFIXES = (".glb", ".gltf")
_SAVED_SUFFIXES = (".ply", ".obj", ".stl", ".glb")


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh.

    Attributes
    ----------
    vertices : (V, 3) float tensor
    faces : (F, 3) int64 tensor
        Counter-clockwise seen from outside.
    colors : (V, 3) float tensor, optional
        Linear RGB in [0, 1].
    """

    vertices: Tensor
    faces: Tensor
    colors: Tensor | None = None

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Mesh:
        """The same mesh on another device, or with another type of floats (faces stay integers)."""
        return Mesh(
            self.vertices.to(device=device, dtype=dtype),
            self.faces.to(device=device),
            None if self.colors is None else self.colors.to(device=device, dtype=dtype),
        )


def icosphere(
    subdivisions: int = 4,
    *,
    radius: float = 1.0,
    center: Sequence[float] = (0.0, 0.0, 0.0),
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Mesh:
    """A sphere of nearly equal triangles: an icosahedron whose faces are split in four, again and again.

    Parameters
    ----------
    subdivisions : int
        n >= 0 gives 10 * 4^n + 2 vertices and 20 * 4^n faces; 4 gives 2,562 and 5,120.
    radius : float
    center : three floats

    Raises
    ------
    ValueError
        Negative or more than 9 subdivisions (5 million faces), or a radius that is not positive.

    Examples
    --------
    >>> icosphere(1).faces.shape
    torch.Size([80, 3])
    """
    if not 0 <= subdivisions <= 9:
        raise ValueError(f"subdivisions: expected a number in [0, 9], got {subdivisions}")
    if not radius > 0:
        raise ValueError(f"radius: expected a length > 0, got {radius}")
    golden = (1 + 5**0.5) / 2
    corners = [(a, b * golden, 0.0) for b in (1, -1) for a in (-1.0, 1.0)]  # three golden rectangles
    corners += [(0.0, a, b * golden) for b in (1, -1) for a in (-1.0, 1.0)]
    corners += [(b * golden, 0.0, a) for b in (1, -1) for a in (-1.0, 1.0)]
    points = torch.tensor(corners, dtype=torch.float64)
    # The faces are the triples of corners that are mutually at distance 2, the edge of this icosahedron.
    near = torch.cdist(points, points).sub(2).abs() < 1e-9
    triples = torch.combinations(torch.arange(12), 3)
    i, j, k = triples.T
    faces = triples[near[i, j] & near[j, k] & near[k, i]]  # (20, 3)
    inward = torch.linalg.det(points[faces]) < 0
    faces[inward] = faces[inward].flip(1)
    for _ in range(subdivisions):
        points, faces = _split_in_four(torch.nn.functional.normalize(points, dim=1), faces)
    points = torch.nn.functional.normalize(points, dim=1) * radius + torch.tensor(center, dtype=torch.float64)
    return Mesh(points.to(device=device, dtype=dtype), faces.to(device=device))


def _split_in_four(points: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Each triangle becomes four; the new vertices are the midpoints of the edges."""
    half = torch.cat([faces[:, [1, 2]], faces[:, [2, 0]], faces[:, [0, 1]]]).sort(dim=1).values
    edges, inverse = torch.unique(half, dim=0, return_inverse=True)
    a, b, c = faces.T
    opposite_a, opposite_b, opposite_c = (inverse + len(points)).view(3, -1)
    quarters = [(a, opposite_c, opposite_b), (b, opposite_a, opposite_c), (c, opposite_b, opposite_a)]
    quarters.append((opposite_a, opposite_b, opposite_c))
    middle = points[edges].mean(dim=1)
    return torch.cat([points, middle]), torch.cat([torch.stack(quarter, dim=1) for quarter in quarters])


def load_mesh(path: str | os.PathLike[str], *, dtype: torch.dtype = torch.float32) -> Mesh:
    """Read a mesh from any format that trimesh reads (PLY, OBJ, STL, OFF, GLB and others).

    Polygons are triangulated, the parts of a scene are placed and joined into one mesh, and vertex colours (or
    a texture, looked up at the vertices) become linear RGB. Coincident vertices stay as the file has them
    (`weld` merges them), except in STL, which stores every triangle alone: there, equal positions are merged.

    Parameters
    ----------
    path : path
    dtype : torch.dtype
        Of vertices and colours.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It can't be read, has no faces, or is not a sound mesh (see `check_mesh`).
    """
    path = Path(path)
    return mesh_of_parts(path, read_parts(path), dtype=dtype)


def mesh_of_parts(
    path: Path, parts: list[trimesh.Trimesh], *, dtype: torch.dtype = torch.float32, repeated: bool = False
) -> Mesh:
    """What `load_mesh` makes of the parts of a file. Its faces are theirs, one part after the other, but for STL.

    With `repeated`, faces that name a vertex twice are left to the caller.
    """
    part = joined(parts)
    vertices = torch.from_numpy(np.array(part.vertices, dtype=np.float64))
    faces = torch.from_numpy(np.array(part.faces, dtype=np.int64).reshape(-1, 3))
    check_mesh(vertices, faces[~repeated_corners(faces)] if repeated else faces, name=str(path))
    colors = linear_colors(part, linear=path.suffix.lower() in _LINEAR_SUFFIXES)
    if path.suffix.lower() == ".stl":
        vertices, faces, _ = weld(vertices, faces)
        colors = None
    if obj_has_coordinates(path):
        vertices, faces, colors = _seams_closed(vertices, faces, colors)
    return Mesh(vertices.to(dtype), faces, None if colors is None else colors.to(dtype))


def _seams_closed(
    vertices: Tensor, faces: Tensor, colors: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Vertices of an OBJ whole again, with the mean of the colours: those split at seams follow each other."""
    first = torch.ones(len(vertices), dtype=torch.bool)
    first[1:] = (vertices[1:] != vertices[:-1]).any(dim=1)
    index = first.cumsum(0) - 1
    first[faces[repeated_corners(index[faces])]] = True  # two vertices of the file at one position
    index = first.cumsum(0) - 1
    if colors is not None:
        sums = torch.zeros(int(index[-1]) + 1, 3, dtype=colors.dtype).index_add_(0, index, colors)
        colors = sums / torch.bincount(index)[:, None]
    return vertices[first], index[faces], colors


def save_mesh(path: str | os.PathLike[str], mesh: Mesh, *, attributes: Attributes | None = None) -> None:
    """Write a mesh as PLY, OBJ, STL or GLB, chosen by the suffix; other attributes only in PLY.

    Colours are rounded to 8 bits: sRGB in PLY and OBJ, linear in GLB (as glTF defines them); STL has none.
    PLY holds 32-bit positions. The file appears whole or not at all: it is written beside and then renamed.

    Raises
    ------
    ValueError
        Another suffix, an unsound mesh, or colours of another shape than the vertices.
    OSError
        The file can't be written.
    """
    import trimesh

    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in _SAVED_SUFFIXES:
        raise ValueError(f"{path}: expected a suffix among {', '.join(_SAVED_SUFFIXES)}, got {path.suffix!r}")
    check_mesh(mesh.vertices, mesh.faces, name=str(path))
    colors = None
    if mesh.colors is not None:
        if mesh.colors.shape != mesh.vertices.shape:
            raise ValueError(
                f"colors: expected shape {tuple(mesh.vertices.shape)}, like the vertices, "
                f"got {tuple(mesh.colors.shape)}"
            )
        linear = mesh.colors.detach().double().cpu().clamp(0, 1)
        encoded = linear if suffix in _LINEAR_SUFFIXES else linear_to_srgb(linear)
        colors = (encoded * 255).round().to(torch.uint8).numpy()
    part = trimesh.Trimesh(
        mesh.vertices.detach().double().cpu().numpy(),
        mesh.faces.cpu().numpy(),
        vertex_colors=None if suffix == ".stl" else colors,
        process=False,
    )
    if attributes is not None and suffix == ".ply":
        part.vertex_attributes.update(attributes.vertex)
        part.face_attributes.update(attributes.face)
    content: Any = part.export(file_type=suffix.lstrip("."))
    with atomic_path(path) as part_path:
        part_path.write_bytes(content.encode() if isinstance(content, str) else content)
