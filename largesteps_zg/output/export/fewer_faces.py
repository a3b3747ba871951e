"""A surface of fewer faces that looks as the full one: its colours, and its detail as a normal map, carried over."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ...constants import DEFAULTS, Constants
from ...constants import Texture as TextureConstants
from ...geometry.half_edges import mean_edge_length
from ...geometry.normals import vertex_normals
from ...images.color import linear_to_srgb, srgb_to_linear
from ...mesh.mesh import Mesh
from ...mesh.remeshing.decimation import decimate
from ...mesh.remeshing.facing import facing_points
from ...mesh.triangle_tree import TriangleTree, triangle_tree
from ...rasterizer.api import interpolate
from .atlas import chart_fragments, filled, lookup, unwrap
from .material import Material, matt
from .tangents import encoded_normals, place_tangents
from .textured import TexturedMesh

_LEAST_RISE = 0.02  # of a normal over the coarse surface, of 1: a normal map has no room for what turns away


@dataclass(frozen=True)
class FewerFaces:
    """A surface of fewer faces.

    Attributes
    ----------
    surface : TexturedMesh
        With a new layout. Its material has a normal map.
    given : int
        Faces of the full surface.
    wrong : int
        Faces that are flipped or pass through another.
    farthest : float
        How far its texels lie from the full surface at most, in the mesh's unit.
    """

    surface: TexturedMesh
    given: int
    wrong: int
    farthest: float

    def report(self) -> dict[str, float]:
        """For ``run.json``."""
        faces = len(self.surface.faces_uv)
        return {"faces": faces, "of": self.given, "wrong": self.wrong, "farthest": self.farthest}


def with_fewer_faces(
    surface: Mesh | TexturedMesh,
    faces: int,
    *,
    size: int | None = None,
    material: Material | None = None,
    constants: Constants = DEFAULTS,
) -> FewerFaces:
    """Decimate a surface, and bake its colours and its normals into textures of the coarse one.

    Each texel of the coarse surface looks up the closest point of the full one that faces the same way. It takes the
    colour there, and the full surface's smooth normal, written in the tangent frame that shaders interpolate there. So
    they get the full surface's normal back.

    Parameters
    ----------
    surface : Mesh or TexturedMesh
        Manifold. A mesh without colours becomes white.
    faces : int
        To reach, >= 4; see `decimate`.
    size : int, optional
        Texels a side; by default as many as the surface's image has, or the power of two from 256 to 4096 with two
        texels or more for each vertex.
    material : Material, optional
        Of a surface without a texture; matt by default.
    constants : Constants, optional

    Returns
    -------
    FewerFaces
        On the CPU, in float64.

    Raises
    ------
    ValueError
        As `decimate`; or charts so small that no texel has its centre in one.
    ImportError
        `xatlas` is missing.

    Notes
    -----
    Takes 8 s for 60,000 faces down to 3,000 and 1024 x 1024 texels, on one core. Not differentiable.
    """
    textured = surface if isinstance(surface, TexturedMesh) else None
    full, middle, radius = _in_unit_ball(surface.mesh if isinstance(surface, TexturedMesh) else surface)
    size = size or (len(textured.image) if textured else _size_for(full, constants.texture))
    found = decimate(
        full.vertices, full.faces, faces, constants=constants.decimation, rules=constants.remeshing
    )
    coarse, normals = found.vertices, vertex_normals(found.vertices, found.faces)
    faces_uv, uv = unwrap(Mesh(coarse, found.faces), size=size)
    pixels, at = _frames(coarse, normals, found.faces, faces_uv, uv, size)
    tree, reach = triangle_tree(full.vertices, full.faces), float(mean_edge_length(coarse, found.faces))
    texels = _met(at[:, :3], at[:, 3:6], tree, reach)
    image = partial(_image, pixels=pixels, size=size)
    detail = texels.mean(vertex_normals(full.vertices, full.faces))
    detail = torch.where(texels.facing[:, None], detail, at[:, 3:6])
    given = (material if textured is None else textured.material) or matt()
    rough, metal = (_carried(textured, layer, texels, image) for layer in (given.roughness, given.metalness))
    made = Material(rough, metal, given.index, image(encoded_normals(_in_frames(detail, at[:, 3:]))))
    colors = None if full.colors is None else _met(coarse, normals, tree, reach).mean(full.colors)
    painted = (255 * linear_to_srgb(_colors(full, textured, texels))).round().clamp(0, 255).to(torch.uint8)
    mesh = Mesh(radius * coarse + middle, found.faces, colors)
    made_surface = TexturedMesh(mesh, uv, faces_uv, image(painted), made)
    return FewerFaces(made_surface, len(full.faces), found.wrong, radius * float(texels.distances.max()))


def _in_unit_ball(mesh: Mesh) -> tuple[Mesh, Tensor, float]:
    """A mesh in float64 on the CPU, moved and scaled; its middle and its radius."""
    mesh = mesh.to("cpu", torch.float64)
    vertices = mesh.vertices.detach()
    middle = 0.5 * (vertices.amin(dim=0) + vertices.amax(dim=0))
    radius = float((vertices - middle).norm(dim=1).max())
    colors = None if mesh.colors is None else mesh.colors.detach()
    return Mesh((vertices - middle) / radius, mesh.faces, colors), middle, radius


def _frames(
    points: Tensor, normals: Tensor, faces: Tensor, faces_uv: Tensor, uv: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """The texels (P,) that charts cover, and (P, 10) points, normals, tangents and signs there."""
    owners = TexturedMesh(Mesh(points, faces), uv, faces_uv, torch.zeros(1, 1, 3, dtype=torch.uint8)).owners
    atlas = chart_fragments(torch.stack([size * uv[:, 0], size * (1 - uv[:, 1])], dim=1), faces_uv, size)
    if len(atlas.pixels) == 0:
        raise ValueError(f"size: expected charts that cover texels, got none of {size}; raise the size")
    points, normals = points[owners], normals[owners]
    tangents = place_tangents(points, normals, uv.double(), faces_uv)
    frames = interpolate(torch.cat([points, normals, tangents], dim=1).float().contiguous(), atlas)
    return atlas.pixels.long(), frames.double()


def _image(values: Tensor, pixels: Tensor, size: int) -> Tensor:
    """(H, W, C) of values (P, C) at covered texels, and their nearest ones elsewhere."""
    flat, covered = values.new_zeros(size * size, values.shape[1]), torch.zeros(size * size, dtype=torch.bool)
    flat[pixels], covered[pixels] = values, True
    return filled(flat.view(size, size, -1), covered.view(size, size))


@dataclass(frozen=True)
class _Met:
    """Where points of the coarse surface fall on the full one."""

    corners: Tensor  # (N, 3) vertices
    faces: Tensor  # (N,)
    weights: Tensor  # (N, 3)
    facing: Tensor  # (N,) bool: looks the same way there
    distances: Tensor  # (N,)

    def mean(self, values: Tensor) -> Tensor:
        """(N, C) of values at vertices (V, C)."""
        return (values[self.corners] * self.weights[..., None]).sum(dim=1)


def _met(points: Tensor, normals: Tensor, full: TriangleTree, reach: float) -> _Met:
    arguments = points.numpy(), normals.numpy(), np.full(len(points), reach), full
    found, weights, facing = (torch.from_numpy(x) for x in facing_points(*arguments))
    corners = full.faces[found]
    there = (full.vertices[corners] * weights[..., None]).sum(dim=1)
    return _Met(corners, found, weights, facing, (there - points).norm(dim=1))


def _size_for(mesh: Mesh, constants: TextureConstants) -> int:
    """The power of two with two texels or more for each vertex."""
    side = math.sqrt(2 * len(mesh.vertices) / constants.filled)
    return min(max(2 ** math.ceil(math.log2(side)), constants.smallest), constants.largest)


def _at(textured: TexturedMesh, layer: Tensor, met: _Met) -> Tensor:
    """(N, C) values of an image (H, W, C) of the full surface."""
    height, width = layer.shape[:2]
    uv = (textured.uv.double().cpu()[textured.faces_uv.cpu()[met.faces]] * met.weights[..., None]).sum(dim=1)
    return lookup(layer, torch.stack([width * uv[:, 0], height * (1 - uv[:, 1])], dim=1))


def _colors(full: Mesh, textured: TexturedMesh | None, met: _Met) -> Tensor:
    """(N, 3) linear base colours."""
    if textured is not None:
        return _at(textured, srgb_to_linear(textured.image.cpu().double() / 255), met)
    return torch.ones(len(met.faces), 3) if full.colors is None else met.mean(full.colors).clamp(0, 1)


def _carried(
    textured: TexturedMesh | None, layer: Tensor, met: _Met, image: Callable[[Tensor], Tensor]
) -> Tensor:
    """Roughness or metalness of the coarse surface; one value stays one."""
    if textured is None or layer.numel() == 1:
        return layer
    return image(_at(textured, layer.cpu().double()[..., None], met).round().to(torch.uint8))[..., 0]


def _in_frames(directions: Tensor, frames: Tensor) -> Tensor:
    """(N, 3) directions in the frames (N, 7) of a normal, a tangent and a sign, as shaders take them apart.

    A shader makes x t + y b + z n of interpolated t and n, which are neither of length one nor at right angles, and
    b = s (n x t). So this solves for x, y and z.
    """
    normal, tangent, sign = frames[:, :3], frames[:, 3:6], frames[:, 6:].sign()
    bitangent = sign * torch.linalg.cross(normal, tangent)
    found = torch.linalg.solve(torch.stack([tangent, bitangent, normal], dim=2), directions[..., None])[
        ..., 0
    ]
    found = torch.nn.functional.normalize(found, dim=1)
    return torch.cat([found[:, :2], found[:, 2:].clamp(min=_LEAST_RISE)], dim=1)
