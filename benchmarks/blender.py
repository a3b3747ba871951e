"""Out of Blender, reconstructed, and into Blender again: the add-on does both, and the same pixels see the same.

A painted fennec in Blender has 24 cameras with shifted lenses and pixels that are not square. The add-on exports it, a
short run reconstructs it, the add-on imports that, and Cycles renders it from the imported cameras under the same sky.

Claim, asserted by the last step: outlines of the imported surface and of the first pictures have an intersection over
union > 0.97 in each shown view.

    python3.11 -m venv blender && blender/bin/pip install bpy==4.5.15      # Blender as a module; 300 MB
    largesteps-zg blender --output out/blender/addon.zip
    blender/bin/python benchmarks/blender.py --export out/blender
    largesteps-zg reconstruct out/blender/scene --steps 400 --texture auto --output out/blender/run
    blender/bin/python benchmarks/blender.py --import out/blender
    python benchmarks/blender.py --draw out/blender
"""

from __future__ import annotations

import argparse
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

try:
    import bpy
except ImportError:  # not needed for --draw
    bpy = None

import path_traced as stage

VIEWS, SHOWN = 24, (1, 9, 18)
WIDTH, HEIGHT, STRETCH = 300, 240, 1.2


def begin(folder: Path) -> None:
    """An empty Blender with sky, lamps, Cycles and the add-on."""
    with zipfile.ZipFile(folder / "addon.zip") as archive:
        archive.extractall(folder / "large_steps_addon")
    sys.path.insert(0, str(folder.resolve()))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    __import__("large_steps_addon").register()
    stage.add_sky()
    stage.add_lamp((3.2, -2.4, 3.8), 160.0, (1.0, 0.93, 0.82))
    stage.add_lamp((-4.0, 1.5, 0.8), 60.0, (0.75, 0.87, 1.0))
    stage.set_up_cycles(samples=32, threads=1)


def export(folder: Path) -> None:
    """The scene and its pictures."""
    begin(folder)
    stage.add_object("fennec", "paint")
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y, scene.render.pixel_aspect_y = WIDTH, HEIGHT, STRETCH
    for index, pose in enumerate(stage.poses(VIEWS)):
        camera = bpy.data.objects.new(f"camera {index:02d}", bpy.data.cameras.new("camera"))
        bpy.context.collection.objects.link(camera)
        camera.matrix_world = pose.T.tolist()  # Blender takes columns
        camera.data.lens, camera.data.shift_x = 42.0, 0.03 * (-1) ** index
    bpy.context.view_layer.update()
    bpy.ops.largesteps.export_scene(filepath=str(folder / "scene"), with_mesh=True)


def import_run(folder: Path) -> None:
    """The run, rendered through some of its cameras."""
    begin(folder)
    bpy.ops.largesteps.import_result(filepath=str(folder / "run"))
    bpy.context.scene.render.film_transparent = True
    cameras = sorted((each for each in bpy.data.objects if each.type == "CAMERA"), key=lambda each: each.name)
    for index in SHOWN:
        bpy.context.view_layer.objects.active = cameras[index]
        bpy.ops.largesteps.look_through()
        bpy.context.scene.render.filepath = str(folder / "imported" / f"{cameras[index].name}.png")
        bpy.ops.render.render(write_still=True)


def draw(folder: Path) -> None:
    """Pictures side by side, and how far outlines agree."""
    from PIL import Image

    rows: list[Any] = []
    print("| view | outlines, intersection over union |\n| --- | ---: |")
    for file in sorted((folder / "imported").glob("*.png")):
        pair = [np.asarray(Image.open(each)) for each in (folder / "scene" / "images" / file.name, file)]
        first, second = (picture[..., 3] >= 128 for picture in pair)
        shared = (first & second).sum() / (first | second).sum()
        print(f"| {file.stem} | {shared:.4f} |")
        assert shared > 0.97, shared
        rows.append(pair)
    white = Image.new("RGBA", (WIDTH * len(rows), 2 * HEIGHT), (255, 255, 255, 255))
    for column, pair in enumerate(rows):
        for row, picture in enumerate(pair):
            white.alpha_composite(Image.fromarray(picture), (column * WIDTH, row * HEIGHT))
    shape = white.width, round(white.height * STRETCH)  # as wide as high again
    white.convert("RGB").resize(shape).save(folder / "blender.png")


def main() -> None:
    """One of the steps."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    group = parser.add_mutually_exclusive_group(required=True)
    for name, step in (("--export", export), ("--import", import_run), ("--draw", draw)):
        group.add_argument(
            name, type=Path, metavar="DIR", dest=step.__name__, help=(step.__doc__ or "").strip()
        )
    options = vars(parser.parse_args())
    for step in (export, import_run, draw):
        if options[step.__name__] is not None:
            step(options[step.__name__])
            sys.stdout.flush()
            os._exit(0)  # Blender 4.5 as a module may hang where Python ends it


if __name__ == "__main__":
    main()
