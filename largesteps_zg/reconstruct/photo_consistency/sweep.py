"""How far away what a photograph shows is: carried into its neighbours over planes at many depths (plane sweep)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import interpolate, unfold

from ..._support.warp_launch import run_items
from ...renderers.rasterized import homogeneous_pixels
from .agreement import window_of
from .kernels import BLOCK
from .sweep_kernels import sweep_kernels_for
from .term import PhotoConsistency

_REFINED = 3  # steps to either side that a finer level tries: a step of the coarser one is two of them
_SHEETS = 16  # surfaces that are looked at together: fewer launches, and little memory


@dataclass(frozen=True)
class DepthMap:
    """What one photograph says of depths.

    Attributes
    ----------
    inverse : (H, W) float
        One over the depth, 0 where the object isn't.
    score : (H, W) float
        ZNCC there with the better half of the neighbours, times the share of the variance that is texture; at most 1.
    confirmed : (H, W) float
        How many neighbouring photographs put it to the same depth.
    focal : float
        Focal length in pixels.
    level : int
        Of the photographs: 0 is the largest, each one more is half of it.
    """

    inverse: Float[Tensor, "H W"]
    score: Float[Tensor, "H W"]
    confirmed: Float[Tensor, "H W"]
    focal: float
    level: int


def swept(term: PhotoConsistency, index: int, points: Float[Tensor, "N 3"]) -> DepthMap | None:
    """Depths at which a photograph agrees best with its nearest neighbours, none confirmed; None if it has none.

    The smallest photographs are tried at all depths, a pixel's shift apart, and larger ones near what was found there.
    The better half of the neighbours counts, because the others may see something in front of it.

    Parameters
    ----------
    term : PhotoConsistency
    index : int
        Of the photograph.
    points : (N, 3) tensor
        The object lies between the nearest and the farthest of them.

    References
    ----------
    Collins: A Space-Sweep Approach to True Multi-Image Matching. CVPR 1996.
    """
    others = term.neighbors[index][: term.constants.swept]
    depths = homogeneous_pixels(points, term.cameras([index]))[0, :, 2]
    depths = depths[depths > 0]
    if not others or len(depths) == 0:
        return None
    low, high = 1.0 / float(depths.max()), 1.0 / float(depths.min())
    coarsest = term.levels - 1
    found = score = sweep = None
    for level in range(coarsest, min(coarsest, 1) - 1, -1):
        sweep = _Sweep(term, index, others, level)
        if found is None:
            start = torch.full_like(sweep.inside, low, dtype=torch.float32)
            # A shift by the whole image leaves nothing to compare.
            steps = min((high - low) / sweep.step, sum(sweep.inside.shape))
            found, score = sweep.best(start, range(int(steps) + 2))
        else:
            start = _enlarged(found, sweep.inside.shape).clamp(low, high)
            found, score = sweep.best(start, range(-_REFINED, _REFINED + 1))
    assert found is not None and score is not None and sweep is not None
    return DepthMap(found, score, torch.zeros_like(found), sweep.focal, min(coarsest, 1))


class _Sweep:
    """A photograph and its neighbours at one size.

    Attributes
    ----------
    inside : (H, W) bool
        Where the object is.
    focal : float
        Focal length in pixels.
    step : float
        Of one over the depth: it shifts what is seen by a pixel in the median neighbour.
    """

    def __init__(self, term: PhotoConsistency, index: int, others: tuple[int, ...], level: int) -> None:
        self._here, self._radius = term.photograph(index, level), term.constants.radius
        self._others = [term.photograph(other, level) for other in others]
        camera, cameras = term.cameras([index], level), term.cameras(list(others), level)
        self.focal = float(camera.intrinsics[0, 0, 0])
        apart = (cameras.centers - camera.centers).norm(dim=1)
        self.step = 1.0 / (self.focal * float(apart.median()))
        self.inside: Bool[Tensor, "H W"] = self._here.weight > 0.5
        self._pixels = self.inside.reshape(-1).nonzero()[:, 0].int()
        self._gray = self._here.gray.reshape(-1)[self._pixels]
        # A pixel p at depth 1 / w lies at A p + w b in another photograph.
        inverse = torch.linalg.inv(camera.intrinsics[0] @ camera.world_to_camera[0, :3, :3])
        slopes = cameras.intrinsics @ cameras.world_to_camera[:, :3, :3] @ inverse
        self._shifts = homogeneous_pixels(camera.centers, cameras)[:, 0]
        self._rays = centers_of(self._pixels, self.inside.shape[1]) @ slopes.mT  # (others, N, 3)

    def best(
        self, start: Float[Tensor, "H W"], numbers: range
    ) -> tuple[Float[Tensor, "H W"], Float[Tensor, "H W"]]:
        """One over the depth of each pixel, the best of some steps away from a start or between them, and its score."""
        start = start.reshape(-1)[self._pixels]
        portions = [numbers[i : i + _SHEETS] for i in range(0, len(numbers), _SHEETS)]
        scores = torch.cat([self._scores(start, portion) for portion in portions])
        last = len(scores) - 1
        best = scores.argmax(dim=0, keepdim=True)
        before, at, after = (scores.gather(0, (best + shift).clamp(0, last))[0] for shift in (-1, 0, 1))
        bend = (before - 2.0 * at + after).clamp(max=-1e-6)
        top = (0.5 * (before - after) / bend).clamp(-0.5, 0.5)  # of the parabola through the three
        found = self._here.gray.new_zeros(2, *self.inside.shape)
        found.view(2, -1)[0, self._pixels] = start + self.step * (numbers[0] + best[0] + top)
        found.view(2, -1)[1, self._pixels] = at.clamp_min(0.0)
        return found[0], found[1]

    def _scores(self, start: Float[Tensor, " N"], numbers: range) -> Float[Tensor, "K N"]:
        """Agreement with the better half of the neighbours, as much as there is texture, on each surface."""
        device, radius, width = start.device, self._radius, self.inside.shape[1]
        top, left, rows, columns = window_of(self._pixels, width)
        stride, height = columns + 2 * radius, rows + 2 * radius
        places = (self._pixels // width - top + radius) * stride + self._pixels % width - left + radius
        k = sweep_kernels_for(start.dtype, device)
        valid, here, there, scores = start.new_zeros(4, len(numbers) * height * stride)
        sheets = [valid, here, there]
        found = []
        for rays, shift, other in zip(self._rays, self._shifts, self._others, strict=True):
            rays = rays.contiguous()
            run_items(k.sample, len(numbers) * len(start), [
                rays, start, places, len(start), height * stride, numbers[0],
                self.step, k.vec3(*shift.tolist()), width, self.inside.shape[0], self._gray,
                other.gray, *sheets,
            ], device)  # fmt: skip
            run_items(k.rate, (len(numbers) * height - 2 * radius) * -(-columns // BLOCK), [
                stride, columns, radius, *sheets, self._here.noise, other.noise, scores,
            ], device)  # fmt: skip
            found.append(scores.view(len(numbers), -1)[:, places.long()])
        return torch.stack(found).topk((len(found) + 1) // 2, dim=0).values.mean(dim=0)


def centers_of(pixels: Int[Tensor, " N"], width: int) -> Float[Tensor, "N 3"]:
    """Homogeneous: (column + 0.5, row + 0.5, 1)."""
    return torch.stack([pixels % width + 0.5, pixels // width + 0.5, torch.ones_like(pixels)], dim=1)


def _enlarged(inverse: Float[Tensor, "h w"], size: torch.Size) -> Float[Tensor, "H W"]:
    """The medians of three by three values, between which larger photographs lie; zeros are none."""
    some = torch.where(inverse > 0, inverse, torch.nan)
    windows = unfold(torch.nn.functional.pad(some[None, None], (1, 1, 1, 1), value=torch.nan), 3)[0]
    middle = windows.nanmedian(dim=0).values.view_as(inverse)
    known = middle.isfinite().to(inverse)
    total, weight = (
        interpolate(part[None, None], size=tuple(size), mode="bilinear")[0, 0]
        for part in (middle.nan_to_num(0.0), known)
    )
    return total / weight.clamp_min(1e-6)
