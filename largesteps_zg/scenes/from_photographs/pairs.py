"""Which photographs are compared with which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.cluster.vq import kmeans2, vq

from ..._support.while_inside import silence
from ...constants import Structure

_WORDS = 64
_LEARN = 20_000  # descriptors


def pairs_to_match(
    file: Path,
    count: int,
    constants: Structure,
    pycolmap: Any,
    *,
    without: Sequence[np.ndarray] | None = None,
) -> list[tuple[int, int]]:
    """Pairs of photographs, numbered from 0: all of them where there are few.

    Else each photograph with those that come next in the order of names, and with those that look most like it, where
    features `without`, (N,) bool for each photograph, are not looked at.
    """
    if count <= constants.few:
        return [(i, j) for i in range(count) for j in range(i + 1, count)]
    coarsest = _coarsest(file, count, constants.coarse, pycolmap)
    rest = coarsest if without is None else _coarsest(file, count, constants.coarse, pycolmap, without)
    alike = likeness(rest, coarsest)
    chosen = {(i, i + step) for step in range(1, constants.next + 1) for i in range(count - step)}
    for i, row in enumerate(alike):
        likeliest = [int(j) for j in np.argsort(-row, kind="stable") if j != i][: constants.partners]
        chosen |= {(min(i, j), max(i, j)) for j in likeliest}
    return sorted(chosen)


def likeness(descriptors: Sequence[np.ndarray], learnt: Sequence[np.ndarray] | None = None) -> np.ndarray:
    """How much photographs look alike, (B, B) cosines, from the descriptors (N, 128) of their features.

    Descriptors are sorted by the nearest of 64 words, which are means of descriptors, by default of the same. What they
    differ from their words by, summed for each word, describes a photograph.

    References
    ----------
    Jegou, Douze, Schmid, Perez: Aggregating Local Descriptors into a Compact Image Representation. CVPR 2010.
    Arandjelovic, Zisserman: All about VLAD. CVPR 2013 (each word's sum to unit length).
    """
    rows = [_unit(part) for part in descriptors]
    everything = np.concatenate(rows if learnt is None else [_unit(part) for part in learnt])
    if len(everything) < _WORDS:
        return np.eye(len(rows))
    generator = np.random.default_rng(0)
    some = everything[generator.permutation(len(everything))[:_LEARN]]
    first = some[generator.permutation(len(some))[:_WORDS]]
    with silence:  # a word that no descriptor is nearest to stays as it is
        words, _ = kmeans2(some, first, iter=10, minit="matrix")
    described = np.zeros((len(rows), _WORDS, everything.shape[1]))
    for one, part in zip(described, rows, strict=True):
        if len(part):
            nearest, _ = vq(part, words)
            np.add.at(one, nearest, part - words[nearest])
    described /= np.maximum(np.linalg.norm(described, axis=2, keepdims=True), 1e-9)
    flat = described.reshape(len(rows), -1)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
    alike: np.ndarray = flat @ flat.T
    return alike


def _unit(part: np.ndarray) -> np.ndarray:
    rows = np.asarray(part, dtype=np.float32)
    found: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return found


def _coarsest(
    file: Path, count: int, most: int, pycolmap: Any, without: Sequence[np.ndarray] | None = None
) -> list[np.ndarray]:
    """Of each photograph the descriptors of its coarsest features, which survive a change of distance."""
    database = pycolmap.Database.open(file)
    try:
        found = []
        for index in range(count):
            keypoints = database.read_keypoints(index + 1)
            size = np.abs(keypoints[:, 2] * keypoints[:, 5] - keypoints[:, 3] * keypoints[:, 4])
            order = np.argsort(-size, kind="stable")
            if without is not None:
                order = order[~without[index][order]]
            order = order[:most]
            found.append(database.read_descriptors(index + 1).data[order])
        return found
    finally:
        database.close()
