"""Shaders and framebuffers of the OpenGL renderer: what is drawn, once there is a context."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import Tensor

MAX_PIXELS = 2**23  # of one framebuffer: 235 MB

# From the world to homogeneous pixels (u z, v z, z), then to clip space with y down, so that row 0 is read first. The
# near plane is -w <= z; there is no far one.
VERTEX_SHADER = """
#version 330 core
uniform mat4 pixels_from_world;
uniform vec2 scale;  // 2 / width, 2 / height
uniform float near;
in vec3 position;
in vec3 color;
out vec3 shade;
out float z;
void main() {
    vec3 p = (pixels_from_world * vec4(position, 1.0)).xyz;
    gl_Position = vec4(scale * p.xy - p.zz, p.z - 2.0 * near, p.z);
    shade = color;
    z = p.z;
}
"""

# The camera's z in place of OpenGL's own depth, spread over what is there: 24 bits then are finer than a float.
FRAGMENT_SHADER = """
#version 330 core
uniform vec2 range;  // the smallest z in view and 1 / (largest - smallest)
in vec3 shade;
in float z;
layout(location = 0) out vec4 image;
layout(location = 1) out int triangle;
layout(location = 2) out float depth;
void main() {
    image = vec4(shade, 1.0);
    triangle = gl_PrimitiveID;
    depth = z;
    gl_FragDepth = clamp((z - range.x) * range.y, 0.0, 1.0);
}
"""

# Clearing is not defined for a framebuffer that has whole numbers beside floats; a triangle over all of it is.
EMPTY_VERTEX_SHADER = """
#version 330 core
void main() { gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0); }
"""
EMPTY_FRAGMENT_SHADER = """
#version 330 core
layout(location = 0) out vec4 image;
layout(location = 1) out int triangle;
layout(location = 2) out float depth;
void main() {
    image = vec4(0.0);
    triangle = -1;
    depth = uintBitsToFloat(0x7F800000u);  // inf
    gl_FragDepth = 1.0;
}
"""


class Canvas:
    """Draws into framebuffers of a moderngl context; views lie in them one below the other."""

    def __init__(self, context: Any) -> None:
        import moderngl

        self.context, self.errors = context, moderngl.Error
        with context:  # afterwards it is current nowhere, and any thread can take it
            self.device = str(context.info["GL_RENDERER"])
            self.largest = min(
                context.info["GL_MAX_RENDERBUFFER_SIZE"], *context.info["GL_MAX_VIEWPORT_DIMS"]
            )
            self.program = context.program(vertex_shader=VERTEX_SHADER, fragment_shader=FRAGMENT_SHADER)
            self.eraser = context.program(
                vertex_shader=EMPTY_VERTEX_SHADER, fragment_shader=EMPTY_FRAGMENT_SHADER
            )
            self.erasing = context.vertex_array(self.eraser, [])
        self._parts: list[Any] = []
        self._framebuffer: Any = None

    def draw(
        self,
        vertices: np.ndarray,
        faces: np.ndarray,
        colors: np.ndarray,
        matrices: np.ndarray,
        near: float,
        images: Tensor,
        triangles: Tensor,
        depth: Tensor,
    ) -> None:
        """Fill images (B, H, W, 4), triangles and depth (B, H, W), all on the CPU, from float32 and int32 arrays."""
        views, height, width = depth.shape
        if max(height, width) > self.largest:
            raise ValueError(
                f"cameras: expected images of at most {self.largest} pixels a side on this driver, "
                f"got {width} x {height}"
            )
        rows = max(1, min(views, self.largest // height, MAX_PIXELS // (height * width)))  # views at a time
        with self.context as context, self._buffers(vertices, faces, colors) as (vertex_array, select):
            framebuffer = self._sized(width, rows * height)
            framebuffer.use()
            context.disable(context.BLEND | context.CULL_FACE)
            context.enable(context.DEPTH_TEST)
            self.program["scale"].value = (2 / width, 2 / height)
            self.program["near"].value = near
            for first in range(0, views, rows):
                last = min(first + rows, views)
                framebuffer.viewport = (0, 0, width, (last - first) * height)
                context.depth_func = "1"
                self.erasing.render(context.TRIANGLES, vertices=3)
                context.depth_func = "<"  # of equal ones the first, which has the lowest index
                for view in range(first, last):
                    seen = vertices if vertices.ndim == 2 else vertices[view]
                    low, high = _depths(seen, matrices[view], near)
                    if high <= near:
                        continue
                    select(view)
                    framebuffer.viewport = (0, (view - first) * height, width, height)
                    self.program["range"].value = (low, 1 / (high - low))
                    square = np.zeros((4, 4), dtype=np.float32)
                    square[:3] = matrices[view]
                    self.program["pixels_from_world"].write(square.T.tobytes())  # columns first
                    vertex_array.render(context.TRIANGLES)
                part = (0, 0, width, (last - first) * height)
                for place, (tensor, components, dtype) in enumerate(
                    ((images, 4, "f4"), (triangles, 1, "i4"), (depth, 1, "f4"))
                ):
                    target = tensor[first:last].numpy()
                    framebuffer.read_into(
                        target, part, components, attachment=place, alignment=1, dtype=dtype
                    )
            fault = context.error
            if fault != "GL_NO_ERROR":
                raise RuntimeError(
                    f"renderer: OpenGL failed with {fault} on {self.device}; is its memory exhausted?"
                )

    @contextmanager
    def _buffers(
        self, vertices: np.ndarray, faces: np.ndarray, colors: np.ndarray
    ) -> Iterator[tuple[Any, Any]]:
        """A vertex array of the mesh, and a function that turns it to a view; both freed afterwards."""
        count = vertices.shape[-2]
        given = {"position": vertices, "color": colors}
        made: list[Any] = []
        try:
            buffers = {}
            for name, array in given.items():
                buffers[name] = self.context.buffer(array)
                made.append(buffers[name])
            indices = self.context.buffer(faces)
            made.append(indices)
            content = [(buffer, "3f", name) for name, buffer in buffers.items()]
            vertex_array = self.context.vertex_array(self.program, content, indices)
            made.append(vertex_array)
            places = {name: self.program[name].location for name in given}

            def select(view: int) -> None:
                for name, array in given.items():
                    if array.ndim == 3:
                        vertex_array.bind(
                            places[name], "f", buffers[name], "3f", offset=view * count * 12, stride=12
                        )

            yield vertex_array, select
        finally:
            for part in reversed(made):
                part.release()

    def _sized(self, width: int, height: int) -> Any:
        """The framebuffer, made anew where the width changes or it is too low."""
        has = (0, 0) if self._framebuffer is None else self._framebuffer.size
        if has[0] != width or has[1] < height:
            size, context = (width, height), self.context
            parts = [
                context.renderbuffer(size, n, dtype=kind) for n, kind in ((4, "f4"), (1, "i4"), (1, "f4"))
            ]
            parts.append(context.depth_renderbuffer(size))
            self._framebuffer = context.framebuffer(parts[:3], parts[3])
            self._framebuffer.use()
            for part in self._parts:  # only now: it was the one in use
                part.release()
            self._parts = [self._framebuffer, *parts]
        return self._framebuffer


def _depths(vertices: np.ndarray, matrix: np.ndarray, near: float) -> tuple[float, float]:
    """Smallest and largest z in view, a little apart from each other and from the mesh."""
    z = vertices @ matrix[2, :3] + matrix[2, 3]
    low, high = max(float(z.min()), near), float(z.max())
    margin = 1e-6 * abs(high) + 1e-3 * max(high - low, 0.0) + 1e-30
    return low - margin, high + margin
