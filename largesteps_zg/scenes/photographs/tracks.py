"""Features that show one spot in several photographs, and the points where their rays meet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ...cameras.model import Cameras

ROUNDS = 10  # of Gauss-Newton, from the linear solution: more than it needs, and cheap


@dataclass(frozen=True)
class Tracks:
    """Observations of spots, sorted by track.

    Attributes
    ----------
    track : (O,) int64
        The spot of each observation: 0 to the number of tracks, without gaps.
    view : (O,) int64
    pixels : (O, 2) float64
    """

    track: np.ndarray
    view: np.ndarray
    pixels: np.ndarray

    def __len__(self) -> int:
        """Of tracks."""
        return int(self.track[-1]) + 1 if len(self.track) else 0

    def some(self, keep: np.ndarray) -> Tracks:
        """Those of the tracks, numbered anew."""
        chosen = keep[self.track]
        number = np.cumsum(keep) - 1
        return Tracks(number[self.track[chosen]], self.view[chosen], self.pixels[chosen])


def tracks_of(
    pixels: Sequence[np.ndarray], matches: Iterable[tuple[int, int, np.ndarray]], *, least: int
) -> Tracks:
    """Connected components of matches that have so many views or more, none of them twice.

    Parameters
    ----------
    pixels : sequence of (N, 2) arrays
        Features of each view.
    matches : iterable of (int, int, (M, 2) array)
        Two views, and the numbers of features in both that show the same.
    least : int
    """
    counts = [len(of) for of in pixels]
    offset = np.concatenate([[0], np.cumsum(counts)])
    edges = [pairs + offset[[i, j]] for i, j, pairs in matches]
    both = np.concatenate(edges) if edges else np.zeros((0, 2), dtype=np.int64)
    total = int(offset[-1])
    graph = coo_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(total, total))
    _, part = connected_components(graph, directed=False)
    view = np.repeat(np.arange(len(pixels)), counts)
    order = np.lexsort((view, part))
    part, view = part[order], view[order]
    size = np.bincount(part, minlength=1)
    twice = np.zeros(len(size), dtype=bool)
    twice[part[1:][(part[1:] == part[:-1]) & (view[1:] == view[:-1])]] = True
    every = np.concatenate(list(pixels))[order] if len(pixels) else np.zeros((0, 2))
    return Tracks(part, view, every).some((size >= least) & ~twice)


def projections(cameras: Cameras) -> np.ndarray:
    """(B, 3, 4) float64: from the world to homogeneous pixels."""
    camera = cameras.to("cpu", torch.float64)
    return np.asarray((camera.intrinsics @ camera.world_to_camera[:, :3]).numpy())


def projected(points: np.ndarray, tracks: Tracks, matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(O, 2) pixels and (O,) depths of each observation's point in its view."""
    m = matrices[tracks.view]
    image = np.einsum("oij,oj->oi", m[:, :, :3], points[tracks.track]) + m[:, :, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        return image[:, :2] / image[:, 2:], image[:, 2]


def intersected(tracks: Tracks, matrices: np.ndarray) -> np.ndarray:
    """(N, 3) the points whose reprojections miss the features least, from the linear solution by Gauss-Newton."""
    starts = np.flatnonzero(np.diff(tracks.track, prepend=-1))
    m = matrices[tracks.view]
    rows = tracks.pixels[:, :, None] * m[:, 2:] - m[:, :2]  # (O, 2, 4): u (m3 x) - m1 x = 0
    rows /= np.linalg.norm(rows[..., :3], axis=-1, keepdims=True)
    normal = np.add.reduceat(np.einsum("ori,orj->oij", rows, rows), starts)
    # Lengths in x and the 1 below it differ: least squares of A x = b, which is conditioned as the rays are.
    points = np.linalg.solve(normal[:, :3, :3] + 1e-12 * np.eye(3), -normal[:, :3, 3:])[..., 0]
    for _ in range(ROUNDS):
        pixels, depth = projected(points, tracks, matrices)
        slope = (m[:, :2, :3] - pixels[:, :, None] * m[:, 2:, :3]) / depth[:, None, None]  # (O, 2, 3)
        off = tracks.pixels - pixels
        square = np.add.reduceat(np.einsum("ori,orj->oij", slope, slope), starts)
        step = np.add.reduceat(np.einsum("ori,or->oi", slope, off), starts)
        ridge = 1e-12 * np.trace(square, axis1=1, axis2=2)[:, None, None] * np.eye(3)
        usable = np.isfinite(square).all(axis=(1, 2)) & np.isfinite(step).all(axis=1) & (ridge[:, 0, 0] > 0)
        points[usable] += np.linalg.solve((square + ridge)[usable], step[usable, :, None])[..., 0]
    return np.asarray(points)
