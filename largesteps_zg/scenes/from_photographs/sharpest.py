"""Which frames of a video are taken: the sharpest one of each stretch, where stretches are even in motion and time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

_COARSE, _BLOCK = 4, 20  # a pixel of the flow holds 4 x 4 others; a block of it 20 x 20


def sharpness(grey: np.ndarray) -> float:
    """Variance of the Laplacian of brightness (H, W): the less, the more a frame is blurred."""
    return float(ndimage.laplace(grey.astype(np.float32)).var())


def coarse(grey: np.ndarray) -> np.ndarray:
    """Brightness (H, W) on a coarse grid, smooth, of mean 0 and variance 1; what `motion` compares."""
    rows, columns = (max(side // _COARSE, 1) for side in grey.shape)
    whole = grey[: rows * _COARSE, : columns * _COARSE].astype(np.float32)
    small = whole.reshape(rows, len(whole) // rows, columns, -1).mean(axis=(1, 3))
    small = ndimage.gaussian_filter(small, 2.0)
    spread: np.ndarray = (small - small.mean()) / max(float(small.std()), 1e-6)
    return spread


def motion(first: np.ndarray, second: np.ndarray) -> float:
    """How far things move from one coarse image to the next, in widths of the image.

    The displacement of each block by least squares on the images' derivatives; of all blocks the median, each weighed
    by how well its texture tells displacements.

    References
    ----------
    Lucas, Kanade: An Iterative Image Registration Technique. IJCAI 1981.
    """
    if min(first.shape) < 2:
        return 0.0
    gy, gx = np.gradient((first + second) / 2)
    change = first - second
    xx, xy, yy, xt, yt = (_blocks(part) for part in (gx * gx, gx * gy, gy * gy, gx * change, gy * change))
    middle, half = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    weight = middle - half  # the smaller eigenvalue
    determinant = xx * yy - xy * xy
    told = determinant > 1e-9 * middle**2
    if not told.any():
        return 0.0
    xx, xy, yy, xt, yt, determinant, weight = (
        part[told] for part in (xx, xy, yy, xt, yt, determinant, weight)
    )
    length = np.hypot(yy * xt - xy * yt, xx * yt - xy * xt) / determinant
    order = length.argsort()
    share = weight[order].cumsum() / weight.sum()
    # Derivatives tell no displacement beyond their own image.
    return min(float(length[order][np.searchsorted(share, 0.5)]) / first.shape[1], 1.0)


def _blocks(image: np.ndarray) -> np.ndarray:
    """(N,) sums over blocks."""
    rows, columns = (np.arange(0, side, _BLOCK) for side in image.shape)
    sums: np.ndarray = np.add.reduceat(np.add.reduceat(image, rows, axis=0), columns, axis=1).ravel()
    return sums


def chosen(sharp: Sequence[float], moved: Sequence[float], times: Sequence[float], count: int) -> list[int]:
    """The sharpest frame of each of so many stretches of a video.

    Half of the way through the video is counted by motion, half by time: of neighbours that are chosen, little more
    than two stretches of equal motion lie between, and than two of equal time. So a camera that rests costs few frames,
    and one that moves fast leaves no gap.

    Parameters
    ----------
    sharp : sequence of N floats
    moved : sequence of N floats
        From the frame before, in any unit; 0 for the first.
    times : sequence of N floats
        Ascending.
    count : int
        >= 1

    Returns
    -------
    list of int
        Ascending; all N where there are no more than `count`, and fewer where a stretch holds no frame.
    """
    if len(sharp) <= count:
        return list(range(len(sharp)))
    ways = [np.cumsum(moved), np.maximum.accumulate(np.asarray(times, dtype=np.float64)) - times[0]]
    shares = [way / way[-1] for way in ways if way[-1] > 0] or [np.linspace(0, 1, len(sharp))]
    stretch = np.minimum((np.mean(shares, axis=0) * count).astype(int), count - 1)
    best: dict[int, int] = {}
    for index, number in enumerate(stretch.tolist()):
        if number not in best or sharp[index] > sharp[best[number]]:
            best[number] = index
    return sorted(best.values())
