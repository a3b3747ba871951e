"""What tests have Blender do, in a process of its own: python blender_steps.py STEP ADDON.zip FOLDER."""

from __future__ import annotations

import json
import math
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Euler, Vector

POINTS = np.random.default_rng(3).uniform(-0.8, 0.8, (40, 3))
SUFFIXES = ("glb", "obj", "ply", "stl")


def started(addon: Path, folder: Path) -> None:
    """An empty Blender, with the add-on as its file holds it."""
    with zipfile.ZipFile(addon) as archive:
        archive.extractall(folder / "large_steps_addon")
    sys.path.insert(0, str(folder))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    __import__("large_steps_addon").register()


def head() -> Any:
    """A monkey's head that stands askew: no symmetry hides a wrong axis."""
    bpy.ops.mesh.primitive_monkey_add(size=1.4)
    made = bpy.context.object
    made.rotation_euler, made.scale, made.location = (
        Euler((0.4, 0.2, 1.1)),
        (1.0, 0.8, 1.2),
        (0.1, -0.05, 0.15),
    )
    made.modifiers.new("finer", "SUBSURF").render_levels = 1
    made.modifiers["finer"].levels = 1
    made.modifiers.new("triangles", "TRIANGULATE")  # or each exporter cuts polygons as it likes
    return made


def camera(index: int, parent: Any) -> Any:
    """One of eight around the origin, each with another lens."""
    data = bpy.data.cameras.new("Camera")
    made = bpy.data.objects.new("Camera", data)
    bpy.context.collection.objects.link(made)
    around, height = index * math.tau / 8, (-0.6, 0.3, 0.9, 0.1)[index % 4]
    made.location = 4.5 * Vector((math.cos(around), math.sin(around), height)).normalized()
    made.rotation_euler = (-made.location).to_track_quat("-Z", "Y").to_euler()
    data.sensor_fit = ("AUTO", "HORIZONTAL", "VERTICAL")[index % 3]
    data.lens, data.sensor_height = 42 + 2 * index, 20 + index
    data.shift_x, data.shift_y = 0.02 * index - 0.06, 0.05 - 0.015 * index
    data.dof.use_dof = True
    if index == 5:
        made.parent = parent
    return made


def pixels(seen: Any, points: np.ndarray) -> list[list[float]]:
    """Where Blender says that a camera sees points: from the upper left corner. The scene has 100 % of its size."""
    width, height = bpy.context.scene.render.resolution_x, bpy.context.scene.render.resolution_y
    places = [world_to_camera_view(bpy.context.scene, seen, Vector(point)) for point in points]
    return [[place.x * width, (1 - place.y) * height] for place in places]


def fault(operator: Any, **options: Any) -> str:
    """What an operator says as it refuses."""
    try:
        operator(**options)
    except RuntimeError as error:
        return str(error).strip()
    return ""


def damaged(steps: Any, folder: Path) -> list[str]:
    """What is said of a run whose files are damaged, one after the other."""
    run, told = folder / "damaged", []
    run.mkdir()
    (run / "run.json").write_text("{}")
    frame = {"file_path": "a", "w": 3, "h": 3, "fl_x": 2, "transform_matrix": np.eye(4).tolist()}
    for cameras in ("[]", '{"frames": [{"file_path": "a"}]}', json.dumps({"frames": [frame]})):
        (run / "cameras.json").write_text(cameras)
        told.append(fault(steps.import_result, filepath=str(run)))
    (run / "mesh.glb").write_bytes(b"glTF, but no more")
    return [*told, fault(steps.import_result, filepath=str(run))]


def export(folder: Path) -> dict[str, Any]:
    """A scene with eight cameras, an animation, meshes by Blender's own exporters, and what is refused."""
    scene, steps = bpy.context.scene, bpy.ops.largesteps
    told = {"none": fault(steps.export_scene, filepath=str(folder / "none"))}
    told["unnamed"] = fault(steps.export_scene) + fault(steps.export_scene, filepath=" ")
    scene.render.engine, scene.cycles.samples, scene.cycles.device = "CYCLES", 16, "CPU"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 641, 403, 50
    scene.render.pixel_aspect_y, scene.view_settings.view_transform = 1.25, "AgX"
    scene.render.use_border, scene.render.border_max_x = True, 0.5
    shape, parent = head(), bpy.data.objects.new("parent", None)
    parent.scale = (1.7, 1.7, 1.7)
    bpy.context.collection.objects.link(parent)
    lamp = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    bpy.context.collection.objects.link(lamp)
    cameras = [camera(index, parent) for index in range(8)]
    bpy.context.view_layer.update()
    steps.export_scene(filepath=str(folder / "scene"), with_mesh=True)
    kept = (scene.view_settings.view_transform, scene.render.use_border, cameras[0].data.dof.use_dof)
    told |= {
        "kept": kept,
        "camera": scene.camera is None,
        "full": fault(steps.export_scene, filepath=str(folder / "scene")),
    }
    # The size that a picture of 50 % has.
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 320, 201, 100
    told["pixels"] = {bpy.path.clean_name(each.name): pixels(each, POINTS) for each in cameras}
    for suffix in SUFFIXES:
        exporter = bpy.ops.export_scene.gltf if suffix == "glb" else getattr(bpy.ops.wm, f"{suffix}_export")
        options = {"export_apply": True} if suffix == "glb" else {}  # others apply modifiers by themselves
        exporter(filepath=str(folder / f"head.{suffix}"), **options)
    scene.render.resolution_percentage = 8
    bpy.ops.mesh.primitive_plane_add(size=50, location=(0, 0, -2))
    told["floor"] = fault(steps.export_scene, filepath=str(folder / "floor"))
    bpy.ops.object.select_all(action="DESELECT")
    told["unselected"] = fault(steps.export_scene, filepath=str(folder / "alone"), only_selected=True)
    shape.select_set(True)
    scene.camera, scene.frame_end = cameras[3], 3
    for frame, x in ((1, 0.0), (3, 0.4)):
        cameras[3].delta_location.x = x
        cameras[3].keyframe_insert("delta_location", frame=frame)
    steps.export_scene(filepath=str(folder / "alone"), cameras="ANIMATION", only_selected=True)
    cameras[3].data.type = "ORTHO"
    told["ortho"] = fault(steps.export_scene, filepath=str(folder / "ortho"))
    told["left"] = sorted(each.name for each in folder.iterdir() if each.name.startswith("."))
    return told


def imported(folder: Path) -> dict[str, Any]:
    """The run in a folder: what its cameras see, its surface, and what is refused."""
    steps, told = bpy.ops.largesteps, {}
    told["nothing"] = fault(steps.import_result, filepath=str(folder / "large_steps_addon"))
    told["unnamed"] = fault(steps.import_result) + fault(steps.import_result, filepath=" ")
    told["gone"] = fault(steps.import_result, filepath=str(folder / "gone"))
    told["damaged"] = damaged(steps, folder)
    told["objects"] = len(bpy.data.objects)
    steps.import_result(filepath=str(folder / "run"))
    bpy.context.view_layer.update()
    cameras = [each for each in bpy.data.objects if each.type == "CAMERA"]
    surface = next(each for each in bpy.data.objects if each.type == "MESH")
    told["surface"] = [list(surface.matrix_world @ vertex.co) for vertex in surface.data.vertices]
    told["materials"] = [material.name for material in surface.data.materials]
    told["view"] = bpy.context.scene.view_settings.view_transform
    told["pixels"], told["pictures"] = {}, {}
    for each in cameras:
        bpy.context.view_layer.objects.active = each
        steps.look_through()
        bpy.context.view_layer.update()
        told["pixels"][each.name] = pixels(each, np.load(folder / "points.npy"))
        behind = each.data.background_images
        told["pictures"][each.name] = (
            Path(bpy.path.abspath(behind[0].image.filepath)).name if len(behind) else None
        )
    bpy.context.view_layer.objects.active = surface
    told["look"] = fault(steps.look_through)
    (folder / "run" / "mesh.glb").unlink()  # then it takes the other
    steps.import_result(filepath=str(folder / "run" / "run.json"), with_pictures=False)
    bpy.context.view_layer.update()
    (painted,) = (each for each in bpy.data.collections["run.001"].objects if each.type == "MESH")
    told["painted"] = [list(painted.matrix_world @ vertex.co) for vertex in painted.data.vertices]
    links = painted.data.materials[0].node_tree.links
    told["links"] = [
        (link.from_node.type, link.to_socket.name)
        for link in links
        if link.from_node.type != "BSDF_PRINCIPLED"
    ]
    steps.import_result(filepath=str(folder / "scene"))
    told["scene"] = sum(each.type == "CAMERA" for each in bpy.data.collections["scene"].objects)
    return told


def material(folder: Path) -> dict[str, Any]:
    """Of an OBJ with a normal map: where its images go, and what two of their texels are."""
    bpy.ops.wm.obj_import(filepath=str(folder / "a.obj"), forward_axis="Y", up_axis="Z")
    (shape,) = (each for each in bpy.data.objects if each.type == "MESH")
    links = shape.data.materials[0].node_tree.links
    images = {each.from_node.image.name: each for each in links if each.from_node.type == "TEX_IMAGE"}
    normal = bpy.data.images["a_normal.exr"]
    return {
        "links": {name: [link.to_node.type, link.to_socket.name] for name, link in images.items()},
        "shaded": [link.to_socket.name for link in links if link.from_node.type == "NORMAL_MAP"],
        "space": normal.colorspace_settings.name,
        "texels": [list(normal.pixels[:3]), list(normal.pixels[-4:-1])],  # of the lowest row, of the highest
    }


if __name__ == "__main__":
    step, addon, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    started(addon, folder)
    told = {"export": export, "import": imported, "material": material}[step](folder)
    told["torch"] = "torch" in sys.modules
    (folder / f"{step}.json").write_text(json.dumps(told))
    os._exit(0)  # Blender 4.5 as a module may hang where Python ends it
