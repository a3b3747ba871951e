"""Where a photograph's edges lie beside an outline that colours draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates
from scipy.special import erf

from ....constants import Outlining

_STEP = 0.5  # pixels between samples of a profile: a picture of pixels holds nothing finer
_FINE = 0.125  # pixels between places of an edge, whose mean is taken: finer than one edge is told by far


def at_edges(
    evidence: np.ndarray, alpha: np.ndarray, light: np.ndarray, known: np.ndarray, constants: Outlining
) -> np.ndarray:
    """Evidence moved across an outline, to where the photograph has its edges.

    Beside an outline the object's colours are not those of the rest: a rim shows what it mirrors, and a pixel that the
    outline crosses has something of both sides. So what pixels say by their colours ends a part of a pixel too far in,
    or out, and in all photographs alike. Where one colour ends beside another is an edge. It is found with more chance
    in it, but less to one side. Along a stretch of the outline the mean of what lies between the two tells by how much
    the evidence has to move; what it says from pixel to pixel stays.

    Parameters
    ----------
    evidence : (H, W) array
        -1, not the object, to 1, the object.
    alpha : (H, W) array
        Of a mask near the outline, 0 to 1.
    light : (H, W, 3) array
        Linear.
    known : (H, W) bool array
    constants : Outlining

    Returns
    -------
    (H, W) array

    References
    ----------
    Blake, Isard: Active Contours. Springer 1998 (edges along normals of a curve).
    """
    box = _box(alpha > 0.5, int(3 * constants.profile))
    if box is None:
        return evidence
    result = evidence.copy()
    result[box] = _moved(evidence[box], alpha[box], light[box], known[box], constants)
    return result


def _box(inside: np.ndarray, border: int) -> tuple[slice, slice] | None:
    """The rows and columns of an object and of what is around it; None without an outline."""
    if not inside.any() or inside.all():
        return None
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    down, right = (slice(max(part[0] - border, 0), part[-1] + border + 1) for part in (rows, columns))
    return down, right


def _moved(
    evidence: np.ndarray, alpha: np.ndarray, light: np.ndarray, known: np.ndarray, constants: Outlining
) -> np.ndarray:
    """`at_edges` of a part of a photograph."""
    line = _outline(alpha, known, constants.profile)
    if not len(line.rows):
        return evidence
    own = _mean(_ends(line.sampled(evidence), line.along, constants), np.zeros(len(line.rows)), constants)
    edges = _mean(_edges(line.sampled(light), line.along, constants), own, constants)
    return line.moved(evidence, edges - own, constants)


@dataclass(frozen=True)
class _Outline:
    """Points of an outline, with profiles across it that no border and no other part of the outline cuts.

    Attributes
    ----------
    away : (H, W) array
        Pixels from the outline, positive outside.
    down, right : (H, W) arrays
        Of the unit normal, outwards.
    rows, columns : (N,) arrays
        Where the outline is.
    normals : (N, 2) array
        Down, right.
    along : (S,) array
        Pixels along the normals.
    """

    away: np.ndarray
    down: np.ndarray
    right: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    normals: np.ndarray
    along: np.ndarray

    def sampled(self, image: np.ndarray) -> np.ndarray:
        """(N, S, C) profiles of an image (H, W) or (H, W, C)."""
        places = [
            start[:, None] + self.along * normal[:, None]
            for start, normal in zip((self.rows, self.columns), self.normals.T, strict=True)
        ]
        channels = image[..., None] if image.ndim == 2 else image
        return np.stack(
            [map_coordinates(part, places, order=1, mode="nearest") for part in np.moveaxis(channels, -1, 0)],
            axis=-1,
        )

    def moved(self, evidence: np.ndarray, shifts: np.ndarray, constants: Outlining) -> np.ndarray:
        """Evidence moved along the normals by the mean of the shifts (N,) around."""
        side, (height, width) = constants.stretch / 4, evidence.shape
        weight = np.zeros((int(height / side) + 2, int(width / side) + 2))
        total = np.zeros_like(weight)
        cells = tuple((part / side).astype(np.int64).clip(0, n - 1) for part, n in
                      zip((self.rows, self.columns), weight.shape, strict=True))  # fmt: skip
        np.add.at(weight, cells, 1.0)
        np.add.at(total, cells, shifts)
        weight, total = (gaussian_filter(part, 4.0) for part in (weight, total))
        row, column = np.nonzero(np.abs(self.away) < 2 * constants.profile)
        at = [(row + 0.5) / side - 0.5, (column + 0.5) / side - 0.5]
        many, much = (map_coordinates(part, at, order=1, mode="nearest") for part in (weight, total))
        by = np.where(many > 1e-6, much / np.maximum(many, 1e-6), 0.0)
        down, right = self.down[row, column], self.right[row, column]
        result = evidence.copy()
        result[row, column] = map_coordinates(
            evidence, [row - by * down, column - by * right], order=1, mode="nearest"
        )
        return result


def _outline(alpha: np.ndarray, known: np.ndarray, reach: float) -> _Outline:
    """The outline where alpha passes a half."""
    inside = alpha > 0.5
    away = np.where(inside, 0.5 - distance_transform_edt(inside), distance_transform_edt(~inside) - 0.5)
    mixed = (alpha > 1e-3) & (alpha < 1 - 1e-3)
    away[mixed] = 0.5 - alpha[mixed]
    down, right = np.gradient(gaussian_filter(away, 1.5))
    size = np.maximum(np.hypot(down, right), 1e-9)
    down, right = down / size, right / size
    row, column = np.nonzero((np.abs(away) <= 0.5) & known & (size > 0.5))
    normals = np.stack([down[row, column], right[row, column]], axis=1)
    step = away[row, column, None] * normals
    along = np.arange(-reach, reach + _STEP / 2, _STEP)
    found = _Outline(away, down, right, row - step[:, 0], column - step[:, 1], normals, along)
    ends = found.sampled(inside.astype(np.float64))[:, [0, -1], 0]
    whole = (found.sampled(known.astype(np.float64))[..., 0] > 0.99).all(axis=1)
    good = whole & (ends[:, 0] > 0.5) & (ends[:, 1] < 0.5)
    height, width = alpha.shape
    for start, normal, last in (
        (found.rows, normals[:, 0], height - 1),
        (found.columns, normals[:, 1], width - 1),
    ):
        good &= (start - reach * np.abs(normal) >= 0) & (start + reach * np.abs(normal) <= last)
    return _Outline(away, down, right, found.rows[good], found.columns[good], normals[good], along)


def _shares(along: np.ndarray, constants: Outlining) -> tuple[np.ndarray, np.ndarray]:
    """Places (K,) of an edge, and the share of the outside (K, S) along a profile for each."""
    reach = along[-1] - 1.0
    places = np.arange(-reach, reach + _FINE / 2, _FINE)
    return places, 0.5 * (1 + erf((along - places[:, None]) / (constants.edge_width * 2**0.5)))


def _edges(profiles: np.ndarray, along: np.ndarray, constants: Outlining) -> tuple[np.ndarray, np.ndarray]:
    """Places (K,), and log-likelihoods (N, K) of a step there from one colour to another, with unknown noise."""
    places, outside = _shares(along, constants)
    total = np.square(profiles).sum(axis=(1, 2))
    rounding = profiles[0].size / 12 / 255**2
    said = np.empty((len(profiles), len(places)))
    for number, share in enumerate(outside):
        basis, _ = np.linalg.qr(np.stack([1 - share, share], axis=1))
        explained = np.square(np.einsum("sj,nsc->njc", basis, profiles)).sum(axis=(1, 2))
        said[:, number] = np.log(np.maximum(total - explained, 0) + rounding)
    return places, -0.5 * _STEP * len(along) * said


def _ends(profiles: np.ndarray, along: np.ndarray, constants: Outlining) -> tuple[np.ndarray, np.ndarray]:
    """Places (K,), and log-likelihoods (N, K) that evidence ends there."""
    places, outside = _shares(along, constants)
    sure = profiles[..., 0].clip(-0.98, 0.98)
    return places, 0.5 * _STEP * np.log((1 + sure) / (1 - sure)) @ (1 - 2 * outside).T


def _mean(said: tuple[np.ndarray, np.ndarray], around: np.ndarray, constants: Outlining) -> np.ndarray:
    """(N,) mean places, where they are known beforehand to lie around places (N,)."""
    places, likelihood = said
    likelihood = likelihood - 0.5 * np.square((places - around[:, None]) / constants.edge_doubt)
    weight = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
    found: np.ndarray = weight @ places / weight.sum(axis=1)
    return found
