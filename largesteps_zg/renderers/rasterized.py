"""Mesh, colours and cameras to images: the differentiable renderer."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .._support.transforms import is_plain
from ..cameras.model import Cameras
from ..geometry.normals import vertex_normals
from ..rasterizer.api import draw, rasterize
from ..rasterizer.fragments import Fragments
from ..rasterizer.silhouette_edges import edge_table
from .light import SphericalHarmonicsLight
from .projection_kernels import Project, project_by_operations

KERNEL_TYPES = (torch.float32, torch.float64)


def homogeneous_pixels(vertices: Float[Tensor, "V 3"], cameras: Cameras) -> Float[Tensor, "B V 3"]:
    """``K (R x + t)`` of every vertex in every camera: what the rasterizer takes.

    Differentiable in the vertices and in the cameras.
    """
    matrix = (cameras.intrinsics @ cameras.world_to_camera[:, :3]).to(vertices)  # (B, 3, 4)
    if vertices.device.type != "cpu" or vertices.dtype not in KERNEL_TYPES or not is_plain(vertices, matrix):
        return project_by_operations(vertices, matrix)
    return Project.apply(vertices, matrix.contiguous())


@torch.no_grad()
def depth_images(
    surface: Float[Tensor, "N 3"], fragments: Fragments, cameras: Cameras
) -> Float[Tensor, "B H W"]:
    """Depth of the surface at every pixel, 0 where there is none, of the point of each fragment; no derivatives."""
    size, ends = (len(cameras), cameras.height, cameras.width), fragments.view_ends.tolist()
    depths = surface.new_zeros(size[0] * size[1] * size[2])
    for view, matrix in enumerate(cameras.world_to_camera.to(surface)):
        seen = slice(ends[view], ends[view + 1])
        depths[fragments.pixels[seen].long()] = surface[seen] @ matrix[2, :3] + matrix[2, 3]
    return depths.view(size)


def shade(
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    albedo: Float[Tensor, "V 3"],
    light: SphericalHarmonicsLight,
) -> Float[Tensor, "V 3"]:
    """Colours of a diffuse surface, albedo times shading, at its vertices.

    At the vertices and not at the pixels: the same for all views, and as fine where triangles are pixel-sized.
    Differentiable in all floating-point arguments.
    """
    return albedo * light(vertex_normals(vertices, faces))


def render(
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    colors: Float[Tensor, "V C"] | Float[Tensor, "B V C"],
    cameras: Cameras,
    *,
    edges: Int[Tensor, "E 6"] | None = None,
    near: float = 1e-3,
    backend: str = "auto",
) -> Float[Tensor, "B H W D"]:
    """Images of a mesh with a value at each vertex, antialiased at silhouettes.

    Parameters
    ----------
    vertices : (V, 3) float
        In the cameras' world.
    faces : (F, 3) int
    colors : (V, C) or (B, V, C) float
        Colours, or anything else that can be interpolated; one set for all views, or one for each.
    cameras : Cameras
        B views of H x W pixels.
    edges : (E, 6) int32, optional
        ``rasterizer.edge_table(faces, vertices)``, to make it once for many calls.
    near : float
        Nothing nearer to the camera is drawn, > 0, in the world's units.
    backend : {"auto", "warp", "nvdiffrast"}

    Returns
    -------
    (B, H, W, C + 1) float
        Premultiplied by the coverage, which is the last channel. Row 0 on top.

    Raises
    ------
    ValueError
        If a shape, a type or an index is wrong; says which.

    Notes
    -----
    Differentiable in the vertices (shading and silhouettes), the colours and the cameras.

    Examples
    --------
    >>> import torch
    >>> from largesteps_zg.cameras import sphere_of_cameras
    >>> from largesteps_zg.mesh import icosphere
    >>> ball = icosphere(2)
    >>> views = sphere_of_cameras(4, distance=3.0, fov_y_degrees=45.0, height=32, width=32)
    >>> render(ball.vertices, ball.faces, torch.ones(len(ball.vertices), 3), views).shape
    torch.Size([4, 32, 32, 4])
    """
    if colors.dim() == 3 and len(colors) != len(cameras):
        raise ValueError(f"colors: expected one set for each of {len(cameras)} views, got {len(colors)} sets")
    if colors.dim() not in (2, 3) or colors.shape[-2] != len(vertices):
        raise ValueError(
            f"colors: expected ({len(vertices)}, C) or ({len(cameras)}, {len(vertices)}, C), "
            f"got {tuple(colors.shape)}"
        )
    return drawn(colors, fragments_of(vertices, faces, cameras, edges=edges, near=near, backend=backend))


def fragments_of(
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    cameras: Cameras,
    *,
    edges: Int[Tensor, "E 6"] | None = None,
    near: float = 1e-3,
    backend: str = "auto",
) -> Fragments:
    """What cameras see of a mesh, before it has colours; arguments as for `render`."""
    if edges is None:
        edges = edge_table(faces, vertices)
    points = homogeneous_pixels(vertices, cameras)
    size = (cameras.height, cameras.width)
    return rasterize(points, faces, size, edges=edges, near=near, backend=backend)


def drawn(
    colors: Float[Tensor, "V C"] | Float[Tensor, "B V C"], fragments: Fragments
) -> Float[Tensor, "B H W D"]:
    """`render`, of what cameras see."""
    return draw(colors, fragments)
