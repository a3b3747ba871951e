"""The object of photographs without masks: where they agree on a surface, above what it stands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from ...constants import DEFAULTS, Constants
from ...mesh.mesh import Mesh
from ...renderers.rasterized import render
from ...scenes.carving.grid import Grid
from ...scenes.from_photographs.object import Support, object_ball, support_plane
from ...scenes.views import Ball, Scene, Views
from ..frame import Frame
from ..photo_consistency.depth_maps import depth_maps
from ..photo_consistency.term import PhotoConsistency
from .fused import fused
from .hull import CELLS, Hull, remeshed, surface_of


@dataclass(frozen=True)
class Unmasked:
    """What was found without masks.

    Attributes
    ----------
    scene : Scene
        The same, with masks: inside the start's outlines is object, far outside of them is none, and between the two
        nothing is known.
    mesh : Mesh
        To start from, in the scene's coordinates.
    notes : tuple of str
        What was found, a phrase each.
    """

    scene: Scene
    mesh: Mesh
    notes: tuple[str, ...]


def unmasked(scene: Scene, *, keep_support: bool = False, constants: Constants = DEFAULTS) -> Unmasked:
    """Find the object of a scene without masks.

    It is what stands in the ball that the cameras look at. Depths that photographs confirm to one another carve it out
    of the ball, as they carve the hull of masks. If points of surfaces in the ball tell the plane of a table, the
    object is cut off there.

    Parameters
    ----------
    scene : Scene
        Whose `masked` is False.
    keep_support : bool
        Leave the table in the ball on it.
    constants : Constants, optional

    Raises
    ------
    ValueError
        Where photographs confirm no surface.
    """
    views = scene.train
    points = torch.zeros(0, 3, dtype=torch.float64) if scene.points is None else scene.points
    ball = views.ball or object_ball(views, points, constants.structure)
    support = support_plane(views, points, ball, constants.structure)
    cut = None if keep_support else support
    hull = _block(ball, cut, constants)
    found = _carved(hull, _shown(views, hull.vertices, hull.faces), ball, points, cut, constants)
    mesh = remeshed(found, constants.patches.detailed)
    width = 2.0 * found.grid.cell
    train = _masked(views, mesh, width)
    test = None if scene.test is None else _masked(scene.test, mesh, width)
    plane = "no table was found"
    if support is not None:
        plane = f"a table holds {support.share:.0%} of the points around it, and " + (
            "is kept" if keep_support else "is cut off (--keep-support keeps it)"
        )
    notes = (
        "no masks: the surface that photographs confirm to one another, inside the ball that the cameras look at",
        plane,
    )
    return Unmasked(replace(scene, train=train, test=test, masked=True), mesh, notes)


def _block(ball: Ball, cut: Support | None, constants: Constants) -> Hull:
    """The ball, above the plane."""
    center = ball.center.double().cpu().numpy()
    grid = Grid.nodes(center, ball.radius, CELLS)
    field = _field(grid, ball, cut)
    grid, field = grid.around(field)
    found = surface_of(grid, field, constants.carving)
    if found is None:
        raise ValueError(
            "views: the object would be below the table that its photographs show; give masks, or --keep-support"
        )
    return found


def _field(grid: Grid, ball: Ball, cut: Support | None) -> np.ndarray:
    """Signed distance to the ball's part above the plane, on the grid."""
    points = grid.points()
    field = ball.depth(points)
    if cut is not None:
        field = np.minimum(field, cut.above(points) - DEFAULTS.structure.flat * ball.radius)
    return field.reshape(grid.shape)


def _carved(
    hull: Hull, views: Views, ball: Ball, points: Tensor, cut: Support | None, constants: Constants
) -> Hull:
    """The largest part of the block that photographs do not see to be empty."""
    frame = Frame(ball.center.double().cpu(), ball.radius, torch.device("cpu"))
    term = PhotoConsistency(views, frame.normalized(views.cameras), constants=constants.patches)
    # What is seen beside the object is behind it: its depths show that nothing is before it.
    everything = torch.cat([hull.vertices, points])
    maps = depth_maps(term, frame.inside(everything))
    if not maps:
        raise ValueError(
            "views: no two photographs look the same way nearly enough to be compared; add some between"
        )
    grid = Grid(
        (hull.grid.corner - frame.center.numpy()) / frame.radius,
        hull.grid.cell / frame.radius,
        hull.grid.shape,
    )
    fine, _, field = fused(grid, hull.field / frame.radius, maps, term)
    scene = Grid(fine.corner * frame.radius + frame.center.numpy(), fine.cell * frame.radius, fine.shape)
    found = surface_of(scene, field * frame.radius, constants.carving)
    if found is None:
        raise ValueError("views: photographs confirm no surface where the cameras look; give masks")
    return found


def _shown(views: Views, vertices: Tensor, faces: Tensor) -> Views:
    """The views with the outlines of a mesh for masks."""
    images = views.images.clone()
    for i, coverage in enumerate(_coverages(views, vertices, faces)):
        known = np.ones_like(coverage) if views.known is None else views.known[i].cpu().numpy()
        images[i, ..., 3] = torch.from_numpy(
            np.where((coverage > 0.5) & known.astype(bool), 255, 0).astype(np.uint8)
        )
    return replace(views, images=images)


def _coverages(views: Views, vertices: Tensor, faces: Tensor) -> Sequence[np.ndarray]:
    """(H, W) alpha of a mesh in each view."""
    middle = vertices.double().cpu().mean(0)
    moved, white = (vertices.double().cpu() - middle).float(), torch.ones(len(vertices), 1)
    size = float(moved.norm(dim=1).max())
    found = []
    for i in range(len(views)):
        camera = (
            views.cameras[i].to("cpu", torch.float64).transformed(1 / size, middle).to(dtype=torch.float32)
        )
        image = render(moved / size, faces.cpu(), white, camera, near=1e-4)
        found.append(image[0, ..., 1].clamp(0, 1).numpy())
    return found


def _masked(views: Views, mesh: Mesh, width: float) -> Views:
    """The views with masks of a mesh, unknown within a width (in the scene) of its outlines."""
    shown = _shown(views, mesh.vertices, mesh.faces)
    middle = mesh.vertices.double().cpu().mean(0)
    distance = (views.cameras.centers.double().cpu() - middle).norm(dim=1)
    pixels = width * views.cameras.intrinsics[:, 0, 0].double().cpu() / distance
    known = (
        torch.ones(views.images.shape[:3], dtype=torch.bool)
        if views.known is None
        else views.known.cpu().clone()
    )
    for i, band in enumerate(pixels.tolist()):
        mask = shown.images[i, ..., 3].cpu().numpy() > 127
        if mask.any() and not mask.all():
            near = np.maximum(distance_transform_edt(mask), distance_transform_edt(~mask)) <= max(band, 1.0)
            known[i] &= torch.from_numpy(~near)
    images = shown.images.clone()
    images[..., 3] *= known.to(images)
    seen = images[..., 3].flatten(1).any(dim=1)
    whole = replace(shown, images=images, known=known)
    return whole if bool(seen.all()) else whole[seen.nonzero()[:, 0]]
