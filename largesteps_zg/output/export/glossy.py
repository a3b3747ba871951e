"""What a surface is made of, as other programs take it: base colour, roughness, metalness, index of refraction.

Of glTF 2.0's metallic-roughness model (appendix B), with base colour b, metalness m and index n::

    diffuse colour = b (1 - m),    mirrored straight on, F0 = (1 - m) k + m b,    k = ((n - 1) / (n + 1))²

A run finds the diffuse colour, F0, and how it rises towards grazing angles (`reconstruct.appearance.reflectance`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...constants import DEFAULTS, Highlights
from ...images.color import linear_to_srgb, srgb_to_linear
from ...mesh.mesh import Mesh
from .material import USUAL_INDEX, Material, matt
from .textured import TexturedMesh

_LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear sRGB


def material_of(
    diffuse: Float[Tensor, "H W 3"],
    roughness: float,
    reflectance: Float[Tensor, "3"],
    *,
    metal: bool,
    constants: Highlights = DEFAULTS.highlights,
) -> tuple[Float[Tensor, "H W 3"], Material]:
    """Base colour and material of a surface that scatters and mirrors so much.

    Metals scatter nothing: what looked so was a blurred reflection, and the base colour is the sum of both. All else
    keeps its diffuse colour. It mirrors k = 0.04 at least, as of n = 1.5: paint, plastic, glass and glazes have 1.4 to
    1.7, and a run tells F0 no better than that. It mirrors no more than `Highlights.clearest`.

    Parameters
    ----------
    diffuse : (H, W, 3) float
        Linear RGB in [0, 1].
    roughness : float
        In [0, 1].
    reflectance : (3,) float
        F0 of each channel, or less.
    metal : bool
    constants : Highlights, optional

    Returns
    -------
    base : (H, W, 3) float
        Linear RGB in [0, 1].
    material : Material
        Of the size of `diffuse`.
    """
    specular, shape = reflectance.to(diffuse).clamp(0, 1), diffuse.shape[:2]
    rough = torch.full(shape, round(255 * min(max(roughness, 0.0), 1.0)), dtype=torch.uint8)
    if metal:
        return (diffuse + specular).clamp(0, 1), Material(rough, torch.full_like(rough, 255))
    root = math.sqrt(min(float(specular @ diffuse.new_tensor(_LUMINANCE)), constants.clearest))
    index = max((1 + root) / (1 - root), USUAL_INDEX)
    return diffuse, Material(rough, torch.zeros_like(rough), index)


def glossy(
    surface: Mesh | TexturedMesh, gloss: dict[str, Any], constants: Highlights = DEFAULTS.highlights
) -> tuple[Mesh | TexturedMesh, Material]:
    """A run's surface, whose colours are diffuse ones, with base colours; and what it is made of.

    Parameters
    ----------
    surface : Mesh or TexturedMesh
    gloss : dict
        ``roughness``, ``reflectance`` and ``straight``, see `Appearance.gloss_report`.
    constants : Highlights, optional
        Which of them are metals.

    Returns
    -------
    surface : Mesh or TexturedMesh
        The latter has the material, too.
    material : Material
        Of a surface without texture the same everywhere, (1, 1).
    """
    make = partial(
        material_of,
        roughness=gloss["roughness"],
        reflectance=torch.tensor(gloss["reflectance"]),
        metal=gloss["straight"] > constants.clearest,
        constants=constants,
    )
    if isinstance(surface, TexturedMesh):
        diffuse = srgb_to_linear(surface.image.double() / 255)
        base, material = make(diffuse)
        image = (255 * linear_to_srgb(base)).round().to(torch.uint8)
        return replace(surface, image=image, material=material), material
    if surface.colors is None:
        return surface, matt()
    base, found = make(surface.colors[None])
    return replace(surface, colors=base[0]), Material(
        found.roughness[:1, :1], found.metalness[:1, :1], found.index
    )
