"""What other views say about a mask: what is nowhere in space that they allow is stray; holes are seen by several."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from ...constants import DEFAULTS, Photographs
from ..carving import bounds
from ..carving.cones import cones_of, masks_of
from ..carving.grid import Grid, halved
from ..views import Views
from .masking import enclosed

_HALVINGS = 2  # of the cells of a coarse grid


def consistent(views: Views, constants: Photographs = DEFAULTS.photographs) -> Views:
    """The same views without what lies outside the cones of the other views' masks.

    Space is cut into cells; those that all but a tenth of the other views (at least one) have inside their masks are
    drawn into a view, and what its mask holds beyond them becomes background.

    Parameters
    ----------
    views : Views
        With fewer than four, or where the masks do not bound the object, nothing is changed; nor is a mask of which
        nearly a third would go, because then it is cameras or masks as a whole that contradict each other.
    constants : Photographs, optional

    Returns
    -------
    Views
        With alpha 0 where something was taken away; colours as they were. Holes stay holes.

    Notes
    -----
    Coarse on purpose: what is within about a hundredth of the object's size of its outline stays. About
    two seconds for 16 views of 640 x 480 pixels on one core.
    """
    cells = _allowed(views, constants) if len(views) >= constants.fewest else None
    if cells is None:
        return views
    points, outside, cell, allowed = cells
    misses, masks = outside.sum(axis=0), masks_of(views)
    images = views.images.clone()
    for view in range(len(views)):
        # A view does not count against what it alone denies, so its own mask is judged by the others.
        mask = masks[view]
        stray = mask & ~_drawn(views, view, points[misses - outside[view] <= allowed], cell)
        if stray.sum() <= constants.most * mask.sum():
            images[view, ..., 3][torch.from_numpy(stray).to(images.device)] = 0
    return Views(images, views.cameras, views.names, views.known)


def without_pits(views: Views, constants: Photographs = DEFAULTS.photographs) -> Views:
    """The same views with those holes in masks filled that other views don't see through too: the object is dark there.

    A hole in a mask is a tunnel through space. Where there is a hole in the object, tunnels of several views lie in it
    and in each other. Those of a dark place meet at the surface only, and part behind it. So the cells of a tunnel
    vote: one that another tunnel crosses says that the hole is there. Beginning with the hole that has the fewest such
    votes, holes without half of them are filled, and have no say about the others.

    Parameters
    ----------
    views : Views
        With fewer than four, or where the masks do not bound the object, nothing is changed.
    constants : Photographs, optional

    Returns
    -------
    Views
        With alpha 255 in what was filled; colours as they were.

    Notes
    -----
    A hole that one view alone sees through is filled as well. About a second for 16 views of 640 x 480 pixels on one
    core.
    """
    holes = np.stack([enclosed(mask) for mask in masks_of(_generous(views))])
    if not holes.any():
        return views
    images = views.images.clone()
    images[..., 3][torch.from_numpy(holes > 0).to(images.device)] = 255
    whole = Views(images, views.cameras, views.names, views.known)
    cells = _allowed(whole, constants) if len(views) >= constants.fewest else None
    if cells is None:
        return views
    points, outside, _, allowed = cells
    points = points[outside.sum(axis=0) <= allowed]
    tunnels = {}  # the cells of each hole, by view and number
    for view, of_view in enumerate(holes):
        which, row, column, _ = _pixels(views, view, points)
        number = of_view[row, column]
        for hole in range(1, of_view.max() + 1):
            tunnels[view, hole] = which[number == hole]
    crossing = np.bincount(np.concatenate(list(tunnels.values())), minlength=len(points))
    while tunnels:
        shared = {
            hole: (crossing[found] > 1).mean() if len(found) else 1.0 for hole, found in tunnels.items()
        }
        least = min(shared, key=shared.__getitem__)
        if shared[least] >= constants.shared:
            break
        crossing[tunnels.pop(least)] -= 1
    for view, hole in tunnels:
        kept = torch.from_numpy(holes[view] == hole).to(images.device)
        images[view, ..., 3][kept] = views.images[view, ..., 3][kept]
    return Views(images, views.cameras, views.names, views.known)


def _allowed(views: Views, constants: Photographs) -> tuple[np.ndarray, np.ndarray, float, int] | None:
    """Centres (N, 3) of cells that few views deny, which ones do (B, N), the cells' size, and how many may."""
    try:
        center = bounds.meeting_point(views)
    except ValueError:
        # An empty mask, or cameras that look away: said again by whoever needs the object's place.
        center = None
    if center is None:
        return None
    cones = cones_of(_generous(views), every_pixel=True)
    # All photographs may have unknown borders, beyond which cones never end: an object ends where most masks do.
    ending = [] if views.known is None else cones_of(views, every_pixel=True)
    allowed = max(1, round(constants.dissent * len(views)))

    def carved(points: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
        radius = bounds.ball_around(cell)
        outside = np.stack([~cone.touches(points, radius) for cone in cones])
        kept = outside.sum(axis=0) <= allowed + 1
        points, outside = points[kept], outside[:, kept]
        shown = np.zeros(len(points), dtype=np.int64)
        for cone in ending:
            shown += cone.touches(points, radius)
        kept = 2 * shown >= len(ending)
        return points[kept], outside[:, kept]

    half = bounds.first_half_size(views, center)
    for _ in range(4):
        grid = Grid.centers(center, half, bounds.CELLS)
        cell = grid.cell
        points, outside = carved(grid.points(), cell)
        if not (np.abs(points - center) > half - cell).any():  # nothing at the border of the grid
            break
        half = 1.5 * half
    else:
        return None  # seen from one side only: the cones never end
    for _ in range(_HALVINGS):
        points, cell = halved(points, cell), cell / 2
        points, outside = carved(points, cell)
    return (points, outside, cell, allowed) if len(points) else None


def _generous(views: Views) -> Views:
    """Masks that hold all pixels of which nothing is known."""
    if views.known is None:
        return views
    images = views.images.clone()
    images[..., 3][~views.known] = 255
    return Views(images, views.cameras, views.names)


def _drawn(views: Views, view: int, points: np.ndarray, cell: float) -> np.ndarray:
    """The pixels (H, W) bool that the cells around (N, 3) centres cover, and a little more."""
    which, row, column, depth = _pixels(views, view, points)
    hit = np.zeros((views.cameras.height, views.cameras.width), dtype=bool)
    if not len(which):
        return hit
    hit[row, column] = True
    focal = float(views.cameras.intrinsics[view, [0, 1], [0, 1]].max())
    footprint = focal * bounds.ball_around(cell) / float(np.median(depth))
    covered: np.ndarray = ndimage.distance_transform_edt(~hit) <= footprint + 1
    return covered


def _pixels(views: Views, view: int, points: np.ndarray) -> tuple[np.ndarray, ...]:
    """Which of the points (N, 3) a view has in its image, on which row and column, and how deep, (M,) each."""
    camera = views.cameras[view]
    pixels, depths = camera.project(torch.from_numpy(points).to(camera.world_to_camera))
    column, row = np.floor(pixels[0].cpu().numpy()).T
    depth = depths[0].cpu().numpy()
    seen = (depth > 0) & (column >= 0) & (row >= 0) & (column < camera.width) & (row < camera.height)
    return np.flatnonzero(seen), row[seen].astype(np.int64), column[seen].astype(np.int64), depth[seen]
