"""Meshes for other programs: OBJ with its material and image, and GLB, upright, with colours that look right.

This module writes both by itself, for three reasons. OBJ keeps vertices on seams whole, because positions and places in
the image have indices of their own. GLB gets a material. And GLB gets colours of more than 8 bits:
linear light in 8 bits would show bands in the shadows.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..._support.atomic import atomic_path
from ..._version import __version__
from ...cameras.upright import upright_rotation
from ...geometry.connectivity import check_mesh
from ...geometry.normals import vertex_normals
from ...images.color import linear_to_srgb
from ...mesh.mesh import Mesh, decimals, lies_far
from .exr import exr_bytes
from .glb import glb_bytes
from .material import Material
from .mtl import mtl_images, mtl_text
from .tangents import place_tangents
from .textured import TexturedMesh


def save_obj(
    path: str | os.PathLike[str], surface: Mesh | TexturedMesh, *, material: Material | None = None
) -> None:
    """Write a mesh as OBJ in its own coordinates, and its material as NAME.mtl with images beside it.

    Parameters
    ----------
    path
        ``NAME.obj``. Each file appears whole or not at all, the OBJ last.
    surface : Mesh or TexturedMesh
        Without a texture, colours follow the positions as ``v x y z r g b``, in the sRGB that Blender and MeshLab read.
    material : Material, optional
        Of a surface without a texture; without one there is no NAME.mtl.

    Raises
    ------
    ValueError
        Another suffix, an unsound mesh, colours of another shape than the vertices.
    OSError
        If a file can't be written.

    Notes
    -----
    OBJ does not say which way is up: the coordinates are the scene's own, as in PLY. Tell programs that take y for up
    (Blender asks when it imports), or give them the GLB. The images are NAME.png, the base colour, and where the
    material says more NAME_roughness.png, NAME_metalness.png, NAME_normal.png and NAME_normal.exr; see `mtl_text`.
    """
    path, mesh, textured = _checked(path, surface, ".obj")
    lines = [f"# largesteps_zg {__version__}"]
    if textured is not None or material is not None:
        # References without folders: the files can move together.
        lines += [f"mtllib {path.with_suffix('.mtl').name}"]
        material = material if textured is None else textured.material
        images = mtl_images(path.stem, material, None if textured is None else textured.image)
        for name, image in images.items():
            with atomic_path(path.with_name(name)) as part:
                part.write_bytes(
                    _png(image) if name.endswith(".png") else exr_bytes(image.cpu().numpy() / 255)
                )
        _save_text(path.with_suffix(".mtl"), mtl_text(path.stem, material, images))
        lines += ["usemtl surface"]
    vertices = _array(mesh.vertices)
    digits = decimals(vertices)
    values, pattern = vertices, f"v %.{digits}f %.{digits}f %.{digits}f"
    if textured is None and mesh.colors is not None:
        srgb = linear_to_srgb(mesh.colors.detach().double().cpu().clamp(0, 1))
        values, pattern = np.hstack([vertices, srgb.numpy()]), pattern + " %.5g %.5g %.5g"
    lines += _rows(pattern, values)
    lines += _rows("vn %.4f %.4f %.4f", _normals(mesh))
    corners = _array(mesh.faces) + 1
    if textured is None:
        lines += _rows("f %d//%d %d//%d %d//%d", np.repeat(corners, 2, axis=1))
    else:
        lines += _rows("vt %.7f %.7f", _array(textured.uv))
        triples = np.stack([corners, _array(textured.faces_uv) + 1, corners], axis=-1).reshape(-1, 9)
        lines += _rows("f %d/%d/%d %d/%d/%d %d/%d/%d", triples)
    _save_text(path, "\n".join(lines) + "\n")


def save_glb(
    path: str | os.PathLike[str],
    surface: Mesh | TexturedMesh,
    *,
    up: Tensor | None = None,
    scale: float = 1.0,
    material: Material | None = None,
) -> None:
    """Write a mesh as GLB (glTF 2.0 in one file), turned so that it stands upright.

    Parameters
    ----------
    path
        ``NAME.glb``. It appears whole or not at all.
    surface : Mesh or TexturedMesh
        The texture becomes the base colour (sRGB). Without one, the colours are at the vertices (linear, as glTF
        defines them). Without a material it is rough and no metal.
    up : (3,) float tensor, optional
        The direction of up in the mesh's coordinates; +z by default. The shortest rotation takes it to +y, which is up
        in glTF. Blender turns +y back to +z, so a mesh with +z up arrives there in its own coordinates.
    scale : float
        Metres in a unit of the mesh's coordinates.
    material : Material, optional
        Of a surface without a texture.

    Raises
    ------
    ValueError
        Another suffix, an unsound mesh, colours of another shape than the vertices, an `up` that is no direction.
    OSError
        If the file can't be written.

    Notes
    -----
    Without a scale lengths are the scene's, whatever their unit; glTF says metres. Positions are 32-bit; of a mesh that
    lies far from the origin they count from its middle, and the file says where that is. With a normal map the file has
    tangents, for viewers that would estimate them. An index of refraction other than 1.5 is in KHR_materials_ior, and
    viewers without it take 1.5.
    """
    path, mesh, textured = _checked(path, surface, ".glb")
    rotation = upright_rotation(torch.tensor([0.0, 0.0, 1.0]) if up is None else up).numpy()
    vertices, normals = scale * _array(mesh.vertices) @ rotation.T, _normals(mesh) @ rotation.T
    middle = 0.5 * (vertices.min(axis=0) + vertices.max(axis=0))
    far = lies_far(mesh.vertices)
    parts = {"POSITION": vertices - middle if far else vertices, "NORMAL": normals}
    faces, images = mesh.faces, dict[str, bytes]()
    if textured is not None:
        owners = _array(textured.owners)
        parts = {name: values[owners] for name, values in parts.items()}
        parts["TEXCOORD_0"] = np.abs(np.array([0.0, 1.0]) - _array(textured.uv))  # v from above
        faces, images, material = textured.faces_uv, _glb_images(textured), textured.material
        if "normals" in images:
            points, up_normals = (torch.from_numpy(parts[name]) for name in ("POSITION", "NORMAL"))
            places, corners = textured.uv.detach().double().cpu(), faces.long().cpu()
            parts["TANGENT"] = _array(place_tangents(points, up_normals, places, corners))
    elif mesh.colors is not None:
        parts["COLOR_0"] = _array(mesh.colors.detach().clamp(0, 1))
    content = glb_bytes(
        parts, _array(faces), images=images, material=material, translation=middle if far else None
    )
    with atomic_path(path) as part:
        part.write_bytes(content)


def _checked(
    path: str | os.PathLike[str], surface: Mesh | TexturedMesh, suffix: str
) -> tuple[Path, Mesh, TexturedMesh | None]:
    """The path, the mesh, and the textured mesh if there is one; ValueError for arguments that can't be written."""
    path = Path(path)
    if path.suffix.lower() != suffix:
        raise ValueError(f"{path}: expected the suffix {suffix}, got {path.suffix!r}")
    mesh, textured = (surface.mesh, surface) if isinstance(surface, TexturedMesh) else (surface, None)
    check_mesh(mesh.vertices, mesh.faces, name=str(path))
    if mesh.colors is not None and mesh.colors.shape != mesh.vertices.shape:
        raise ValueError(
            f"colors: expected shape {tuple(mesh.vertices.shape)}, like the vertices, got {tuple(mesh.colors.shape)}"
        )
    return path, mesh, textured


def _array(tensor: Tensor) -> NDArray[Any]:
    """Floats in double precision, and integers unchanged, on the CPU."""
    tensor = tensor.detach().cpu()
    array: NDArray[Any] = (tensor.double() if tensor.is_floating_point() else tensor.long()).numpy()
    return array


def _normals(mesh: Mesh) -> NDArray[np.float64]:
    """Unit normals at the vertices; +z where there is none, because glTF allows only unit vectors."""
    normals = _array(vertex_normals(mesh.vertices.detach().double().cpu(), mesh.faces.cpu()))
    normals[np.linalg.norm(normals, axis=1) < 0.5] = (0.0, 0.0, 1.0)
    return normals


def _rows(pattern: str, values: NDArray[Any]) -> list[str]:
    """A line for each row."""
    return [pattern % tuple(row) for row in values.tolist()]


def _save_text(path: Path, text: str) -> None:
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def _glb_images(textured: TexturedMesh) -> dict[str, bytes]:
    """PNGs for `glb_bytes`."""
    images, material = {"albedo": _png(textured.image)}, textured.material
    if material is not None and not material.uniform:
        rough, metal = material.roughness, material.metalness
        images["metallic_roughness"] = _png(torch.stack([torch.full_like(rough, 255), rough, metal], dim=-1))
    if material is not None and material.normals is not None:
        images["normals"] = _png(material.normals)
    return images


def _png(image: Tensor) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image.cpu().numpy()).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()
