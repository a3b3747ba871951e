"""What other views say about a mask: stray things in one photograph are nowhere in space that the others allow."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from . import bounds
from .views import Views

_FEWEST = 4  # views; of fewer none can be outvoted
_HALVINGS = 2  # of the cells of a coarse grid
_DISSENT = 0.1  # of the views may be wrong about a place
_MOST = 0.3  # of a mask; who contradicts the others about more has another fault, which is named elsewhere


def consistent(views: Views) -> Views:
    """The same views without what lies outside the cones of the other views' masks.

    Space is cut into cells; those that all but a tenth of the other views (at least one) have inside their masks are
    drawn into a view, and what its mask holds beyond them becomes background.

    Parameters
    ----------
    views : Views
        With fewer than four, or where the masks do not bound the object, nothing is changed; nor is a mask of which
        nearly a third would go, because then it is cameras or masks as a whole that contradict each other.

    Returns
    -------
    Views
        With alpha 0 where something was taken away; colours as they were. Holes stay holes.

    Notes
    -----
    Coarse on purpose: what is within about a hundredth of the object's size of its outline stays. About
    two seconds for 16 views of 640 x 480 pixels on one core.
    """
    cells = _allowed(views) if len(views) >= _FEWEST else None
    if cells is None:
        return views
    points, outside, cell, allowed = cells
    misses = outside.sum(axis=0)
    images = views.images.clone()
    for view in range(len(views)):
        # A view does not count against what it alone denies, so its own mask is judged by the others.
        mask = (images[view, ..., 3] >= 128).cpu().numpy()
        stray = mask & ~_drawn(views, view, points[:, misses - outside[view] <= allowed], cell)
        if stray.sum() <= _MOST * mask.sum():
            images[view, ..., 3][torch.from_numpy(stray).to(images.device)] = 0
    return Views(images, views.cameras, views.names, views.known)


def _allowed(views: Views) -> tuple[np.ndarray, np.ndarray, float, int] | None:
    """Centres (3, N) of cells that few views deny, which ones do (B, N), the cells' size, and how many may."""
    try:
        center = bounds.meeting_point(views)
    except ValueError:
        center = (
            None  # an empty mask, or cameras that look away: said again by whoever needs the object's place
        )
    if center is None:
        return None
    outlines = bounds.outlines_of(_generous(views))
    allowed = max(1, round(_DISSENT * len(views)))

    def carved(points: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
        outside = np.stack([~bounds.in_cone(outlines, view, points, cell) for view in range(len(views))])
        kept = outside.sum(axis=0) <= allowed + 1
        return points[:, kept], outside[:, kept]

    half = bounds.first_half_size(views, center)
    for _ in range(4):
        cell = 2 * half / bounds.CELLS
        points, outside = carved(bounds.grid(center, cell), cell)
        if not (np.abs(points - center[:, None]) > half - cell).any():  # nothing at the border of the grid
            break
        half = 1.5 * half
    else:
        return None  # seen from one side only: the cones never end
    for _ in range(_HALVINGS):
        points, cell = bounds.halved(points, cell), cell / 2
        points, outside = carved(points, cell)
    return (points, outside, cell, allowed) if points.shape[1] else None


def _generous(views: Views) -> Views:
    """Masks that hold all pixels of which nothing is known."""
    if views.known is None:
        return views
    images = views.images.clone()
    images[..., 3][~views.known] = 255
    return Views(images, views.cameras, views.names)


def _drawn(views: Views, view: int, points: np.ndarray, cell: float) -> np.ndarray:
    """The pixels (H, W) bool that the cells around (3, N) centres cover, and a little more."""
    camera = views.cameras[view]
    pixels, depth = camera.project(torch.from_numpy(points.T).to(camera.world_to_camera))
    hit = np.zeros((views.cameras.height, views.cameras.width), dtype=bool)
    ahead = depth[0] > 0
    if not bool(ahead.any()):
        return hit
    column, row = pixels[0][ahead].floor().long().cpu().numpy().T
    inside = (column >= 0) & (row >= 0) & (column < hit.shape[1]) & (row < hit.shape[0])
    hit[row[inside], column[inside]] = True
    focal = float(camera.intrinsics[0, [0, 1], [0, 1]].max())
    footprint = focal * cell * 3**0.5 / 2 / float(depth[0][ahead].median())
    covered: np.ndarray = ndimage.distance_transform_edt(~hit) <= footprint + 1
    return covered
