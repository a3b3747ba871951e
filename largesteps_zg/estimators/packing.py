"""Parameters as one vector, and vectors as the arguments of the function that is sampled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .._support.checks import check_tensor
from .estimate import Parameters

# Points that exist at one time: so many, and so many numbers in all of them (32 MB of float32). Enough to keep the
# workers of an executor busy between two waits; with more, fresh memory costs more than is gained.
POINTS_AT_ONCE = 1024
NUMBERS_AT_ONCE = 2**23


class Packing:
    """One vector of P numbers for a tensor or a tuple of tensors, and the way back.

    Parameters
    ----------
    parameters : tensor or tuple of tensors
        float32 or float64, finite, on one device; the vector has the wider of their types.

    Attributes
    ----------
    flat : (P,) tensor
        A copy of the parameters, without their history.
    tensors : int
        How many there are.

    Raises
    ------
    ValueError
        No parameters, or others than those above.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._single = isinstance(parameters, Tensor)
        tensors = check_parameters(parameters)
        self._shapes = [t.shape for t in tensors]
        self._sizes = [t.numel() for t in tensors]
        self._dtypes = [t.dtype for t in tensors]
        self.tensors = len(tensors)
        dtype = torch.float64 if torch.float64 in self._dtypes else torch.float32
        self.flat = torch.cat([t.detach().reshape(-1).to(dtype) for t in tensors])

    @property
    def pairs_at_once(self) -> int:
        """Pairs of points that may exist at one time."""
        return max(1, min(POINTS_AT_ONCE, NUMBERS_AT_ONCE // len(self.flat)) // 2)

    def points(self, vectors: Float[Tensor, "N P"]) -> list[tuple[Tensor, ...]]:
        """The arguments of f for N vectors: for each a tuple with a tensor for each parameter tensor."""
        parts = zip(vectors.split(self._sizes, dim=1), self._dtypes, self._shapes, strict=True)
        columns = [part.to(dtype).reshape(-1, *shape).unbind() for part, dtype, shape in parts]
        return list(zip(*columns, strict=True))

    def restore(self, vector: Float[Tensor, " P"]) -> Parameters:
        """A vector in the form of the parameters: a tensor if they were one, or else a tuple."""
        (point,) = self.points(vector[None])
        return point[0] if self._single else point

    def widths(self, name: str, values: Sequence[float]) -> Float[Tensor, " P"]:
        """Size of the perturbation of each entry, from one number per tensor.

        Raises
        ------
        ValueError
            So small a number that an entry would not change in its type.
        """
        dtype, device = self.flat.dtype, self.flat.device
        parts = [
            torch.full((size,), value, dtype=dtype, device=device)
            for size, value in zip(self._sizes, values, strict=True)
        ]
        widths = torch.cat(parts) if len(parts) > 1 else parts[0]
        # In the tensors' own types: a float32 among float64 has the coarser steps.
        for part, width, own in zip(
            self.flat.split(self._sizes), widths.split(self._sizes), self._dtypes, strict=True
        ):
            lost = ((part + width).to(own) == part.to(own)) | ((part - width).to(own) == part.to(own))
            if lost.any():
                entry = part[lost][0].item()
                raise ValueError(
                    f"{name}: expected a size that {str(own)[6:]} can add to the parameters, got "
                    f"{width[0].item():.3g} for an entry of {entry:.6g}; make it larger, or use float64"
                )
        return widths


def check_parameters(parameters: Parameters) -> tuple[Tensor, ...]:
    """The tensors, or ValueError as `Packing` raises it; nothing is copied."""
    if isinstance(parameters, np.ndarray):
        check_tensor("parameters", parameters)
    tensors = (parameters,) if isinstance(parameters, Tensor) else tuple(parameters)
    for tensor in tensors:
        check_tensor("parameters", tensor)
    _check_types(tensors)
    _check_values([t.detach() for t in tensors if t.numel()])
    return tensors


def _check_types(tensors: tuple[Tensor, ...]) -> None:
    """Raise ValueError unless there are parameters of a type that can be perturbed, on one device."""
    if sum(t.numel() for t in tensors) == 0:
        raise ValueError("parameters: expected a tensor with numbers, or a tuple of such, got none")
    for i, t in enumerate(tensors):
        if t.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"parameters: expected float32 or float64, got {t.dtype} in tensor {i}; convert it, or give it to f "
                "in another way if it is no parameter"
            )
        if t.device != tensors[0].device:
            raise ValueError(
                f"parameters: expected all on one device, got {tensors[0].device} and {t.device}; move one with .to()"
            )


def _check_values(tensors: Sequence[Tensor]) -> None:
    """Raise ValueError unless all numbers are finite."""
    # The least and the largest of numbers that are not all finite are not finite: one pass, no copy.
    if not all(bound.isfinite() for tensor in tensors for bound in tensor.aminmax()):
        others = sum(int((~tensor.isfinite()).sum()) for tensor in tensors)
        raise ValueError(
            f"parameters: expected finite numbers, got {others} others; was the last step too large?"
        )
