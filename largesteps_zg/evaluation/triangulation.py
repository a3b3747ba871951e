"""Points of the object from its photographs and cameras alone: no mesh, no light, nothing of a reconstruction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..cameras.model import Cameras
from ..scenes.photographs.matching import Features, features, matches
from ..scenes.views import Views

LEAST_VIEWS = 3
REPROJECTION = 0.7  # pixels, in every view of a track
RAYS = 3.0  # degrees between the two rays of a track that are farthest apart
INSIDE = 0.95  # of the masks that see a point: real ones have bites
ROUNDS = 10  # of Gauss-Newton, from the linear solution: more than it needs, and cheap


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


@dataclass(frozen=True)
class _Tracks:
    """Features that show one spot: observations sorted by track."""

    track: np.ndarray  # (O,) int64, of each observation
    view: np.ndarray  # (O,) int64
    pixels: np.ndarray  # (O, 2)

    def __len__(self) -> int:
        return int(self.track[-1]) + 1 if len(self.track) else 0

    def some(self, keep: np.ndarray) -> _Tracks:
        """Those of the tracks, numbered anew."""
        chosen = keep[self.track]
        number = np.cumsum(keep) - 1
        return _Tracks(number[self.track[chosen]], self.view[chosen], self.pixels[chosen])


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
    return _measured(_tracks(found, views.cameras), views)


def _tracks(found: list[Features], cameras: Cameras) -> _Tracks:
    """Connected components of the matches that have three views or more, none of them twice."""
    counts = [len(of.pixels) for of in found]
    offset = np.concatenate([[0], np.cumsum(counts)])
    edges = [pairs + offset[[i, j]] for i, j, pairs in matches(found, cameras)]
    both = np.concatenate(edges) if edges else np.zeros((0, 2), dtype=np.int64)
    total = int(offset[-1])
    graph = coo_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(total, total))
    _, part = connected_components(graph, directed=False)
    view = np.repeat(np.arange(len(found)), counts)
    order = np.lexsort((view, part))
    part, view = part[order], view[order]
    size = np.bincount(part, minlength=1)
    twice = np.zeros(len(size), dtype=bool)
    twice[part[1:][(part[1:] == part[:-1]) & (view[1:] == view[:-1])]] = True
    pixels = np.concatenate([of.pixels for of in found])[order] if found else np.zeros((0, 2))
    return _Tracks(part, view, pixels).some((size >= LEAST_VIEWS) & ~twice)


def _measured(tracks: _Tracks, views: Views) -> TriangulatedPoints:
    """The points of the tracks that can be trusted."""
    if len(tracks) == 0:
        return TriangulatedPoints(np.zeros((0, 3)), np.zeros(0), np.zeros(0, dtype=np.int64))
    camera = views.cameras.to("cpu", torch.float64)
    matrices = (camera.intrinsics @ camera.world_to_camera[:, :3]).numpy()  # (B, 3, 4)
    points = _least_squares(tracks, matrices)
    pixels, depth = _projected(points, tracks, matrices)
    off = np.linalg.norm(pixels - tracks.pixels, axis=1)
    good = np.isfinite(points).all(axis=1)
    np.logical_and.at(good, tracks.track, (off <= REPROJECTION) & (depth > 0))
    good &= _widest(points, tracks, camera.centers.numpy()) >= RAYS
    length = np.bincount(tracks.track)
    errors = np.bincount(tracks.track, weights=off) / length
    good[good] = _inside(points[good], views)
    return TriangulatedPoints(points[good], errors[good], length[good])


def _projected(points: np.ndarray, tracks: _Tracks, matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(O, 2) pixels and (O,) depths of each observation's point in its view."""
    m = matrices[tracks.view]
    image = np.einsum("oij,oj->oi", m[:, :, :3], points[tracks.track]) + m[:, :, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        return image[:, :2] / image[:, 2:], image[:, 2]


def _least_squares(tracks: _Tracks, matrices: np.ndarray) -> np.ndarray:
    """(N, 3) the points whose reprojections miss the features least, from the linear solution by Gauss-Newton."""
    starts = np.flatnonzero(np.diff(tracks.track, prepend=-1))
    m = matrices[tracks.view]
    rows = tracks.pixels[:, :, None] * m[:, 2:] - m[:, :2]  # (O, 2, 4): u (m3 x) - m1 x = 0
    rows /= np.linalg.norm(rows[..., :3], axis=-1, keepdims=True)
    normal = np.add.reduceat(np.einsum("ori,orj->oij", rows, rows), starts)
    # Lengths in x and the 1 below it differ: least squares of A x = b, which is conditioned as the rays are.
    points = np.linalg.solve(normal[:, :3, :3] + 1e-12 * np.eye(3), -normal[:, :3, 3:])[..., 0]
    for _ in range(ROUNDS):
        pixels, depth = _projected(points, tracks, matrices)
        slope = (m[:, :2, :3] - pixels[:, :, None] * m[:, 2:, :3]) / depth[:, None, None]  # (O, 2, 3)
        off = tracks.pixels - pixels
        square = np.add.reduceat(np.einsum("ori,orj->oij", slope, slope), starts)
        step = np.add.reduceat(np.einsum("ori,or->oi", slope, off), starts)
        ridge = 1e-12 * np.trace(square, axis1=1, axis2=2)[:, None, None] * np.eye(3)
        usable = np.isfinite(square).all(axis=(1, 2)) & np.isfinite(step).all(axis=1) & (ridge[:, 0, 0] > 0)
        points[usable] += np.linalg.solve((square + ridge)[usable], step[usable, :, None])[..., 0]
    return np.asarray(points)


def _widest(points: np.ndarray, tracks: _Tracks, centers: np.ndarray) -> np.ndarray:
    """(N,) degrees between the two rays of a track that are farthest apart."""
    rays = points[tracks.track] - centers[tracks.view]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    widest = np.zeros(len(points))
    starts = np.flatnonzero(np.diff(tracks.track, prepend=-1))
    ends = np.append(starts[1:], len(tracks.track))
    for shift in range(
        1, int((ends - starts).max())
    ):  # each observation with those that follow it in its track
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
        inside = views.images[i, ..., 3].cpu()[y, x] > 127
        seen[shown.numpy()] += known.numpy()
        held[shown.numpy()] += (known & inside).numpy()
    return np.asarray((seen > 0) & (held >= INSIDE * seen))
