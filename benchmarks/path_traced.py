"""Path-traced scenes with a known surface: a built-in mesh in clay, painted, and glossy, seen by the same cameras.

Blender's Cycles makes the pictures, not this project's renderer. It follows the light of a gradient sky and two soft
lamps, with shadows and with light that bounces between surfaces. If a reconstruction gets worse from clay to paint or
gloss, it mistakes these for shape. Scenes are written in NeRF-synthetic form, with the true surface as mesh.ply.

Claim, tested by --check: the projected true surface and each picture's alpha have an intersection over union > 0.99.

    python3.11 -m venv blender && blender/bin/pip install bpy==4.5.15      # Blender as a module; 300 MB
    blender/bin/python benchmarks/path_traced.py --output out/scenes       # one or two minutes a scene, on one core
    python benchmarks/path_traced.py --output out/scenes --check           # in the project's own environment
    largesteps-zg reconstruct out/scenes/fennec-gloss --output out/fennec-gloss
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

try:
    import bpy
except ImportError:  # not needed for --check
    bpy = None

MESHES = Path(__file__).resolve().parents[1] / "largesteps_zg" / "meshes"
SCENES = ("fennec-clay", "fennec-paint", "fennec-gloss", "gear-clay", "gear-gloss", "mug-clay", "leaf-clay",
          "leaf-paint", "leaves-paint")  # fmt: skip
# Three copies of the built-in leaf, in its own axes: radians about z, then about x; size; height.
LEAVES = ((0.0, 0.3, 0.55, -0.15), (2.1, 0.7, 0.5, 0.0), (4.2, -0.1, 0.52, 0.15))
DISTANCE, FOV = 3.0, math.radians(40.0)  # the unit ball, which all meshes fit, just fills the image
CREASED = ("gear",)  # edges bent by more than SHARP stay sharp; all other meshes are smooth everywhere
SHARP = math.radians(40.0)
PALETTE = ("#c8452f", "#e9d8a6", "#0a6e77", "#2b2d42", "#ee9b00", "#94d2bd")  # of the paint, sRGB
TEST_TURN = 1.3  # radians about z: held-out cameras stand between the others


def poses(count: int, turn: float = 0.0) -> np.ndarray:
    """Camera-to-world matrices (count, 4, 4), y up and z backward, evenly around the origin, z of the world up."""
    step = np.arange(count)
    height = 1 - (2 * step + 1) / count  # rings of equal area, never a pole
    azimuth = step * math.pi * (3 - math.sqrt(5)) + turn  # the golden angle
    across = np.sqrt(1 - height**2)
    backward = np.stack([across * np.cos(azimuth), across * np.sin(azimuth), height], axis=1)
    right = np.stack([-np.sin(azimuth), np.cos(azimuth), np.zeros(count)], axis=1)
    axes = np.stack([right, np.cross(backward, right), backward, DISTANCE * backward], axis=2)
    return np.concatenate([axes, np.tile([0.0, 0.0, 0.0, 1.0], (count, 1, 1))], axis=1)


# Materials: each changes the shader's nodes and links


def clay(nodes: Any, links: Any) -> Any:
    """Matt grey."""
    shader = nodes.new("ShaderNodeBsdfDiffuse")
    shader.inputs["Color"].default_value = (0.7, 0.7, 0.7, 1.0)
    return shader


def paint(nodes: Any, links: Any) -> Any:
    """Matt patches of flat colours with sharp borders: Voronoi cells of space, so there is no seam."""
    place, cells = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeTexVoronoi")
    ramp, shader = nodes.new("ShaderNodeValToRGB"), nodes.new("ShaderNodeBsdfDiffuse")
    cells.inputs["Scale"].default_value = 4.0  # patches of about a quarter of the object's radius
    ramp.color_ramp.interpolation = "CONSTANT"
    fill_ramp(ramp.color_ramp, [(i / len(PALETTE), linear(color)) for i, color in enumerate(PALETTE)])
    links.new(place.outputs["Object"], cells.inputs["Vector"])
    links.new(cells.outputs["Color"], ramp.inputs["Fac"])  # a colour's brightness: random, one to a cell
    links.new(ramp.outputs["Color"], shader.inputs["Color"])
    return shader


def gloss(nodes: Any, links: Any) -> Any:
    """Glazed: a coloured base under a clear coat that mirrors sky and lamps, blurred."""
    shader = nodes.new("ShaderNodeBsdfPrincipled")
    shader.inputs["Base Color"].default_value = (0.40, 0.12, 0.07, 1.0)
    shader.inputs["Metallic"].default_value = 0.0
    shader.inputs["Roughness"].default_value = 0.3
    return shader


def metal(nodes: Any, links: Any) -> Any:
    """Gold, brushed as evenly as the glaze."""
    shader = gloss(nodes, links)
    shader.inputs["Base Color"].default_value = (1.00, 0.77, 0.34, 1.0)
    shader.inputs["Metallic"].default_value = 1.0
    return shader


MATERIALS: dict[str, Callable[[Any, Any], Any]] = {
    "clay": clay,
    "paint": paint,
    "gloss": gloss,
    "metal": metal,
}


def linear(color: str) -> tuple[float, float, float]:
    """Linear RGB of #rrggbb."""
    encoded = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    decoded = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return tuple(decoded.tolist())


def fill_ramp(ramp: Any, stops: list[tuple[float, tuple[float, float, float]]]) -> None:
    """Replace the stops of a colour ramp."""
    while len(ramp.elements) > 1:
        ramp.elements.remove(ramp.elements[-1])
    for index, (position, color) in enumerate(stops):
        stop = ramp.elements[0] if index == 0 else ramp.elements.new(position)
        stop.position, stop.color = position, (*color, 1.0)


# The stage


def load_mesh(name: str) -> Any:
    """A built-in mesh as an object, its y axis turned up."""
    bpy.ops.wm.ply_import(filepath=str(MESHES / f"{name}.ply"), forward_axis="NEGATIVE_Z", up_axis="Y")
    bpy.ops.object.transform_apply(location=True, rotation=True, scale=True)
    return bpy.context.object


def three_leaves() -> Any:
    """An open surface in three parts that do not touch, in the unit ball."""
    up = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # from the leaf's own axes
    parts = []
    for about_z, about_x, size, height in LEAVES:
        (c, s), (e, f) = ((math.cos(angle), math.sin(angle)) for angle in (about_z, about_x))
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, e, -f], [0, f, e]])
        matrix = np.eye(4)
        matrix[:3, :3] = size * up @ turn @ up.T
        matrix[:3, 3] = up @ (0.5 * c, 0.5 * s, height)
        part = load_mesh("leaf")
        part.matrix_world = matrix.T.tolist()  # Blender takes columns
        parts.append(part)
    for part in parts:
        part.select_set(True)
    bpy.ops.object.join()
    bpy.ops.object.transform_apply(location=True, rotation=True, scale=True)
    solid = bpy.context.object
    farthest = max(vertex.co.length for vertex in solid.data.vertices)
    solid.scale = (min(1.0, 0.97 / farthest),) * 3
    bpy.ops.object.transform_apply(location=True, rotation=True, scale=True)
    return solid


def add_object(shape: str, material: str) -> None:
    """A built-in mesh or three leaves, subdivided once, so facets are no larger than a pixel or two."""
    solid = three_leaves() if shape == "leaves" else load_mesh(shape)
    mesh = solid.data
    if shape in CREASED:
        mesh.set_sharp_from_angle(angle=SHARP)
        crease = mesh.attributes.new("crease_edge", "FLOAT", "EDGE")
        crease.data.foreach_set("value", [float(edge.use_edge_sharp) for edge in mesh.edges])
    finer = solid.modifiers.new("finer", "SUBSURF")
    finer.levels = 1
    bpy.ops.object.modifier_apply(modifier=finer.name)
    mesh.shade_smooth()
    if shape in CREASED:
        mesh.set_sharp_from_angle(angle=SHARP)
    surface = bpy.data.materials.new(material)
    surface.use_nodes = True
    nodes, links = surface.node_tree.nodes, surface.node_tree.links
    nodes.clear()
    shader = MATERIALS[material](nodes, links)
    links.new(shader.outputs[0], nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
    mesh.materials.clear()
    mesh.materials.append(surface)


def add_sky() -> None:
    """From a dim warm floor over a bright horizon to a blue zenith."""
    world = bpy.data.worlds.new("sky")
    bpy.context.scene.world = world
    world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    place, split = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeSeparateXYZ")
    range_, ramp = nodes.new("ShaderNodeMapRange"), nodes.new("ShaderNodeValToRGB")
    range_.inputs["From Min"].default_value = -1.0  # height of the direction, -1 to 1 -> 0 to 1
    fill_ramp(
        ramp.color_ramp, [(0.0, (0.16, 0.14, 0.12)), (0.5, (0.55, 0.54, 0.52)), (1.0, (0.45, 0.58, 0.80))]
    )
    links.new(place.outputs["Generated"], split.inputs["Vector"])
    links.new(split.outputs["Z"], range_.inputs["Value"])
    links.new(range_.outputs["Result"], ramp.inputs["Fac"])
    links.new(ramp.outputs["Color"], nodes["Background"].inputs["Color"])


def add_lamp(place: tuple[float, float, float], watts: float, color: tuple[float, float, float]) -> None:
    """A square a little wider than the object's radius; it faces the origin, and only reflections show it."""
    lamp = bpy.data.lights.new("lamp", "AREA")
    lamp.energy, lamp.color, lamp.size = watts, color, 1.4
    held = bpy.data.objects.new("lamp", lamp)
    bpy.context.collection.objects.link(held)
    held.location = place
    held.rotation_euler = held.location.to_track_quat("Z", "Y").to_euler()  # it shines along -z
    held.visible_camera = False  # it would be opaque, and so in the mask


def add_camera(size: int) -> Any:
    """A square picture with a transparent background."""
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    bpy.context.collection.objects.link(camera)
    camera.data.angle = FOV
    scene = bpy.context.scene
    scene.camera = camera
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.film_transparent = True
    return camera


def set_up_cycles(samples: int, threads: int) -> None:
    """Path tracing on the CPU, with the same noise every time, to 8-bit sRGB PNG with straight alpha."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.seed = "CPU", samples, 1
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    scene.cycles.max_bounces = 6
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.render.use_persistent_data = True  # the object is prepared once, not for each view
    scene.view_settings.view_transform = "Standard"  # sRGB's own curve, not a film's
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep Blender's lines about each picture off the terminal."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def write_scene(folder: Path, options: argparse.Namespace) -> None:
    """Render one scene. It writes transforms_train.json last, so an unfinished folder is no scene."""
    shape, material = folder.name.split("-")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    add_object(shape, material)
    add_sky()
    add_lamp((3.2, -2.4, 3.8), 160.0, (1.0, 0.93, 0.82))
    add_lamp((-4.0, 1.5, 0.8), 60.0, (0.75, 0.87, 1.0))
    camera = add_camera(options.size)
    set_up_cycles(options.samples, options.threads)
    folder.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.ply_export(
        filepath=str(folder / "mesh.ply"), forward_axis="Y", up_axis="Z", export_normals=False, export_uv=False,
        export_colors="NONE", export_triangulated_mesh=True,
    )  # fmt: skip
    for split, matrices in (("test", poses(options.test_views, TEST_TURN)), ("train", poses(options.views))):
        frames = []
        for index, matrix in enumerate(matrices):
            name = f"./{split}/r_{index:03d}"
            camera.matrix_world = matrix.T.tolist()  # Blender takes columns
            bpy.context.scene.render.filepath = str(folder / f"{name}.png")
            bpy.ops.render.render(write_still=True)
            frames.append({"file_path": name, "transform_matrix": matrix.tolist()})
        content = json.dumps({"camera_angle_x": FOV, "frames": frames}, indent=1)
        (folder / f"transforms_{split}.json").write_text(content + "\n", encoding="utf-8")


def agreement(folder: Path) -> np.ndarray:
    """Intersection over union of alpha and the projected true surface, per view, training views first."""
    import torch

    from largesteps_zg.renderers import render
    from largesteps_zg.scenes import load_scene

    scene = load_scene(folder)
    assert scene.mesh is not None and scene.test is not None
    found = []
    for views in (scene.train, scene.test):
        cameras, white = views.cameras.to(dtype=torch.float32), torch.ones_like(scene.mesh.vertices)
        drawn = render(scene.mesh.vertices, scene.mesh.faces, white, cameras)[..., 3] >= 0.5
        seen = views.images[..., 3] >= 128
        found.append((drawn & seen).sum((1, 2)) / (drawn | seen).sum((1, 2)))
    return torch.cat(found).numpy()


def main() -> None:
    """Render missing scenes, or check the existing ones."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    shapes = [*sorted(file.stem for file in MESHES.glob("*.ply")), "leaves"]
    known = [f"{shape}-{material}" for shape in shapes for material in MATERIALS]
    parser.add_argument("scenes", nargs="*", default=SCENES, metavar="SHAPE-MATERIAL",
                        help=f"of {', '.join(shapes)} and {', '.join(MATERIALS)} (default: nine of them)")  # fmt: skip
    parser.add_argument("--output", type=Path, required=True, help="folder that receives a folder per scene")
    parser.add_argument("--check", action="store_true", help="render nothing; compare what is there")
    parser.add_argument("--views", type=int, default=24, help="to reconstruct from (default 24)")
    parser.add_argument("--test-views", type=int, default=6, help="held out (default 6)")
    parser.add_argument("--size", type=int, default=256, help="of a picture in pixels (default 256)")
    parser.add_argument("--samples", type=int, default=32, help="light paths per pixel (default 32)")
    parser.add_argument("--threads", type=int, default=1, help="of the renderer (default 1)")
    options = parser.parse_args()
    unknown = [name for name in options.scenes if name not in known]
    if unknown:
        parser.error(f"scene: expected SHAPE-MATERIAL such as fennec-gloss, got {unknown[0]!r}")
    if bpy is None and not options.check:
        parser.error("bpy: not installed; see the head of this file, or use --check")
    print(f"command: {shlex.join(['python', *sys.argv])}", flush=True)
    for name in options.scenes:
        folder = options.output / name
        there = (folder / "transforms_train.json").exists()
        if options.check:
            agreed = agreement(folder)
            print(f"{name}: IoU mean {agreed.mean():.4f}, worst {agreed.min():.4f}", flush=True)
            assert agreed.min() > 0.99, f"{name}: view {agreed.argmin()}: IoU {agreed.min():.4f}"
        elif not there:
            begin = time.perf_counter()
            with silence():
                write_scene(folder, options)
            seconds = time.perf_counter() - begin
            print(f"{name}: {seconds / (options.views + options.test_views):.1f} s a view", flush=True)


if __name__ == "__main__":
    main()
