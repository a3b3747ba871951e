"""The object's outlines in photographs without masks, by colours and by what a table looks like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion
from torch import Tensor

from ....cameras.turning import see_an_axis_alike
from ....constants import DEFAULTS, Constants, Outlining
from ....scenes.carving.grid import Grid
from ....scenes.from_photographs.object import Support
from ....scenes.views import Ball, Views
from ..hull import Hull, surface_of
from .drawn import drawn, masks_of
from .likelihood import Likelihood, Look, gains_of, learned
from .plane_look import plane_look
from .silhouettes import coverages, known_of, seen_at, smaller, spans, within_reach
from .still_look import at_rest, still_look
from .volume import Before, evidence, smallest


@dataclass(frozen=True)
class Outlines:
    """What tells the object from its surroundings in any photograph of a scene.

    Attributes
    ----------
    likelihood : Likelihood
    solid : Hull
        What most photographs show to be the object.
    ball : Ball
        It was looked for in this one.
    agreement : float
        Of what a photograph by itself, or the solid, has for the object, both have so much: the median.
    holds : float or None
        The share of the points of surfaces above the table that lie in the solid; None where they are too few to tell.
    bounded : bool
        The solid ends within the ball; else colours do not say where.
    """

    likelihood: Likelihood
    solid: Hull
    ball: Ball
    agreement: float
    holds: float | None
    bounded: bool

    @property
    def trusted(self) -> bool:
        """Whether it is bounded, most photographs agree with the solid, and points, if they tell, mostly lie in it."""
        numbers = self.likelihood.constants
        held = self.holds is None or self.holds > numbers.holding
        return self.bounded and self.agreement > numbers.agreeing and held

    def told(self) -> str:
        """What is known without the truth, in a sentence's part."""
        points = "too few points of it are known to ask them"
        if self.holds is not None:
            points = f"it holds {self.holds:.0%} of the points"
        beyond = "" if self.bounded else ", but goes on beyond the ball that the cameras look at"
        return (
            f"{self.agreement:.0%} of what photographs one by one or all together take for the object both do, and "
            f"{points}{beyond}"
        )

    def masked(self, views: Views) -> Views:
        """Views with soft masks of the object, and what each pixel says by itself."""
        return drawn(views, self.likelihood, self.solid)


def outlines(
    views: Views, points: Tensor, ball: Ball, support: Support | None, constants: Constants = DEFAULTS
) -> Outlines | None:
    """Outlines by what colours are around the object, what colours it has, and what the table looks like everywhere.

    At first only these are known: the colours beside the ball, those that are seen more often in it, and what the table
    looks like in most photographs. A solid that is likely by these tells the object's colours, which photographs show
    the table, and what else is on a ray. So there is a better solid. Points above the table are the object's, whatever
    is before them. While the ball cuts the solid off, it grows, as far as no camera is in it. Where most of what is
    around the object stays where it is in the photographs, the camera was at rest, and the look of that is known, too.

    Parameters
    ----------
    views : Views
    points : (N, 3) tensor
        Of surfaces.
    ball : Ball
        Most of the object is in it.
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
    numbers, small = constants.outlining, smaller(views, constants.outlining.side)
    known = known_of(small)
    reach = within_reach(small, ball, support) & known
    rests = at_rest(small, known & ~reach, numbers) or see_an_axis_alike(views.cameras, constants.structure)
    stands = _standing(small, points, ball, support, constants) & known
    outside = known & ~reach & ~_grown(stands, numbers)
    likelihood, gains = _learned(small, ball, support, rests, reach, outside, None, 0.5, numbers)
    solid, ratios = _solid(small, likelihood, gains, ball, support, None, numbers.doubt, constants)
    blocks = list(numbers.blocks)
    while solid is not None:
        before, sure = None, (1.0 + _agreement(small, solid, ratios, ball, support)) / 2
        if not bounded_by(solid, ball):
            large = _wider(ball, solid, numbers)
            if _holds_a_camera(views, large):
                break
            ball = large
        elif not blocks:
            break
        else:
            block = blocks.pop(0) * solid.grid.cell
            before = Before(list(spans(small, solid.vertices, solid.faces)), block, sure)
        stands = _standing(small, points, ball, support, constants) & known
        masks = masks_of(small, likelihood, solid) | stands
        covered = _grown(masks, numbers)
        inside = (
            np.stack([binary_erosion(mask, iterations=numbers.beside) for mask in masks]) & known | stands
        )
        doubt = _doubt(ratios, inside & ~stands, numbers)
        if rests:  # shadows beside the object are no colours of it
            inside &= (np.stack(ratios) > 0) | stands
        likelihood, gains = _learned(
            small, ball, support, rests, inside, known & ~covered, covered, sure, numbers
        )
        solid, ratios = _solid(small, likelihood, gains, ball, support, before, doubt, constants)
    if solid is None:
        return None
    agreement = _agreement(small, solid, ratios, ball, support)
    holds = _holds(solid, points, ball, support, constants)
    return Outlines(likelihood, solid, ball, agreement, holds, bounded_by(solid, ball))


def _learned(
    views: Views,
    ball: Ball,
    support: Support | None,
    rests: bool,
    inside: np.ndarray,
    outside: np.ndarray,
    covered: np.ndarray | None,
    sure: float,
    constants: Outlining,
) -> tuple[Likelihood, np.ndarray]:
    """What pixels inside and outside tell, and the photographs' gains (B, 3)."""

    def found(gains: np.ndarray) -> list[Look]:
        plane = None if support is None else plane_look(views, ball, support, gains, covered, constants)
        still = still_look(views, gains, covered, constants) if rests else None
        return [look for look in (still, plane) if look is not None]

    gains = np.zeros((len(views), 3))
    looks = found(gains)
    if looks:
        gains = gains_of(views, looks[0], outside, constants)
        looks = found(gains)
    close = within_reach(views, ball, support) if rests and covered is not None else None
    made = learned(
        views, gains, inside, outside, looks,
        mixed=covered is None, shadows=rests, close=close, sure=sure, constants=constants,
    )  # fmt: skip
    return made, gains


def _solid(
    views: Views,
    likelihood: Likelihood,
    gains: np.ndarray,
    ball: Ball,
    support: Support | None,
    before: Before | None,
    doubt: float,
    constants: Constants,
) -> tuple[Hull | None, list[np.ndarray]]:
    """The solid in the ball and above the plane that is likeliest, but for a small surface; and pixels' likelihoods."""
    numbers = constants.outlining
    ratios = [likelihood.ratio(views, index, gain) for index, gain in enumerate(gains)]
    grid = Grid.nodes(ball.center.double().cpu().numpy(), ball.radius, numbers.cells)
    points = grid.points()
    block = ball.depth(points) > 0
    if support is not None:
        block &= support.above(points) > 0
    gain = np.full(len(points), -numbers.doubt)
    gain[block] = evidence(views, [np.clip(ratio, -doubt, doubt) for ratio in ratios], points[block], before)
    value = smallest(gain.reshape(grid.shape), numbers.area)
    return surface_of(grid, (value - 0.5) * grid.cell, constants.carving), ratios


def bounded_by(solid: Hull, ball: Ball) -> bool:
    """Whether a solid stays a cell away from the border of a ball."""
    return bool((ball.depth(solid.vertices.numpy()) > solid.grid.cell).all())


def _standing(
    views: Views, points: Tensor, ball: Ball, support: Support | None, constants: Constants
) -> np.ndarray:
    """(B, H, W) bool: pixels of points in a ball and above a plane, so of the object; none without a plane."""
    if support is None:
        return np.zeros(views.images.shape[:3], dtype=bool)
    return seen_at(views, points_above(points, ball, support, constants))


def points_above(points: Tensor, ball: Ball, support: Support | None, constants: Constants) -> np.ndarray:
    """(N, 3) those of the points that are in a ball and above a plane."""
    xyz = points.double().cpu().numpy()
    xyz = xyz[ball.depth(xyz) > 0]
    return xyz if support is None else xyz[support.above(xyz) > constants.structure.flat * ball.radius]


def _wider(ball: Ball, solid: Hull, constants: Outlining) -> Ball:
    """A larger ball around the middle of a solid that one cuts off."""
    middle = (solid.vertices.amin(dim=0) + solid.vertices.amax(dim=0)) / 2
    return Ball(middle, constants.wider * ball.radius)


def _holds_a_camera(views: Views, ball: Ball) -> bool:
    return bool((ball.depth(views.cameras.centers.double().cpu().numpy()) > 0).any())


def _grown(masks: np.ndarray, constants: Outlining) -> np.ndarray:
    """(B, H, W) bool masks and what is beside them."""
    return np.stack([binary_dilation(mask, iterations=constants.beside) for mask in masks])


def _doubt(ratios: list[np.ndarray], inside: np.ndarray, constants: Outlining) -> float:
    """A pixel counts for no more than as often as pixels (B, H, W) bool of the object are right by themselves."""
    wrong = [
        float((ratio[part] < 0).mean()) for ratio, part in zip(ratios, inside, strict=True) if part.any()
    ]
    share = float(np.median(wrong)) if wrong else 0.5
    return min(constants.doubt, float(np.log((1.0 - share) / max(share, 1e-9)))) if share < 0.5 else 0.0


def _agreement(
    views: Views, solid: Hull, ratios: list[np.ndarray], ball: Ball, support: Support | None
) -> float:
    """Of what a photograph by itself, or the solid, has for the object, both have so much: the median."""
    covers = coverages(views, solid.vertices, solid.faces)
    shares = [
        _overlap((ratio > 0) & near, cover > 0.5)
        for ratio, near, cover in zip(
            ratios, within_reach(views, ball, support) & known_of(views), covers, strict=True
        )
    ]
    return float(np.median(shares))


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    """What both hold of what either does."""
    return float((first & second).sum() / max((first | second).sum(), 1))


def _holds(
    solid: Hull, points: Tensor, ball: Ball, support: Support | None, constants: Constants
) -> float | None:
    """The share of the points in a ball and above a plane that a solid holds within a cell.

    None where they are fewer than the features that a photograph has to show: a few wrong ones would decide.
    """
    xyz = points_above(points, ball, support, constants)
    if len(xyz) < constants.structure.fewest:
        return None
    full = np.pad(solid.field > 0, 1)
    node = np.rint((xyz - solid.grid.corner) / solid.grid.cell).astype(np.int64) + 1
    near = binary_dilation(full, iterations=1)
    node = node.clip(0, np.array(full.shape) - 1)
    return float(near[tuple(node.T)].mean())
