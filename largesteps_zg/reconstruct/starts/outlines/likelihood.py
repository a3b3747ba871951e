"""How much likelier a pixel's colour is on the object than around it, learned from the photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d, maximum_filter, minimum_filter

from ....constants import DEFAULTS, Outlining
from ....scenes.views import Views
from .plane_look import PlaneLook, logarithms
from .still_look import StillLook

_STEPS = np.concatenate([[0.0], 2.0 ** np.arange(-2.0, 8.0, 0.25)])  # of a look's usual differences

Look = PlaneLook | StillLook


@dataclass(frozen=True)
class Known:
    """Something around the object whose look is known.

    Attributes
    ----------
    look : PlaneLook or StillLook
    near : (M,) float array
        How likely a colour is on it, by its distance from how it looks there.
    share : float
        Of what is around the object and could be this, so much is.
    """

    look: Look
    near: np.ndarray
    share: float


@dataclass(frozen=True)
class Likelihood:
    """What tells the object from what is around it.

    Attributes
    ----------
    inside, outside : (N, N, N) float arrays
        How likely a colour is on the object, and around it.
    around : tuple of Known
        Each before those that come first.
    constants : Outlining
    """

    inside: np.ndarray
    outside: np.ndarray
    around: tuple[Known, ...]
    constants: Outlining

    def ratio(self, views: Views, index: int, gain: np.ndarray) -> np.ndarray:
        """(H, W) logarithm of the ratio of both likelihoods; 0 where nothing is known."""
        logs = logarithms(views.images[index].cpu().numpy(), self.constants.dark) - gain
        bins = _color_bins(logs, self.constants)
        around = self.outside.reshape(-1)[bins]
        for known, (step, dense, places) in zip(
            self.around, _all_steps([k.look for k in self.around], views, index, logs), strict=True
        ):
            share = known.share * self._own(places)
            mixed = share * dense * known.near[step] + (1.0 - share) * around
            around = np.where(step >= 0, mixed, around)
        found = np.log(self.inside.reshape(-1)[bins] / around)
        if views.known is not None:
            found = np.where(views.known[index].cpu().numpy(), found, 0.0)
        return found.astype(np.float32)

    def _own(self, logs: np.ndarray) -> np.ndarray:
        """(H, W) how likely a look (H, W, 3) is not the object's, which hides some places in all photographs."""
        bins = _color_bins(np.nan_to_num(logs), self.constants)
        around, within = (part.reshape(-1)[bins] for part in (self.outside, self.inside))
        own: np.ndarray = around / (around + within)
        return own


def learned(
    views: Views,
    gains: np.ndarray,
    inside: np.ndarray,
    outside: np.ndarray,
    looks: Sequence[Look],
    *,
    mixed: bool = False,
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
    constants : Outlining, optional
    """
    count = constants.bins**3
    colors = np.zeros((2, count))
    pairs = np.zeros((len(looks), len(_STEPS), count))
    for index, gain in enumerate(gains):
        logs = logarithms(views.images[index].cpu().numpy(), constants.dark) - gain
        bins = _color_bins(logs, constants)
        for side, part in enumerate((outside[index], inside[index])):
            colors[side] += np.bincount(bins[part], minlength=count)
        for (step, *_), seen in zip(_all_steps(looks, views, index, logs), pairs, strict=True):
            some = outside[index] & (step >= 0)
            np.add.at(seen, (step[some], bins[some]), 1)
    around, within = (
        _smooth(part, constants) for part in (colors[0], _excess(*colors) if mixed else colors[1])
    )
    known = tuple(_known(look, seen, around, constants) for look, seen in zip(looks, pairs, strict=True))
    return Likelihood(within, around, known, constants)


def _known(look: Look, pairs: np.ndarray, around: np.ndarray, constants: Outlining) -> Known:
    """From how often a step of the look (M) and a bin of colours (N) were seen together, (M, N)."""
    steps = pairs.sum(axis=1)
    cube = (2.0 * np.append(_STEPS[1:], 2.0 * _STEPS[-1]) * look.usual / _width(constants)) ** 3
    volume = np.diff(np.maximum(cube, 1e-9), prepend=0.0)
    near = gaussian_filter1d(steps, 1.0, mode="nearest") / max(steps.sum(), 1.0) / volume
    share = 0.5
    for _ in range(20):  # expectation and maximisation
        own = share * near[:, None] / (share * near[:, None] + (1.0 - share) * around.reshape(-1))
        share = min(float((pairs * own).sum() / max(pairs.sum(), 1.0)), 1.0 - constants.other)
    return Known(look, near, share)


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
    looks: Sequence[Look], views: Views, index: int, logs: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """`_steps` of each look; where a camera at rest sees what is at rest, there is nothing else before it."""
    found, free = [], np.ones(logs.shape[:2], dtype=bool)
    for look in looks:
        step, dense, colors = _steps(look, views, index, logs)
        found.append((np.where(free, step, -1), dense, colors))
        if isinstance(look, StillLook):
            free &= ~look.steady(views, index)
    return found


def _steps(
    look: Look, views: Views, index: int, logs: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of colours (H, W, 3) before a look: (H, W) steps from it, (H, W) densities there, and the look (H, W, 3).

    A step is -1 where the look is not known. Between colours that meet there any mixture is its own, so it has no
    outlines. A difference counts by that of the photographs among themselves, and so does a volume of colours: a look
    that they do not agree on makes each colour less likely.
    """
    colors, spread = look.at(views, index)
    low, high = minimum_filter(colors, (1, 3, 3)), maximum_filter(colors, (1, 3, 3))
    own = np.moveaxis(logs, -1, 0)
    apart = np.maximum(np.maximum(low - own, own - high), 0.0).max(axis=0)
    wide = (spread + look.usual) / 2.0
    size = apart / wide
    found = np.where(np.isfinite(size), np.searchsorted(_STEPS, size, side="right") - 1, -1)
    return found, (look.usual / wide) ** 3, np.moveaxis(colors, 0, -1)


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
