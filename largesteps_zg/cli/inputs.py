"""What the commands of the command line take: texts to values, names to meshes, lights and scenes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..scenes.reading import Reading
from .options import add_options, given
from .progress import Progress

if TYPE_CHECKING:
    from ..mesh.file_parts import Attributes
    from ..mesh.mesh import Mesh
    from ..mesh.texture_layout import Layout
    from ..renderers.light import SphericalHarmonicsLight
    from ..scenes.views import Scene, Views

DEFAULT_MESH = "fennec"
MAX_SIDE = 8192  # pixels
CAMERAS = "cameras"  # the folder beside a result
_BAR = "cameras {percentage:3.0f}%|{bar}| {elapsed}{postfix}"
STARTS = ("auto", "depths", "sphere", "hull")


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
    """A light from an environment map, or None; says what of the file is not used."""
    from ..images.files import image_header
    from ..images.opening import more_pictures
    from ..renderers.light import load_light
    from ..scenes.provenance import UNUSED

    if name is None:
        return None
    try:
        light = load_light(name)
        if Path(name).suffix != ".npy" and image_header(Path(name)).several:
            print(f"{UNUSED:9} {more_pictures(name)}", flush=True)
        return light
    except ValueError as error:
        raise ValueError(f"{error}" if name in str(error) else f"light: {name}: {error}") from error


def target_mesh(name: str) -> tuple[Mesh, list[str]]:
    """A mesh to show, from its file or by its built-in name, and what there is to say about it."""
    from .. import meshes
    from ..mesh.file_parts import read_parts, unread_files
    from ..mesh.files import mesh_of_parts

    # A word that neither is a file nor looks like one is a built-in mesh's name; the error for others lists them.
    is_name = not Path(name).suffix and not Path(name).exists()
    path = meshes.path(name) if is_name else Path(name)
    parts = read_parts(path)
    return mesh_of_parts(path, parts), [f"{name}: {phrase}" for phrase in unread_files(parts)]


def mesh_named(name: str) -> NamedStart | None:
    """The mesh to start from, mended where it has to be, or None for the sphere."""
    return None if name == "sphere" else _mesh_file(name)


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


def start_named(name: str, views: Views, *, patches: bool = True) -> NamedStart:
    """The mesh to start from, and what there is to say about it; `patches`: photographs may be compared for it."""
    from ..constants import DEFAULTS
    from ..reconstruct.starts.choose import choose_start, depths_start
    from ..reconstruct.starts.hull import visual_hull
    from ..reconstruct.starts.sphere import starting_sphere
    from ..scenes.carving.bounds import bounding_sphere
    from ..scenes.sanity import check_mesh_fits

    if name not in STARTS:
        start = _mesh_file(name)
        check_mesh_fits(start.mesh, views, name=name)
        return _lying_as(start, name, views)
    center, radius = bounding_sphere(views)
    if name == "sphere":
        return NamedStart(starting_sphere(views, center, radius), [])
    if name == "hull":
        return NamedStart(visual_hull(views, center, radius), [])
    if name == "depths":
        return NamedStart(depths_start(views, center, radius), [])
    chosen = choose_start(views, center, radius, patches=DEFAULTS.patches if patches else None)
    return NamedStart(chosen.mesh, [f"{chosen.kind}: {chosen.reason}"])


def _lying_as(start: NamedStart, name: str, views: Views) -> NamedStart:
    """The start as it lies, or from y up to z up where only that lies as the scene does; a note of either."""
    import torch

    from ..constants import DEFAULTS
    from ..reconstruct.starts.overlap import silhouette_overlap

    overlap = silhouette_overlap(start.mesh, views)
    if overlap >= DEFAULTS.checks.overlap:
        return start
    told = f"{name}: its outlines and the masks overlap by {overlap:.0%} only; "
    x, y, z = start.mesh.vertices.unbind(1)
    turned = replace(start.mesh, vertices=torch.stack([x, -z, y], dim=1))
    after = silhouette_overlap(turned, views)
    if after >= DEFAULTS.checks.overlap:
        told += f"turned from y up to z up, as Blender writes OBJ and GLB, by {after:.0%}, and so it is taken"
        return replace(start, mesh=turned, notes=[*start.notes, told])
    told += "does it lie as the scene does? GLB files are turned upright, PLY and OBJ files of a run are not"
    return replace(start, notes=[*start.notes, told])


def with_masks(scene: Scene, *, keep_support: bool = False) -> tuple[Scene, NamedStart | None]:
    """The scene, with masks from what its photographs agree on and the start that this gives where it has none."""
    if scene.masked:
        return scene, None
    from ..reconstruct.starts.unmasked import unmasked

    found = unmasked(scene, keep_support=keep_support)
    return found.scene, NamedStart(found.mesh, list(found.notes))


def add_reading(parser: argparse.ArgumentParser, **defaults: Any) -> None:
    """The options of how a scene is read, some with other defaults; `options.given` makes a `Reading` of them."""
    parser.add_argument(
        "--format",
        default="auto",
        metavar="NAME",
        help="of SCENE: %(metavar)s is one that info names (default auto)",
    )
    add_options(parser, Reading, **defaults)


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


def face_count(text: str) -> int:
    """A number of faces, 4 or more: the fewest of a closed surface."""
    try:
        count = int(text)
    except ValueError:
        count = -1
    if count < 4:
        raise argparse.ArgumentTypeError(f"expected a number of faces, 4 or more, got {text!r}")
    return count


@contextmanager
def read_with(arguments: argparse.Namespace, beside: Path, *, quiet: bool = False) -> Iterator[Reading]:
    """How a scene is read, with progress while cameras are found, which are kept in `beside` if no place is named."""
    reading = given(arguments, Reading)
    with ExitStack() as opened:
        shown: list[Progress] = []  # not before there is something to wait for

        def watch(share: float, text: str) -> None:
            if not shown:
                shown.append(opened.enter_context(Progress(100, quiet=quiet, bar_format=_BAR)))
            shown[0].update(100 * share, text)

        yield replace(reading, cameras=reading.cameras or beside / CAMERAS, watch=watch)


def scene_named(name: str | None, format: str = "auto", reading: Reading | None = None) -> Scene:
    """A scene from a folder or a file, or the built-in one."""
    from ..scenes.registry import load_scene

    if name is not None:
        return load_scene(name, format=format, reading=reading)
    from .. import meshes
    from ..mesh.files import load_mesh
    from ..scenes.synthetic import scene_from_mesh

    return scene_from_mesh(load_mesh(meshes.path(DEFAULT_MESH)))
