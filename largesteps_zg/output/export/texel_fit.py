"""Texels from pixels: iteratively reweighted least squares, solved by conjugate gradients on the image's grid."""

from __future__ import annotations

import torch
from torch import Tensor

from ...constants import Texture
from .observations import Observations

_CHUNK = 1_000_000  # pixels at a time


def robust_means(seen: Observations, size: int, constants: Texture) -> tuple[Tensor, Tensor]:
    """Colour (H * W, 3) and weight (H * W,) of each texel: means of the pixels around it, with outliers outvoted.

    Each pixel counts for the four texels around its place, by their bilinear shares.
    """
    own = seen.weight * seen.gain.square()
    for number in range(3):
        sums = torch.zeros(size * size, 4)
        data = torch.cat([seen.color * own[:, None], own[:, None]], dim=1)
        for offset, share in _corners(seen, size):
            sums.index_add_(0, seen.texel + offset, data * share[:, None])
        mean = sums[:, :3] / sums[:, 3:].clamp(min=1e-12)
        if number < 2:
            own = _weights(seen, mean, size, constants.softening)
    return mean, sums[:, 3]


def fit_texels(seen: Observations, base: Tensor, used: Tensor, constants: Texture) -> Tensor:
    """The texels (H, W, 3) that explain the pixels, and stay close to a base where the pixels leave a choice.

    Parameters
    ----------
    seen : Observations
    base : (3, H, W) float32
    used : (H, W) bool
        The texels that lookups read; others stay.
    constants : Texture
    """
    smoothness = constants.smoothness
    size = used.shape[0]
    count = used.sum()
    across, down = used[:, :-1] & used[:, 1:], used[:-1] & used[1:]  # neighbours within a chart
    detail = torch.zeros_like(base)
    for _ in range(constants.rounds):
        texels = (base + detail).view(3, -1).T
        own = _weights(seen, texels, size, constants.softening)
        own *= count / own.sum()
        stencil, right = _normal_equations(seen, own, base, size)
        stencil[1][:, :-1] -= smoothness * across
        stencil[2][:-1] -= smoothness * down
        for here, there, links in (
            (stencil[0][:, :-1], stencil[0][:, 1:], across),
            (stencil[0][:-1], stencil[0][1:], down),
        ):
            here += smoothness * links
            there += smoothness * links
        stencil[0] += constants.anchor
        detail = _conjugate_gradients(stencil, right, detail, constants.iterations)
    return (base + detail).movedim(0, -1)


def _corners(seen: Observations, size: int) -> list[tuple[int, Tensor]]:
    """The four texels of each pixel: the step from the first one, and the bilinear share (P,)."""
    u, v = seen.share.unbind(1)
    return [(0, (1 - u) * (1 - v)), (1, u * (1 - v)), (size, (1 - u) * v), (size + 1, u * v)]


def _weights(seen: Observations, texels: Tensor, size: int, softening: float) -> Tensor:
    """(P,) weights that turn squared differences into absolute values at the present texels (H * W, 3)."""
    weights = []
    for start in range(0, len(seen.texel), _CHUNK):
        rows = slice(start, start + _CHUNK)
        part = Observations(
            seen.texel[rows], seen.share[rows], seen.color[rows], seen.gain[rows], seen.weight[rows]
        )
        made = sum(texels[part.texel + offset] * share[:, None] for offset, share in _corners(part, size))
        apart = part.gain * (made - part.color).norm(dim=1)
        weights.append(part.weight * part.gain.square() / (apart + softening))
    return torch.cat(weights)


def _normal_equations(
    seen: Observations, own: Tensor, base: Tensor, size: int
) -> tuple[list[Tensor], Tensor]:
    """A^T W A as a nine-point stencil, and A^T W (c - A B).

    The matrix is symmetric, so five images (H, W) hold it: each texel with itself, and with its neighbour to the right,
    below, below to the right, and below to the left.
    """
    stencil = [torch.zeros(size * size) for _ in range(5)]
    corners = _corners(seen, size)
    made = sum(base.view(3, -1).T[seen.texel + offset] * share[:, None] for offset, share in corners)
    apart = (seen.color - made) * own[:, None]
    right = torch.zeros(size * size, 3)
    for offset, share in corners:
        stencil[0].index_add_(0, seen.texel + offset, own * share.square())
        right.index_add_(0, seen.texel + offset, apart * share[:, None])
    a, b, c, d = (share for _, share in corners)  # a and b above, c and d below
    for direction, offset, product in (
        (1, 0, a * b), (1, size, c * d), (2, 0, a * c), (2, 1, b * d), (3, 0, a * d), (4, 1, b * c),
    ):  # fmt: skip
        stencil[direction].index_add_(0, seen.texel + offset, own * product)
    return [part.view(size, size) for part in stencil], right.T.reshape(3, size, size)


def _times(stencil: list[Tensor], x: Tensor) -> Tensor:
    """The stencil's matrix times an image (3, H, W)."""
    center, east, south, southeast, southwest = stencil
    y = center * x
    every, first, last = slice(None), slice(None, -1), slice(1, None)
    for link, here, there in (
        (east[:, :-1], (every, every, first), (every, every, last)),
        (south[:-1], (every, first, every), (every, last, every)),
        (southeast[:-1, :-1], (every, first, first), (every, last, last)),
        (southwest[:-1, 1:], (every, first, last), (every, last, first)),
    ):
        y[here].addcmul_(link, x[there])
        y[there].addcmul_(link, x[here])
    return y


def _conjugate_gradients(stencil: list[Tensor], right: Tensor, x: Tensor, iterations: int) -> Tensor:
    """Some steps towards the solution, each channel by itself, preconditioned by the diagonal."""
    inverse = 1 / stencil[0]
    residual = right - _times(stencil, x)
    step = inverse * residual
    direction, before = step, (residual * step).sum(dim=(1, 2), keepdim=True)
    for _ in range(iterations):
        image = _times(stencil, direction)
        length = before / (direction * image).sum(dim=(1, 2), keepdim=True).clamp(min=1e-30)
        x = x + length * direction
        residual = residual - length * image
        step = inverse * residual
        after = (residual * step).sum(dim=(1, 2), keepdim=True)
        direction, before = step + after / before.clamp(min=1e-30) * direction, after
    return x
