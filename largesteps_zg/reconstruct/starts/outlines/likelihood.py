"""How much likelier a pixel's colour is on the object than around it, learned from the photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d, maximum_filter, minimum_filter

from ....constants import DEFAULTS, Outlining
from ....scenes.views import Views
from .plane_look import PlaneLook, least_spread, logarithms
from .still_look import NOWHERE, StillLook

_STEPS = np.concatenate([[0.0], 2.0 ** np.arange(-2.0, 8.0, 0.25)])  # of a look's usual differences
_ASKED = 1 << 22  # pixels, at most, of which it is asked how near a look is

Look = PlaneLook | StillLook


@dataclass(frozen=True)
class _Steps:
    """How far pixels are from a look.

    Attributes
    ----------
    lit, shaded : (H, W) int arrays
        Steps from it, in the light and in a shadow; -1 where the look is not known, or the pixel is no darker.
    dense : (H, W) float array
        By which colours are denser there than where photographs differ as usual.
    colors : (H, W, 3) float array
        The look.
    """

    lit: np.ndarray
    shaded: np.ndarray
    dense: np.ndarray
    colors: np.ndarray


@dataclass(frozen=True)
class Known:
    """Something around the object whose look is known.

    Attributes
    ----------
    look : PlaneLook or StillLook
    near, shaded : (M,) float arrays
        How likely a colour is on it, by its distance from how it looks there, in the light and in a shadow.
    share, shadows : float
        Of what is around the object and could be this, so much is, in the light and in a shadow.
    """

    look: Look
    near: np.ndarray
    shaded: np.ndarray
    share: float
    shadows: float

    def likely(self, steps: _Steps) -> tuple[np.ndarray, np.ndarray]:
        """(H, W) how likely colours are on it, in the light and in a shadow."""
        lit = steps.dense * self.near[steps.lit]
        return lit, steps.dense ** (2 / 3) * np.where(steps.shaded >= 0, self.shaded[steps.shaded], 0.0)


@dataclass(frozen=True)
class Likelihood:
    """What tells the object from what is around it.

    Attributes
    ----------
    inside, outside : (N, N, N) float arrays
        How likely a colour is on the object, and around it.
    around : tuple of Known
        Each before those that come first.
    sure : float
        How likely what hides something in all photographs is the object.
    constants : Outlining
    """

    inside: np.ndarray
    outside: np.ndarray
    around: tuple[Known, ...]
    sure: float
    constants: Outlining

    def ratio(self, views: Views, index: int, gain: np.ndarray) -> np.ndarray:
        """(H, W) logarithm of the ratio of both likelihoods; 0 where nothing is known."""
        logs = logarithms(views.images[index].cpu().numpy(), self.constants.dark) - gain
        bins = _color_bins(logs, self.constants)
        around = self.outside.reshape(-1)[bins]
        looks = [known.look for known in self.around]
        for known, steps in zip(
            self.around, _all_steps(looks, views, index, logs, self.constants), strict=True
        ):
            own = self._own(steps.colors, 0.5)
            lit, shaded = known.likely(steps)
            mixed = own * (known.share * lit + known.shadows * shaded)
            mixed += (1.0 - own * (known.share + known.shadows)) * around
            if isinstance(known.look, PlaneLook):
                where, others = known.look.others(views, index)
                mixed[where] = self._hidden(known, logs[where], others, around[where])
            around = np.where(steps.lit >= 0, mixed, around)
        found = np.log(self.inside.reshape(-1)[bins] / around)
        if views.known is not None:
            found = np.where(views.known[index].cpu().numpy(), found, 0.0)
        return found.astype(np.float32)

    def _own(self, logs: np.ndarray, hides: float) -> np.ndarray:
        """(...) how likely looks (..., 3) are not the object's, if that is before a place as likely as `hides` says."""
        bins = _color_bins(np.nan_to_num(logs), self.constants)
        around, within = (part.reshape(-1)[bins] for part in (self.outside, self.inside))
        own: np.ndarray = (1.0 - hides) * around / ((1.0 - hides) * around + hides * within)
        return own

    def _hidden(self, known: Known, logs: np.ndarray, others: np.ndarray, around: np.ndarray) -> np.ndarray:
        """(K,) how likely colours (K, 3) are where a place of a table is hidden in most photographs.

        Any of the other photographs (B, K, 3) may show it, so it may look like each of them, but for the object's look.
        Those that do agree, while each sees another place of the object.
        """
        total, count, usual = np.zeros_like(around), np.zeros_like(around), known.look.usual
        for look in others:
            seen = np.isfinite(look[:, 0])
            own = known.share * self._own(look[seen], self.sure)
            wide = 2**0.5 * np.maximum(
                least_spread(look[seen].T), usual
            )  # both have noise, a median has none
            near = (usual / wide) ** 3 * known.near[_step(np.abs(logs[seen] - look[seen]).max(axis=1) / wide)]
            total[seen] += own * near + (1.0 - own) * around[seen]
            count += seen
        found: np.ndarray = np.where(count > 0, total / np.maximum(count, 1.0), around)
        return found


def learned(
    views: Views,
    gains: np.ndarray,
    inside: np.ndarray,
    outside: np.ndarray,
    looks: Sequence[Look],
    *,
    mixed: bool = False,
    shadows: bool = False,
    close: np.ndarray | None = None,
    sure: float = 0.5,
    constants: Outlining = DEFAULTS.outlining,
) -> Likelihood:
    """From pixels (B, H, W) bool that are object, or may be, and pixels that are not, but for a few.

    Parameters
    ----------
    views : Views
    gains : (B, 3) array
    inside, outside : (B, H, W) bool arrays
        Where `inside` is empty, any colour is as likely on the object.
    looks : sequence of PlaneLook or StillLook
        Of what is around the object.
    mixed : bool
        Not all inside is object: its colours are those that are there more often than outside. Most colours outside are
        none of the object's, so the median of how often they are inside is that of what is not object.
    shadows : bool
        They may fall on what is around the object in some photographs, and not in others.
    close : (B, H, W) bool array, optional
        Where it is asked how near looks are: shadows fall beside the object.
    sure : float
        See `Likelihood`.
    constants : Outlining, optional
    """
    count = constants.bins**3
    colors = np.zeros((2, count))
    every = -(-outside.size // _ASKED)
    seen: list[list[np.ndarray]] = [[np.zeros((3, 0), dtype=np.int64)] for _ in looks]
    for index, gain in enumerate(gains):
        logs = logarithms(views.images[index].cpu().numpy(), constants.dark) - gain
        bins = _color_bins(logs, constants)
        for side, part in enumerate((outside[index], inside[index])):
            colors[side] += np.bincount(bins[part], minlength=count)
        for steps, some in zip(_all_steps(looks, views, index, logs, constants), seen, strict=True):
            told = outside[index] & (steps.lit >= 0)
            told = told if close is None else told & close[index]
            some.append(np.stack([steps.lit[told], steps.shaded[told], bins[told]])[:, ::every])
    around, within = (
        _smooth(part, constants) for part in (colors[0], _excess(*colors) if mixed else colors[1])
    )
    known = tuple(
        _known(look, np.concatenate(some, axis=1), around, shadows, constants)
        for look, some in zip(looks, seen, strict=True)
    )
    return Likelihood(within, around, known, sure, constants)


def _known(look: Look, seen: np.ndarray, around: np.ndarray, shadows: bool, constants: Outlining) -> Known:
    """From steps of pixels in the light and in a shadow, and bins of their colours, (3, N)."""
    lit, shaded, bins = seen
    size = 2.0 * np.append(_STEPS[1:], 2.0 * _STEPS[-1]) * look.usual / _width(constants)
    counts = np.bincount(lit, minlength=len(_STEPS)).astype(np.float64)
    near = _dense(counts, size**3)
    # A shadow is as likely of any depth. Beside that, two differences between three channels are left.
    counts = np.bincount(shaded[shaded >= 0], minlength=len(_STEPS)).astype(np.float64)
    dark = _dense(counts, 3.0 * size**2) / constants.bins
    of_lit, of_dark = near[lit], np.where(shaded >= 0, dark[shaded], 0.0)
    of_other = around.reshape(-1)[bins]
    parts = np.array([0.5, 0.25 * shadows, 0.5 - 0.25 * shadows])
    for _ in range(20 * bool(len(bins))):  # expectation and maximisation
        total = parts[0] * of_lit + parts[1] * of_dark + parts[2] * of_other
        parts = parts * [(of_lit / total).mean(), (of_dark / total).mean(), (of_other / total).mean()]
        parts = np.maximum(parts, constants.other * np.array([0.0, shadows, 1.0]))
        parts /= parts.sum()
    return Known(look, near, dark, float(parts[0]), float(parts[1]))


def _dense(counts: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """How likely steps are for their volumes, by how often they were seen."""
    found: np.ndarray = gaussian_filter1d(counts, 1.0, mode="nearest") / max(counts.sum(), 1.0)
    return found / np.diff(np.maximum(volume, 1e-9), prepend=0.0)


def _excess(around: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Counts of colours within that are not as around."""
    seen = np.flatnonzero(around)
    if not len(seen):
        return within
    ratio = within[seen] / around[seen]
    order = ratio.argsort()
    counted = around[seen][order].cumsum()
    usual = ratio[order][np.searchsorted(counted, counted[-1] / 2)]
    excess: np.ndarray = np.maximum(within - usual * around, 0.0)
    return excess


def _smooth(counts: np.ndarray, constants: Outlining) -> np.ndarray:
    """Likelihoods of colours by how often they were seen."""
    cube, total = (constants.bins,) * 3, counts.sum()
    if total == 0:
        return np.full(cube, 1.0 / counts.size)
    found: np.ndarray = gaussian_filter(counts.reshape(cube), 0.7) / total
    return (1.0 - constants.unseen) * found + constants.unseen / counts.size


def _width(constants: Outlining) -> float:
    """Of a bin of colours, in logarithms."""
    return float(np.log(255.0 / constants.dark + 1.0)) / constants.bins


def _color_bins(logs: np.ndarray, constants: Outlining) -> np.ndarray:
    """(H, W) numbers of bins of colours (H, W, 3)."""
    bins, count = (logs - np.log(constants.dark)) / _width(constants), constants.bins
    bins = bins.astype(np.int64).clip(0, count - 1)
    found: np.ndarray = (bins[..., 0] * count + bins[..., 1]) * count + bins[..., 2]
    return found


def _all_steps(
    looks: Sequence[Look], views: Views, index: int, logs: np.ndarray, constants: Outlining
) -> list[_Steps]:
    """`_steps` of each look; where a camera at rest sees what is at rest, there is nothing else before it."""
    found, free = [], np.ones(logs.shape[:2], dtype=bool)
    for look in looks:
        steps = _steps(look, views, index, logs, constants)
        found.append(replace(steps, lit=np.where(free, steps.lit, -1)))
        if isinstance(look, StillLook):
            free &= ~look.steady(views, index)
    return found


def _steps(look: Look, views: Views, index: int, logs: np.ndarray, constants: Outlining) -> _Steps:
    """Of colours (H, W, 3) before a look.

    Between colours that meet there any mixture is its own, so it has no outlines. A difference counts by that of the
    photographs among themselves, and so does a volume of colours: a look that they do not agree on makes each colour
    less likely. In a shadow all channels are darker by the same factor.
    """
    colors, spread = look.at(views, index)
    nothing = np.abs(colors) > NOWHERE / 2
    low = minimum_filter(np.where(nothing, np.inf, colors), (1, 3, 3))
    high = maximum_filter(np.where(nothing, -np.inf, colors), (1, 3, 3))
    low, high = np.where(nothing, colors, low), np.where(nothing, colors, high)
    own = np.moveaxis(logs, -1, 0)
    over, under = (own - high).max(axis=0), (own - low).min(axis=0)
    wide = (spread + look.usual) / 2.0
    if isinstance(look, StillLook):
        wide = wide + _ringing(views.images[index].cpu().numpy(), logs, constants)
    shadow = np.where(over > under, (over + under) / 2.0, under)  # the least that explains it best
    lit, shaded = (
        _step(np.maximum(np.maximum(over - dark, dark - under), 0.0) / wide)
        for dark in (np.zeros_like(shadow), np.minimum(shadow, 0.0))
    )
    shaded[shadow >= 0] = -1
    return _Steps(lit, shaded, (look.usual / wide) ** 3, np.moveaxis(colors, 0, -1))


def _ringing(pixels: np.ndarray, logs: np.ndarray, constants: Outlining) -> np.ndarray:
    """(H, W) by how much colours are off beside what differs: JPEG keeps blocks of 16 x 16 pixels in few waves."""
    levels, size = pixels[..., :3].astype(np.float32), (17, 17)
    contrast = np.max(
        [maximum_filter(c, size) - minimum_filter(c, size) for c in np.moveaxis(levels, -1, 0)], axis=0
    )
    found: np.ndarray = constants.ringing * contrast * np.exp(-logs).max(axis=2)
    return found


def _step(sizes: np.ndarray) -> np.ndarray:
    """Numbers of steps, -1 for NaN."""
    return np.where(np.isfinite(sizes), np.searchsorted(_STEPS, sizes, side="right") - 1, -1)


def gains_of(
    views: Views, look: Look, outside: np.ndarray, constants: Outlining = DEFAULTS.outlining
) -> np.ndarray:
    """(B, 3) logarithms of how much brighter than a look each photograph is, by the median outside."""
    found = np.zeros((len(views), 3))
    for index, part in enumerate(outside):
        colors, _ = look.at(views, index)
        logs = np.moveaxis(logarithms(views.images[index].cpu().numpy(), constants.dark), -1, 0)
        differences = (logs - colors)[:, part & np.isfinite(colors[0])]
        if differences.size:
            found[index] = np.median(differences, axis=1)
    return found
