"""A mask as a cone, with the object inside it at any depth.

It runs in NumPy and float64 on the CPU. It takes many small steps, which PyTorch's threads would only slow down, and no
gradient passes through.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects, map_coordinates

from ...images.masks import on_object
from ..views import Views

# Masks are shrunk to at most this many pixels along a side. COARSE is enough to tell whether a cell belongs to a cone.
# A surface between the nodes of a grid of 96 comes out a sixth worse with COARSE than with FINE.
COARSE, FINE = 320, 640


@dataclass(frozen=True)
class Cone:
    """A mask with its camera.

    Beyond the border of the image the nearest pixel decides, so a mask that touches the border goes on beyond it. An
    open cone holds all that the image does not show: of an object that the image cuts off, nobody knows where it goes.

    Attributes
    ----------
    world_to_camera : (3, 4) float64
        [R t].
    intrinsics : (3, 3) float64
        K, of the shrunk mask.
    distance : (h, w) float32
        Distance from a pixel's centre to the outline, in pixels; negative outside.
    open : bool
        Nothing is known beyond the border.
    """

    world_to_camera: np.ndarray
    intrinsics: np.ndarray
    distance: np.ndarray
    open: bool = False

    @property
    def pixel(self) -> float:
        """Size of a pixel at depth 1."""
        return 1 / float(np.sqrt(self.intrinsics[0, 0] * self.intrinsics[1, 1]))

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (2, N) as (row, column), from the middle of the first one; and depths (N,)."""
        x = self._in_camera(points)
        return self._pixels(x), x[2]

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """(N,) in the world's units at each point's depth: positive where the point is seen inside the mask."""
        pixels, depth = self.project(points)
        inside = np.clip(pixels, 0, self._last)
        found = map_coordinates(self.distance, inside, order=1, mode="nearest", output=np.float64)
        beyond = np.sqrt(np.square(pixels - inside).sum(axis=0))
        if self.open:
            found = np.where(self._beside(pixels), np.inf, found)
        else:
            found = np.where(found < 0, found - beyond, found)
        return np.where(depth > 0, found * self.pixel * depth, -np.inf)

    def contains(self, points: np.ndarray) -> np.ndarray:
        """(N,) bool: whether the pixel in which each point is seen belongs to the mask."""
        pixels, depth = self.project(points)
        row, column = np.clip(np.floor(pixels + 0.5), 0, self._last).astype(np.int64)
        unknown = self._beside(pixels) if self.open else np.zeros(len(points), dtype=bool)
        inside: np.ndarray = (depth > 0) & ((self.distance[row, column] > 0) | unknown)
        return inside

    def touches(self, points: np.ndarray, radius: float) -> np.ndarray:
        """(N,) bool: whether the ball around each point may touch the cone.

        This keeps thin parts, in which no point of a grid lies.
        """
        x = self._in_camera(points)
        depth, pixel = x[2], np.floor(self._pixels(x) + 0.5)
        clamped = np.clip(pixel, 0, self._last)
        row, column = clamped.astype(np.int64)
        distance = self.distance[row, column].astype(np.float64)
        gap = np.where(distance < 0, 0.5 - distance, 0.0)  # to the middle of the nearest pixel of the mask
        beyond = np.where(gap > 0, np.square(pixel - clamped).sum(axis=0), 0.0)
        # The ball's image is at most this large.
        slant = np.sqrt(np.square(x).sum(axis=0)) / np.maximum(depth, 1e-12)
        focal = max(self.intrinsics[0, 0], self.intrinsics[1, 1])
        reach = focal * radius / np.maximum(depth - radius, 1e-12) * slant
        near = beyond + np.square(gap) <= np.square(reach + 0.5)
        if self.open:
            near |= self._beside(pixel)
        touching: np.ndarray = (depth > 0) & near
        return touching

    def shows(self, points: np.ndarray) -> np.ndarray:
        """(N,) bool: whether each point is within the image."""
        pixels, depth = self.project(points)
        shown: np.ndarray = (depth > 0) & ~self._beside(pixels)
        return shown

    def _beside(self, pixels: np.ndarray) -> np.ndarray:
        """(N,) bool: whether pixels (2, N) lie beyond the border of the image."""
        return np.asarray(((pixels < -0.5) | (pixels > self._last + 0.5)).any(axis=0))

    @property
    def _last(self) -> np.ndarray:
        return np.array(self.distance.shape)[:, None] - 1

    def _in_camera(self, points: np.ndarray) -> np.ndarray:
        """(3, N) in the camera's coordinates."""
        x: np.ndarray = self.world_to_camera[:, :3] @ points.T + self.world_to_camera[:, 3:]
        return x

    def _pixels(self, x: np.ndarray) -> np.ndarray:
        """(2, N) as (row, column) of points (3, N) in the camera's coordinates."""
        depth = np.where(np.abs(x[2]) > 1e-12, x[2], 1e-12)
        pixels: np.ndarray = (self.intrinsics[:2] @ x / depth)[::-1] - 0.5
        return pixels


def known_depth(views: Views, cones: list[Cone], points: np.ndarray) -> np.ndarray:
    """(N,) distance of each point to where the object cannot be, as far as the views' ball says; positive inside it.

    The object is in the ball, and where most photographs show it: of what few show, their cones leave long tails. It is
    infinite where the views have no ball.
    """
    if views.ball is None:
        return np.full(len(points), np.inf)
    shown = np.zeros(len(points), dtype=np.int64)
    for cone in cones:
        shown += cone.shows(points)
    return np.where(2 * shown >= len(cones), views.ball.depth(points), -np.inf)


def masks_of(views: Views) -> np.ndarray:
    """(B, H, W) bool: where at least half of a pixel is object."""
    masks: np.ndarray = on_object(views.images[..., 3].cpu().numpy())
    return masks


def cones_of(views: Views, *, size: int = COARSE, every_pixel: bool = False) -> list[Cone]:
    """The masks of all views, shrunk to a size that suits a grid.

    Parameters
    ----------
    views : Views
    size : int
        The largest number of pixels along a side.
    every_pixel : bool
        True: a pixel of the shrunk mask is object where any part of it is, so no thin part is lost. False: where half
        of it is.
    """
    matrices = views.cameras.world_to_camera.detach().cpu().double().numpy()[:, :3]
    intrinsics = views.cameras.intrinsics.detach().cpu().double().numpy()
    factor = -(-max(views.cameras.height, views.cameras.width) // size)  # rounded up
    shrinking = np.array([factor, factor, 1.0])[:, None]
    cones = []
    for i in range(len(views)):
        alpha = views.images[i, ..., 3].cpu().numpy()
        if views.known is not None:
            alpha = _extended(alpha, views.known[i].cpu().numpy())
        # Shrink alpha before cutting it at half: soft values tell where the outline is within a pixel.
        mask = on_object((_largest if every_pixel else _means)(alpha, factor))
        cut_off = bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())
        beyond = views.ball is not None and cut_off
        cones.append(Cone(matrices[i], intrinsics[i] / shrinking, _signed_distance(mask), beyond))
    return cones


def _extended(alpha: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Alpha with the nearest known pixel in place of each unknown one, as at the border of an image."""
    if known.all():
        return alpha
    row, column = distance_transform_edt(~known, return_distances=False, return_indices=True)
    extended: np.ndarray = alpha[row, column]
    return extended


def _largest(image: np.ndarray, factor: int) -> np.ndarray:
    """The largest value in each square of pixels; squares at the far border may be smaller."""
    for axis in (0, 1):
        image = np.maximum.reduceat(image, np.arange(0, image.shape[axis], factor), axis=axis)
    return image


def _means(image: np.ndarray, factor: int) -> np.ndarray:
    """Means over squares of pixels; those at the far border may be smaller."""
    if factor == 1:
        return image
    sums, ones = image.astype(np.float64), np.ones(image.shape)
    for axis in (0, 1):
        starts = np.arange(0, image.shape[axis], factor)
        sums, ones = (np.add.reduceat(part, starts, axis=axis) for part in (sums, ones))
    means: np.ndarray = sums / ones
    return means


def _signed_distance(mask: np.ndarray) -> np.ndarray:
    """Distance from pixels' middles to the outline, half-way between the last pixel inside and the first outside."""
    if not mask.any():
        return np.full(mask.shape, -float(sum(mask.shape)), dtype=np.float32)
    padded = np.pad(mask, 1, "edge")
    distance = 0.5 - distance_transform_edt(~padded)
    along = find_objects(padded.view(np.int8))[0]
    box = tuple(slice(max(part.start - 1, 0), part.stop + 1) for part in along)  # the rest has no inside
    distance[box] += np.where(padded[box], distance_transform_edt(padded[box]) - 1, 0)
    return distance[1:-1, 1:-1].astype(np.float32)
