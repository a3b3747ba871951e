"""A source of gradients that only calls a renderer."""

from __future__ import annotations

from typing import Any

import torch

from ...renderers.black_box import BlackBox
from .source import GradientSource


class Sampled(GradientSource):
    """A renderer that is only called, and a generator for where to call it."""

    def __init__(self, renderer: BlackBox, seed: int) -> None:
        super().__init__()
        self.renderer = renderer
        self.generator = torch.Generator().manual_seed(seed)

    def state_dict(self) -> dict[str, Any]:
        """Its own, and the generator's."""
        return {**super().state_dict(), "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        super().load_state_dict(state)
        self.generator.set_state(state["generator"].cpu())
