"""A start from the user's own mesh file, with its texture coordinates where it has any."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from ...mesh.file_parts import Attributes, ply_attributes, read_parts, unread_files
from ...mesh.files import mesh_of_parts
from ...mesh.mending.condition import conditioned_corners
from ...mesh.mesh import Mesh, compact
from ...mesh.texture_layout import Layout, layout_of


@dataclass(frozen=True)
class FileStart:
    """A mesh to start from.

    Attributes
    ----------
    mesh : Mesh
        Mended where it had to be; see `conditioned`.
    done : list of str
        What was mended, a phrase each.
    layout : Layout, optional
        Where its faces lie in its image, in their order and winding.
    fault : str
        Why there is no layout although the file has texture coordinates, or "".
    attributes : Attributes
        What else the file has at the vertices and faces; none where these had to be mended, which is said in `done`.
    unread : list of str
        Textures and materials that it names and that could not be read, a phrase each.
    """

    mesh: Mesh
    done: list[str]
    layout: Layout | None
    fault: str
    attributes: Attributes
    unread: list[str] = field(default_factory=list)


def start_from_file(path: str | os.PathLike[str]) -> FileStart:
    """Read a mesh to start from.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_mesh` and `conditioned`.
    """
    path = Path(path)
    parts = read_parts(path)
    mesh = compact(mesh_of_parts(path, parts, dtype=torch.float64, repeated=True))
    layout, fault = layout_of(path, parts)
    whole, corners, done = conditioned_corners(mesh, None if layout is None else layout.corners, str(path))
    if layout is not None and corners is not None:
        layout = replace(layout, corners=corners)
    attributes = ply_attributes(parts)
    if done and attributes.names:
        done = [*done, f"left out {', '.join(attributes.names)}, whose vertices or faces are others now"]
        attributes = Attributes({}, {})
    return FileStart(whole, done, layout, fault, attributes, unread_files(parts))
