"""The object of photographs without masks: where they agree on a surface, above what it stands on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from ...constants import DEFAULTS, Constants
from ...images.masks import on_object
from ...mesh.mesh import Mesh
from ...scenes.carving.bounds import bounding_sphere
from ...scenes.carving.grid import Grid
from ...scenes.from_photographs.object import Support, object_ball, support_plane
from ...scenes.views import Ball, Scene, Views
from ..frame import Frame
from ..photo_consistency.depth_maps import depth_maps
from ..photo_consistency.term import PhotoConsistency
from .choose import choose_start
from .fused import fused
from .hull import CELLS, Hull, remeshed, surface_of
from .outlines.find import Outlines, outlines, points_above
from .outlines.silhouettes import coverages


@dataclass(frozen=True)
class Unmasked:
    """What was found without masks.

    Attributes
    ----------
    scene : Scene
        The same, with masks. Where only depths tell the object, it is inside the start's outlines, and nothing is
        known near these.
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

    It is what stands in the ball that the cameras look at. If points of surfaces there tell the plane of a table, the
    object is cut off at it. Where colours tell the object from what is around it, there are outlines, see `outlines`.
    Else depths that photographs confirm to one another carve it out of the ball, as they carve the hull of masks.

    Parameters
    ----------
    scene : Scene
        Whose `masked` is False.
    keep_support : bool
        Leave the table in the ball on it; then nothing is told by colours.
    constants : Constants, optional

    Raises
    ------
    ValueError
        Where photographs confirm no surface, or nothing stands on the table.
    """
    views = scene.train
    points = torch.zeros(0, 3, dtype=torch.float64) if scene.points is None else scene.points
    ball = views.ball or object_ball(views, points, constants.structure)
    support = support_plane(views, points, ball, constants.structure)
    plane = "no table was found"
    if support is not None:
        plane = f"a table holds {support.share:.0%} of the points around it, and " + (
            "is kept" if keep_support else "is cut off (--keep-support keeps it)"
        )
    if keep_support:
        return _by_depths(scene, ball, points, None, (plane,), constants)
    told = "colours leave no object"
    outlined = outlines(views, points, ball, support, constants)
    if outlined is not None:
        told = outlined.told()
        if outlined.trusted:
            notes = f"no masks: outlines by colours; {told}", plane
            return _by_colors(scene, outlined, notes, support, constants)
        told = f"colours do not tell the object from what is around it: {told}"
    if scene.spare is not None:
        return _by_background(
            scene, scene.spare, (f"masks by the background's colour, for {told}",), constants
        )
    if (
        outlined is None
        and support is not None
        and len(points_above(points, ball, support, constants)) < constants.structure.fewest
    ):
        raise ValueError(
            f"views: nothing stands on the flat thing that the photographs show, for {support.share:.0%} of the points "
            "around what they look at lie in its plane; take photographs of an object that stands on it, or "
            "--keep-support to have the flat thing"
        )
    return _by_depths(scene, ball, points, support, (told, plane), constants)


def _by_background(scene: Scene, spare: Views, notes: tuple[str, ...], constants: Constants) -> Unmasked:
    """The scene with masks that its background's colour tells."""
    number = {name: index for index, name in enumerate(spare.names)}
    train, test = (
        None if views is None else spare[[number[name] for name in views.names]]
        for views in (scene.train, scene.test)
    )
    assert train is not None
    return _started(scene, train, test, notes, constants)


def _by_colors(
    scene: Scene, found: Outlines, notes: tuple[str, ...], support: Support | None, constants: Constants
) -> Unmasked:
    """The scene with masks that colours tell."""
    train, test = (
        None if views is None else replace(_that_show(found.masked(views)), ball=found.ball)
        for views in (scene.train, scene.test)
    )
    assert train is not None
    return _started(scene, train, test, notes, constants, support, sphere=False)


def _started(
    scene: Scene,
    train: Views,
    test: Views | None,
    notes: tuple[str, ...],
    constants: Constants,
    support: Support | None = None,
    *,
    sphere: bool = True,
) -> Unmasked:
    """The scene with these views, and a start by their masks, above what the object stands on."""
    start = choose_start(
        train, *bounding_sphere(train), sphere=sphere, constants=constants.carving, patches=constants.patches,
        support=support,
    )  # fmt: skip
    made = replace(scene, train=train, test=test, masked=True)
    return Unmasked(made, start.mesh, (*notes, f"{start.kind}: {start.reason}"))


def _by_depths(
    scene: Scene,
    ball: Ball,
    points: Tensor,
    cut: Support | None,
    notes: tuple[str, ...],
    constants: Constants,
) -> Unmasked:
    """The scene with masks of the surface that photographs confirm."""
    views = scene.train
    hull = _block(ball, cut, constants)
    found = _carved(hull, _shown(views, hull.vertices, hull.faces), ball, points, cut, constants)
    mesh = remeshed(found, constants.patches.detailed)
    width = 2.0 * found.grid.cell
    train = _masked(views, mesh, width)
    test = None if scene.test is None else _masked(scene.test, mesh, width)
    first = "no masks: the surface that photographs confirm to one another, inside the ball that the cameras look at"
    return Unmasked(replace(scene, train=train, test=test, masked=True), mesh, (first, *notes))


def _that_show(views: Views) -> Views:
    """Those of the views whose masks are not empty."""
    seen = views.images[..., 3].flatten(1).any(dim=1)
    return views if bool(seen.all()) else views[seen.nonzero()[:, 0]]


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
    for i, coverage in enumerate(coverages(views, vertices, faces)):
        known = np.ones_like(coverage) if views.known is None else views.known[i].cpu().numpy()
        images[i, ..., 3] = torch.from_numpy(
            np.where((coverage > 0.5) & known.astype(bool), 255, 0).astype(np.uint8)
        )
    return replace(views, images=images)


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
        mask = on_object(shown.images[i, ..., 3].cpu().numpy())
        if mask.any() and not mask.all():
            near = np.maximum(distance_transform_edt(mask), distance_transform_edt(~mask)) <= max(band, 1.0)
            known[i] &= torch.from_numpy(~near)
    images = shown.images.clone()
    images[..., 3] *= known.to(images)
    return _that_show(replace(shown, images=images, known=known))
