"""What a surface is made of, as other programs take it: base colour, roughness, metalness, index of refraction.

Of glTF 2.0's metallic-roughness model (appendix B), with base colour b, metalness m and index n::

    diffuse colour = b (1 - m),    mirrored straight on, F0 = (1 - m) k + m b,    k = ((n - 1) / (n + 1))²

A run finds the diffuse colour d and F0 (see `reconstruct.appearance.reflectance`); this solves for the other three.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...images.color import linear_to_srgb, srgb_to_linear
from ...mesh.mesh import Mesh
from .material import USUAL_INDEX, Material, matt
from .textured import TexturedMesh

USUAL_REFLECTANCE = 0.04  # F0 of the usual index
MOST_DIELECTRIC = (
    0.172  # F0 of diamond, n = 2.417: nothing clear that is met every day mirrors more, and metals do
)
_LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear sRGB


def material_of(
    diffuse: Float[Tensor, "H W 3"], roughness: float, reflectance: Float[Tensor, "3"]
) -> tuple[Float[Tensor, "H W 3"], Material]:
    """Base colour and material of a surface that scatters and mirrors so much.

    It mirrors k = 0.04 at least: paint, plastic, glass and glazes have n from 1.4 to 1.7, and a run tells F0 no better
    than that. Up to diamond's F0 it is no metal: the base colour is the diffuse one, and n
    follows from F0. Above, it is metal in part or wholly. Of brightnesses d and s of diffuse colour and F0, with
    u = 1 - m, the two equations give k u² - (s + d) u + d = 0, of which one root lies in [0, 1] for s > k. The base
    colour is that which the diffuse colour asks for, d / u, and towards metal that which F0 asks for, (F0 - k u) / m;
    m² weighs the two, as in Khronos' conversion from specular-glossiness [1]_.

    Parameters
    ----------
    diffuse : (H, W, 3) float
        Linear RGB in [0, 1].
    roughness : float
        In [0, 1].
    reflectance : (3,) float
        F0 of each channel, or less.

    Returns
    -------
    base : (H, W, 3) float
        Linear RGB in [0, 1].
    material : Material
        Of the size of `diffuse`.

    References
    ----------
    .. [1] Khronos Group, glTF extension KHR_materials_pbrSpecularGlossiness, example of converting between workflows.
    """
    weights = diffuse.new_tensor(_LUMINANCE)
    specular = reflectance.to(diffuse).clamp(0, 1)
    mirrored, shape = float(specular @ weights), diffuse.shape[:2]
    rough = torch.full(shape, round(255 * min(max(roughness, 0.0), 1.0)), dtype=torch.uint8)
    if mirrored <= MOST_DIELECTRIC:
        root = math.sqrt(mirrored)
        index = (1 + root) / (1 - root) if mirrored > USUAL_REFLECTANCE else USUAL_INDEX
        return diffuse, Material(rough, torch.zeros(shape, dtype=torch.uint8), index)
    scattered, k = diffuse @ weights, USUAL_REFLECTANCE
    both = mirrored + scattered
    u = (
        2 * scattered / (both + (both**2 - 4 * k * scattered).clamp(min=0).sqrt())
    )  # the lesser root, without loss
    m = (1 - u).clamp(0, 1)[..., None]
    by_diffuse = diffuse / (1 - m).clamp(min=1e-6)
    by_mirror = (specular - k * (1 - m)) / m.clamp(min=1e-6)
    base = torch.lerp(by_diffuse.clamp(0, 1), by_mirror.clamp(0, 1), m**2)
    return base, Material(rough, (255 * m[..., 0]).round().to(torch.uint8))


def glossy(surface: Mesh | TexturedMesh, gloss: dict[str, Any]) -> tuple[Mesh | TexturedMesh, Material]:
    """A run's surface, whose colours are diffuse ones, with base colours; and what it is made of.

    Parameters
    ----------
    surface : Mesh or TexturedMesh
    gloss : dict
        ``roughness`` and ``reflectance``; see `Appearance.gloss_report`.

    Returns
    -------
    surface : Mesh or TexturedMesh
        The latter has the material, too.
    material : Material
        Of a surface without texture the same everywhere: its mean.
    """
    roughness, reflectance = gloss["roughness"], torch.tensor(gloss["reflectance"])
    if isinstance(surface, TexturedMesh):
        diffuse = srgb_to_linear(surface.image.double() / 255)
        base, material = material_of(diffuse, roughness, reflectance)
        image = (255 * linear_to_srgb(base)).round().to(torch.uint8)
        return replace(surface, image=image, material=material), material
    if surface.colors is None:
        return surface, matt()
    base, found = material_of(surface.colors[None], roughness, reflectance)
    metal = found.metalness.double().mean().round().to(torch.uint8).view(1, 1)
    return replace(surface, colors=base[0]), Material(found.roughness[:1, :1], metal, found.index)
