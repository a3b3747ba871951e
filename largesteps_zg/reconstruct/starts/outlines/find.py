"""The object's outlines in photographs without masks, by colours and by what a table looks like."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import binary_dilation, binary_erosion, distance_transform_edt
from torch import Tensor

from ....constants import DEFAULTS, Constants
from ....scenes.carving.grid import Grid
from ....scenes.from_photographs.object import Support
from ....scenes.photographs.matting import matted
from ....scenes.views import Ball, Views
from ..hull import Hull, surface_of
from .likelihood import Likelihood, gains_of, learned
from .plane_look import logarithms, plane_look
from .silhouettes import coverages, smaller, within_reach
from .volume import evidence, smallest

_SIDE = 400  # pixels along the longest side, of the photographs that tell the solid
_CELLS = 112  # along the ball's cube
_ROUNDS = 3
_AREA = 0.05  # of the solid's surface, in mean logarithms of likelihoods of a photograph
_DOUBT = 4.0  # a logarithm of likelihoods is never taken for more
_EDGE = 2.0  # of an outline along which the photograph is even, likewise
_BESIDE = 2  # pixels beside an outline that nothing is learned from


@dataclass(frozen=True)
class Outlines:
    """What tells the object from its surroundings in any photograph of a scene.

    Attributes
    ----------
    likelihood : Likelihood
    solid : Hull
        What most photographs show to be the object.
    agreement : float
        Of what a photograph by itself, or the solid, has for the object, both have so much: the median.
    holds : float
        The share of the points of surfaces above the table that lie in the solid.
    """

    likelihood: Likelihood
    solid: Hull
    agreement: float
    holds: float

    @property
    def trusted(self) -> bool:
        """Whether most photographs agree with the solid by more than half, and most points lie in it."""
        return self.agreement > 0.5 and self.holds > 0.5

    def masked(self, views: Views) -> Views:
        """Views with soft masks of the object."""
        return views_with(views, masks_of(views, self.likelihood, self.solid))


def views_with(views: Views, masks: np.ndarray) -> Views:
    """Views with masks (B, H, W) bool that become soft by the photographs' light."""
    images = views.images.cpu().clone()
    for index, mask in enumerate(masks):
        images[index, ..., 3] = torch.from_numpy(np.where(mask, 255, 0).astype(np.uint8))
        images[index] = torch.from_numpy(matted(images[index].numpy()))
    if views.known is not None:
        images[..., 3] *= views.known.cpu().to(images)
    return replace(views, images=images.to(views.images.device))


def outlines(
    views: Views, points: Tensor, ball: Ball, support: Support | None, constants: Constants = DEFAULTS
) -> Outlines | None:
    """Outlines by what colours are around the object, what colours it has, and what the table looks like everywhere.

    At first only the colours beside the ball are known, and what the table looks like in most photographs. A solid that
    is likely by these tells the object's colours, and which photographs show the table. So there is a better solid.

    Parameters
    ----------
    views : Views
    points : (N, 3) tensor
        Of surfaces.
    ball : Ball
        The object is in it.
    support : Support, optional
        The object is above it.
    constants : Constants, optional

    Returns
    -------
    Outlines or None
        None where nothing is left.

    References
    ----------
    Campbell, Vogiatzis, Hernandez, Cipolla: Automatic 3D object segmentation in multiple views using volumetric
    graph-cuts. Image and Vision Computing 28(1), 2010.
    """
    small = smaller(views, _SIDE)
    known = _known(small)
    reach = within_reach(small, ball, support) & known
    likelihood, gains = _learned(small, ball, support, np.zeros_like(known), known & ~reach, None)
    solid, ratios = _solid(small, likelihood, gains, ball, support, constants)
    for _ in range(_ROUNDS - 1):
        if solid is None:
            break
        masks = masks_of(small, likelihood, solid)
        covered = np.stack([binary_dilation(mask, iterations=_BESIDE) for mask in masks])
        inside = np.stack([binary_erosion(mask, iterations=_BESIDE) for mask in masks]) & known
        likelihood, gains = _learned(small, ball, support, inside, known & ~covered, covered)
        solid, ratios = _solid(small, likelihood, gains, ball, support, constants)
    if solid is None:
        return None
    covers = coverages(small, solid.vertices, solid.faces)
    shares = [
        _overlap((ratio > 0) & near, cover > 0.5)
        for ratio, near, cover in zip(ratios, reach, covers, strict=True)
    ]
    holds = _holds(solid, points, ball, support, constants)
    return Outlines(likelihood, solid, float(np.median(shares)), holds)


def _learned(
    views: Views,
    ball: Ball,
    support: Support | None,
    inside: np.ndarray,
    outside: np.ndarray,
    covered: np.ndarray | None,
) -> tuple[Likelihood, np.ndarray]:
    """What pixels inside and outside tell, and the photographs' gains (B, 3)."""
    gains, plane = np.zeros((len(views), 3)), None
    if support is not None:
        gains = gains_of(views, plane_look(views, ball, support, gains, covered), outside)
        plane = plane_look(views, ball, support, gains, covered)
    return learned(views, gains, inside, outside, plane), gains


def _solid(
    views: Views,
    likelihood: Likelihood,
    gains: np.ndarray,
    ball: Ball,
    support: Support | None,
    constants: Constants,
) -> tuple[Hull | None, list[np.ndarray]]:
    """The solid in the ball and above the plane that is likeliest, but for a small surface; and pixels' likelihoods."""
    ratios = [likelihood.ratio(views, index, gain) for index, gain in enumerate(gains)]
    grid = Grid.nodes(ball.center.double().cpu().numpy(), ball.radius, _CELLS)
    points = grid.points()
    block = ball.depth(points) > 0
    if support is not None:
        block &= support.above(points) > 0
    gain = np.full(len(points), -_DOUBT)
    gain[block] = evidence(views, [np.clip(ratio, -_DOUBT, _DOUBT) for ratio in ratios], points[block])
    value = smallest(gain.reshape(grid.shape), _AREA)
    return surface_of(grid, (value - 0.5) * grid.cell, constants.carving), ratios


def masks_of(views: Views, likelihood: Likelihood, solid: Hull) -> np.ndarray:
    """(B, H, W) bool: where the object is, by each photograph's colours near the solid's outline."""
    known, gains = _known(views), np.zeros((len(views), 3))
    covers = list(coverages(views, solid.vertices, solid.faces))
    if likelihood.plane is not None:
        outside = np.stack([binary_erosion(cover < 0.5, iterations=_BESIDE) for cover in covers]) & known
        gains = gains_of(views, likelihood.plane, outside)
    middle = solid.vertices.mean(dim=0)
    made = np.zeros_like(known)
    for index, cover in enumerate(covers):
        camera = views.cameras[index]
        depth = float((camera.centers[0].double().cpu() - middle).norm())
        cell = float(camera.intrinsics[0, 0, 0]) * solid.grid.cell / depth
        logs = logarithms(views.images[index].cpu().numpy()) - gains[index]
        made[index] = _labelled(likelihood.ratio(views, index, gains[index]), logs, cover > 0.5, cell)
    return made & known


def _labelled(ratio: np.ndarray, logs: np.ndarray, covered: np.ndarray, cell: float) -> np.ndarray:
    """(H, W) bool: the pixels of the object by their colours and a solid with cells of so many pixels.

    Its outline is short, and lies where colours (H, W, 3) change.
    """
    result = np.zeros(covered.shape, dtype=bool)
    if not covered.any():
        return result
    wide = int(8 * cell) + 2
    rows, columns = (np.flatnonzero(covered.any(axis=axis)) for axis in (1, 0))
    box = tuple(slice(max(part[0] - wide, 0), part[-1] + wide + 1) for part in (rows, columns))
    mask = np.pad(covered[box], 1)
    away = (distance_transform_edt(mask) - distance_transform_edt(~mask))[1:-1, 1:-1]
    gain = np.clip(ratio[box], -_DOUBT, _DOUBT) + 2.0 * away / cell
    squares = [np.square(np.diff(logs[box], axis=axis)).sum(axis=-1) for axis in (0, 1)]
    usual = max(float(np.mean([part.mean() for part in squares])), 1e-12)
    weights = [(_EDGE * np.exp(-part / (2.0 * usual))).astype(np.float32) for part in squares]
    result[box] = smallest(gain / _DOUBT, [part / _DOUBT for part in weights]) > 0.5
    return result


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    """What both hold of what either does."""
    return float((first & second).sum() / max((first | second).sum(), 1))


def _known(views: Views) -> np.ndarray:
    if views.known is None:
        return np.ones(views.images.shape[:3], dtype=bool)
    return views.known.cpu().numpy()


def _holds(solid: Hull, points: Tensor, ball: Ball, support: Support | None, constants: Constants) -> float:
    """The share of the points in a ball and above a plane that a solid holds within a cell; 1 where there are none."""
    xyz = points.double().cpu().numpy()
    xyz = xyz[ball.depth(xyz) > 0]
    if support is not None:
        xyz = xyz[support.above(xyz) > constants.structure.flat * ball.radius]
    if not len(xyz):
        return 1.0
    full = np.pad(solid.field > 0, 1)
    node = np.rint((xyz - solid.grid.corner) / solid.grid.cell).astype(np.int64) + 1
    near = binary_dilation(full, iterations=1)
    node = node.clip(0, np.array(full.shape) - 1)
    return float(near[tuple(node.T)].mean())
