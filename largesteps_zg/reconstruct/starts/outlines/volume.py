"""One solid for all photographs: what each says of each place, and the smallest surface that agrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import map_coordinates

from ....scenes.views import Views

_AT_ONCE = 1 << 18
_ROUNDS = 150


def evidence(
    views: Views,
    ratios: Sequence[np.ndarray],
    points: np.ndarray,
    before: Before | None = None,
) -> np.ndarray:
    """(N,) the mean, over the photographs that show them, of how much likelier points are within the object.

    If a point is in the object, its pixel is object in every photograph. If it is not, the pixel is object only by
    something else on its ray. Where no solid is known, that is as likely as not; else the solid tells how likely it is.

    Parameters
    ----------
    views : Views
    ratios : (H, W) arrays
        See `Likelihood.ratio`.
    points : (N, 3) array
    before : Before, optional
        The solid that was found before.

    Returns
    -------
    (N,) float array
        Below 0 where fewer than half of the photographs show the point.

    References
    ----------
    Franco, Boyer: Fusion of Multi-View Silhouette Cues Using a Space Occupancy Grid. ICCV 2005, where nothing is known
    of the rest of a ray.
    """
    found = np.empty(len(points))
    height, width = views.images.shape[1:3]
    for first in range(0, len(points), _AT_ONCE):
        some = torch.from_numpy(points[first : first + _AT_ONCE])
        total, count = np.zeros(len(some)), np.zeros(len(some))
        for index, ratio in enumerate(ratios):
            pixels, depths = views.cameras[index].to("cpu").project(some)
            (x, y), depth = pixels[0].numpy().T - 0.5, depths[0].numpy()
            shown = (depth > 0) & (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
            at = y[shown], x[shown]
            own = map_coordinates(ratio, at, order=1, mode="nearest")
            free = 0.5 if before is None else before.free(index, at, depth[shown])
            total[shown] -= np.log(1.0 - free + free * np.exp(-own))
            count += shown
        found[first : first + _AT_ONCE] = np.where(
            2 * count < len(views), -1.0, total / np.maximum(count, 1.0)
        )
    return found


@dataclass(frozen=True)
class Before:
    """What a solid that was found before says of rays.

    Attributes
    ----------
    spans : (2, H, W) arrays
        See `silhouettes.spans`.
    block : float
        What is nearer to a point than this along its ray is decided together with it.
    sure : float
        How likely the solid is right about what else is on a ray.
    """

    spans: Sequence[np.ndarray]
    block: float
    sure: float

    def free(self, index: int, at: tuple[np.ndarray, np.ndarray], depths: np.ndarray) -> np.ndarray:
        """(N,) how likely nothing else is on the rays to points at rows and columns of a view, in depths (N,)."""
        row, column = (np.rint(part).astype(np.int64) for part in at)
        near, far = self.spans[index][:, row, column]
        covered = (near < depths - self.block) | (far > depths + self.block)
        return np.where(covered, 1.0 - self.sure, self.sure)


def smallest(gain: np.ndarray, weights: float | Sequence[np.ndarray]) -> np.ndarray:
    """Values in [0, 1] on a grid that make the sum of weighted steps less that of gains smallest.

    Above any level between 0 and 1 they are a set that does so.

    Parameters
    ----------
    gain : float array
        Of each node, how much better it is inside than outside.
    weights : float, or arrays
        Of the steps between neighbours; an array along each axis, one shorter there.

    References
    ----------
    Chan, Esedoglu, Nikolova: Algorithms for finding global minimizers of image segmentation and denoising models. SIAM
    Journal on Applied Mathematics 66(5), 2006. Chambolle, Pock: A first-order primal-dual algorithm for convex problems
    with applications to imaging. Journal of Mathematical Imaging and Vision 40, 2011, algorithm 1.
    """
    step = 1.0 / (4.0 * gain.ndim) ** 0.5
    value = (gain > 0).astype(np.float32)
    ahead, gain = value.copy(), gain.astype(np.float32)
    flows = [np.zeros_like(np.diff(value, axis=axis)) for axis in range(gain.ndim)]
    bounds: Sequence[float | np.ndarray] = [weights] * gain.ndim if isinstance(weights, float) else weights
    for _ in range(_ROUNDS):
        new = value + step * gain
        for axis, (flow, bound) in enumerate(zip(flows, bounds, strict=True)):
            flow += step * np.diff(ahead, axis=axis)
            np.clip(flow, -bound, bound, out=flow)
            new[(slice(None),) * axis + (slice(None, -1),)] += step * flow
            new[(slice(None),) * axis + (slice(1, None),)] -= step * flow
        np.clip(new, 0.0, 1.0, out=new)
        ahead, value = 2.0 * new - value, new
    return value
