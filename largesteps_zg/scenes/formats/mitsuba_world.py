"""What a Mitsuba scene holds besides its sensors: the shape to reconstruct, and distant light."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...images.radiance import read_radiance
from ...mesh.files import load_mesh
from ...mesh.mesh import Mesh, compact
from ...renderers.light import SphericalHarmonicsLight, from_environment_map, spherical_harmonics
from .mitsuba_xml import color, is_spectrum, number, string, to_world

SHAPES = ("ply", "obj")
LIGHTS = ("envmap", "constant")
_MAP_WIDTH = 512  # columns of an environment map: harmonics of degree 2 see nothing finer


def read_shapes(root: ElementTree.Element, file: Path) -> Mesh | None:
    """The shape whose id has `target` in it, else all that are not a `source`, joined; None where there are none."""
    shapes = [shape for shape in root.iter("shape") if shape.get("type") in SHAPES]
    chosen = [shape for shape in shapes if "target" in (shape.get("id") or "")]
    chosen = chosen or [shape for shape in shapes if "source" not in (shape.get("id") or "")]
    meshes = [_shape(shape, file) for shape in chosen]
    if not meshes:
        return None
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    colored = all(mesh.colors is not None for mesh in meshes)
    joined = Mesh(
        torch.cat([mesh.vertices for mesh in meshes]),
        torch.cat([mesh.faces + int(start) for mesh, start in zip(meshes, starts, strict=False)]),
        torch.cat([mesh.colors for mesh in meshes if mesh.colors is not None]) if colored else None,
    )
    return compact(joined)


def _shape(element: ElementTree.Element, file: Path) -> Mesh:
    where = f"{file}: shape {element.get('id') or element.get('type')}"
    name = string(element, "filename", where)
    if name is None:
        raise ValueError(f"{where}: expected a filename, got none")
    mesh = load_mesh(file.parent / name.replace("\\", "/"), dtype=torch.float64)
    matrix = torch.from_numpy(to_world(element, where))
    determinant = float(torch.linalg.det(matrix[:3, :3]))
    if determinant == 0:
        raise ValueError(f"{where}: to_world flattens the shape (determinant 0)")
    vertices = mesh.vertices @ matrix[:3, :3].T + matrix[:3, 3]
    faces = mesh.faces.flip(1) if determinant < 0 else mesh.faces
    return Mesh(vertices, faces, mesh.colors)


def read_light(root: ElementTree.Element, file: Path) -> SphericalHarmonicsLight | None:
    """The sum of environment map and constant emitters; None where there are none, or others, or spectra among them."""
    total: Tensor | None = None
    for emitter in root.iter("emitter"):
        where = f"{file}: emitter {emitter.get('id') or emitter.get('type')}"
        if emitter.get("type") == "envmap":
            coefficients = _environment(emitter, file, where)
        elif emitter.get("type") == "constant" and not is_spectrum(emitter, "radiance"):
            radiance = torch.from_numpy(color(emitter, "radiance", where)).float()
            coefficients = SphericalHarmonicsLight.ambient(2).coefficients * radiance
        else:
            return None
        total = coefficients if total is None else total + coefficients
    return None if total is None else SphericalHarmonicsLight(total)


def _environment(emitter: ElementTree.Element, file: Path, where: str) -> Tensor:
    """(9, 3) coefficients, in the world's axes, of an environment map."""
    name = string(emitter, "filename", where)
    if name is None:
        raise ValueError(f"{where}: expected a filename, got none")
    radiance = torch.from_numpy(read_radiance(file.parent / name.replace("\\", "/")))
    height, width, _ = radiance.shape
    if width > _MAP_WIDTH:
        size = (max(1, round(height * _MAP_WIDTH / width)), _MAP_WIDTH)
        radiance = torch.nn.functional.adaptive_avg_pool2d(radiance.movedim(-1, 0), size).movedim(0, -1)
    ours = from_environment_map(radiance.double(), order=2)
    matrix = to_world(emitter, where)[:3, :3]
    if abs(np.linalg.det(matrix)) < 1e-12:
        raise ValueError(f"{where}: to_world flattens the light (determinant 0)")
    # Mitsuba's map has +y on top, +z in the middle and +x to the left of it, where ours has +z, +x and +y.
    generator = torch.Generator().manual_seed(0)
    world = torch.nn.functional.normalize(torch.randn(64, 3, generator=generator, dtype=torch.float64), dim=1)
    local = torch.nn.functional.normalize(world @ torch.from_numpy(np.linalg.inv(matrix)).T, dim=1)
    # Harmonics of one degree only mix when turned, so that 64 directions fix the turned ones exactly.
    shading = ours(local[:, [2, 0, 1]])
    turned = torch.linalg.lstsq(spherical_harmonics(world, 2), shading).solution
    return (turned * number(emitter, "scale", 1.0, where)).float()
