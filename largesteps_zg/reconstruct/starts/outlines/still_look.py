"""What stays where it is in the photographs of a camera at rest: the median of all of them, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import label, map_coordinates
from scipy.sparse import coo_array, csc_array, diags
from scipy.sparse.linalg import splu
from scipy.special import bdtrc

from ....constants import DEFAULTS, Outlining
from ....scenes.views import Views
from .plane_look import ROWS, least_spread, logarithms

NOWHERE = 1e3  # no colour is near this: nothing at rest is seen there
_COMPARED, _AT_A_TIME = 48, 4096  # photographs with one another, and pixels


@dataclass(frozen=True)
class StillLook:
    """Logarithms of colours behind an object that turns before a camera at rest.

    Attributes
    ----------
    intrinsics : (3, 3) float64 array
        Of the pixels below.
    colors : (3, H, W) float32 array
        NaN where no photograph tells, and far from all where they have nothing in common: what turns is there.
    usual : float
        Of the photographs' differences from that, the median.
    """

    intrinsics: np.ndarray
    colors: np.ndarray
    usual: float

    def at(self, views: Views, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The look (3, H, W) of what the pixels of a view would see, NaN where that is not known; its spread (H, W)."""
        height, width = views.images.shape[1:3]
        k = views.cameras.intrinsics[index].double().cpu().numpy()
        x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        column, row, _ = (
            self.intrinsics @ np.linalg.inv(k) @ np.stack([x.reshape(-1), y.reshape(-1), np.ones(x.size)])
        ).reshape(3, height, width)
        found = [
            map_coordinates(part, (row - 0.5, column - 0.5), order=1, mode="constant", cval=np.nan)
            for part in self.colors
        ]
        return np.stack(found), np.full((height, width), self.usual)

    def steady(self, views: Views, index: int) -> np.ndarray:
        """(H, W) bool: pixels of a view at which the photographs have something in common."""
        colors, _ = self.at(views, index)
        told: np.ndarray = np.abs(colors).max(axis=0) < NOWHERE / 2
        return told


def still_look(
    views: Views,
    gains: np.ndarray,
    covered: np.ndarray | None = None,
    constants: Outlining = DEFAULTS.outlining,
) -> StillLook | None:
    """What the photographs of one camera have in common; None where they are of several.

    Parameters
    ----------
    views : Views
    gains : (B, 3) array
        Logarithms of the photographs' brightness.
    covered : (B, H, W) bool array, optional
        Where something is before what is at rest.
    constants : Outlining, optional
    """
    k = views.cameras.intrinsics.double().cpu()
    if float((k - k[0]).abs().max()) > 0.5:
        return None
    pixels = views.images.cpu().numpy()
    photographed = np.ones(pixels.shape[:3], dtype=bool) if views.known is None else views.known.cpu().numpy()
    seen = photographed if covered is None else photographed & ~covered
    # What is hidden in all of them looks as all of them do: if nothing is before it after all, they agree.
    seen = np.where(seen.sum(axis=0) < constants.fewest, photographed, seen)
    height, width = seen.shape[1:]
    colors = np.full((3, height, width), np.nan, dtype=np.float32)
    spread = np.full((height, width), np.nan, dtype=np.float32)
    for start in range(0, height, ROWS):
        rows = slice(start, start + ROWS)
        logs = logarithms(pixels[:, rows], constants.dark) - gains[:, None, None].astype(np.float32)
        looks = torch.from_numpy(np.where(seen[:, rows, :, None], logs, np.nan))
        middle = looks.nanmedian(dim=0).values
        colors[:, rows] = middle.permute(2, 0, 1).numpy()
        apart = (looks - middle).abs().amax(dim=3).nanmedian(dim=0).values.numpy()
        spread[rows] = np.maximum(apart, least_spread(colors[:, rows]))
    usual = float(np.nanmedian(spread))
    unsteady = spread > constants.steady * usual
    found = _in_common(pixels, photographed, gains, unsteady, constants.steady * usual, constants)
    colors[:, unsteady] = np.where(np.isfinite(found), found, NOWHERE)
    _mend(colors, pixels, photographed, gains, constants.steady * usual, constants)
    return StillLook(k[0].numpy(), colors, usual)


def _mend(
    colors: np.ndarray,
    pixels: np.ndarray,
    photographed: np.ndarray,
    gains: np.ndarray,
    near: float,
    constants: Outlining,
) -> None:
    """What is at rest goes on behind what turns, where some photographs show it, in a shadow or not.

    So shadows do not hide it. Places amid what turns that look otherwise are none of it: a spot of the object on its
    axis stays where it is, too.
    """
    told = np.isfinite(colors[0]) & (colors[0] < NOWHERE / 2)
    parts, count = label(told)
    if count == 0:
        return
    outer = parts == np.bincount(parts[told]).argmax()
    hidden = np.isfinite(colors[0]) & ~outer
    filled = _filled(colors, outer, hidden)
    row, column = np.nonzero(hidden)
    logs = logarithms(pixels[:, row, column], constants.dark) - gains[:, None].astype(np.float32)
    differences = logs - filled.T  # (B, N, 3)
    low, high = differences.min(axis=2), differences.max(axis=2)
    agree = (high - low < 2.0 * near) & (low < near) & photographed[:, row, column]
    own = (np.ptp(colors[:, row, column] - filled, axis=0) < 2.0 * near) & told[row, column]
    shown = agree.sum(axis=0) >= constants.fewest
    made = np.where(shown & ~own, filled, np.where(own, colors[:, row, column], NOWHERE))
    colors[:, row, column] = made


def _filled(colors: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(3, N) colours at N pixels wanted that change as evenly as possible from those known around them."""
    number = np.full(wanted.shape, -1)
    number[wanted] = np.arange(wanted.sum())
    own, other, sides = [], [], np.zeros((3, int(wanted.sum())))
    count = np.full(int(wanted.sum()), 1e-9)
    row, column = np.nonzero(wanted)
    for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        r, c = row + down, column + right
        inside = (r >= 0) & (c >= 0) & (r < wanted.shape[0]) & (c < wanted.shape[1])
        r, c = r.clip(0, wanted.shape[0] - 1), c.clip(0, wanted.shape[1] - 1)
        free, fixed = inside & wanted[r, c], inside & known[r, c]
        own.append(np.flatnonzero(free))
        other.append(number[r, c][free])
        count += free | fixed
        sides += np.where(fixed, colors[:, r, c], 0.0)
    i, j = np.concatenate(own), np.concatenate(other)
    beside = coo_array((np.ones(len(i)), (i, j)), shape=(len(count),) * 2)
    found: np.ndarray = splu(csc_array(csc_array(diags(count)) - beside)).solve(sides.T).T
    return found.astype(np.float32)


def _in_common(
    pixels: np.ndarray,
    photographed: np.ndarray,
    gains: np.ndarray,
    where: np.ndarray,
    near: float,
    constants: Outlining,
) -> np.ndarray:
    """(3, N) colours that more photographs share at the N pixels `where` than would by chance; else NaN.

    So what is at rest is known, too, where something turns before it in most photographs. How often two photographs are
    near by chance is their share at all these pixels. Less than one pixel is expected to share a colour by chance.

    References
    ----------
    Desolneux, Moisan, Morel: Meaningful Alignments. IJCV 40(1), 2000.
    """
    some = np.arange(0, len(pixels), -(-len(pixels) // _COMPARED))
    row, column = np.nonzero(where)
    found = np.full((3, len(row)), np.nan, dtype=np.float32)
    votes = np.zeros(len(row), dtype=np.int64)
    pairs = 0
    for start in range(0, len(row), _AT_A_TIME):
        at = slice(start, start + _AT_A_TIME)
        logs = logarithms(pixels[some][:, row[at], column[at]], constants.dark)
        logs -= gains[some, None].astype(np.float32)
        logs[~photographed[some][:, row[at], column[at]]] = np.nan
        counts = np.zeros(logs.shape[:2], dtype=np.int64)
        for one, look in enumerate(logs):
            agree = np.abs(logs - look).max(axis=2) < near  # (B, N)
            counts[one] = agree.sum(axis=0)
            pairs += int(agree.sum()) - int(agree[one].sum())
        best = counts.argmax(axis=0)
        votes[at] = counts.max(axis=0)
        found[:, at] = np.take_along_axis(logs, best[None, :, None], axis=0)[0].T
    others = len(some) - 1
    chance = pairs / max(len(row) * len(some) * others, 1)
    expected = len(row) * len(some) * bdtrc(votes - 2, others, chance)
    found[:, expected >= 1] = np.nan
    return found


def at_rest(views: Views, outside: np.ndarray, constants: Outlining = DEFAULTS.outlining) -> bool:
    """Whether the camera was at rest: what is around the object has places of its own in the photographs.

    Most pixels (B, H, W) outside are nearer to what the photographs have in common there than to what they have in
    common at the place that mirrors it. Where cameras move, or nothing tells places apart, half are, by chance.
    """
    look = still_look(views, np.zeros((len(views), 3)), constants=constants)
    if look is None:
        return False
    nearer = counted = 0
    for image, part in zip(views.images.cpu().numpy(), outside, strict=True):
        logs = np.moveaxis(logarithms(image, constants.dark), -1, 0)
        own, mirrored = (
            np.abs(logs - colors).max(axis=0) for colors in (look.colors, look.colors[..., ::-1])
        )
        told = part & np.isfinite(own) & np.isfinite(mirrored) & (own != mirrored)
        nearer, counted = nearer + int((own < mirrored)[told].sum()), counted + int(told.sum())
    return 2 * nearer - counted > 0.5 * counted
