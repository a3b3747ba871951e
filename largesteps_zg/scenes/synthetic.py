"""Scenes made from a mesh: multi-view images by the project's own rasterizer."""

from __future__ import annotations

import torch
from torch import Tensor

from ..cameras.model import Cameras
from ..cameras.placement import sphere_of_cameras
from ..images.color import linear_to_srgb
from ..mesh.mesh import Mesh
from ..rasterizer.silhouette_edges import edge_table
from ..renderers.light import SphericalHarmonicsLight, from_environment_map
from ..renderers.rasterized import render, shade
from .views import Scene, Views

SUPERSAMPLING = 2
CLAY = 0.7  # albedo of a mesh without colours
TEST_SEED = 1  # turns the held-out cameras between the others


def studio_light() -> SphericalHarmonicsLight:
    """A bright sky, a dim floor, a warm key light and a cool fill light: every direction has its own shade."""
    sky = torch.linspace(0.9, 0.25, 64)[:, None, None].expand(64, 128, 3).clone()
    sky[8:26, 20:44] += torch.tensor([4.2, 3.8, 3.2])
    sky[18:34, 84:104] += torch.tensor([0.8, 1.1, 1.5])
    return from_environment_map(sky)


def bounding_ball(mesh: Mesh) -> tuple[Tensor, float]:
    """Centre of the bounding box, and the distance from it to the farthest vertex."""
    center = 0.5 * (mesh.vertices.amin(0) + mesh.vertices.amax(0))
    return center, float((mesh.vertices - center).norm(dim=1).max())


def render_views(mesh: Mesh, cameras: Cameras, *, light: SphericalHarmonicsLight, prefix: str = "r") -> Views:
    """8-bit sRGB images with alpha of a shaded mesh, supersampled 2 x 2.

    Parameters
    ----------
    mesh : Mesh
        Without colours it is clay.
    cameras : Cameras
        In the mesh's coordinates.
    light : SphericalHarmonicsLight
    prefix : str
        Views are named ``prefix_000`` and so on.
    """
    albedo = torch.full_like(mesh.vertices, CLAY) if mesh.colors is None else mesh.colors.to(mesh.vertices)
    colors = shade(mesh.vertices, mesh.faces, albedo, light).clamp(0.0, 1.0)
    edges = edge_table(mesh.faces)
    fine = cameras.to(dtype=mesh.vertices.dtype).resized(
        SUPERSAMPLING * cameras.height, SUPERSAMPLING * cameras.width
    )
    near = 1e-3 * float((cameras.centers.to(mesh.vertices) - mesh.vertices.mean(0)).norm(dim=1).min())
    images = torch.empty(len(cameras), cameras.height, cameras.width, 4, dtype=torch.uint8)
    for i in range(len(cameras)):
        image = render(mesh.vertices, mesh.faces, colors, fine[i], edges=edges, near=near)
        image = (
            torch.nn.functional.avg_pool2d(image.movedim(-1, 1), SUPERSAMPLING)
            .movedim(1, -1)[0]
            .clamp(0.0, 1.0)
        )
        alpha = image[..., 3:]
        straight = torch.where(alpha > 0, image[..., :3] / alpha.clamp(min=1e-6), 0.0).clamp(0.0, 1.0)
        images[i] = (255 * torch.cat([linear_to_srgb(straight), alpha], -1)).round().to(torch.uint8)
    return Views(images, cameras, tuple(f"{prefix}_{i:03d}" for i in range(len(cameras))))


def scene_from_mesh(
    mesh: Mesh,
    *,
    views: int = 32,
    test_views: int = 6,
    height: int = 256,
    width: int = 256,
    fov_y_degrees: float = 35.0,
    light: SphericalHarmonicsLight | None = None,
    up: str = "y",
) -> Scene:
    """A multi-view scene of any mesh, cameras evenly around it, with a test split and the mesh as the truth.

    The scene's z axis points up, as in NeRF-synthetic and nerfstudio; a mesh whose y axis does is turned.

    Parameters
    ----------
    mesh : Mesh
        Any scale and position.
    views, test_views : int
        Training and held-out images; at least two of the former.
    height, width : int
        Pixels.
    fov_y_degrees : float
        Vertical field of view; the distance follows from it.
    light : SphericalHarmonicsLight, optional
        `studio_light` by default; z is up.
    up : {"y", "z"}
        Which axis of the mesh points up.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    if views < 2 or test_views < 0:
        raise ValueError(f"views: expected at least 2 to train and 0 to test, got {views} and {test_views}")
    if up not in ("y", "z"):
        raise ValueError(f"up: expected y or z, got {up!r}")
    if up == "y":
        x, y, z = mesh.vertices.unbind(-1)
        mesh = Mesh(torch.stack([x, -z, y], dim=-1), mesh.faces, mesh.colors)
    center, radius = bounding_ball(mesh)
    if not radius > 0:
        raise ValueError("mesh: expected an extent, got all vertices in one point")
    light = studio_light() if light is None else light
    narrow = min(1.0, width / height)
    half = torch.atan(narrow * torch.tan(torch.deg2rad(torch.tensor(fov_y_degrees / 2))))
    distance = float(1.06 / torch.sin(half))  # the whole ball in the narrower direction

    def split(prefix: str, count: int, seed: int | None) -> Views:
        unit = sphere_of_cameras(
            count, distance=distance, fov_y_degrees=fov_y_degrees, height=height, width=width, seed=seed,
            dtype=torch.float64,
        )  # fmt: skip
        # Cameras of the world (x - center) / radius, taken back to the mesh's own.
        placed = unit.transformed(radius, -center.double() / radius)
        return render_views(mesh, placed, light=light, prefix=prefix)

    test = split("test", test_views, TEST_SEED) if test_views else None
    return Scene(path=None, format="synthetic", train=split("train", views, None), test=test, mesh=mesh)
