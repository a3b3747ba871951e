"""A material under lamps far away: glTF's own shading, as viewers do it."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ...cameras.model import Cameras
from ...geometry.normals import vertex_normals
from ...images.color import srgb_to_linear
from ...rasterizer.api import antialias, interpolate, rasterize
from ...rasterizer.silhouette_edges import edge_table
from ...renderers.rasterized import homogeneous_pixels
from .atlas import lookup
from .material import matt
from .tangents import decoded_normals, place_tangents
from .textured import TexturedMesh


def render_lit(
    textured: TexturedMesh, cameras: Cameras, towards: Float[Tensor, "S 3"], irradiance: Float[Tensor, "S 3"]
) -> Float[Tensor, "B H W 4"]:
    """Images of a textured mesh under lamps far away, by the shading of glTF 2.0, appendix B; no shadows.

    ::

        sum over lamps of E (n.l) [ (1 - F) b (1 - m) / pi + F D V ],    F = F0 + (1 - F0) (1 - v.h)^5

    with GGX's D and Smith's joint V of alpha = roughness², both facing (n.l) and (n.v) above 0.

    Parameters
    ----------
    textured : TexturedMesh
    cameras : Cameras
        In the mesh's coordinates.
    towards : (S, 3) float
        Unit directions to the lamps.
    irradiance : (S, 3) float
        Of a surface that faces the lamp, linear RGB, in units in which a white matt one then sends 1 / pi.

    Returns
    -------
    (B, H, W, 4) float32
        Linear, premultiplied, alpha last. A sample a pixel, but for outlines.
    """
    owners, faces = textured.owners, textured.faces_uv
    points = textured.mesh.vertices.double()[owners]
    normals = vertex_normals(textured.mesh.vertices.double(), textured.mesh.faces)[owners]
    uv = textured.uv.double()
    data = torch.cat([points, normals, place_tangents(points, normals, uv, faces), uv], dim=1)
    edges, images = edge_table(faces, points), []
    for i in range(len(cameras)):
        size = (cameras.height, cameras.width)
        fragments = rasterize(homogeneous_pixels(points, cameras[i]), faces, size, edges=edges)
        at = interpolate(data, fragments)
        view = torch.nn.functional.normalize(cameras.centers[i].to(at) - at[:, :3], dim=1)
        colors = _shaded(textured, at, view, towards.to(at), irradiance.to(at))
        images.append(antialias(colors, fragments).float())
    return torch.cat(images)


def _shaded(textured: TexturedMesh, at: Tensor, view: Tensor, towards: Tensor, irradiance: Tensor) -> Tensor:
    """(P, 3) radiance of points with frames and places (P, 12)."""
    material = textured.material or matt()

    def layer(image: Tensor) -> Tensor:
        height, width = image.shape[:2]
        return lookup(image, torch.stack([width * at[:, 10], height * (1 - at[:, 11])], dim=1))

    base = layer(srgb_to_linear(textured.image.double() / 255))
    alpha = layer(material.roughness.double()[..., None] / 255)[:, 0] ** 2
    metal = layer(material.metalness.double()[..., None] / 255)
    normal = torch.nn.functional.normalize(at[:, 3:6], dim=1)
    if material.normals is not None:
        x, y, z = layer(decoded_normals(material.normals)).unbind(1)
        across = at[:, 9:10].sign() * torch.linalg.cross(at[:, 3:6], at[:, 6:9])
        normal = x[:, None] * at[:, 6:9] + y[:, None] * across + z[:, None] * at[:, 3:6]
        normal = torch.nn.functional.normalize(normal, dim=1)
    straight = (1 - metal) * material.reflectance + metal * base
    nv, square = (normal * view).sum(1).clamp(min=1e-4), alpha**2
    found = torch.zeros_like(base)
    for lamp, arriving in zip(towards, irradiance, strict=True):
        half = torch.nn.functional.normalize(view + lamp, dim=1)
        nl, nh = (normal @ lamp).clamp(min=0), (normal * half).sum(1).clamp(min=0)
        fresnel = straight + (1 - straight) * (1 - (view * half).sum(1).clamp(0, 1))[:, None] ** 5
        d = square / (math.pi * (1 + (square - 1) * nh**2) ** 2)
        smith = nl * (square + (1 - square) * nv**2).sqrt() + nv * (square + (1 - square) * nl**2).sqrt()
        mirrored = fresnel * (d * 0.5 / smith.clamp(min=1e-9))[:, None]
        found += arriving * nl[:, None] * ((1 - fresnel) * base * (1 - metal) / math.pi + mirrored)
    return found
