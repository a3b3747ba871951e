"""Smoothness penalties on vertex positions: the regularised baselines that Large Steps is compared with.

Used with plain Adam on the positions themselves, in place of the parametrization.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def laplacian_loss(vertices: Float[Tensor, "V k"], laplacian: Float[Tensor, "V V"]) -> Float[Tensor, ""]:
    """Dirichlet energy per coordinate, ``mean(v * (L v))``.

    For the uniform Laplacian: the sum of squared edge lengths over 3V. Pulls a closed surface together.

    Parameters
    ----------
    vertices : (V, 3) float tensor
    laplacian : (V, V) sparse tensor
        From `geometry.laplacian_uniform` or `geometry.laplacian_cot`; a constant.
    """
    return (vertices * (laplacian @ vertices)).mean()


def bilaplacian_loss(vertices: Float[Tensor, "V k"], laplacian: Float[Tensor, "V V"]) -> Float[Tensor, ""]:
    """Thin-plate energy per coordinate, ``mean((L v)^2)``: prefers flat surfaces rather than small ones.

    Parameters
    ----------
    vertices : (V, 3) float tensor
    laplacian : (V, V) sparse tensor
        From `geometry.laplacian_uniform` or `geometry.laplacian_cot`; a constant.
    """
    return (laplacian @ vertices).square().mean()
