"""What a table looks like: the median of all photographs that see a place of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import map_coordinates

from ....constants import DEFAULTS, Outlining
from ....scenes.from_photographs.object import Support
from ....scenes.views import Ball, Views

ROWS = 32  # of an image or a table that are worked on at a time


def logarithms(pixels: np.ndarray, dark: float) -> np.ndarray:
    """Of bytes of sRGB and of what is added to them, so that a gain is a shift."""
    shifted: np.ndarray = np.log(pixels[..., :3].astype(np.float32) + dark)
    return shifted


def least_spread(colors: np.ndarray) -> np.ndarray:
    """Half a level, by which photographs of one thing differ when they are rounded, in logarithms (3, ...)."""
    return 0.5 * np.exp(-colors).max(axis=0)


@dataclass(frozen=True)
class PlaneLook:
    """Logarithms of colours on a square of a table around the object.

    Attributes
    ----------
    support : Support
    foot, along : (3,) and (2, 3) float64 arrays
        The middle of the square, and its axes, each as long as half a side.
    colors : (3, N, N) float32 array
        NaN where no photograph shows the place.
    spread : (N, N) float32 array
        Median of the photographs' differences from that.
    hidden : (N, N) int array
        Something stands before it in most of those that show it, and in all but a few: numbers of such places; else -1.
    before : (B, M, 3) float32 array
        What each photograph shows at these: the table, if it is free after all, or what stands before it.
    """

    support: Support
    foot: np.ndarray
    along: np.ndarray
    colors: np.ndarray
    spread: np.ndarray
    hidden: np.ndarray
    before: np.ndarray

    @property
    def usual(self) -> float:
        """Of the differences, the median."""
        return float(np.nanmedian(self.spread))

    def at(self, views: Views, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The look (3, H, W) of what the pixels of a view would see on the table, and its spread (H, W); else NaN."""
        row, column = self._places(views, index)
        found = [
            map_coordinates(part, (row, column), order=1, mode="constant", cval=np.nan, output=np.float32)
            for part in (*self.colors, self.spread)
        ]
        return np.stack(found[:3]), found[3]

    def others(self, views: Views, index: int) -> tuple[np.ndarray, np.ndarray]:
        """(H, W) bool: pixels of a view whose place is hidden in most; what other photographs show there (B, K, 3)."""
        found = map_coordinates(self.hidden, self._places(views, index), order=0, mode="constant", cval=-1)
        where = found >= 0
        return where, np.delete(self.before, index, axis=0)[:, found[where]]

    def _places(self, views: Views, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Where the pixels' rays meet the plane, (H, W) rows and columns of the square; -9 where they do not."""
        matrix = views.cameras.world_to_camera[index].double().cpu().numpy()
        k = views.cameras.intrinsics[index].double().cpu().numpy()
        turn, center = matrix[:3, :3], -matrix[:3, :3].T @ matrix[:3, 3]
        height, width = views.images.shape[1:3]
        # The homography from the plane, as two directions and a point of it, to pixels; and back.
        forth = k @ turn @ np.stack([*self.along, self.foot - center], axis=1)
        x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        back = np.linalg.inv(forth) @ np.stack([x.reshape(-1), y.reshape(-1), np.ones(x.size)])
        ahead = back[2] > 0 if self.support.above(center[None])[0] > 0 else np.zeros(x.size, dtype=bool)
        size = len(self.spread)
        places = np.where(ahead, (back[:2] / np.where(ahead, back[2], 1.0) + 1.0) / 2 * size - 0.5, -9.0)
        row, column = places.reshape(2, height, width)
        return row, column


def plane_look(
    views: Views,
    ball: Ball,
    support: Support,
    gains: np.ndarray,
    covered: np.ndarray | None = None,
    constants: Outlining = DEFAULTS.outlining,
) -> PlaneLook:
    """The look of a table around the object in a ball.

    Parameters
    ----------
    views : Views
    ball : Ball
    support : Support
    gains : (B, 3) array
        Logarithms of the photographs' brightness.
    covered : (B, H, W) bool array, optional
        Where something stands before the table. A place that it hides in all photographs has the look of them all: if
        that is the table's after all, they agree.
    constants : Outlining, optional
    """
    normal, center = support.normal, ball.center.double().cpu().numpy()
    foot = center - support.above(center[None])[0] * normal
    first = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    first *= constants.reach * ball.radius / np.linalg.norm(first)
    along = np.stack([first, np.cross(normal, first)])
    size = constants.squares
    ticks = (np.arange(size) + 0.5) / size * 2 - 1
    colors = np.full((3, size, size), np.nan, dtype=np.float32)
    spread = np.full((size, size), np.nan, dtype=np.float32)
    logs = [
        logarithms(image, constants.dark) - gain
        for image, gain in zip(views.images.cpu().numpy(), gains, strict=True)
    ]
    seen = np.ones(views.images.shape[:3], dtype=bool) if views.known is None else views.known.cpu().numpy()
    photographed, hides = seen, np.full((size, size), -1)
    stacks = [np.zeros((len(views), 0, 3), dtype=np.float32)]
    if covered is not None:
        seen = seen & ~covered
    for start in range(0, size, ROWS):
        rows = slice(start, start + ROWS)
        points = foot + (ticks[rows, None, None] * along[0] + ticks[None, :, None] * along[1])
        looks = _looks(views, logs, seen, points.reshape(-1, 3))
        if covered is not None:
            free = looks[..., 0].isfinite().sum(dim=0)
            hidden = free < constants.fewest
            if bool(hidden.any()):
                looks[:, hidden] = _looks(views, logs, photographed, points.reshape(-1, 3)[hidden.numpy()])
                before = (hidden & (2 * free < looks[..., 0].isfinite().sum(dim=0))).numpy()
                known = sum(stack.shape[1] for stack in stacks)
                numbers = np.where(before, known + before.cumsum() - 1, -1)
                hides[rows] = numbers.reshape(-1, size)
                stacks.append(looks.numpy()[:, before])
        middle = looks.nanmedian(dim=0).values
        colors[:, rows] = middle.T.reshape(3, -1, size).numpy()
        apart = (looks - middle).abs().amax(dim=2).nanmedian(dim=0).values
        spread[rows] = np.maximum(apart.reshape(-1, size).numpy(), least_spread(colors[:, rows]))
    return PlaneLook(support, foot, along, colors, spread, hides, np.concatenate(stacks, axis=1))


def _looks(views: Views, logs: list[np.ndarray], seen: np.ndarray, points: np.ndarray) -> torch.Tensor:
    """(B, N, 3) colours of points in all photographs, NaN where they are not seen."""
    height, width = seen.shape[1:]
    pixels, depths = views.cameras.project(torch.from_numpy(points))
    found = np.full((len(views), len(points), 3), np.nan, dtype=np.float32)
    for index, (at, depth) in enumerate(zip(pixels.cpu().numpy(), depths.cpu().numpy(), strict=True)):
        column, row = np.floor(at).astype(np.int64).clip(-1, 1 << 20).T
        ok = (depth > 0) & (row >= 0) & (row < height) & (column >= 0) & (column < width)
        ok[ok] = seen[index, row[ok], column[ok]]
        found[index, ok] = logs[index][row[ok], column[ok]]
    return torch.from_numpy(found)
