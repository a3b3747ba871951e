"""A small network that is fitted to a few samples at a time and remembers what earlier ones said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


class Surrogate:
    """Multilayer perceptron from K blocks of P inputs to one number, fitted by least changes of its weights.

    ::

        h_1 = W_0 x + b_0,   a_l = softplus(h_l),   h_{l+1} = W_l a_l + b_l,   y = h_{depth + 1}

    Each neuron of the first layer sees one block, so that W_0 is (width, P) for any number of blocks. W_0 starts at
    zero: the surrogate is flat before it has seen a sample, and its gradient, a combination of the rows of W_0, is made
    of samples alone.

    Parameters
    ----------
    inputs : int
        P, at least 1.
    blocks : int
        K, at least 1.
    width, depth : int
        Neurons of a hidden layer, at least K, and how many such layers there are, at least 1.
    generator : torch.Generator or None
        Of the first weights; torch's own for the CPU if None.
    device, dtype
        Of all weights.

    Notes
    -----
    `fit` is Gauss-Newton with the smallest change of the weights that meets N samples: with the Jacobian J (N, weights)
    of the outputs, and e what the samples are above them, ::

        change = rate S J^T (J S J^T + damping m I)^-1 e

    where m is the mean diagonal of J S J^T, and S one over the number of inputs of the layer that a weight belongs to.
    J is never built: its Gram matrix is a sum over layers of ``S (A A^T + 1) * (D D^T)``, entry by entry, from what
    goes into the layer, A, and the derivatives by what comes out of it, D. Cost: 4 N P width operations per update,
    N^2 P once. There is no state but the weights, so that the first layer, nearly all of the memory, exists once.

    Adam, which the published method trains with, moves every weight of the first layer by its rate, whatever the few
    samples say of it: with thousands of inputs the noise of that is larger than what is learned.
    """

    def __init__(
        self,
        inputs: int,
        *,
        blocks: int,
        width: int,
        depth: int,
        generator: torch.Generator | None,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        source = torch.device("cpu") if generator is None else generator.device

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, device=source).to(device, dtype)

        self.blocks = blocks
        sizes = [width] * depth + [1]
        self.weights = [torch.zeros(width, inputs, device=device, dtype=dtype)]
        self.biases = [normal(width)]
        for before, after in pairwise(sizes):
            self.weights.append(normal(after, before) / math.sqrt(before))
            self.biases.append(torch.zeros(after, device=device, dtype=dtype))

    def _first(self, x: Sequence[Tensor]) -> Tensor:
        """What the first layer adds to its biases, (N, width)."""
        rows = self.weights[0].tensor_split(self.blocks)
        return torch.cat([block @ weight.T for block, weight in zip(x, rows, strict=True)], dim=1)

    def _forward(self, first: Tensor) -> list[Tensor]:
        """What comes out of each layer, before the activation."""
        outs = [first + self.biases[0]]
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            outs.append(torch.addmm(bias, functional.softplus(outs[-1]), weight.T))
        return outs

    def _backward(self, outs: list[Tensor]) -> list[Tensor]:
        """Derivatives of the surrogate by what comes out of each layer."""
        deltas = [torch.ones_like(outs[-1])]
        for weight, out in zip(self.weights[:0:-1], outs[-2::-1], strict=True):
            deltas.insert(0, (deltas[0] @ weight) * torch.sigmoid(out))
        return deltas

    def _origin(self) -> list[Tensor]:
        """What comes out of each layer for inputs of zero."""
        return self._forward(torch.zeros_like(self.biases[0])[None])

    def value(self) -> float:
        """The surrogate where all inputs are zero."""
        return self._origin()[-1].item()

    def gradient(self) -> list[Tensor]:
        """Its derivative there by each block: K tensors (P,)."""
        (delta,) = self._backward(self._origin())[0]
        rows = zip(delta.tensor_split(self.blocks), self.weights[0].tensor_split(self.blocks), strict=True)
        return [part @ weight for part, weight in rows]

    def fit(
        self,
        x: Sequence[Float[Tensor, "N P"]],
        y: Float[Tensor, " N"],
        *,
        updates: int,
        rate: float,
        damping: float,
    ) -> None:
        """Change the weights towards N samples, so many times."""
        grams = [block @ block.T for block in x]
        scales = [1.0 / weight.shape[1] for weight in self.weights]
        for _ in range(updates):
            outs = self._forward(self._first(x))
            deltas = self._backward(outs)
            hidden = [functional.softplus(out) for out in outs[:-1]]
            gram = torch.zeros_like(grams[0])
            for inner, delta in zip(grams, deltas[0].tensor_split(self.blocks, dim=1), strict=True):
                gram += scales[0] * (inner + 1) * (delta @ delta.T)
            for a, delta, scale in zip(hidden, deltas[1:], scales[1:], strict=True):
                gram += scale * (a @ a.T + 1) * (delta @ delta.T)
            gram.diagonal().add_(damping * gram.diagonal().mean())
            shares = rate * torch.linalg.solve(gram, y - outs[-1][:, 0])[:, None]
            pushes = [scale * shares * delta for scale, delta in zip(scales, deltas, strict=True)]
            rows = zip(self.weights[0].tensor_split(self.blocks), x, strict=True)
            for (weight, block), push in zip(rows, pushes[0].tensor_split(self.blocks, dim=1), strict=True):
                weight.addmm_(push.T, block)
            for weight, a, push in zip(self.weights[1:], hidden, pushes[1:], strict=True):
                weight.addmm_(push.T, a)
            for bias, push in zip(self.biases, pushes, strict=True):
                bias.add_(push.sum(dim=0))

    def move(self, shift: Sequence[Float[Tensor, " P"]]) -> None:
        """The same function with another origin: what was at `shift` is at zero."""
        self.biases[0].add_(self._first([part[None] for part in shift])[0])

    def stretch(self, factor: Float[Tensor, " P"]) -> None:
        """The same function with the first block's inputs in other units: what was `factor` is 1."""
        self.weights[0].tensor_split(self.blocks)[0].mul_(factor)

    def rescale(self, factor: float, offset: float) -> None:
        """The same function in another unit: y becomes ``factor * y + offset``."""
        self.weights[-1].mul_(factor)
        self.biases[-1].mul_(factor).add_(offset)

    def forget(self, kept: float) -> None:
        """Flatten: the first layer shrinks to a share of itself."""
        self.weights[0].mul_(kept)

    def state_dict(self) -> dict[str, Any]:
        """Copies of the weights."""
        return {"weights": [w.clone() for w in self.weights], "biases": [b.clone() for b in self.biases]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over weights.

        Raises
        ------
        ValueError
            Those of a network of another size.
        """
        for name in ("weights", "biases"):
            own, given = ([tuple(t.shape) for t in tensors] for tensors in (getattr(self, name), state[name]))
            if own != given:
                raise ValueError(
                    f"state: expected {name} of shapes {own}, got {given}; were the options others, or the parameters?"
                )
        for name in ("weights", "biases"):
            setattr(
                self, name, [t.to(o).clone() for t, o in zip(state[name], getattr(self, name), strict=True)]
            )
