"""What papers report of distances between a result and its reference: pure functions of arrays of numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Spread:
    """How distances of points spread.

    Attributes
    ----------
    count : int
        Points.
    mean, median, p90 : float
        In the unit of the distances; 90 % of the points lie within `p90`.
    within : float
        Share of the points, in [0, 1], whose distance is at most `threshold`.
    threshold : float
    """

    count: int
    mean: float
    median: float
    p90: float
    within: float
    threshold: float


def spread(distances: Float[np.ndarray, " N"], threshold: float) -> Spread:
    """Mean, median, 90th percentile, and the share within a distance.

    Raises
    ------
    ValueError
        No distances, or a threshold that is not positive.
    """
    return Spread(
        count=len(distances),
        mean=float(np.mean(_some(distances))),
        median=float(np.median(distances)),
        p90=accuracy(distances),
        within=completeness(distances, threshold),
        threshold=float(threshold),
    )


def accuracy(distances: Float[np.ndarray, " N"], share: float = 0.9) -> float:
    """Middlebury's accuracy: the smallest distance within which at least this share of the result lies.

    Parameters
    ----------
    distances : (N,) float
        From points of the result to the reference.
    share : float
        In (0, 1]; Middlebury's tables have 0.9.

    Raises
    ------
    ValueError
        No distances, or a share out of range.

    References
    ----------
    Seitz, Curless, Diebel, Scharstein, Szeliski: A Comparison and Evaluation of Multi-View Stereo Reconstruction
    Algorithms. CVPR 2006.

    Examples
    --------
    >>> import numpy as np
    >>> accuracy(np.array([5.0, 1.0, 2.0, 3.0, 4.0]), share=0.8)
    4.0
    """
    if not 0 < share <= 1:
        raise ValueError(f"share: expected a number in (0, 1], got {share}")
    return float(np.quantile(_some(distances), share, method="inverted_cdf"))


def completeness(distances: Float[np.ndarray, " N"], within: float) -> float:
    """The share, in [0, 1], of distances that are at most `within`.

    Of distances from points of the reference to the result, this is Middlebury's completeness and the recall of Tanks
    and Temples. Of distances from points of the result to the reference it is the latter's precision
    (`mesh.distances.f_score` takes both).

    Raises
    ------
    ValueError
        No distances, or `within` is not positive.

    References
    ----------
    Seitz et al. 2006, as for `accuracy`; there 1.25 mm. Knapitsch, Park, Zhou, Koltun: Tanks and Temples. SIGGRAPH
    2017.
    """
    if not within > 0:
        raise ValueError(f"within: expected a distance > 0, got {within}")
    return float(np.mean(_some(distances) <= within))


def mean_below(distances: Float[np.ndarray, " N"], cut: float) -> float:
    """The mean of the distances below a cut, as in DTU's tables: farther points don't count. NaN where all are farther.

    Raises
    ------
    ValueError
        No distances.
    """
    near = _some(distances)[distances < cut]
    return float(near.mean()) if len(near) else float("nan")


def _some(distances: np.ndarray) -> np.ndarray:
    if len(distances) == 0:
        raise ValueError("distances: expected at least one point, got none")
    return distances
