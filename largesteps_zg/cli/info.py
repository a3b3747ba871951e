"""``largesteps-zg info``: what works on this machine, what was read of a scene, or how a run or a comparison went."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .._support.regular_files import read_regular
from .faults import inputs
from .inputs import add_reading, read_with, start_named, with_masks


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    told = commands.add_parser(
        "info",
        help="which backends and devices work here; or, with SCENE, what is read of it and a picture to check; or, "
        "with the folder of a run or a comparison, its last lines and a picture of its curves",
    )
    told.set_defaults(command=command)
    add = told.add_argument
    add(
        "scene",
        nargs="?",
        metavar="SCENE|DIR",
        help="folder or file as for reconstruct, or what reconstruct or compare left; without it this machine",
    )
    add(
        "--output",
        metavar="FILE",
        default=None,
        help="the picture (default: info.png in the current folder, curves.png in DIR)",
    )
    add(
        "--init",
        default="auto",
        metavar="auto|depths|sphere|hull|MESH|none",
        help="the start mesh to draw (default auto)",
    )
    add_reading(told)


def command(arguments: argparse.Namespace) -> int:
    """Print; 0."""
    if arguments.scene is None:
        return _machine()
    folder = Path(arguments.scene)
    found = next((folder / name for name in ("run.json", "results.json") if (folder / name).is_file()), None)
    return _scene(arguments) if found is None else _curves(found, arguments.output)


def _machine() -> int:
    from .capabilities import capabilities

    for group, rows in capabilities().items():
        print(group)
        for name, usable, note in rows:
            print(f"  {'' if usable is None else 'yes' if usable else 'no':3} {name:14} {note}")
    return 0


def _picture(name: str) -> Path:
    """Where the picture goes, checked before any work."""
    from ..output.destination import writable_folder

    path = Path(name)
    if path.suffix.lower() != ".png":
        raise ValueError(f"output: expected a picture NAME.png, got {name}")
    if path.is_dir():
        raise ValueError(f"output: expected a picture NAME.png, {name} is a folder")
    writable_folder(path.parent)
    return path


def _curves(file: Path, output: str | None) -> int:
    """Of a run or a comparison."""
    from ..output.pictures.curves import save_comparison_curves, save_run_curves
    from .summary import summary

    with inputs():
        path = _picture(output or str(file.parent / "curves.png"))
        try:
            content = json.loads(read_regular(file))
        except ValueError as error:
            raise ValueError(f"{file}: not JSON: {error}") from error
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.name == "run.json":
            save_run_curves(path, content)
            print(summary(file.parent, content))
        else:
            save_comparison_curves(path, content)
            print(f"runs:     {len(content)}")
    print(f"picture:  {path}")
    return 0


def _scene(arguments: argparse.Namespace) -> int:
    from ..output.pictures.overview import save_overview
    from ..scenes.describe import describe
    from ..scenes.registry import load_scene

    with inputs():
        path = _picture(arguments.output or "info.png")
        with read_with(arguments, path.parent) as reading:
            scene = load_scene(arguments.scene, format=arguments.format, reading=reading)
    for line in describe(scene):
        print(line)
    start, fault = None, None
    if arguments.init != "none":
        try:
            scene, found = with_masks(scene)
            named = (found if arguments.init == "auto" else None) or start_named(arguments.init, scene.train)
            start = named.mesh
            for line in named.notes:
                print(f"start     {line}")
        except ValueError as error:  # the picture is the more useful then
            fault = error
    path.parent.mkdir(parents=True, exist_ok=True)
    save_overview(path, scene, start)
    print(f"picture:  {path}")
    if fault is not None:
        with inputs():
            raise fault
    return 0
