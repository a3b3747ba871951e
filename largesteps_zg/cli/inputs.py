"""What the commands of the command line take: texts to values, names to meshes, lights and scenes."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..mesh.file_parts import Attributes
    from ..mesh.mesh import Mesh
    from ..mesh.texture_layout import Layout
    from ..renderers.light import SphericalHarmonicsLight
    from ..scenes.reading import Reading
    from ..scenes.views import Scene, Views

DEFAULT_MESH = "fennec"
MAX_SIDE = 8192  # pixels
STARTS = ("auto", "sphere", "hull")
LEAST_OVERLAP = 0.5  # of outlines and masks; a start mesh below it is said to
MAX_SIZE, HOLD_OUT = 800, 8  # of `Reading`, which --help must not wait for


def remesh_steps(text: str) -> str | tuple[int, ...]:
    """When to remesh."""
    if text in ("auto", "adaptive", "off"):
        return text
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected auto, adaptive, off or steps such as 100,300, got {text!r}"
        ) from None


def seed_number(text: str) -> int:
    """A number that generators take."""
    try:
        seed = int(text)
    except ValueError:
        seed = -1
    if not 0 <= seed < 2**63:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to 2^63 - 1, got {text!r}")
    return seed


def image_size(text: str) -> tuple[int, int]:
    """(height, width) in pixels."""
    try:
        sides = [int(part) for part in text.lower().split("x")]
        width, height = sides * 2 if len(sides) == 1 else sides
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected 256 or 320x240, got {text!r}") from None
    if min(width, height) < 8 or max(width, height) > MAX_SIDE:
        raise argparse.ArgumentTypeError(f"expected 8 to {MAX_SIDE} pixels, got {text!r}")
    return height, width


def light_named(name: str | None) -> SphericalHarmonicsLight | None:
    """A light from an environment map, or None."""
    from ..renderers.light import load_light

    if name is None:
        return None
    try:
        return load_light(name)
    except ValueError as error:
        raise ValueError(f"{error}" if name in str(error) else f"light: {name}: {error}") from error


def mesh_named(name: str) -> Mesh | None:
    """The mesh to start from, mended where it has to be, or None for the sphere."""
    return None if name == "sphere" else _mesh_file(name).mesh


@dataclass(frozen=True)
class NamedStart:
    """What ``--init`` names.

    Attributes
    ----------
    mesh : Mesh
    notes : list of str
        What there is to say about it.
    layout : Layout, optional
        Where its faces lie in the image of its file.
    fault : str
        Why there is no layout although the file has texture coordinates, or "".
    attributes : Attributes, optional
        What else the file has at its vertices and faces.
    """

    mesh: Mesh
    notes: list[str]
    layout: Layout | None = None
    fault: str = ""
    attributes: Attributes | None = None


def _mesh_file(name: str) -> NamedStart:
    """A mesh to start from, and what had to be mended."""
    from ..geometry.connectivity import check_start_mesh
    from ..reconstruct.starts.from_file import start_from_file

    start = start_from_file(name)
    check_start_mesh(start.mesh.vertices, start.mesh.faces, name=name)
    notes = [f"{name}: {', '.join(start.done)}"] if start.done else []
    notes += [f"{name}: {phrase}" for phrase in start.unread]
    return NamedStart(start.mesh, notes, start.layout, start.fault, start.attributes)


def start_named(name: str, views: Views) -> NamedStart:
    """The mesh to start from, and what there is to say about it."""
    from ..reconstruct.starts.choose import choose_start
    from ..reconstruct.starts.hull import visual_hull
    from ..reconstruct.starts.overlap import silhouette_overlap
    from ..reconstruct.starts.sphere import starting_sphere
    from ..scenes.carving.bounds import bounding_sphere
    from ..scenes.sanity import check_mesh_fits

    if name not in STARTS:
        start = _mesh_file(name)
        check_mesh_fits(start.mesh, views, name=name)
        overlap = silhouette_overlap(start.mesh, views)
        if overlap < LEAST_OVERLAP:
            start.notes.append(
                f"{name}: its outlines and the masks overlap by {overlap:.0%} only; does it lie as the scene does? "
                "GLB files are turned upright, PLY and OBJ files of a run are not"
            )
        return start
    center, radius = bounding_sphere(views)
    if name == "sphere":
        return NamedStart(starting_sphere(views, center, radius), [])
    if name == "hull":
        return NamedStart(visual_hull(views, center, radius), [])
    chosen = choose_start(views, center, radius)
    return NamedStart(chosen.mesh, [f"{chosen.kind}: {chosen.reason}"])


def add_reading(parser: argparse.ArgumentParser, *, max_size: int = MAX_SIZE) -> None:
    """The options of how a scene is read."""
    add = parser.add_argument
    add(
        "--format",
        default="auto",
        metavar="NAME",
        help="of SCENE: %(metavar)s is one that info names (default auto)",
    )
    add("--masks", type=Path, metavar="DIR", help="folder of masks, named as their images")
    add(
        "--background", type=background, default="auto", metavar="auto|none|R,G,B",
        help="what images without masks show around the object (default auto: one colour, found at their borders)",
    )  # fmt: skip
    add(
        "--max-size", type=int, default=max_size, metavar="N",
        help=f"longest side; larger images are made smaller (default {max_size})",
    )  # fmt: skip
    add(
        "--hold-out", type=int, default=HOLD_OUT, metavar="N",
        help=f"test with every N-th view where the scene has no test split; 0 for none (default {HOLD_OUT})",
    )  # fmt: skip


def reading_of(arguments: argparse.Namespace) -> Reading:
    """What `add_reading` was given."""
    from ..scenes.reading import Reading

    return Reading(arguments.masks, arguments.background, arguments.max_size, arguments.hold_out)


def background(text: str) -> str | tuple[int, ...]:
    """auto, none, or a colour."""
    if text in ("auto", "none"):
        return text
    try:
        red, green, blue = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected auto, none or R,G,B such as 0,0,0, got {text!r}"
        ) from None
    return red, green, blue


def texture_size(text: str) -> str | int:
    """ "off", "auto", or texels along a side."""
    if text in ("off", "auto"):
        return text
    try:
        size = int(text)
    except ValueError:
        size = -1
    if not 16 <= size <= MAX_SIDE:
        raise argparse.ArgumentTypeError(f"expected off, auto or 16 to {MAX_SIDE} texels, got {text!r}")
    return size


def scene_named(name: str | None, format: str = "auto", reading: Reading | None = None) -> Scene:
    """A scene from a folder or a file, or the built-in one."""
    from ..scenes.registry import load_scene

    if name is not None:
        return load_scene(name, format=format, reading=reading)
    from ..mesh.files import load_mesh
    from ..scenes.synthetic import scene_from_mesh

    return scene_from_mesh(load_mesh(built_in_meshes().path(DEFAULT_MESH)))


def built_in_meshes() -> ModuleType:
    """The module of the meshes of this project."""
    # Its folder is at the project's top level and joins the package when that is installed.
    return import_module("largesteps_zg.meshes")
