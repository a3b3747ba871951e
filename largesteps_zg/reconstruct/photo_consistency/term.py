"""The agreement of photographs as a data term of a run."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import torch
from torch import Tensor

from ..._support.trial import Trial
from ...cameras.model import Cameras
from ...constants import DEFAULTS, Patches
from ...rasterizer.api import interpolate
from ...renderers.rasterized import depth_images, fragments_of, homogeneous_pixels
from ...scenes.photographs.matching import halvings
from ...scenes.views import Views
from .agreement import Agreement, Photograph, agreement
from .neighbors import neighbors
from .pyramid import Pyramid, gray_of
from .vote import WindowLosses, compared

Corrected = Callable[[Cameras, Tensor], Cameras]


@dataclass(frozen=True)
class Evidence:
    """What some photographs say of a surface.

    Attributes
    ----------
    loss : () tensor
        Mean of ``min(1 - ZNCC, cap)`` over the windows, each as often as it has texture; differentiable.
    share : float
        Of the object's pixels, how many have texture that was compared.
    """

    loss: Tensor
    share: float


@dataclass(frozen=True)
class _Pair:
    """How another photograph agrees with a first one."""

    first: int
    here: Photograph
    agreement: Agreement


class PhotoConsistency:
    """Patches of photographs, carried over the surface into others.

    Parameters
    ----------
    views : Views
    cameras : Cameras
        Of the views, around an object at the origin, on the device of the run.
    seed : int
        Of the choice of neighbours.
    constants : Patches, optional
    backend : str
        Of the rasterizer.
    most_pixels : int
        A step compares fewer neighbours where they would have more, and smaller photographs where one of them has more:
        however large they are, a step takes no longer.
    near : bool
        The run starts near the surface. If not, light and colour come first.

    Attributes
    ----------
    neighbors : tuple of tuples of int
        Of each photograph, see `neighbors`.
    trial : Trial
        Whether a run goes on with it, see `judge`.
    foretold : float or None
        The share of the windows that are for it, see `judge`.
    """

    def __init__(
        self,
        views: Views,
        cameras: Cameras,
        *,
        seed: int = 0,
        constants: Patches = DEFAULTS.patches,
        backend: str = "auto",
        most_pixels: int = DEFAULTS.schedule.step_pixels,
        near: bool = True,
    ) -> None:
        self.constants, self._backend, self._seed = constants, backend, seed
        self._most_pixels = most_pixels
        self.trial = Trial(0.0 if near else constants.start)
        self.foretold: float | None = None
        self._votes: deque[tuple[float, float]] = deque(maxlen=len(views))
        self.neighbors = neighbors(cameras.centers, constants)
        first, levels = halvings(views, most_pixels), 1
        for _ in range(first):
            cameras = cameras.halved()
        while min(cameras.height, cameras.width) >> levels >= constants.smallest:
            levels += 1
        self._pyramid = Pyramid(views, levels, cameras.world_to_camera.device, first)
        self._cameras = [cameras]
        for _ in range(1, levels):
            self._cameras.append(self._cameras[-1].halved())
        smallest = self._cameras[-1]
        self._trust = cameras.centers.new_ones(
            len(views), smallest.height, smallest.width, dtype=torch.float32
        )

    @property
    def levels(self) -> int:
        """How many sizes of the photographs there are."""
        return len(self._pyramid)

    def photograph(self, index: int, level: int = 0) -> Photograph:
        """One of them at one size."""
        return self._pyramid.photograph(index, level)

    def cameras(self, index: Tensor | list[int], level: int = 0) -> Cameras:
        """Of some photographs."""
        return self._cameras[level][index]

    def level(self, progress: float) -> int:
        """Which size of the photographs to look at, after so much of a run: 0 is the largest.

        All sizes have the same time. However large photographs are, a run begins with the smallest ones, where tiles
        and other things that repeat are least often mistaken for one another.
        """
        return max(math.ceil((len(self._pyramid) - 1) * (1.0 - progress / self.constants.finest_at)), 0)

    def group(self, first: int, number: int, level: int = 0) -> list[int]:
        """A photograph and some of its neighbours, by lot; the same ones for the same number of a step."""
        others, cameras = self.neighbors[first], self._cameras[level]
        lots = torch.Generator().manual_seed((self._seed * 1_000_003 + number) % 2**63)
        most = max(self._most_pixels // (cameras.height * cameras.width) - 1, 1)
        drawn = torch.randperm(len(others), generator=lots)[: min(self.constants.compared, most)].tolist()
        return [first, *(others[i] for i in drawn)]

    def evidence(
        self,
        vertices: Tensor,
        faces: Tensor,
        edges: Tensor,
        group: list[int],
        *,
        level: int = 0,
        corrected: Corrected | None = None,
    ) -> Evidence | None:
        """What a group of photographs says, each compared with each that is its neighbour; None if that is nothing.

        Parameters
        ----------
        vertices, faces : (V, 3), (F, 3)
            Differentiable in the vertices.
        edges : (E, 6) int32
            ``edge_table(faces)``.
        group : list of int
            Numbers of photographs.
        level : int
            0 for photographs at the largest size, see `level`.
        corrected : callable, optional
            Makes better cameras of cameras and their numbers.
        """
        return _summed(self._compared(vertices, faces, edges, self._pairs(group), level, corrected))

    @torch.no_grad()
    def report(
        self, vertices: Tensor, faces: Tensor, edges: Tensor, corrected: Corrected | None = None
    ) -> dict[str, Any] | None:
        """What all photographs say of a surface; None if that is nothing. Arguments as for `evidence`.

        Returns
        -------
        dict
            "agreement", the mean over the windows of ZNCC, or of 1 - cap where that is more; "share", of the object's
            pixels, how many have texture that was compared; "foretold" and "kept", see `judge`.
        """
        found = []
        for first in range(len(self.neighbors)):
            part = self.evidence(vertices, faces, edges, self.group(first, 0), corrected=corrected)
            found += [] if part is None else [(float(part.loss), part.share)]
        if not found:
            return None
        share = sum(part for _, part in found)
        loss = sum(part * loss for loss, part in found) / share
        decided = {"foretold": self.foretold, "kept": not self.trial.dropped}
        return {"agreement": 1.0 - loss, "share": share / len(self.neighbors), **decided}

    def heard(
        self,
        vertices: Tensor,
        faces: Tensor,
        edges: Tensor,
        image: Tensor,
        first: int,
        *,
        number: int,
        level: int = 0,
        corrected: Corrected | None = None,
    ) -> tuple[Evidence | None, WindowLosses | None]:
        """`evidence` of the group of a photograph; and how the photograph agrees with the others of it, and with its
        rendering, None if it has no neighbours.

        Parameters
        ----------
        vertices, faces, edges, level, corrected
            As for `evidence`.
        image : (H, W, 4) tensor
            The photograph as the run renders it at that level, linear, premultiplied.
        first : int
            Which one it is.
        number : int
            Of the step.
        """
        pairs = self._pairs(self.group(first, number, level))
        found = self._compared(vertices, faces, edges, pairs, level, corrected, shown=first)
        return _summed(found), self._foretold([pair for pair in found if pair.first == first], image)

    def _pairs(self, group: list[int]) -> list[tuple[int, int]]:
        """Each photograph of a group with each that is its neighbour."""
        return [(i, j) for i, j in permutations(group, 2) if j in self.neighbors[i]]

    @torch.no_grad()
    def _foretold(self, found: list[_Pair], image: Tensor) -> WindowLosses | None:
        """How the first photograph of all pairs agrees with the second ones, and with its rendering."""
        if not found:
            return None
        others = [pair.agreement for pair in found]
        return compared(found[0].here, others, gray_of(image), self.constants)

    def learn(self, comparison: WindowLosses | None, first: int, level: int) -> None:
        """Keep in mind what the colours of a photograph count, until it is compared again; and how its windows vote."""
        self._votes.append((0.0, 0.0) if comparison is None else comparison.votes())
        if comparison is not None:
            found = comparison.trust(2 ** (len(self._pyramid) - 1 - level))
            self._trust[first] = found[: self._trust.shape[1], : self._trust.shape[2]]

    def judge(self) -> None:
        """Drop it as soon as renderings are more like photographs than their neighbours, carried over the surface, are.

        That is: in most of the windows of the last comparisons, as many as there are photographs.

        Where light, colour, gloss and exposure explain photographs, pixels say more of the shape than patches, which
        then do harm. Renderings only get better, so that is for good.
        """
        if self.trial.dropped or not self._all_voted:
            return
        better, windows = self._tally()
        self.foretold = better / windows if windows > 0 else None
        if not 2.0 * better > windows:
            self.trial.settle(keep=False)

    @property
    def agreeing(self) -> bool:
        """Whether it counts, and the last comparisons, as many as there are photographs, are for it."""
        better, windows = self._tally()
        return self.trial.running and self._all_voted and 2.0 * better > windows

    @property
    def _all_voted(self) -> bool:
        return len(self._votes) == self._votes.maxlen

    def _tally(self) -> tuple[float, float]:
        """In how many windows a neighbour foretells a photograph better than its rendering, and of how many."""
        return sum(better for better, _ in self._votes), sum(windows for _, windows in self._votes)

    def trust(self, index: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, H, W): what the colours of some photographs count at that size; see `WindowLosses.trust`."""
        return torch.nn.functional.interpolate(self._trust[index][:, None], size, mode="bilinear")[:, 0]

    def _compared(
        self,
        vertices: Tensor,
        faces: Tensor,
        edges: Tensor,
        pairs: list[tuple[int, int]],
        level: int,
        corrected: Corrected | None,
        *,
        shown: int | None = None,
    ) -> list[_Pair]:
        """How the second photograph of each pair agrees with the first; with all scores where that is the one shown."""
        numbers = sorted({number for pair in pairs for number in pair})
        if not numbers:
            return []
        cameras = self._cameras[level][numbers]
        if corrected is not None:
            cameras = corrected(cameras, torch.tensor(numbers))
        size = cameras.height, cameras.width
        fragments = fragments_of(vertices, faces, cameras, edges=edges, backend=self._backend)
        surface, ends = interpolate(vertices, fragments), fragments.view_ends.tolist()
        photographs = {i: self._pyramid.photograph(i, level) for i in numbers}
        depths = depth_images(surface, fragments, cameras)
        found = []
        for first, second in pairs:
            i, j = numbers.index(first), numbers.index(second)
            seen = slice(ends[i], ends[i + 1])
            there = homogeneous_pixels(surface[seen], cameras[[j]])[0]
            part = agreement(
                there, fragments.pixels[seen] - i * size[0] * size[1], photographs[first], photographs[second],
                depths[j], pixel=1.0 / float(cameras.intrinsics[j, 0, 0]), radius=self.constants.radius,
                cap=self.constants.cap, images=first == shown,
            )  # fmt: skip
            found.append(_Pair(first, photographs[first], part))
        return found

    def state_dict(self) -> dict[str, Any]:
        """All that later steps depend on."""
        votes = {"foretold": self.foretold, "votes": list(self._votes)}
        return {"trial": self.trial.state_dict(), "trust": self._trust, **votes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.trial.load_state_dict(state["trial"])
        self.foretold = None if state["foretold"] is None else float(state["foretold"])
        self._votes.extend((float(better), float(windows)) for better, windows in state["votes"])
        self._trust.copy_(state["trust"])


def _summed(found: list[_Pair]) -> Evidence | None:
    """All that some pairs say."""
    share = sum(float(pair.agreement.share) for pair in found)
    if not share > 0:
        return None
    loss = torch.stack([pair.agreement.loss for pair in found]).sum()
    inside = sum(float((pair.here.weight > 0.5).sum()) for pair in found)
    return Evidence(loss / share, min(share / max(inside, 1.0), 1.0))
