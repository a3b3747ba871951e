"""What speaks for corrections of cameras, or against them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Comparison:
    """Corrected cameras against the given ones, on observations that had no part in the corrections.

    Attributes
    ----------
    given, corrected : float
        How far observations are off, on average.
    errors : float
        Standard errors by which the corrected cameras are better; negative where they are worse.
    count : int
        Of observations.
    """

    given: float
    corrected: float
    errors: float
    count: int


@dataclass(frozen=True)
class Evidence:
    """Comparisons by observations of two kinds that share no assumption.

    Attributes
    ----------
    pixels : Comparison or None
        By halves of photographs, each seen by the camera that its other half asks for; see `reconstruct.camera_halves`.
        The observations are photographs, and what is off is their loss.
    matches : Comparison or None
        By features that look alike in two photographs, without any surface; see `reconstruct.camera_matches`. What is
        off is the median distance to the lines that the cameras draw for their partners, in pixels.
    """

    pixels: Comparison | None = None
    matches: Comparison | None = None

    @property
    def favours(self) -> bool:
        """Whether corrected cameras are the better ones, all in all; given ones are believed where nothing is known.

        Standard errors of independent experiments add up (Stouffer's method, equal weights). So many matches outvote
        the pixels, and a few that are chance do not. The sum has to exceed its own standard error, the root of how many
        experiments there are: less is what chance brings every third time.
        """
        found = [part.errors for part in (self.pixels, self.matches) if part is not None]
        return sum(found) > math.sqrt(max(len(found), 1))

    def report(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def as_rows(self) -> Float[Tensor, "2 4"]:
        """As numbers, float64: a row for each kind, of NaN where it is not there."""
        rows = [
            [math.nan] * 4 if part is None else [part.given, part.corrected, part.errors, float(part.count)]
            for part in (self.pixels, self.matches)
        ]
        return torch.tensor(rows, dtype=torch.float64)

    @classmethod
    def of_rows(cls, rows: Float[Tensor, "2 4"]) -> Evidence:
        """From `as_rows`."""
        parts = [
            None if math.isnan(count) else Comparison(given, corrected, errors, int(count))
            for given, corrected, errors, count in rows.tolist()
        ]
        return cls(*parts)


def standard_errors(gains: Tensor) -> float:
    """By how many of its standard errors the sum of independent gains exceeds 0; 0 where nothing was gained or lost.

    The squares are taken about 0, which is what is to be refuted: few gains that agree prove little, n of them at most
    root n.
    """
    spread = float(gains.double().square().sum().sqrt())
    return float(gains.double().sum()) / spread if spread > 0 else 0.0
