"""Given cameras and corrected ones, compared by features that look alike in two photographs: no surface has a say."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..cameras.evidence import Comparison, standard_errors
from ..cameras.model import Cameras
from ..constants import DEFAULTS, Matching
from ..scenes.photographs.matching import alike, epipolar_distances, features
from ..scenes.views import Views


class CameraMatches:
    """Features of a run's photographs that look alike, whatever the cameras say.

    Parameters
    ----------
    pairs : list of (int, int, (M, 2) array, (M, 2) array)
        Two views, and the pixels of features in both.
    constants : Matching, optional
        By which they were matched.
    """

    def __init__(
        self, pairs: list[tuple[int, int, np.ndarray, np.ndarray]], constants: Matching = DEFAULTS.matching
    ) -> None:
        self._pairs, self._constants = pairs, constants

    @classmethod
    def of(
        cls,
        views: Views,
        constants: Matching = DEFAULTS.matching,
        *,
        level: int = 0,
        asked: Tensor | None = None,
    ) -> CameraMatches:
        """Of some photographs, by default all, halved `level` times; they are numbered as they are asked."""
        asked = torch.arange(len(views)) if asked is None else asked
        found = features(views, constants, level=level, asked=asked.tolist())
        pairs = [
            (i, j, found[i].pixels[both[:, 0]], found[j].pixels[both[:, 1]])
            for i, j, both in alike(found, views.cameras[asked], constants)
            if len(both)
        ]
        return cls(pairs, constants)

    def __len__(self) -> int:
        return sum(len(pixels) for *_, pixels in self._pairs)

    def compared(self, given: Cameras, corrected: Cameras) -> Comparison | None:
        """By how much corrected cameras bring matches nearer to each other's epipolar lines; None without matches.

        A square counts up to a pixel, as features are found, or up to the median where given cameras leave more: wrong
        matches lie anywhere, and say nothing.
        """
        if not self._pairs:
            return None
        before, after = self._distances(given), self._distances(corrected)
        usual = float(np.median(before))
        scale = max(self._constants.found, usual) if np.isfinite(usual) else self._constants.found
        costs = [torch.from_numpy(np.minimum(np.square(off / scale), 1.0)) for off in (before, after)]
        return Comparison(usual, float(np.median(after)), standard_errors(costs[0] - costs[1]), len(before))

    def _distances(self, cameras: Cameras) -> np.ndarray:
        """(M,) pixels, of all matches."""
        return np.concatenate(
            [epipolar_distances(cameras[i], cameras[j], a, b) for i, j, a, b in self._pairs]
        )
