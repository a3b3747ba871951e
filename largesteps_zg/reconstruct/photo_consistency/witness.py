"""What photographs that have to agree do in each step of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ...cameras.model import Cameras
from ...images.likeness import mask_iou
from ..batch import Batch
from .term import Corrected, PhotoConsistency


class Witness:
    """A second witness of the shape, beside light and colour, until it is dismissed."""

    def __init__(self, term: PhotoConsistency) -> None:
        self.term = term

    @property
    def heard(self) -> bool:
        """Whether it has been called, and has not been dismissed."""
        return self.term.trial.running

    @torch.no_grad()
    def called(self, draw: Callable[[Cameras, Tensor], Tensor], batch: Batch, progress: float) -> bool:
        """Whether it is heard in a step: for the first time once outlines are nearly where they belong.

        Far away from the surface patches are alike by chance, and would hold it where it is. `draw` is as for `hear`.
        """
        trial = self.term.trial
        if not (trial.started or trial.dropped) and progress >= trial.start:
            drawn = draw(batch.cameras, batch.index)[..., 3]
            if mask_iou(drawn, batch.targets[..., 3]) > self.term.constants.near:
                trial.reach(progress)
        return self.heard

    def trusting(self, batch: Batch) -> Batch:
        """Some views with what their colours count beside patches."""
        size = batch.cameras.height, batch.cameras.width
        return replace(batch, trust=self.term.trust(batch.index, size)) if self.heard else batch

    def hear(
        self,
        surface: tuple[Tensor, Tensor, Tensor],
        draw: Callable[[Cameras, Tensor], Tensor],
        index: Tensor,
        shown: float,
        *,
        number: int,
        progress: float,
        corrected: Corrected | None,
    ) -> Tensor | float:
        """What the agreement of photographs adds to a loss; and what colours count beside patches is learned.

        The noise of neither is known. Laplacian noise of a size that has to be found as well makes the likelihood of n
        differences n log of their mean, so the loss adds up like n_1 log(mean_1) + n_2 log(mean_2).

        Parameters
        ----------
        surface : vertices, faces, edges
            As for `PhotoConsistency.evidence`.
        draw : callable
            Renders the surface in some cameras, which are those of the photographs of these numbers.
        index : (B,) tensor
            Photographs of the step. The first one's windows are compared.
        shown : float
            The first mean, with all colours in full: what they count less, patches count more.
        number : int
            Of the step.
        progress : float
            Share of the run that lies behind.
        corrected : callable, optional
            See `PhotoConsistency.evidence`.
        """
        self.term.judge()
        if self.term.trial.dropped:
            return 0.0
        first, level = int(index[0]), self.term.level(progress)
        cameras = self.term.cameras(index[:1], level)
        with torch.no_grad():
            (image,) = draw(cameras if corrected is None else corrected(cameras, index[:1]), index[:1])
        found, comparison = self.term.heard(
            *surface, image, first, number=number, level=level, corrected=corrected
        )
        self.term.learn(comparison, first, level)
        if found is None or not found.loss > 0:
            return 0.0
        return shown * found.share * torch.log(found.loss)
