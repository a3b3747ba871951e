"""Roughness and reflectance of GGX, as other programs take them, from the blurred surroundings that a run found.

A gloss holds P = F0 (L * k): the radiance L of the surroundings, blurred by the lobe k of the surface, times the share
F0 that it mirrors straight on. P alone does not tell L from k, nor L from F0. Two facts do, each with its bound:

- A highlight is no narrower than the lobe. The brightest one, taken for that of a small lamp, gives the roughness; a
  lamp that is wide makes it too large.
- L also lights the surface where it is matt, and the run's diffuse light tells its mean. So mean(P) / mean(L) is F0;
  what the diffuse light took of a smooth reflection makes it too small.

How F0 rises towards grazing angles tells it apart from all of these, and so metals from the rest.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ...constants import DEFAULTS, Highlights

_ROUGHNESSES = 200  # that are tried, from 0.1 on: finer than 8 bits of an image


def octahedral_directions(size: int) -> tuple[Float[Tensor, "N 3"], Float[Tensor, " N"]]:
    """Unit directions (size², 3) of the texels of an octahedral map, row by row, and their solid angles; float64.

    The inverse of `gloss.octahedral`. A texel of the octahedron at distance r from its middle spans 1 / r³ of what it
    would at distance 1, at a slant that is the same on all eight sides.
    """
    middle = (torch.arange(size, dtype=torch.float64) + 0.5) / size * 2 - 1
    v, u = torch.meshgrid(middle, middle, indexing="ij")
    z = 1 - u.abs() - v.abs()
    sign_u, sign_v = torch.where(u < 0, -1.0, 1.0), torch.where(v < 0, -1.0, 1.0)
    x = torch.where(z < 0, (1 - v.abs()) * sign_u, u)
    y = torch.where(z < 0, (1 - u.abs()) * sign_v, v)
    places = torch.stack([x, y, z], dim=-1).view(-1, 3)
    weights = places.norm(dim=1) ** -3
    return torch.nn.functional.normalize(places, dim=1), weights * (4 * math.pi / weights.sum())


def lobe(cosine: Float[Tensor, "*B"], roughness: float) -> Float[Tensor, "*B"]:
    """How bright a small lamp is mirrored at an angle from the mirrored direction, seen straight on; 1 at its peak.

    GGX's D at half the angle, with alpha = roughness², over its value at 0 [1]_::

        (alpha² / (1 + (alpha² - 1) cos²(angle / 2)))²

    References
    ----------
    .. [1] B. Walter et al., "Microfacet Models for Refraction through Rough Surfaces", EGSR 2007, eq. 33.
    """
    square = roughness**4
    return (square / (1 + (square - 1) * (1 + cosine) / 2)) ** 2


def fitted_roughness(picture: Float[Tensor, "3 N N"], constants: Highlights = DEFAULTS.highlights) -> float:
    """Roughness of the lobe a + b k that is nearest to the brightest highlight of a picture, by least squares.

    Parameters
    ----------
    picture : (3, N, N) float
        What is mirrored, on an octahedral map.
    constants : Highlights, optional

    Returns
    -------
    float
        In [0.1, 1]; no less, for texels of 6 degrees show nothing sharper. 1 where nothing is mirrored.
    """
    directions, weights = octahedral_directions(picture.shape[-1])
    bright = picture.detach().double().cpu().mean(dim=0).view(-1)
    peak = bright.argmax()
    if not bright[peak] > 0:
        return 1.0
    core = (bright - 0.5 * bright[peak]).clamp(min=0) * weights
    core = core * (directions @ directions[peak] > math.cos(math.radians(constants.lobe_core)))
    middle = torch.nn.functional.normalize((core[:, None] * directions).sum(0), dim=0)
    cosine = directions @ middle
    near = cosine > math.cos(math.radians(constants.lobe_width))
    cosine, y, root = cosine[near], bright[near], weights[near].sqrt()
    tried = torch.linspace(0.1, 1, _ROUGHNESSES, dtype=torch.float64).tolist()
    left = []
    for roughness in tried:
        columns = torch.stack([lobe(cosine, roughness), torch.ones_like(y)], dim=1) * root[:, None]
        found = torch.linalg.lstsq(columns, (root * y)[:, None]).solution
        left.append(float((columns @ found - (root * y)[:, None]).square().sum()))
    return tried[left.index(min(left))]


def least_reflectance(picture: Float[Tensor, "3 N N"], light: Float[Tensor, "K 3"]) -> Float[Tensor, "3"]:
    """F0 of each channel: the mean of what is mirrored over the mean radiance of the surroundings.

    Parameters
    ----------
    picture : (3, N, N) float
        What is mirrored straight on, on an octahedral map.
    light : (K, 3) float
        Coefficients of the shading that the surroundings make; see `SphericalHarmonicsLight`.

    Returns
    -------
    (3,) float
        In [0, 1], float64. Convolution with the lobe of diffuse reflection keeps the mean, and the constant harmonic is
        1 / sqrt(4 pi): so light[0] / sqrt(4 pi) is that of the radiance.
    """
    _, weights = octahedral_directions(picture.shape[-1])
    mean = picture.detach().double().cpu().view(3, -1) @ weights / (4 * math.pi)
    given = light[0].detach().double().cpu() / math.sqrt(4 * math.pi)
    return (mean / given.clamp(min=1e-9)).clamp(0, 1)


def straight_reflectance(grazing: float, power: int) -> float:
    """F0 from how many times as much is added edge-on, the grazing g of a `Gloss`.

    Schlick's law is F0 (1 + G x^5) with x = 1 - n.v and G = (1 - F0) / F0; a gloss has 1 + g x^p. Over the picture of a
    ball, on which x has the density 1 - x, the two are nearest by least squares where
    G (1 / (p + 6) - 1 / (p + 7)) = g (1 / (2 p + 1) - 1 / (2 p + 2)).

    Examples
    --------
    >>> round(straight_reflectance(0.0, 3), 2), round(straight_reflectance(24.0, 5), 2)
    (1.0, 0.04)
    """
    mine, schlicks = (1 / (n + 1) - 1 / (n + 2) for n in (2 * power, power + 5))
    return 1 / (1 + grazing * mine / schlicks)
