"""Points of the object from its photographs and cameras alone: no mesh, no light, nothing of a reconstruction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from ..images.masks import on_object
from ..scenes.photographs.matching import features, matches
from ..scenes.photographs.tracks import Tracks, intersected, projected, projections, tracks_of
from ..scenes.views import Views

LEAST_VIEWS = 3
REPROJECTION = 0.7  # pixels, in every view of a track
RAYS = 3.0  # degrees between the two rays of a track that are farthest apart
INSIDE = 0.95  # of the masks that see a point: real ones have bites


@dataclass(frozen=True)
class TriangulatedPoints:
    """Points of the object.

    Attributes
    ----------
    xyz : (N, 3) float64
        In the cameras' world.
    errors : (N,) float64
        Mean reprojection error, pixels.
    views : (N,) int64
        How many views each was found in.
    """

    xyz: np.ndarray
    errors: np.ndarray
    views: np.ndarray


def triangulated_points(views: Views) -> TriangulatedPoints:
    """Triangulate what three photographs or more show: a reference for any scene, independent of a reconstruction.

    SIFT features inside the masks; mutual nearest neighbours that pass the ratio test and agree with the given cameras
    within a pixel; their connected components as tracks, without those that show a view twice; the point of least
    squares. A point stays if it is seen by three views or more, lies in front of all of them, is reprojected within 0.7
    pixels in each, two of its rays are 3° apart or more, and 95 % of the masks that see it contain it.

    Parameters
    ----------
    views : Views
        Photographs, masks and cameras. The cameras are believed.

    Returns
    -------
    TriangulatedPoints
        Maybe none: a smooth object has nothing to find.

    Notes
    -----
    Deterministic. 49 photographs of 1600 x 1200 (DTU's scan 65) take 130 s on one core, and give 1,789 points. Views
    that a run has never seen make points that it has never seen; six of 49 are too few for tracks of three.

    References
    ----------
    Lowe: Distinctive Image Features from Scale-Invariant Keypoints. IJCV 2004. Hartley, Zisserman: Multiple View
    Geometry, 2nd ed., 12.2 (linear triangulation).
    """
    found = features(views)
    tracks = tracks_of([of.pixels for of in found], matches(found, views.cameras), least=LEAST_VIEWS)
    return _measured(tracks, views)


def _measured(tracks: Tracks, views: Views) -> TriangulatedPoints:
    """The points of the tracks that can be trusted."""
    if len(tracks) == 0:
        return TriangulatedPoints(np.zeros((0, 3)), np.zeros(0), np.zeros(0, dtype=np.int64))
    matrices = projections(views.cameras)
    points = intersected(tracks, matrices)
    pixels, depth = projected(points, tracks, matrices)
    off = np.linalg.norm(pixels - tracks.pixels, axis=1)
    good = np.isfinite(points).all(axis=1)
    np.logical_and.at(good, tracks.track, (off <= REPROJECTION) & (depth > 0))
    good &= _widest(points, tracks, views.cameras.centers.double().cpu().numpy()) >= RAYS
    length = np.bincount(tracks.track)
    errors = np.bincount(tracks.track, weights=off) / length
    good[good] = _inside(points[good], views)
    return TriangulatedPoints(points[good], errors[good], length[good])


def _widest(points: np.ndarray, tracks: Tracks, centers: np.ndarray) -> np.ndarray:
    """(N,) degrees between the two rays of a track that are farthest apart."""
    rays = points[tracks.track] - centers[tracks.view]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    widest = np.zeros(len(points))
    starts = np.flatnonzero(np.diff(tracks.track, prepend=-1))
    ends = np.append(starts[1:], len(tracks.track))
    # Each observation is compared with those that follow it in its track.
    for shift in range(1, int((ends - starts).max())):
        here = np.flatnonzero(tracks.track[shift:] == tracks.track[:-shift])
        cosine = (rays[here] * rays[here + shift]).sum(axis=1).clip(-1, 1)
        np.maximum.at(widest, tracks.track[here], np.degrees(np.arccos(cosine)))
    return widest


def _inside(points: Float[np.ndarray, "N 3"], views: Views) -> np.ndarray:
    """(N,) whether nearly all masks of the views whose photographs show a point contain it."""
    seen, held = np.zeros(len(points)), np.zeros(len(points))
    where = torch.from_numpy(points)
    height, width = views.images.shape[1:3]
    for i in range(len(views)):
        pixels, depth = views.cameras[i].to("cpu", torch.float64).project(where)
        at = pixels[0].floor().nan_to_num(nan=-1.0).clamp(-1, max(height, width)).long()
        shown = (depth[0] > 0) & (at >= 0).all(1) & (at[:, 0] < width) & (at[:, 1] < height)
        x, y = at[shown].unbind(1)
        known = torch.ones(len(x), dtype=torch.bool) if views.known is None else views.known[i].cpu()[y, x]
        inside = on_object(views.images[i, ..., 3].cpu()[y, x])
        seen[shown.numpy()] += known.numpy()
        held[shown.numpy()] += (known & inside).numpy()
    return np.asarray((seen > 0) & (held >= INSIDE * seen))
