"""A surface for a web page to draw: few bytes, upright, not too many triangles."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from ...cameras.model import Cameras
from ...cameras.upright import upright_rotation
from ...images.color import linear_to_srgb
from ...mesh.mesh import Mesh
from ..export.material import Material
from ..export.textured import TexturedMesh
from ..pictures.bare import CLAY, LIGHTS, WARNING
from .filling import picture

MOST_VERTICES = 120_000  # 44 bytes each in the page: 5 MB
TEXTURE_SIDE = 2048  # texels
LEVELS = 65535  # of a coordinate: 3e-5 of the radius


def packed_surface(
    surface: Mesh | TexturedMesh,
    *,
    up: Float[Tensor, "3"],
    camera: Cameras,
    material: Material | None = None,
    most: int = MOST_VERTICES,
) -> dict[str, Any]:
    """A surface as plain values for ``surface.js``.

    Parameters
    ----------
    surface : Mesh or TexturedMesh
        Faces at vertices that are not finite are left out.
    up : (3,) float tensor
        The direction of up in the mesh's coordinates.
    camera : Cameras
        One: the page looks from its side at first.
    material : Material, optional
        Of a glossy surface, the same everywhere; its colours are base colours then.
    most : int
        Vertices; a mesh that has more is thinned (`thinned`), and then has colours at its vertices and no texture.

    Returns
    -------
    dict
        Arrays in base64, little-endian: ``positions`` (V, 3) uint16, 0 to 65535 for -1 to 1 in the unit sphere with y
        up; ``faces`` (F, 3) uint32; ``colors`` (V, 3) uint8 sRGB or None; ``places`` (V, 2) uint16, 0 to 65535 across
        the ``image`` from its upper left corner, or None. ``vertices``, ``shown``: faces before and after thinning;
        ``from``: the direction of the camera; ``lights``, ``clay``, ``warning``: of a bare surface; ``gloss``:
        roughness, metalness and what is mirrored straight on, or None.
    """
    mesh, textured = (surface.mesh, surface) if isinstance(surface, TexturedMesh) else (surface, None)
    vertices, faces = mesh.vertices.detach().double().cpu().numpy(), mesh.faces.cpu().numpy()
    faces = faces[np.isfinite(vertices).all(axis=1)[faces].all(axis=1)]
    colors = None if mesh.colors is None else mesh.colors.detach().double().cpu().clamp(0, 1).numpy()
    given, places, image = len(faces), None, None
    used = np.unique(faces)
    if len(used) > most:
        vertices, faces, colors = thinned(vertices, faces, colors, most)
    elif textured is not None:
        vertices, faces, places = _cut_open(textured, vertices)
        image = picture(textured.image.cpu().numpy(), "texture", side=TEXTURE_SIDE, format="JPEG")["source"]
        colors = None
    rotation = upright_rotation(up).numpy()
    corners = vertices[np.unique(faces)] if len(faces) else np.zeros((1, 3))
    middle = 0.5 * (corners.min(axis=0) + corners.max(axis=0))
    radius = max(float(np.linalg.norm(corners - middle, axis=1).max()), 1e-30)
    unit = np.nan_to_num((vertices - middle) @ rotation.T / radius).clip(-1, 1)
    toward = rotation @ (camera.centers[0].detach().double().cpu().numpy() - middle)
    shown_colors = None if colors is None else linear_to_srgb(torch.from_numpy(colors)).numpy()
    return {
        "positions": _coded((unit + 1) / 2 * LEVELS, "<u2"),
        "faces": _coded(faces, "<u4"),
        "colors": None if shown_colors is None else _coded(shown_colors * 255, "u1"),
        "places": None if places is None else _coded(places.clip(0, 1) * LEVELS, "<u2"),
        "image": image,
        "vertices": len(unit),
        "given": given,
        "shown": len(faces),
        "from": toward.tolist(),
        # From the camera's axes (y down, z forward) to the page's (y up, z towards the eye).
        "lights": [[[x, -y, -z], strength] for (x, y, z), strength in LIGHTS],
        "clay": CLAY,
        "warning": WARNING,
        "gloss": None if material is None else _gloss(material),
    }


def _gloss(material: Material) -> list[float]:
    """Means over its maps, and F0 of what is no metal."""
    maps = (material.roughness, material.metalness)
    return [*(round(float(each.double().mean()) / 255, 4) for each in maps), round(material.reflectance, 4)]


def thinned(
    vertices: NDArray[np.float64], faces: NDArray[np.int64], colors: NDArray[np.float64] | None, most: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64] | None]:
    """A coarser mesh: vertices in one cell of a grid become their mean (Rossignac and Borrel 1993).

    Parameters
    ----------
    vertices, faces, colors
        Arrays (V, 3), (F, 3), and (V, 3) or None.
    most : int
        Vertices; the grid is the finest that leaves no more, to a third of a per cent of a cell.

    Returns
    -------
    vertices, faces, colors
        Without faces that shrank to a line or a point, and without copies.
    """
    used, faces = np.unique(faces, return_inverse=True)
    vertices, faces = vertices[used], faces.reshape(-1, 3)
    low = vertices.min(axis=0)
    size = float((vertices.max(axis=0) - low).max())
    coarse, fine, owner = 1.0, 1e6, np.zeros(len(vertices), dtype=np.int64)
    for _ in range(12):
        cells = (coarse * fine) ** 0.5
        at = np.floor((vertices - low) / size * cells).astype(np.int64)  # < 2^20 along each axis
        _, found = np.unique(at @ np.array([1, 1 << 20, 1 << 40]), return_inverse=True)
        if found.max() < most:
            coarse, owner = cells, found.reshape(-1)
        else:
            fine = cells
    faces = owner[faces]
    faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]
    _, first = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    count = np.bincount(owner)[:, None]

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        columns = [np.bincount(owner, column) for column in values.T]
        return np.stack(columns, axis=1) / count

    return mean(vertices), faces[np.sort(first)], None if colors is None else mean(colors[used])


def _cut_open(
    textured: TexturedMesh, vertices: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """A vertex for each place in the image, which counts from the upper left corner."""
    faces = textured.faces_uv.cpu().numpy()
    split = vertices[textured.owners.cpu().numpy()]
    places = np.abs(np.array([0.0, 1.0]) - textured.uv.detach().double().cpu().numpy())
    return split, faces[np.isfinite(split).all(axis=1)[faces].all(axis=1)], places


def _coded(values: NDArray[Any], kind: str) -> str:
    """Rounded, as bytes in base64."""
    return base64.b64encode(np.ascontiguousarray(np.rint(values)).astype(kind).tobytes()).decode()
