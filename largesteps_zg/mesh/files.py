"""Meshes from and to files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .._support.atomic import atomic_path
from ..geometry.connectivity import check_mesh, repeated_corners, weld
from .file_parts import Attributes, joined, linear_colors, obj_has_coordinates, read_parts
from .mesh import Mesh, _eight_bit_colors, _exported, lies_far
from .ply_file import ply_bytes

if TYPE_CHECKING:
    import trimesh


# glTF defines vertex colours as linear; everywhere else 8-bit colours are sRGB by custom.
_LINEAR_SUFFIXES = (".glb", ".gltf")


_SAVED_SUFFIXES = (".ply", ".obj", ".stl", ".glb")


def load_mesh(path: str | os.PathLike[str], *, dtype: torch.dtype = torch.float32) -> Mesh:
    """Read a mesh from a PLY, OBJ, STL, OFF, GLB or glTF file.

    Polygons become triangles, convex or not, the parts of a scene are placed and joined into one mesh, and vertex
    colours (or a texture, looked up at the vertices) become linear RGB. Coincident vertices stay as the file has them
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
    Positions are 32-bit. Of a mesh that lies far from the origin, as on a map, PLY holds them in 64 bits, STL is text,
    and GLB counts them from the mesh's middle, where a node puts them. The file appears whole or not at all: it is
    written beside and then renamed.

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
    vertices, faces = mesh.vertices.detach().double().cpu().numpy(), mesh.faces.cpu().numpy()
    colors = _eight_bit_colors(mesh, linear=suffix in _LINEAR_SUFFIXES)
    far = lies_far(mesh.vertices)
    content: Any
    if suffix == ".ply":
        more = attributes or Attributes({}, {})
        content = ply_bytes(
            vertices, faces, colors, double=far, vertex_attributes=more.vertex, face_attributes=more.face
        )
    else:
        part = trimesh.Trimesh(
            vertices, faces, vertex_colors=None if suffix == ".stl" else colors, process=False
        )
        content = _exported(part, suffix, far=far)
    with atomic_path(path) as part_path:
        part_path.write_bytes(content.encode() if isinstance(content, str) else content)
