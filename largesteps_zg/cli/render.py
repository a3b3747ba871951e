"""``largesteps-zg render``: a scene made from a mesh."""

from __future__ import annotations

import argparse
from typing import Any

from .faults import inputs
from .inputs import image_size, light_named, target_mesh


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    made = commands.add_parser("render", help="a multi-view scene made from a mesh file")
    made.set_defaults(command=command)
    made.add_argument(
        "mesh", metavar="MESH", help="PLY, OBJ, STL, GLB or OFF; or the name of a built-in mesh"
    )
    made.add_argument(
        "--output", required=True, metavar="DIR", help="a folder that does not hold a scene yet"
    )
    made.add_argument("--views", type=int, default=32, metavar="N", help="training views (default 32)")
    made.add_argument("--test-views", type=int, default=6, metavar="N", help="held-out views (default 6)")
    made.add_argument(
        "--size", type=image_size, default=(256, 256), metavar="N|WxH", help="pixels (default 256)"
    )
    made.add_argument(
        "--up", choices=("y", "z"), default="y", help="the mesh's upward axis (default y); the scene's is z"
    )
    made.add_argument(
        "--light", metavar="FILE", help="environment map (.npy, .png, .jpg); a studio by default"
    )


def command(arguments: argparse.Namespace) -> int:
    """Draw the scene and write it; 0."""
    from ..output.destination import refuse_scene, writable_folder
    from ..scenes.provenance import UNUSED
    from ..scenes.save import save_scene
    from ..scenes.synthetic import scene_from_mesh

    with inputs():
        path = writable_folder(arguments.output)
        refuse_scene(path, unfinished=True)
        mesh, notes = target_mesh(arguments.mesh)
        height, width = arguments.size
        light = light_named(arguments.light)
        scene = scene_from_mesh(
            mesh,
            views=arguments.views,
            test_views=arguments.test_views,
            height=height,
            width=width,
            light=light,
            up=arguments.up,
        )
    for note in notes:
        print(f"{UNUSED:9} {note}")
    save_scene(path, scene)
    print(f"{arguments.views} + {arguments.test_views} views of {width} x {height} pixels in {path}")
    return 0
