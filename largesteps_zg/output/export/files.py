"""Meshes for other programs: OBJ with its material and image, and GLB, upright, with colours that look right.

This module writes both by itself, for three reasons. OBJ keeps vertices on seams whole, because positions and places in
the image have indices of their own. GLB gets a material that is no metal. And GLB gets colours of more than 8 bits:
linear light in 8 bits would show bands in the shadows.
"""

from __future__ import annotations

import io
import json
import os
import struct
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
from .textured import TexturedMesh


def save_obj(path: str | os.PathLike[str], surface: Mesh | TexturedMesh) -> None:
    """Write a mesh as OBJ in its own coordinates, and its texture as NAME.mtl and NAME.png beside it.

    Parameters
    ----------
    path
        ``NAME.obj``. Each file appears whole or not at all, the OBJ last.
    surface : Mesh or TexturedMesh
        Without a texture, colours follow the positions as ``v x y z r g b``, in the sRGB that Blender and MeshLab read.

    Raises
    ------
    ValueError
        Another suffix, an unsound mesh, colours of another shape than the vertices.
    OSError
        If a file can't be written.

    Notes
    -----
    OBJ does not say which way is up: the coordinates are the scene's own, as in PLY. Tell programs that take y for up
    (Blender asks when it imports), or give them the GLB.
    """
    path, mesh, textured = _checked(path, surface, ".obj")
    lines = [f"# largesteps_zg {__version__}"]
    if textured is not None:
        # References without folders: the three files can move together.
        lines += [f"mtllib {path.with_suffix('.mtl').name}"]
        _save_image(path.with_suffix(".png"), textured.image)
        _save_text(path.with_suffix(".mtl"), _material(path.with_suffix(".png").name))
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
        lines += [*_rows("vt %.7f %.7f", _array(textured.uv)), "usemtl surface"]
        triples = np.stack([corners, _array(textured.faces_uv) + 1, corners], axis=-1).reshape(-1, 9)
        lines += _rows("f %d/%d/%d %d/%d/%d %d/%d/%d", triples)
    _save_text(path, "\n".join(lines) + "\n")


def save_glb(
    path: str | os.PathLike[str],
    surface: Mesh | TexturedMesh,
    *,
    up: Tensor | None = None,
    scale: float = 1.0,
) -> None:
    """Write a mesh as GLB (glTF 2.0 in one file), turned so that it stands upright.

    Parameters
    ----------
    path
        ``NAME.glb``. It appears whole or not at all.
    surface : Mesh or TexturedMesh
        The texture becomes the base colour (sRGB). Without one, the colours are at the vertices (linear, as glTF
        defines them). The material is rough and no metal.
    up : (3,) float tensor, optional
        The direction of up in the mesh's coordinates; +z by default. The shortest rotation takes it to +y, which is up
        in glTF. Blender turns +y back to +z, so a mesh with +z up arrives there in its own coordinates.
    scale : float
        Metres in a unit of the mesh's coordinates.

    Raises
    ------
    ValueError
        Another suffix, an unsound mesh, colours of another shape than the vertices, an `up` that is no direction.
    OSError
        If the file can't be written.

    Notes
    -----
    Without a scale lengths are the scene's, whatever their unit; glTF says metres. Positions are 32-bit; of a mesh that
    lies far from the origin they count from its middle, and the file says where that is.
    """
    path, mesh, textured = _checked(path, surface, ".glb")
    rotation = upright_rotation(torch.tensor([0.0, 0.0, 1.0]) if up is None else up).numpy()
    vertices, normals = scale * _array(mesh.vertices) @ rotation.T, _normals(mesh) @ rotation.T
    middle = 0.5 * (vertices.min(axis=0) + vertices.max(axis=0))
    far = lies_far(mesh.vertices)
    parts = {"POSITION": vertices - middle if far else vertices, "NORMAL": normals}
    faces, image = mesh.faces, None
    if textured is not None:
        owners = _array(textured.owners)
        parts = {name: values[owners] for name, values in parts.items()}
        parts["TEXCOORD_0"] = np.abs(np.array([0.0, 1.0]) - _array(textured.uv))  # v from above
        faces, image = textured.faces_uv, _png(textured.image)
    elif mesh.colors is not None:
        parts["COLOR_0"] = _array(mesh.colors.detach().clamp(0, 1))
    content = glb_bytes(parts, _array(faces), image=image, translation=middle if far else None)
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


def _material(image: str) -> str:
    """An MTL file: diffuse, its colour from the image, no highlight."""
    return f"newmtl surface\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nd 1\nillum 1\nmap_Kd {image}\n"


def _save_text(path: Path, text: str) -> None:
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def _save_image(path: Path, image: Tensor) -> None:
    with atomic_path(path) as part:
        part.write_bytes(_png(image))


def _png(image: Tensor) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image.cpu().numpy()).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def glb_bytes(
    parts: dict[str, NDArray[Any]],
    faces: NDArray[np.int64],
    *,
    image: bytes | None = None,
    translation: NDArray[np.float64] | None = None,
) -> bytes:
    """A mesh as the content of a GLB file: a header, a chunk of JSON and a chunk of numbers (glTF 2.0, section 4).

    Parameters
    ----------
    parts : dict of str to (V, n) float
        By their names in glTF: POSITION, NORMAL (unit), COLOR_0 (linear), TEXCOORD_0.
    faces : (F, 3) int
    image : bytes, optional
        A PNG: the base colour.
    translation : (3,) float, optional
        What is to be added to the positions.
    """
    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []
    numbers = bytearray()

    def add_view(content: bytes, **more: Any) -> int:
        numbers.extend(bytes(-len(numbers) % 4))  # each array begins at a multiple of four
        views.append({"buffer": 0, "byteOffset": len(numbers), "byteLength": len(content), **more})
        numbers.extend(content)
        return len(views) - 1

    def add_accessor(content: bytes, **more: Any) -> int:
        target = 34963 if more["type"] == "SCALAR" else 34962  # ELEMENT_ARRAY_BUFFER, ARRAY_BUFFER
        accessors.append({"bufferView": add_view(content, target=target), **more})
        return len(accessors) - 1

    attributes = {}
    for name, values in parts.items():
        floats = np.ascontiguousarray(values, dtype="<f4")
        shape: dict[str, Any] = {"componentType": 5126, "count": len(floats), "type": f"VEC{floats.shape[1]}"}
        if name == "POSITION":
            shape |= {"min": floats.min(axis=0).tolist(), "max": floats.max(axis=0).tolist()}
        attributes[name] = add_accessor(floats.tobytes(), **shape)
    indices = np.ascontiguousarray(faces, dtype="<u4").tobytes()
    corners = add_accessor(indices, componentType=5125, count=faces.size, type="SCALAR")
    material = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
    tree: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": f"largesteps_zg {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "surface"}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": corners, "material": 0}]}],
        "materials": [{"name": "surface", "doubleSided": True, "pbrMetallicRoughness": material}],
    }
    if translation is not None:
        tree["nodes"][0]["translation"] = translation.tolist()
    if image is not None:
        material["baseColorTexture"] = {"index": 0}  # type: ignore[assignment]
        tree["textures"] = [{"source": 0, "sampler": 0}]
        tree["samplers"] = [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}]
        tree["images"] = [{"bufferView": add_view(image), "mimeType": "image/png", "name": "albedo"}]
    numbers.extend(bytes(-len(numbers) % 4))
    tree |= {"accessors": accessors, "bufferViews": views, "buffers": [{"byteLength": len(numbers)}]}
    text = json.dumps(tree, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(numbers), b"BIN\0") + bytes(numbers)
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
