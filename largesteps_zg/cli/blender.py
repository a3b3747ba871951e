"""``largesteps-zg blender``: the add-on for Blender, and a run's photographs for it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .faults import inputs
from .inputs import add_reading

ADDON = "largesteps_zg_blender.zip"


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    made = commands.add_parser(
        "blender", help="write the add-on for Blender; or, with RUN, its photographs as the add-on shows them"
    )
    made.set_defaults(command=command)
    made.add_argument("run", nargs="?", metavar="RUN", help="a run's folder, which gets a folder photographs")
    made.add_argument(
        "--output", metavar="FILE", default=ADDON, help=f"the add-on (default: {ADDON} in the current folder)"
    )
    add_reading(made)


def command(arguments: argparse.Namespace) -> int:
    """Write it; 0."""
    return _addon(Path(arguments.output)) if arguments.run is None else _photographs(arguments)


def _addon(path: Path) -> int:
    from ..blender.package import write_addon
    from ..output.destination import writable_folder

    with inputs():
        if path.is_dir():
            raise ValueError(f"output: expected a file NAME.zip, {path} is a folder")
        writable_folder(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_addon(path)
    print(f"add-on:   {path}   (Blender 4.2 or newer: Preferences > Add-ons > Install from Disk)")
    return 0


def _photographs(arguments: argparse.Namespace) -> int:
    from ..output.export.cameras import PICTURES, compared_pictures
    from ..scenes.save import save_images
    from .view import scene_of_run

    folder = Path(arguments.run)
    with inputs():
        if not (folder / "run.json").is_file():
            raise ValueError(f"{folder}: expected the folder of a run, found no run.json")
        views = compared_pictures(folder / "cameras.json", scene_of_run(folder).train)
    save_images(folder / PICTURES, views)
    print(f"pictures: {len(views)} in {folder / PICTURES}")
    return 0
