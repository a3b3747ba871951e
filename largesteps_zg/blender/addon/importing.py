"""The result of a run, or a scene, with cameras that look through the same pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from .reading import Seen, cameras_of

MARK = "largesteps_zg"  # a property of cameras: width, height, pixel aspect x and y


def import_folder(context: Any, folder: Path, *, with_pictures: bool, standard_view: bool) -> str:
    """A collection with the surface of a run and its cameras; what was made, in words.

    Raises
    ------
    ValueError
        What the folder holds cannot be read; nothing is made then.
    """
    cameras, upright, scale, is_run = cameras_of(folder)
    mesh = next((folder / name for name in ("mesh.glb", "mesh.ply") if (folder / name).is_file()), None)
    if is_run and mesh is None:
        raise ValueError(f"{folder}: expected mesh.glb or mesh.ply, found neither; did the run end?")
    turn = Matrix(upright.tolist()).to_4x4()
    surface = _surface(mesh, turn @ Matrix.Scale(scale, 4)) if is_run else []
    scene, collection = context.scene, bpy.data.collections.new(folder.absolute().name)
    scene.collection.children.link(collection)
    for each in surface:
        for place in list(each.users_collection):
            place.objects.unlink(each)
        collection.objects.link(each)
    root = bpy.data.objects.new("cameras", None)
    collection.objects.link(root)
    root.empty_display_size, root.matrix_world = 0.1, turn
    made = [_add_camera(camera, root, collection, with_pictures) for camera in cameras]
    _fit_clipping(cameras, made)
    look_through(context, made[0])
    if standard_view:
        scene.view_settings.view_transform = "Standard"
    shown = sum(camera.picture is not None for camera in cameras) if with_pictures else 0
    lacking = (
        f", {len(made) - shown} without: largesteps-zg blender {folder}"
        if is_run and shown < len(made)
        else ""
    )
    return f"{len(made)} cameras, {shown} with their photographs{lacking if with_pictures else ''}"


def _surface(file: Path, place: Any) -> list[Any]:
    """The objects of a mesh file, upright, in the size of mesh.glb."""
    before = set(bpy.data.objects)
    try:
        if file.suffix == ".glb":
            bpy.ops.import_scene.gltf(filepath=str(file))
        else:
            bpy.ops.wm.ply_import(filepath=str(file), forward_axis="Y", up_axis="Z")
    except RuntimeError as error:  # whose text is a page of Blender's own
        raise ValueError(f"{file}: Blender cannot read it; is the file whole?") from error
    made = [each for each in bpy.data.objects if each not in before]
    for each in made:
        if each.type == "MESH" and file.suffix != ".glb":
            each.matrix_world = place @ each.matrix_world
            each.data.materials.append(_painted(each.data))
    return made


def _painted(mesh: Any) -> Any:
    """A matt material with the colours at the vertices, as a GLB's."""
    material = bpy.data.materials.new(mesh.name)
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value = 1.0
    if mesh.color_attributes:
        colors = material.node_tree.nodes.new("ShaderNodeVertexColor")
        colors.layer_name = mesh.color_attributes[0].name
        material.node_tree.links.new(colors.outputs["Color"], shader.inputs["Base Color"])
    return material


def _add_camera(camera: Seen, parent: Any, collection: Any, with_picture: bool) -> Any:
    """A camera of Blender's, with its picture behind everything."""
    width, height = camera.size
    across, down = camera.focal
    stretch = across / down  # height of a pixel over its width
    data = bpy.data.cameras.new(Path(camera.name).name)
    data.sensor_fit = "HORIZONTAL"
    data.lens = max(1.0, 36.0 * across / width)  # millimetres; Blender allows no less than 1
    data.sensor_width = data.lens * width / across
    # Blender counts both shifts in widths of the picture.
    data.shift_x = 0.5 - camera.middle[0] / width
    data.shift_y = (camera.middle[1] - 0.5 * height) * stretch / width
    made = bpy.data.objects.new(data.name, data)
    collection.objects.link(made)
    made.parent, made.matrix_basis = parent, Matrix(camera.pose.tolist())
    made[MARK] = [float(round(width)), float(round(height)), max(1.0, 1 / stretch), max(1.0, stretch)]
    if with_picture and camera.picture is not None:
        behind = data.background_images.new()
        behind.image = bpy.data.images.load(str(camera.picture), check_existing=True)
        behind.alpha, behind.frame_method = 1.0, "STRETCH"
        data.show_background_images = True
    return made


def _fit_clipping(cameras: list[Seen], made: list[Any]) -> None:
    """Planes, and sizes of what stands for cameras, in proportion to how far apart these are."""
    centers = np.array([camera.pose[:3, 3] for camera in cameras])
    away = float(np.linalg.norm(centers - centers.mean(axis=0), axis=1).max())
    for each in made if away > 0 else []:
        each.data.clip_start, each.data.clip_end = 1e-3 * away, 100 * away
        each.data.display_size = 0.1 * away


def look_through(context: Any, camera: Any) -> None:
    """Make it the scene's camera, and pictures of the scene as large as the photograph.

    Raises
    ------
    ValueError
        It was not imported by this add-on.
    """
    if camera is None or MARK not in camera:
        raise ValueError("camera: expected an active one that was imported with a run or a scene")
    render, (width, height, across, down) = context.scene.render, camera[MARK]
    context.scene.camera = camera
    render.resolution_x, render.resolution_y, render.resolution_percentage = int(width), int(height), 100
    render.pixel_aspect_x, render.pixel_aspect_y = across, down
    for area in context.screen.areas if context.screen else ():
        if area.type == "VIEW_3D":
            area.spaces.active.region_3d.view_perspective = "CAMERA"
