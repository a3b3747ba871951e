"""The display's cells rendered by Blender, which gives no derivative."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np


class BlenderDisplay:
    """Squares that shine, seen straight on by Cycles at one sample a pixel.

    Parameters
    ----------
    corners : (C, 4, 2) array
        Of each cell, x to the right, y up.
    height, width : int
        Of the picture, whose pixels are 1 / `scale` wide.

    Raises
    ------
    ImportError
        bpy is not installed.
    """

    def __init__(self, corners: np.ndarray, *, height: int, width: int, scale: float) -> None:
        try:
            import bpy
        except ImportError as error:
            raise ImportError(
                f"led_blender: {error}; run: pip install bpy (wheels are for one version of Python each), or take led"
            ) from error
        self._bpy: Any = bpy
        bpy.ops.wm.read_factory_settings(use_empty=True)
        scene = bpy.context.scene
        scene.render.engine = "CYCLES"
        scene.cycles.samples, scene.cycles.use_denoising = 1, False
        scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BLACKMAN_HARRIS", 0.01
        scene.render.resolution_x, scene.render.resolution_y = width, height
        scene.view_settings.view_transform = "Raw"
        scene.render.image_settings.file_format = "PNG"
        self._mesh = bpy.data.meshes.new("cells")
        points = np.pad(corners.reshape(-1, 2), ((0, 0), (0, 1)))
        self._mesh.from_pydata(points.tolist(), [], np.arange(len(points)).reshape(-1, 4).tolist())
        self._light = self._mesh.color_attributes.new("light", "FLOAT_COLOR", "CORNER")
        self._mesh.materials.append(self._shining())
        scene.collection.objects.link(bpy.data.objects.new("cells", self._mesh))
        camera = bpy.data.cameras.new("camera")
        camera.type, camera.ortho_scale = "ORTHO", max(width, height) / scale
        scene.camera = bpy.data.objects.new("camera", camera)
        scene.camera.location = (*((points.min(0) + points.max(0)) / 2)[:2], 5.0)
        scene.collection.objects.link(scene.camera)

    def __call__(self, brightness: np.ndarray) -> np.ndarray:
        """A picture (H, W), row 0 on top, of C cells."""
        colors = np.repeat(brightness.astype(np.float32), 4)[:, None].repeat(4, 1)
        self._light.data.foreach_set("color", colors.ravel())
        self._mesh.update()
        scene = self._bpy.context.scene
        with tempfile.TemporaryDirectory() as folder:
            scene.render.filepath = str(Path(folder) / "cells.png")
            self._bpy.ops.render.render(write_still=True)
            image = self._bpy.data.images.load(scene.render.filepath)
            pixels = np.empty(image.size[0] * image.size[1] * 4, dtype=np.float32)
            image.pixels.foreach_get(pixels)
            shape = image.size[1], image.size[0], 4
            self._bpy.data.images.remove(image)
        return pixels.reshape(shape)[::-1, :, 0].copy()

    def _shining(self) -> Any:
        """A material that emits the cell's brightness."""
        material = self._bpy.data.materials.new("shining")
        material.use_nodes = True
        nodes, links = material.node_tree.nodes, material.node_tree.links
        nodes.clear()
        light, emission = nodes.new("ShaderNodeAttribute"), nodes.new("ShaderNodeEmission")
        output = nodes.new("ShaderNodeOutputMaterial")
        light.attribute_name = "light"
        links.new(light.outputs["Color"], emission.inputs["Color"])
        links.new(emission.outputs["Emission"], output.inputs["Surface"])
        return material
