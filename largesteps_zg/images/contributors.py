"""Which parameters made each pixel: a list of ids for every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True)
class Contributors:
    """Which parameters made each pixel: a list of ids a pixel, of any length, none included.

    A mesh's triangle is the list of one id; sorted splats, the voxels along a ray and the texels between which a
    pixel was interpolated are longer ones.

    Attributes
    ----------
    starts : (N + 1,) int64
        The list of pixel p is ``ids[starts[p]:starts[p + 1]]``; pixels in the order of the picture's memory.
    ids : (M,) int32
        In any order within a list; one that is there twice counts once, a negative one not at all.

    Raises
    ------
    ValueError
        Starts that do not divide the ids.

    Notes
    -----
    Memory: 8 bytes a pixel and 4 an id. Where lists do not depend on the parameters (a UV buffer, rays through voxels),
    make them once and return the same object with every picture: the sums then read one of the two.

    Examples
    --------
    >>> deep = torch.tensor([[4, 7, -1], [-1, -1, -1]])  # two pixels, the second empty
    >>> Contributors.of(deep)
    Contributors(starts=tensor([0, 2, 2]), ids=tensor([4, 7], dtype=torch.int32))
    """

    starts: Tensor
    ids: Tensor

    def __post_init__(self) -> None:
        for name, tensor, kind in (("starts", self.starts, torch.int64), ("ids", self.ids, torch.int32)):
            if tensor.dim() != 1 or tensor.dtype != kind:
                raise ValueError(
                    f"{name}: expected one axis of {kind}, got {tensor.dtype} of shape {tuple(tensor.shape)}"
                )
        starts = self.starts
        if (
            not len(starts)
            or starts[0] != 0
            or starts[-1] != len(self.ids)
            or bool((starts[1:] < starts[:-1]).any())
        ):
            raise ValueError(
                f"starts: expected numbers that rise from 0 to {len(self.ids)}, the number of ids, one more than there "
                f"are pixels; got {len(starts)} from {starts[:1].tolist()} to {starts[-1:].tolist()}"
            )

    @classmethod
    def of(cls, ids: Int[Tensor, "*pixels K"]) -> Contributors:
        """The lists of a buffer with K places a pixel, those below 0 left out."""
        filled = ids >= 0
        starts = torch.zeros(filled[..., 0].numel() + 1, dtype=torch.int64, device=ids.device)
        torch.cumsum(filled.sum(-1).flatten(), 0, out=starts[1:])
        return cls(starts, ids[filled].to(torch.int32))

    @property
    def pixels(self) -> int:
        """How many lists there are."""
        return len(self.starts) - 1

    @property
    def longest(self) -> int:
        """The length of the longest list."""
        return int(self.starts.diff().max()) if self.pixels else 0

    def padded(self, places: int) -> Int[Tensor, "N {places}"]:
        """A buffer with so many places a pixel, at least `longest`, filled up with -1."""
        buffer = torch.full((self.pixels, places), -1, dtype=torch.int32, device=self.ids.device)
        filled = torch.arange(places, device=self.ids.device) < self.starts.diff()[:, None]
        buffer[filled] = self.ids
        return buffer

    def to(self, device: torch.device) -> Contributors:
        """On a device; the same object where it is there already."""
        if self.ids.device == device and self.starts.device == device:
            return self
        return Contributors(self.starts.to(device), self.ids.to(device))
