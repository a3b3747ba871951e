"""``largesteps-zg view``: a scene, or what a run left behind, in the browser."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._support.options import options_of
from .._support.regular_files import read_regular
from ..scenes.reading import Reading
from .faults import inputs
from .inputs import add_reading, scene_named
from .options import given

if TYPE_CHECKING:
    from ..mesh.mesh import Mesh
    from ..output.export.material import Material
    from ..scenes.views import Scene
    from ..viewing.frames import Mark

PORT = 8080


def port_number(text: str) -> int:
    """1 to 65535."""
    number = int(text) if text.isdecimal() else 0
    if not 0 < number < 65536:
        raise argparse.ArgumentTypeError(f"expected the number of a port, 1 to 65535, got {text!r}")
    return number


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    made = commands.add_parser("view", help="a scene, or what a run left behind, in the browser")
    made.set_defaults(command=command)
    made.add_argument("folder", metavar="DIR", help="a run's folder, or a scene as for reconstruct")
    made.add_argument(
        "--port",
        type=port_number,
        default=PORT,
        metavar="N",
        help=f"the next free one from here (default {PORT})",
    )
    made.add_argument("--hull", action="store_true", help="carve the masks' hull, too")
    add_reading(made)


def command(arguments: argparse.Namespace) -> int:
    """Show it until Ctrl-C; 0."""
    from ..viewing.server import address, close, open_server
    from ..viewing.still import show

    with inputs():
        server = open_server(arguments.port)
        try:
            scene, mesh, more = _found(arguments)
            show(server, scene, mesh, hull=_hull(scene) if arguments.hull else None, **more)
        except BaseException:
            close(server)
            raise
    print(f"view:     {address(server)}   (Ctrl-C ends it)", flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return 0
    finally:
        close(server)


def _found(arguments: argparse.Namespace) -> tuple[Scene | None, Mesh | None, dict[str, Any]]:
    """What lies there: the scene, the mesh of a run, and its marks and material as `still.show` takes them."""
    from ..scenes.registry import load_scene

    folder = Path(arguments.folder)
    if not (folder / "run.json").is_file():
        return load_scene(folder, format=arguments.format, reading=given(arguments, Reading)), None, {}
    mesh, marks = _result(folder / "mesh.ply")
    mesh, material = _painted(folder / "run.json", mesh)
    more = {"marks": marks, "material": material}
    try:
        return scene_of_run(folder), mesh, more
    except (OSError, ValueError) as error:
        print(f"view:     without the scene, which cannot be read: {error}")
        return None, mesh, more


def _painted(file: Path, mesh: Mesh) -> tuple[Mesh, Material | None]:
    """A run's mesh with base colours, and its material, where it found gloss."""
    from ..mesh.mesh import Mesh
    from ..output.export.glossy import glossy

    try:
        gloss = json.loads(read_regular(file)).get("appearance", {}).get("gloss")
        if gloss is None:
            return mesh, None
        painted, material = glossy(mesh, gloss)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file}: not what a run writes: {error}") from error
    assert isinstance(painted, Mesh)
    return painted, material


def scene_of_run(folder: Path) -> Scene:
    """The scene of a run, read again as the run read it.

    Raises
    ------
    ValueError, OSError
        ``run.json`` or the scene cannot be read.
    """
    from ..scenes.registry import load_scene

    try:
        content = json.loads(read_regular(folder / "run.json"))
        path, asked = content["scene"]["path"], content["options"]
        names = [each.name for each, _ in options_of(Reading)]
        chosen = {name: asked[name] for name in names if name in asked}
        chosen["masks"] = None if chosen.get("masks") is None else Path(chosen["masks"])
        reading = Reading(**chosen)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / 'run.json'}: not what a run writes: {error}") from error
    if path is None:
        return scene_named(None)
    return load_scene(path, format=asked.get("format", "auto"), reading=reading)


def _result(path: Path) -> tuple[Mesh, dict[str, Mark]]:
    """A run's mesh, how wrong pictures of its vertices are, and how many photographs see them."""
    import numpy as np

    from ..mesh.file_parts import ply_marks, read_parts
    from ..mesh.files import mesh_of_parts
    from ..viewing.frames import ERROR, Mark, error_mark

    parts = read_parts(path)
    mesh, found = mesh_of_parts(path, parts), ply_marks(parts)
    counts, residual = (found.get(name) for name in ("views_seeing", "residual"))
    if counts is None or len(counts) != len(mesh.vertices):
        return mesh, {}
    most = max(float(counts.max()), 1.0)
    marks = {"Seen by": Mark(counts.astype(np.float32), most, "photographs that see a place")}
    if residual is not None:
        marks[ERROR] = error_mark(np.where(counts > 0, residual, np.nan))
    return mesh, marks


def _hull(scene: Scene | None) -> Mesh | None:
    from ..reconstruct.starts.hull import visual_hull
    from ..scenes.carving.bounds import bounding_sphere

    return None if scene is None else visual_hull(scene.train, *bounding_sphere(scene.train))
