"""What every scene must be, whatever its format: focal lengths in pixels, cameras that are apart, one unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..constants import DEFAULTS, Checks
from ..images.files import image_size
from ..mesh.mesh import Mesh
from .carving.bounds import first_half_size, meeting_point
from .shots import Shot
from .views import Scene, Views

# Of the cameras' distance from the origin: what is left of one place after rounding, of poses in double precision.
_ROUNDED = 64 * float(np.finfo(np.float64).eps)


def check_scene(scene: Scene, constants: Checks = DEFAULTS.checks) -> None:
    """ValueError for cameras in one place or turned away from the object, and for a true mesh in other units.

    Raises
    ------
    ValueError
        One line that begins with `views` or `mesh`.
    """
    check_views(scene.train, constants)
    if scene.mesh is not None:
        name = f"{scene.path}: mesh" if scene.path else "mesh"
        check_mesh_fits(scene.mesh, scene.train, name=name, constants=constants)


def check_views(views: Views, constants: Checks = DEFAULTS.checks) -> None:
    """ValueError where the cameras are all in one place, or look away from where their masks meet."""
    centers = views.cameras.centers.detach().double().cpu().numpy()
    spread = float(np.linalg.norm(centers - centers.mean(axis=0), axis=1).max())
    away = float(np.linalg.norm(centers, axis=1).max())
    together = spread <= constants.one_place * away
    same = spread <= _ROUNDED * away or (together and not _see_one_place(views))
    if len(views) > 1 and same:
        place = ", ".join(f"{x:.4g}" for x in centers[0])
        raise ValueError(
            f"views: all {len(views)} cameras are in one place ({place}), which says nothing of how far the object "
            "is; are translations missing, are poses world-to-camera where camera-to-world is expected (or the other "
            "way round), or was the object turned before a fixed camera? Give poses relative to the object"
        )
    point = meeting_point(views)
    if point is None:
        return  # bounding_sphere says so, and what to do
    distance = float(np.median(np.linalg.norm(centers - point, axis=1)))
    if spread < constants.parallax * distance:
        raise ValueError(
            f"views: the cameras are within {spread:.3g} of each other and {distance:.3g} from the object, too near "
            "to each other to tell its depth; add views from around it"
        )


def _see_one_place(views: Views) -> bool:
    """Whether most cameras that are together, seen from the origin, have the place where their masks meet in view.

    On a map (UTM) the origin is a million times farther away than the cameras are apart. What rounding makes of one
    place is no such arrangement: its rays meet among the cameras, anywhere around them.
    """
    try:
        point = meeting_point(views)
    except ValueError:
        return False
    if point is None:
        return False
    pixels, depths = views.cameras.project(torch.from_numpy(point)[None].to(views.cameras.world_to_camera))
    size = torch.tensor([views.cameras.width, views.cameras.height]).to(pixels)
    inside = (depths > 0) & ((pixels >= 0) & (pixels <= size)).all(dim=-1)
    return 2 * int(inside.sum()) > len(views)


def check_mesh_fits(mesh: Mesh, views: Views, *, name: str, constants: Checks = DEFAULTS.checks) -> None:
    """ValueError for a mesh that is far larger, smaller or elsewhere than what the masks show.

    Parameters
    ----------
    mesh : Mesh
        In the coordinates of the cameras.
    views : Views
    name : str
        Begins the message: the mesh's file, say.
    constants : Checks, optional
    """
    point = meeting_point(views)
    if point is None:
        return
    vertices = mesh.vertices.detach().double().cpu().numpy()
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    radius, half_size = float(np.linalg.norm(high - low)) / 2, first_half_size(views, point)
    check_sphere_fits((low + high) / 2, radius, point, half_size, name, constants)


def check_sphere_fits(
    center: np.ndarray,
    radius: float,
    point: np.ndarray,
    half_size: float,
    name: str,
    constants: Checks = DEFAULTS.checks,
) -> None:
    """ValueError unless a sphere is about as large as, and near, what the masks show around a point."""
    ratio = radius / max(half_size, 1e-300)
    if not 1 / constants.units <= ratio <= constants.units:
        raise ValueError(
            f"{name}: {ratio:.3g} times the size of what the masks and cameras show (radius {radius:.3g}, expected "
            f"about {half_size:.3g}); are they in different units, millimetres and metres?"
        )
    away = float(np.linalg.norm(center - point))
    if not away <= constants.away * (radius + half_size):
        raise ValueError(
            f"{name}: {away:.3g} away from where the masks and cameras show the object (whose radius is about "
            f"{half_size:.3g}); is it in the coordinates of the cameras?"
        )


def check_shots(shots: Sequence[Shot], *, sized: bool = False, constants: Checks = DEFAULTS.checks) -> None:
    """ValueError for two shots of one name, and for intrinsics that do not go with the images.

    Parameters
    ----------
    shots : sequence of Shot
    sized : bool
        The format itself says for which size of image its intrinsics are. Where it does not, principal points that all
        lie at the same wrong fraction of the image mean that the images were resized after calibration.
    constants : Checks, optional
    """
    seen: dict[str, Shot] = {}
    for shot in shots:
        if shot.name in seen:
            raise ValueError(
                f"{shot.where}: {seen[shot.name].where} is named {shot.name} as well; keep one of them"
            )
        seen[shot.name] = shot
    sizes = np.array([image_size(shot.image) for shot in shots], dtype=np.float64)  # (B, 2)
    for shot, size in zip(shots, sizes, strict=True):
        _check_intrinsics(shot, size, constants)
    if not sized:
        _check_calibrated_size(shots, sizes, constants)


def _check_intrinsics(shot: Shot, size: np.ndarray, constants: Checks) -> None:
    """ValueError for focal lengths that no camera has; `assemble` refuses what is no matrix of intrinsics at all."""
    focal = np.array([shot.intrinsics[0, 0], shot.intrinsics[1, 1]])
    if not (focal > 0).all():
        return
    shortest, longest = (side * size.max() for side in (constants.shortest_focal, constants.longest_focal))
    if not (shortest < focal).all() or not (focal < longest).all():
        raise ValueError(
            f"{shot.where}: focal length {focal[0]:.4g}, {focal[1]:.4g} pixels does not go with an image of "
            f"{size[0]:.0f}x{size[1]:.0f} ({shot.image.name}); expected pixels, not fractions or millimetres"
        )


def _check_calibrated_size(shots: Sequence[Shot], sizes: np.ndarray, constants: Checks) -> None:
    """ValueError where all principal points lie at the same fraction of width and height, far from the middle."""
    points = np.array([shot.intrinsics[:2, 2] for shot in shots]) / sizes  # (B, 2), 0.5 in the middle
    low, high = float(points.min()), float(points.max())
    # Crops move it too, but not by as much of the width as of the height in all of the images.
    middle = constants.least_middle < high < constants.most_middle
    if high - low < constants.together * high and not middle:
        raise ValueError(
            f"{shots[0].where}: all principal points are at about {np.median(points):.2f} of the images' width and "
            f"height, expected 0.5: calibrated for images {2 * np.median(points):.3g} times as large as "
            f"{shots[0].image.name}? Bring the images or the intrinsics to the other's size"
        )
