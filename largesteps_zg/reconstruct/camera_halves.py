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
        draw, given = self._drawn(batch), self._corrections.given
        focal, away = float(batch.cameras.intrinsics[0, 0, 0]), float(self._corrections.distance[i])
        # Turns, shifts across and a shift along that move the outline by a pixel, in a scene of radius 1.
        pixel = torch.tensor([away / focal] * 3 + [1 / focal] * 2 + [away / focal]).to(
            self._corrections.turns
        )

        def look(moves: Tensor) -> Tensor:
            return draw(displaced(given[[i] * len(moves)], pixel * moves))

        steps = torch.eye(6).to(pixel)
        images, target = look(torch.cat([steps, -steps, torch.zeros_like(steps[:1])])), batch.targets[0]
        slopes = (images[:6] - images[6:12]) / 2
        known = torch.ones_like(target[..., 0]) if batch.weights is None else batch.weights[0]
        halves = _halves(target)
        weights = [known, *(known * half for half in halves)]
        return pixel * _asked(look, images[12], slopes, target, weights, self._corrections.constants)

    def losses(self, i: int, batch: Batch, cameras: list[Cameras]) -> Float[Tensor, " 2"]:
        """Of a photograph, seen by the given camera; and each half by the camera that the other half asks for."""
        draw, difference = self._drawn(batch), self._fit.difference

        given = self._corrections.given[i]
        poses = torch.cat([camera.world_to_camera for camera in (given, *cameras)])
        images = draw(given.unchecked(poses, given.intrinsics))

        def loss(image: Tensor) -> Tensor:
            return difference.of_pixels(image[None], batch)[0].double()

        left, right, upper, lower = _halves(batch.targets[0])
        crossed = [
            loss(image)[half].sum()
            for image, half in zip(images[1:], (right, left, lower, upper), strict=True)
        ]
        return torch.stack([loss(images[0]).sum(), torch.stack(crossed).sum() / 2]).cpu()

    def _drawn(self, batch: Batch) -> Callable[[Cameras], Tensor]:
        """From cameras in the place of a view's to images, (B, H, W, 4), as many at a time as a step has pixels."""
        fit, like = self._fit, batch.cameras
        colors = fit.appearance.asked(self._vertices, fit.faces, self._albedo, like, batch.index)
        most = max(fit.constants.schedule.step_pixels // (like.height * like.width), 1)

        def draw(cameras: Cameras) -> Tensor:
            images = []
            for poses in cameras.world_to_camera.to(like.world_to_camera).split(most):
                count = len(poses)
                placed = like.unchecked(poses, like.intrinsics.expand(count, -1, -1))
                seen = colors if colors.dim() == 2 else colors.expand(count, -1, -1)
                images.append(fit.drawn(self._vertices, seen, placed))
            return torch.cat(images)

        return draw


def _asked(
    look: Callable[[Tensor], Tensor],
    still: Float[Tensor, "H W 4"],
    slopes: Float[Tensor, "6 H W 4"],
    target: Float[Tensor, "H W 4"],
    weights: list[Float[Tensor, "H W"]],
    constants: Correcting,
) -> Float[Tensor, "N 6"]:
    """The moves, in pixels, that each of some parts asks for: of a few steps of Gauss and Newton those that suit best.

    Differences count like their squares up to the mean difference, and like themselves beyond.
    """
    moves = still.new_zeros(len(weights), 6, dtype=torch.float64)
    best, least = moves.clone(), [float("inf")] * len(weights)
    images, searching = dict.fromkeys(range(len(weights)), still), list(range(len(weights)))
    moving = (slopes != 0).any(0)  # most of a photograph shows no surface, whatever the camera does
    slopes = slopes[:, moving]  # (6, M)
    for _ in range(constants.asked_steps):
        for part in tuple(searching):
            off = weights[part][..., None] * (images[part] - target)
            size = float(off.abs().sum())
            if not size < least[part]:
                searching.remove(part)
                continue
            best[part], least[part] = moves[part], size
            off, known = off[moving], weights[part][..., None].expand_as(off)[moving]
            bent = known / (off.abs() + size / max(float(weights[part].sum()) * 4, 1.0))
            curved, pull = ((slopes * bent) @ slopes.T).double(), (slopes @ (bent * off)).double()
            ridge = constants.asked_ridge * curved.diagonal().mean().clamp_min(1e-12)
            moves[part] -= torch.linalg.solve(curved + ridge * torch.eye(6).to(curved), pull)
        if searching:
            images |= zip(searching, look(moves[searching].to(slopes)), strict=True)
    for part, image in images.items():
        if float((weights[part][..., None] * (image - target)).abs().sum()) < least[part]:
            best[part] = moves[part]
    return best


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
