"""Lenses that distort: the models, the ideal image of a photograph, and where it is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import label

from ...images.resampling import sampled
from ..shots import Lens

# Of its width and height: how much larger, on each side, the ideal image may be than the photograph.
_BEYOND = 0.25
_PROBES = 48  # along the longer side, to find how large it is


def opencv_lens(
    intrinsics: np.ndarray,
    radial: Sequence[float],
    tangential: Sequence[float] = (0.0, 0.0),
    divisor: Sequence[float] = (),
) -> Lens:
    """OpenCV's lens: x' = x (1 + k1 r^2 + k2 r^4 ...) / (1 + k4 r^2 + ...) + 2 p1 x y + p2 (r^2 + 2 x^2), y' alike.

    Parameters
    ----------
    intrinsics : (3, 3) float64
        Of the photograph as it is on disk, from distorted points of the image plane to pixels.
    radial : floats
        k1, k2, ... of any number; COLMAP's SIMPLE_RADIAL has one, RADIAL two, nerfstudio up to four.
    tangential : two floats
        p1 and p2.
    divisor : floats
        k4, k5, k6 of OpenCV's rational model, COLMAP's FULL_OPENCV.
    """
    p1, p2 = tangential

    def lens(points: np.ndarray) -> np.ndarray:
        x, y = points[:, 0], points[:, 1]
        square = x * x + y * y
        stretch = _polynomial(radial, square) / _polynomial(divisor, square)
        bent_x = stretch * x + 2 * p1 * x * y + p2 * (square + 2 * x * x)
        bent_y = stretch * y + 2 * p2 * x * y + p1 * (square + 2 * y * y)
        return _to_pixels(intrinsics, bent_x, bent_y)

    return lens


def fisheye_lens(intrinsics: np.ndarray, coefficients: Sequence[float]) -> Lens:
    """OpenCV's fisheye: a ray at the angle a from the axis arrives at the radius a (1 + k1 a^2 + ... + k4 a^8).

    Parameters
    ----------
    intrinsics : (3, 3) float64
        Of the photograph as it is on disk, from distorted points of the image plane to pixels.
    coefficients : floats
        k1 to k4.
    """

    def lens(points: np.ndarray) -> np.ndarray:
        radius = np.hypot(points[:, 0], points[:, 1])
        angle = np.arctan(radius)
        bent = angle * _polynomial(coefficients, angle * angle)
        stretch = np.where(radius > 1e-9, bent / np.maximum(radius, 1e-9), 1.0)
        return _to_pixels(intrinsics, stretch * points[:, 0], stretch * points[:, 1])

    return lens


def undistorted(
    pixels: np.ndarray, lens: Lens, intrinsics: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The image that a pinhole camera would have taken, its camera, and where the photograph shows it.

    Parameters
    ----------
    pixels : (H, W, 4) uint8
        The photograph, perhaps made smaller.
    lens : callable
        From the ideal image plane to pixels of the photograph as it is on disk.
    intrinsics : (3, 3) float64
        Of the ideal camera, for pixels of this size.
    scale : (2,)
        Pixels of `pixels` per pixel of the photograph on disk, in x and y.

    Returns
    -------
    pixels : (h, w, 4) uint8
        0 where nothing is known. As large as what the photograph shows, within a quarter of its size on each side.
    intrinsics : (3, 3) float64
        Of that image: the principal point has moved with its corner.
    known : (h, w) bool
        False beyond the border of the photograph and where the lens's formula folds the image over.

    Raises
    ------
    ValueError
        If no pixel is known.
    """
    height, width = pixels.shape[:2]

    def arrivals(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rays = np.stack([u, v, np.ones_like(u)], axis=-1).reshape(-1, 3) @ np.linalg.inv(intrinsics).T
        with np.errstate(invalid="ignore", over="ignore"):
            at = np.asarray(lens(rays[:, :2] / rays[:, 2:])).reshape(*u.shape, 2) * scale
        return at, _seen(at, u, v, intrinsics, width, height)

    step = max(width, height) / _PROBES
    margin_x, margin_y = _BEYOND * width, _BEYOND * height
    u, v = np.meshgrid(
        np.arange(-margin_x, width + margin_x + step, step),
        np.arange(-margin_y, height + margin_y + step, step),
    )
    _, seen = arrivals(u, v)
    if not seen.any():
        raise ValueError(
            "lens: with this distortion no pixel of the ideal image is on the photograph; check the coefficients"
        )
    x0, y0 = (
        int(np.floor(max(of[seen].min() - step, -margin))) for of, margin in ((u, margin_x), (v, margin_y))
    )
    x1, y1 = (
        int(np.ceil(min(of[seen].max() + step, size + margin)))
        for of, size, margin in ((u, width, margin_x), (v, height, margin_y))
    )
    at, seen = arrivals(*np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5))
    ideal = sampled(pixels, np.where(seen[..., None], at, 0.0))
    ideal[~seen] = 0
    return ideal, intrinsics - np.array([[0.0, 0.0, x0], [0.0, 0.0, y0], [0.0, 0.0, 0.0]]), seen


def _seen(
    at: np.ndarray, u: np.ndarray, v: np.ndarray, intrinsics: np.ndarray, width: int, height: int
) -> np.ndarray:
    """Where (h, w, 2) arrivals are on the photograph, in the part around the axis that keeps its orientation."""
    with np.errstate(invalid="ignore", over="ignore"):
        right, down = np.gradient(at, axis=1), np.gradient(at, axis=0)
        # Beyond some radius the polynomials turn back, and would show the middle of the photograph once more.
        upright = right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0] > 0
        inside = upright & (at > 0).all(axis=-1) & (at < [width, height]).all(axis=-1)
    if not inside.any():
        return inside
    parts, count = label(inside)
    if count == 1:
        return inside
    off_axis = np.hypot(u - intrinsics[0, 2], v - intrinsics[1, 2])
    nearest = np.where(inside, off_axis, np.inf).argmin()
    connected: np.ndarray = parts == parts.ravel()[nearest]
    return connected


def _polynomial(coefficients: Sequence[float], square: np.ndarray) -> np.ndarray:
    """1 + c1 s + c2 s^2 + ..."""
    total = np.zeros_like(square)
    for coefficient in reversed(coefficients):
        total = (total + coefficient) * square
    return 1 + total


def _to_pixels(intrinsics: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack([x, y, np.ones_like(x)], axis=1) @ intrinsics[:2].T
