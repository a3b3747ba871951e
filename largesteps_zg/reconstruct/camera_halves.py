"""Given cameras and corrected ones, compared by halves of photographs: what one asks for has to suit the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..cameras.evidence import Comparison, standard_errors
from ..cameras.model import Cameras
from ..cameras.refinement import CameraCorrections, displaced
from ..constants import Correcting
from .batch import Batch
from .fit import Fit


@torch.no_grad()
def halves_compared(
    fit: Fit, corrections: CameraCorrections, photographs: Callable[[], Iterable[Batch]]
) -> tuple[Comparison, Cameras]:
    """Whether cameras that halves of photographs ask for suit the other halves, on the surface as it is.

    A wrong camera moves all of its photograph. Where the surface, the light or a mask is wrong, only a part of the
    photograph seems to be moved: the camera that one half asks for makes the other half worse. The halves are left and
    right, and upper and lower. What moves all cameras alike is taken out first, since it is the surface's.

    Parameters
    ----------
    fit : Fit
        Its surface was made with the given cameras.
    corrections : CameraCorrections
        Of the photographs' cameras; they have not moved.
    photographs : callable
        Views, in the order of these cameras, one at a time; asked for twice.

    Returns
    -------
    comparison : Comparison
        Of the losses of all halves.
    cameras : Cameras
        What whole photographs ask for, float64.

    Notes
    -----
    22 renderings for each photograph.
    """
    scene = _Still(fit, corrections)
    moves = torch.stack([scene.moves(i, batch) for i, batch in enumerate(photographs())], dim=1)  # (5, N, 6)
    whole, *halves = [corrections.proposed(each.to(corrections.turns)) for each in moves]
    losses = torch.stack(
        [scene.losses(i, batch, [cameras[i] for cameras in halves]) for i, batch in enumerate(photographs())]
    )  # (N, 2)
    given, corrected = losses.mean(0).tolist()
    return Comparison(given, corrected, standard_errors(losses[:, 0] - losses[:, 1]), len(losses)), whole


class _Still:
    """A surface that stays as it is, seen by cameras that move; its colours are those that the given ones see."""

    def __init__(self, fit: Fit, corrections: CameraCorrections) -> None:
        self._fit, self._corrections = fit, corrections
        self._vertices, self._albedo = fit.surface()

    def moves(self, i: int, batch: Batch) -> Float[Tensor, "5 6"]:
        """The moves of a camera that its photograph asks for: all of it, and each of its halves."""
        draw, given = self._drawn(batch), self._corrections.given[i]
        focal, away = float(batch.cameras.intrinsics[0, 0, 0]), float(self._corrections.distance[i])
        # Turns, shifts across and a shift along that move the outline by a pixel, in a scene of radius 1.
        pixel = torch.tensor([away / focal] * 3 + [1 / focal] * 2 + [away / focal]).to(
            self._corrections.turns
        )

        def look(move: Tensor) -> Tensor:
            return draw(displaced(given, (pixel * move)[None]))

        steps = torch.eye(6).to(pixel)
        slopes = torch.stack([(look(step) - look(-step)) / 2 for step in steps], dim=-1)  # (H, W, 4, 6)
        still, target = look(torch.zeros_like(pixel)), batch.targets[0]
        known = torch.ones_like(target[..., 0]) if batch.weights is None else batch.weights[0]
        halves = _halves(target)
        found = [
            _asked(look, still, slopes, target, (known * part)[..., None], self._corrections.constants)
            for part in (torch.ones_like(halves[0]), *halves)
        ]
        return pixel * torch.stack(found)

    def losses(self, i: int, batch: Batch, cameras: list[Cameras]) -> Float[Tensor, " 2"]:
        """Of a photograph, seen by the given camera; and each half by the camera that the other half asks for."""
        draw, difference = self._drawn(batch), self._fit.difference

        def loss(camera: Cameras) -> Tensor:
            return difference.of_pixels(draw(camera)[None], batch)[0].double()

        left, right, upper, lower = _halves(batch.targets[0])
        crossed = [
            loss(camera)[half].sum()
            for camera, half in zip(cameras, (right, left, lower, upper), strict=True)
        ]
        given = loss(self._corrections.given[i]).sum()
        return torch.stack([given, torch.stack(crossed).sum() / 2]).cpu()

    def _drawn(self, batch: Batch) -> Callable[[Cameras], Tensor]:
        """From a camera in the place of a view's to the image, (H, W, 4)."""
        fit, like = self._fit, batch.cameras.world_to_camera
        colors = fit.appearance.asked(self._vertices, fit.faces, self._albedo, batch.cameras, batch.index)

        def draw(camera: Cameras) -> Tensor:
            placed = batch.cameras.unchecked(camera.world_to_camera.to(like), batch.cameras.intrinsics)
            return fit.drawn(self._vertices, colors, placed)[0]

        return draw


def _asked(
    look: Callable[[Tensor], Tensor],
    still: Float[Tensor, "H W 4"],
    slopes: Float[Tensor, "H W 4 6"],
    target: Float[Tensor, "H W 4"],
    weights: Float[Tensor, "H W 1"],
    constants: Correcting,
) -> Float[Tensor, " 6"]:
    """The move, in pixels, that some of the pixels ask for: of a few steps of Gauss and Newton the one that suits best.

    Differences count like their squares up to the mean difference, and like themselves beyond.
    """
    move, best = (torch.zeros(6).to(slopes).double() for _ in range(2))
    least, image = float("inf"), still
    for _ in range(constants.asked_steps):
        off = weights * (image - target)
        size = float(off.abs().sum())
        if not size < least:
            break
        best, least = move, size
        bent = weights / (off.abs() + size / max(float(weights.sum()) * 4, 1.0))
        curved = (slopes * bent[..., None]).flatten(0, 2).T @ slopes.flatten(0, 2)
        pull = (slopes * (bent * off)[..., None]).flatten(0, 2).sum(0)
        curved, pull = curved.double(), pull.double()
        ridge = constants.asked_ridge * curved.diagonal().mean().clamp_min(1e-12)
        move = best - torch.linalg.solve(curved + ridge * torch.eye(6).to(curved), pull)
        image = look(move.to(slopes))
    return move if float((weights * (image - target)).abs().sum()) < least else best


def _halves(target: Float[Tensor, "H W 4"]) -> tuple[Bool[Tensor, "H W"], ...]:
    """Left, right, upper and lower pixels; each half has as much of the object."""
    inside = target[..., 3] > 0.5
    found = []
    for along in (0, 1):  # of columns, then of rows
        counts = inside.sum(dim=along)
        before = counts.cumsum(0) - counts
        first = (before < counts.sum() / 2).unsqueeze(along).expand_as(inside)
        found += [first, ~first]
    return tuple(found)
