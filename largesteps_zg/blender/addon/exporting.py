"""Pictures of a scene to reconstruct from, with the cameras that see them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np

SHAPES = {"MESH", "CURVE", "CURVES", "SURFACE", "META", "FONT", "VOLUME", "POINTCLOUD", "GREASEPENCIL"}


def picture_size(render: Any) -> tuple[int, int]:
    """Width and height of what is rendered, as Blender rounds them."""
    share = render.resolution_percentage
    return render.resolution_x * share // 100, render.resolution_y * share // 100


def intrinsics(camera: Any, scene: Any, depsgraph: Any) -> dict[str, float]:
    """Focal lengths and principal point in pixels, y down, from the matrix that Blender itself projects with."""
    (width, height), render = picture_size(scene.render), scene.render
    matrix = camera.calc_matrix_camera(
        depsgraph, x=width, y=height, scale_x=render.pixel_aspect_x, scale_y=render.pixel_aspect_y
    )
    return {
        "fl_x": matrix[0][0] * width / 2,
        "fl_y": matrix[1][1] * height / 2,
        "cx": (1 - matrix[0][2]) * width / 2,
        "cy": (1 + matrix[1][2]) * height / 2,
        "w": width,
        "h": height,
    }


def camera_pose(camera: Any) -> list[list[float]]:
    """Camera to world, without the scale that a camera may have and that pictures do not show."""
    pose = np.array(camera.matrix_world.normalized(), dtype=np.float64)
    axes = pose[:3, :3]
    if np.abs(axes.T @ axes - np.eye(3)).max() > 1e-4 or np.linalg.det(axes) < 0:
        raise ValueError(f"camera {camera.name!r}: it is sheared or mirrored; clear its parent's scale")
    return pose.tolist()


def shots(context: Any, which: str) -> list[tuple[Any, int, str]]:
    """What is to be rendered: camera, frame of the animation, and a name that is its own."""
    scene, now = context.scene, context.scene.frame_current
    if which == "ANIMATION":
        frames = range(scene.frame_start, scene.frame_end + 1, scene.frame_step)
        wanted = [] if scene.camera is None else [(scene.camera, frame) for frame in frames]
    else:
        chosen = context.selected_objects if which == "SELECTED" else scene.objects
        wanted = [(each, now) for each in sorted(chosen, key=lambda o: o.name) if each.type == "CAMERA"]
    if not wanted:
        raise ValueError("cameras: there is none to render from; add one, or choose others")
    for camera, _ in wanted:
        if camera.data.type != "PERSP":
            raise ValueError(f"camera {camera.name!r}: expected a perspective one, got {camera.data.type}")
    made, names = [], set()
    for camera, frame in wanted:
        stem = bpy.path.clean_name(camera.name) + (f"_{frame:04d}" if which == "ANIMATION" else "")
        name = next(n for n in (stem, *(f"{stem}_{i}" for i in range(2, 9999))) if n.lower() not in names)
        names.add(name.lower())  # not every disk tells a from A
        made.append((camera, frame, name))
    return made


@contextmanager
def changed(values: list[tuple[Any, str, Any]]) -> Iterator[None]:
    """Settings as they have to be, and afterwards as they were; those that this Blender has not are passed over."""
    before = []
    try:
        for owner, name, value in values:
            if hasattr(owner, name):
                before.append((owner, name, getattr(owner, name)))
                setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in reversed(before):
            setattr(owner, name, value)


def needed_settings(context: Any, cameras: list[Any], only_selected: bool) -> list[tuple[Any, str, Any]]:
    """Plain sRGB with alpha, all sharp and nothing added: what a reconstruction can undo."""
    scene, render = context.scene, context.scene.render
    picture, view = render.image_settings, scene.view_settings
    values = [
        *((picture, *each) for each in (("media_type", "IMAGE"), ("file_format", "PNG"), ("color_mode", "RGBA"))),
        *((picture, *each) for each in (("color_depth", "8"), ("color_management", "FOLLOW_SCENE"))),
        *((view, *each) for each in (("view_transform", "Standard"), ("look", "None"), ("gamma", 1.0))),
        *((view, *each) for each in (("use_curve_mapping", False), ("use_white_balance", False))),
        (scene.display_settings, "display_device", "sRGB"),
        *((render, *each) for each in (("film_transparent", True), ("dither_intensity", 0.0), ("use_stamp", False))),
        *((render, name, False) for name in ("use_border", "use_motion_blur", "use_compositing", "use_sequencer")),
        *((render, name, False) for name in ("use_multiview", "use_placeholder")),
        *((render, name, True) for name in ("use_overwrite", "use_file_extension")),
        (render, "filepath", render.filepath),
        (scene, "camera", scene.camera),
        *((camera.data.dof, "use_dof", False) for camera in cameras),
    ]  # fmt: skip
    if only_selected:
        others = [each for each in scene.objects if each.type in SHAPES and not each.select_get()]
        values += [(each, "hide_render", True) for each in others]
    return values


def check_alpha(file: Path, camera: str) -> None:
    """ValueError for a picture without object, or without anything around it."""
    image = bpy.data.images.load(str(file))
    try:
        pixels = np.empty(image.size[0] * image.size[1] * 4, dtype=np.float32)
        image.pixels.foreach_get(pixels)
    finally:
        bpy.data.images.remove(image)
    alpha = pixels[3::4]
    if alpha.max() < 0.5:
        raise ValueError(f"camera {camera!r}: it sees nothing; turn it, or leave it out")
    if alpha.min() > 0.5:
        raise ValueError(
            f"camera {camera!r}: the picture is full, so nothing outlines the object; hide floor and walls from "
            "renders, or choose Selected Objects Alone"
        )


def export_scene(context: Any, target: Path, *, which: str, only_selected: bool, with_mesh: bool) -> str:
    """Render to ``images/*.png`` and ``transforms.json``; the folder appears whole or not at all."""
    scene, manager, now = context.scene, context.window_manager, context.scene.frame_current
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ValueError(f"{target}: expected an empty folder or a new name")
    wanted = shots(context, which)
    if only_selected and not any(each.type in SHAPES for each in context.selected_objects):
        raise ValueError("Selected Objects Alone: no object is selected")
    part = target.parent / f".{target.name}.{os.getpid()}.part"
    manager.progress_begin(0, len(wanted))
    try:
        (part / "images").mkdir(parents=True)
        frames = []
        with changed(needed_settings(context, [camera for camera, *_ in wanted], only_selected)):
            for index, (camera, frame, name) in enumerate(wanted):
                if frame != scene.frame_current:
                    scene.frame_set(frame)
                scene.camera, file = camera, part / "images" / f"{name}.png"
                scene.render.filepath = str(file)
                bpy.ops.render.render(write_still=True, scene=scene.name)
                check_alpha(file, camera.name)
                depsgraph = context.evaluated_depsgraph_get()
                seen = camera.evaluated_get(depsgraph)
                lens = intrinsics(seen, scene, depsgraph)
                frames.append(
                    {"file_path": f"images/{name}.png", "transform_matrix": camera_pose(seen), **lens}
                )
                manager.progress_update(index + 1)
            if with_mesh:
                scene_mesh(part / "mesh.obj")
        text = json.dumps({"frames": frames}, indent=1)
        (part / "transforms.json").write_text(text + "\n", encoding="utf-8")
        os.replace(part, target)
    finally:
        manager.progress_end()
        shutil.rmtree(part, ignore_errors=True)
        if scene.frame_current != now:
            scene.frame_set(now)
    return f"{len(frames)} pictures in {target}, sRGB (Standard) with alpha"


def scene_mesh(file: Path) -> None:
    """The surfaces as they are rendered, as the truth to compare with: triangles in Blender's axes."""
    bpy.ops.wm.obj_export(
        filepath=str(file), forward_axis="Y", up_axis="Z", export_eval_mode="DAG_EVAL_RENDER",
        export_triangulated_mesh=True, export_materials=False, export_uv=False, export_normals=False,
    )  # fmt: skip
