"""A start from the user's own mesh file, with its texture coordinates where it has any."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from ...constants import DEFAULTS, Mending
from ...mesh.file_parts import Attributes, ply_attributes, read_parts, unread_files
from ...mesh.files import mesh_of_parts
from ...mesh.mending.condition import conditioned
from ...mesh.mesh import Mesh, compact
from ...mesh.texture_layout import Layout, layout_of


@dataclass(frozen=True)
class FileStart:
    """A mesh to start from.

    Attributes
    ----------
    mesh : Mesh
        Mended where needed; see `conditioned`.
    done : list of str
        One phrase for each mended fault.
    layout : Layout, optional
        The place of each face in the image, in the order and winding of the faces.
    fault : str
        Why there is no layout although the file has texture coordinates, or "".
    attributes : Attributes
        Other numbers that the file has at its vertices and faces. If these had to be mended, there are none, and `done`
        says so.
    unread : list of str
        One phrase for each texture or material that the file names and that could not be read.
    """

    mesh: Mesh
    done: list[str]
    layout: Layout | None
    fault: str
    attributes: Attributes
    unread: list[str] = field(default_factory=list)


def start_from_file(path: str | os.PathLike[str], constants: Mending = DEFAULTS.mending) -> FileStart:
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
    corners = None if layout is None else layout.corners
    whole, corners, done = conditioned(mesh, corners, name=str(path), constants=constants)
    if layout is not None and corners is not None:
        layout = replace(layout, corners=corners)
    attributes = ply_attributes(parts)
    if done and attributes.names:
        done = [*done, f"left out {', '.join(attributes.names)}, whose vertices or faces are others now"]
        attributes = Attributes({}, {})
    return FileStart(whole, done, layout, fault, attributes, unread_files(parts))
