"""The general network: one for all BRDFs, told which by a code that an encoder makes of samples."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .brdfs import Analytic, Directions, Measured, sampled
from .networks import BATCH, LAYERS, Family, Weights, encoded, error, fresh, network

CODE = 16
ENCODER = (9, 32, CODE)  # directions and the encoded value of a sample


class General:
    """Encoder and decoder, learned over a family; `weights` are the decoder for given BRDFs.

    The code only shifts the first layer, so that the decoder for one BRDF is a network of 675 weights like all others.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.encoder, self.decoder = fresh(generator, ENCODER), fresh(generator)
        self.shift = 0.1 * torch.randn(CODE, LAYERS[1], generator=generator)

    def weights(self, directions: Directions, truth: Tensor) -> Weights:
        """(N, ...): networks of N BRDFs from samples of them (N, S, 3)."""
        inputs = torch.cat([directions.inputs.expand(len(truth), -1, -1), truth], -1)
        code = network(self.encoder, inputs).mean(1)
        found = {name: value.expand(len(truth), *value.shape) for name, value in self.decoder.items()}
        return {**found, "b0": found["b0"] + code @ self.shift}

    def learn(
        self, family: Family, steps: int, together: int, generator: torch.Generator,
        watch: Callable[[int], None],
    ) -> None:  # fmt: skip
        """Adam over the tasks of a family."""
        parts = [*self.encoder.values(), *self.decoder.values(), self.shift]
        optimizer = torch.optim.Adam([part.requires_grad_() for part in parts], lr=3e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for step in range(steps):
            loss = self.errors(family(together, generator), generator).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            watch(step + 1)

    def errors(self, brdfs: Analytic | Measured, generator: torch.Generator) -> Tensor:
        """(N,): of BRDFs, seen at some samples, at others."""
        seen, asked = sampled(BATCH, generator), sampled(BATCH, generator)
        weights = self.weights(seen, encoded(brdfs(seen), seen))
        return error(weights, asked, encoded(brdfs(asked), asked))
