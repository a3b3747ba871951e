"""Small repairs that leave everything else where it is."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .edges import edges
from .metrics import flipped


def unfold(
    vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], *, rounds: int = 50
) -> Float[Tensor, "V 3"]:
    """Positions without folded-over triangles: their corners move to the middle of their neighbours until none is left.

    Parameters
    ----------
    vertices : (V, 3) float
    faces : (F, 3) int
    rounds : int
        The most smoothing steps. What is folded over a large region stays so.

    Returns
    -------
    (V, 3) float
        The given tensor itself where nothing is folded. Only corners of flipped faces move, and those around them
        where that is not enough.

    Notes
    -----
    Not differentiable in how it chooses; meant for results. A flipped face is one that `metrics.flipped` finds.
    """
    pairs = None
    for number in range(rounds):
        folded = flipped(vertices, faces)
        if not bool(folded.any()):
            break
        if pairs is None:
            pairs = edges(faces)
            pairs = torch.cat([pairs, pairs.flip(1)])
            degree = torch.bincount(pairs[:, 0], minlength=len(vertices)).clamp(min=1).to(vertices)
        middle = torch.zeros_like(vertices).index_add(0, pairs[:, 0], vertices[pairs[:, 1]]) / degree[:, None]
        moved = torch.zeros(len(vertices), dtype=torch.bool, device=vertices.device)
        moved[faces[folded].reshape(-1)] = True
        for _ in range(number // 5):  # what does not give way is held by its surroundings
            moved[faces[moved[faces].any(dim=1)].reshape(-1)] = True
        vertices = torch.where(moved[:, None], middle, vertices)
    return vertices
