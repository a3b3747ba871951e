"""What trimesh finds in a mesh file, part by part: with errors of one line, colours and texture coordinates."""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .._support.regular_files import check_regular
from .._support.while_inside import silence
from ..images.color import srgb_to_linear
from ..images.opening import check_image
from .sources.files_beside import FilesBeside
from .sources.gltf import plain_glb
from .sources.obj import triangle_obj
from .sources.off import off_mesh
from .sources.ply import triangle_ply
from .sources.text import stl_mesh

if TYPE_CHECKING:
    import trimesh
    from PIL.Image import Image


MESH_KINDS = ("ply", "obj", "stl", "off", "glb", "gltf")
_UNREAD = "largesteps_zg unread"
_ARCHIVES = ("zip", "gz", "tgz", "bz2", "xz", "zst", "7z", "rar", "tar", "3mf", "usdz")

# Properties of PLY files that are read as what they are.
_UNDERSTOOD = {
    *("x", "y", "z", "nx", "ny", "nz", "red", "green", "blue", "alpha"),
    *("s", "t", "u", "v", "texture_u", "texture_v", "vertex_indices", "vertex_index"),
}
_OF_A_RUN = ("views_seeing", "residual")  # about which the next run finds out anew


def read_parts(path: Path) -> list[trimesh.Trimesh]:
    """The parts of a scene, each in its place, with the vertices and faces of the file in their order.

    An OBJ with texture coordinates comes with a vertex for each place in the image: seams are split.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It can't be read, or has no faces.
    """
    import trimesh

    if not path.exists() or path.is_dir():
        raise FileNotFoundError(
            f"{path}: expected a mesh file, got {'a folder' if path.is_dir() else 'nothing there'}"
        )
    check_regular(path)
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: expected a mesh file, got an empty file")
    kind = path.suffix.lower().lstrip(".")
    if kind not in MESH_KINDS:
        cure = "unpack it" if kind in _ARCHIVES else "convert it to .ply or .obj"
        raise ValueError(
            f"{path}: expected one of {', '.join(MESH_KINDS)}, got suffix {path.suffix!r}; {cure}"
        )
    try:
        with _unheard():
            loaded = _loaded(path, kind)
            parts = [part for part in loaded.dump() if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    except Exception as error:  # the readers raise whatever a damaged file leads them to
        kept = type(error) in (ValueError, FileNotFoundError)
        reason = _one_line(error) if kept else f"{type(error).__name__}: {_one_line(error)}"
        cure = "" if ";" in reason or "?" in reason else "; is it damaged?"
        raise ValueError(f"{path}: expected a readable .{kind} file: {reason}{cure}") from error
    if not parts:
        raise ValueError(f"{path}: expected at least one triangle, got no faces; is this a point cloud?")
    parts[0].metadata[_UNREAD] = loaded.metadata.get(_UNREAD, [])
    if len(parts) == 1 and len(loaded.geometry) == 1:  # copies lose colours that stand beside a material
        (whole,) = loaded.geometry.values()
        beside = getattr(whole.visual, "vertex_attributes", None)
        copy: Any = parts[0].visual
        if beside and hasattr(copy, "vertex_attributes"):
            copy.vertex_attributes.update(dict(beside))
    return parts


def _loaded(path: Path, kind: str) -> trimesh.Scene:
    """What trimesh makes of a file whose polygons, numbers and text were made plain before."""
    import trimesh

    data, beside = path.read_bytes(), FilesBeside(path)
    unread: list[str] = []
    mesh: dict[str, Any] = {}
    if kind == "ply":
        data = triangle_ply(data)
    elif kind == "obj":
        data, unread = triangle_obj(data)
    elif kind in ("glb", "gltf"):
        data, unread = plain_glb(data, beside.bytes_of, check_image)
        kind = "glb"
    elif kind == "off":
        mesh, unread = off_mesh(data)
    else:
        mesh = stl_mesh(data)
    if mesh:
        scene = (
            trimesh.Scene(trimesh.Trimesh(**mesh, process=False)) if len(mesh["faces"]) else trimesh.Scene()
        )
        scene.metadata[_UNREAD] = unread
        return scene
    resolver: Any = beside
    loaded: Any = trimesh.load_scene(
        # No merging, no reordering. With maintain_order the two sides of a seam would get the same coordinates.
        BytesIO(data),
        file_type=kind,
        resolver=resolver,
        process=False,
        maintain_order=not obj_has_coordinates(path),
    )
    loaded.metadata[_UNREAD] = [*unread, *beside.unread]
    return loaded


@contextmanager
def _unheard() -> Iterator[None]:
    """Without trimesh's log lines in this thread, and without warnings, but for the one of text that is cut short."""
    thread = threading.get_ident()

    def elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != thread

    names = [name for name in logging.root.manager.loggerDict if name.startswith("trimesh")]
    logs = [logging.getLogger(name) for name in names]
    for log in logs:
        log.addFilter(elsewhere)
    try:
        with silence:
            # NumPy then gives the numbers before the first word that is none.
            warnings.filterwarnings("error", message="string or file could not be read to its end")
            yield
    finally:
        for log in logs:
            log.removeFilter(elsewhere)


def obj_has_coordinates(path: Path) -> bool:
    """Whether a file is an OBJ with lines of texture coordinates."""
    return (
        path.suffix.lower() == ".obj" and re.search(rb"^[ \t]*vt[ \t]", path.read_bytes(), re.M) is not None
    )


def unread_files(parts: list[trimesh.Trimesh]) -> list[str]:
    """What a mesh file names and could not be had of it: textures and materials, a phrase each."""
    found: list[str] = parts[0].metadata.get(_UNREAD, [])
    return found


def joined(parts: list[trimesh.Trimesh]) -> trimesh.Trimesh:
    """The parts as one mesh, one after the other."""
    import trimesh

    whole: Any = parts[0] if len(parts) == 1 else trimesh.util.concatenate(parts)
    return whole


def _one_line(error: Exception) -> str:
    """The first line of an error's text, cut to a readable length."""
    return (str(error).strip().splitlines() or ["no message"])[0][:250]


def linear_colors(part: trimesh.Trimesh, *, linear: bool) -> Tensor | None:
    """(V, 3) float64 linear RGB of a trimesh mesh, or None where it has no colours of its own."""
    visual: Any = part.visual
    if visual.kind == "texture":
        uv = texture_coordinates(part)
        if texture_image(part) is None or uv is None or not np.isfinite(uv).all():
            return _attribute_colors(visual, len(part.vertices))
        visual, linear = visual.to_color(), False  # textures are sRGB in every format, glTF too
    if visual.kind not in ("vertex", "face"):
        return None
    rgba = np.asarray(visual.vertex_colors)
    if rgba.shape[0] != len(part.vertices):
        return None
    encoded = torch.from_numpy(rgba[:, :3].astype(np.float64) / 255)
    return encoded if linear else srgb_to_linear(encoded)


def _attribute_colors(visual: Any, vertices: int) -> Tensor | None:
    """(V, 3) float64 linear RGB of a GLB that has colours at its vertices beside a material; None where it has none."""
    colors = (getattr(visual, "vertex_attributes", None) or {}).get("color")
    if colors is None or np.ndim(colors) != 2 or len(colors) != vertices or np.shape(colors)[1] < 3:
        return None
    colors = np.asarray(colors)
    largest = np.iinfo(colors.dtype).max if np.issubdtype(colors.dtype, np.integer) else 1.0
    return torch.from_numpy(colors[:, :3].astype(np.float64) / largest)


@dataclass(frozen=True)
class Attributes:
    """Numbers of a PLY file beside positions, normals, colours and texture coordinates, by their names.

    Attributes
    ----------
    vertex : dict of (V,) arrays
    face : dict of (F,) arrays
    """

    vertex: dict[str, np.ndarray]
    face: dict[str, np.ndarray]

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [*self.vertex, *self.face]


def ply_attributes(parts: list[trimesh.Trimesh]) -> Attributes:
    """What a file of one part has beside what a mesh here holds, and what a run says of its result."""
    vertex, face = (
        {name: array for name, array in _ply_numbers(parts, element).items() if name not in _OF_A_RUN}
        for element in ("vertex", "face")
    )
    return Attributes(vertex, face)


def ply_marks(parts: list[trimesh.Trimesh]) -> dict[str, np.ndarray]:
    """What a run says of its result: (V,) ``views_seeing`` and ``residual``, as far as they are there."""
    return {name: array for name, array in _ply_numbers(parts, "vertex").items() if name in _OF_A_RUN}


def _ply_numbers(parts: list[trimesh.Trimesh], element: str) -> dict[str, np.ndarray]:
    """Numbers of a PLY of one part, one for each vertex or face."""
    if len(parts) != 1:
        return {}
    data = parts[0].metadata.get("_ply_raw", {}).get(element, {}).get("data")
    names = getattr(getattr(data, "dtype", None), "names", None) or ()
    own = {name: np.array(data[name]) for name in names if name not in _UNDERSTOOD}
    count = len(parts[0].vertices if element == "vertex" else parts[0].faces)
    return {name: array for name, array in own.items() if array.shape == (count,)}


def texture_image(part: trimesh.Trimesh) -> Image | None:
    """The image of a part's colours; None where there is none."""
    from trimesh.visual.material import empty_material

    material = getattr(part.visual, "material", None)
    image = getattr(material, "image", None) or getattr(material, "baseColorTexture", None)
    # What trimesh puts where a file has texture coordinates alone.
    nothing = empty_material().image
    if image is None or (image.size == nothing.size and image.tobytes() == nothing.tobytes()):
        return None
    return image


def texture_coordinates(part: trimesh.Trimesh) -> np.ndarray | None:
    """(V, 2) float64, v upwards, as the file has them, finite or not; None where it has none for each vertex."""
    visual: Any = part.visual
    uv = np.asarray(getattr(visual, "uv", None), dtype=np.float64)
    if visual.kind != "texture" or uv.ndim != 2 or len(uv) != len(part.vertices) or uv.shape[1] < 2:
        return None
    return uv[:, :2]
