"""The three operations of a rasterizer, on whichever backend is usable here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..geometry.connectivity import check_faces
from .depth_test import DepthTest, ceilings_behind, in_clip_space
from .fragments import Fragments
from .registry import load_backend
from .silhouette_edges import edge_table


def pixels_from_clip(clip: Float[Tensor, "*B V 4"], resolution: tuple[int, int]) -> Float[Tensor, "*B V 4"]:
    """Points for `rasterize` from clip space, with its depth: ``(u w, v w, z, w)``.

    x/w = -1 and 1 are the left and right border of the image; y/w = -1 is the border of its row 0, which is on top in
    this library's clip space and at the bottom in OpenGL's. Perspective and orthographic projections alike.

    Parameters
    ----------
    clip : (..., V, 4) float
        Clip coordinates (x, y, z, w).
    resolution : (H, W)

    Examples
    --------
    >>> pixels_from_clip(torch.tensor([[0.5, -1.0, 0.0, 1.0]]), (4, 8)).tolist()
    [[6.0, 0.0, 0.0, 1.0]]
    """
    if clip.shape[-1:] != (4,):
        raise ValueError(f"clip: expected shape (..., V, 4), got {tuple(clip.shape)}")
    height, width = resolution
    x, y, z, w = clip.unbind(-1)
    return torch.stack([(x + w) * (width / 2), (y + w) * (height / 2), z, w], dim=-1)


def rasterize(
    points: Float[Tensor, "B V 3"] | Float[Tensor, "B V 4"],
    faces: Int[Tensor, "F 3"],
    resolution: tuple[int, int],
    *,
    edges: Int[Tensor, "E 6"] | None = None,
    near: float = 1e-3,
    backend: str = "auto",
) -> Fragments:
    """Find the nearest triangle at the centre of every pixel.

    Both sides of a triangle are drawn. Triangles that cross the camera plane are handled without clipping; what is
    nearer than `near` is not drawn. Of triangles at equal depth the one with the lowest index wins, always.

    Parameters
    ----------
    points : (B, V, 3) or (B, V, 4), float32 or float64
        Homogeneous pixel coordinates ``(u z, v z, z)`` of the vertices in each view, the first pixel's
        centre at (0.5, 0.5); ``renderers.homogeneous_pixels`` makes them. Or ``(u w, v w, z, w)``, which
        `pixels_from_clip` makes: depth is then z/w, and what lies outside of [-1, 1] is not drawn. An orthographic
        camera, whose w is 1 everywhere, needs these four.
    faces : (F, 3) int
        Vertex indices; shared by all views.
    resolution : (H, W)
        Size of the images in pixels.
    edges : (E, 6) int32, optional
        ``edge_table(faces)``, to make it once for many calls; or ``edge_table(faces, vertices)``, which knows
        seams of coincident vertices.
    near : float
        Smallest depth that is drawn, > 0, in the units of the points' third coordinate; not with points (B, V, 4).
    backend : {"auto", "warp", "nvdiffrast"}

    Returns
    -------
    Fragments
        The covered pixels; `interpolate` and `antialias` take them.

    Raises
    ------
    ValueError
        If a shape, a type, an index or the backend's name is wrong.

    Notes
    -----
    Differentiable through `interpolate` and `antialias`; the choice of the triangle itself has no derivative.
    Memory: 4 bytes a pixel and 8 for each covered pixel; while it runs 8 more a pixel, on the CPU for one view a core
    and touched only where covered for the rest.
    """
    given = _checked(points, faces, resolution, edges, near)
    if points.shape[-1] == 3:
        return load_backend(backend).rasterize(*given)
    return load_backend(backend).rasterize(*given, in_clip_space(points))


def rasterize_layers(
    points: Float[Tensor, "B V 3"] | Float[Tensor, "B V 4"],
    faces: Int[Tensor, "F 3"],
    resolution: tuple[int, int],
    *,
    edges: Int[Tensor, "E 6"] | None = None,
    near: float = 1e-3,
) -> Iterator[Fragments]:
    """What `rasterize` finds, then what lies behind it, and so on, until nothing does: depth peeling.

    Parameters and errors are those of `rasterize`. A surface less than four millionths (of 1/z, or of 1 - z/w) behind
    another one counts as the same. Each layer costs as much as `rasterize`.

    Yields
    ------
    Fragments
        Of one layer; each is differentiable, and antialiased, by itself.
    """
    given = _checked(points, faces, resolution, edges, near)
    clip = points.shape[-1] == 4
    test = in_clip_space(points) if clip else DepthTest(near, torch.ones_like(points[..., 2]))
    while True:
        layer = load_backend("warp").rasterize(*given, test)
        if len(layer.pixels) == 0:
            return
        yield layer if clip else replace(layer, closeness=None)
        test = replace(test, ceilings=ceilings_behind(layer))


def interpolate(
    attributes: Float[Tensor, "V C"] | Float[Tensor, "B V C"],
    fragments: Fragments,
    *,
    faces: Int[Tensor, "F 3"] | None = None,
) -> Float[Tensor, "N C"]:
    """Values of per-vertex attributes at the covered pixels, perspective-correct.

    Differentiable in the attributes and in the points that were rasterized.

    Parameters
    ----------
    attributes : (V, C) or (B, V, C) float
        Shared by all views, or one set for each; of the points' type.
    fragments : Fragments
    faces : (F, 3) int, optional
        The attributes' own indices, one triple for each rasterized triangle: texture coordinates with seams, or
        one normal a face. V is then the number of attributes.

    Returns
    -------
    (N, C) float
        One row for each covered pixel, in the order of ``fragments.pixels``.
    """
    attributes, faces = _checked_attributes(attributes, fragments, faces)
    return load_backend(fragments.backend).interpolate(attributes, fragments, faces)


def antialias(values: Float[Tensor, "N C"], fragments: Fragments) -> Float[Tensor, "B H W D"]:
    """Images of the values, with coverage as a last channel and differentiable silhouettes.

    Silhouettes are found from the mesh's topology: edges between a triangle that faces the camera and one that
    does not, and border edges. Where the image of such an edge passes between two neighbouring pixel centres and
    the outer pixel shows something farther (or nothing), the two pixels are blended in the proportion
    in which the edge divides the distance between them. It works at any size of the triangles, also far below a pixel.

    Parameters
    ----------
    values : (N, C) float
        Colours at the covered pixels, as from `interpolate`.
    fragments : Fragments

    Returns
    -------
    (B, H, W, C + 1) float
        The values, zero where nothing is; last the coverage (alpha). The values are premultiplied by it.

    Notes
    -----
    Differentiable in the values and, along silhouettes, in the points. The blended pair is the analytic
    antialiasing of Laine et al. (2020), whose search of the edges by pixel is replaced. A feature that
    covers no pixel's centre leaves no trace. Edges that reach behind `near` are not blended. A pixel that
    several silhouettes divide gets the sum of their blends: at features thinner than a pixel values and coverage
    can leave the range of the colours, down to -1 at an isolated pixel.

    References
    ----------
    Laine, Hellsten, Karras, Seol, Lehtinen, Aila: Modular Primitives for High-Performance Differentiable
    Rendering. ACM Transactions on Graphics 39(6), 2020.
    """
    if values.dim() != 2 or len(values) != len(fragments.pixels):
        raise ValueError(
            f"values: expected ({len(fragments.pixels)}, C), one row a fragment, got {tuple(values.shape)}"
        )
    if values.dtype != fragments.points.dtype:
        raise ValueError(f"values: expected {fragments.points.dtype} as the points, got {values.dtype}")
    return load_backend(fragments.backend).antialias(values, fragments)


def draw(
    attributes: Float[Tensor, "V C"] | Float[Tensor, "B V C"], fragments: Fragments
) -> Float[Tensor, "B H W D"]:
    """``antialias(interpolate(attributes, fragments), fragments)``; for three channels on the CPU in one pass.

    Parameters, errors and derivatives are those of the two. One pass keeps no values for its derivative.

    Returns
    -------
    (B, H, W, C + 1) float
    """
    attributes, _ = _checked_attributes(attributes, fragments, None)
    backend = load_backend(fragments.backend)
    if fragments.backend == "warp":
        from . import drawing  # imports Warp, as the backend does

        if drawing.can_draw(attributes):
            return drawing.draw(attributes, fragments)
    return backend.antialias(backend.interpolate(attributes, fragments, None), fragments)


def _checked_attributes(
    attributes: Tensor, fragments: Fragments, faces: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """What backends interpolate: attributes (1 or B, V, C), and their own faces."""
    points = fragments.points
    if attributes.dim() == 2:
        attributes = attributes[None]
    rows = points.shape[1] if faces is None else attributes.shape[1]
    if attributes.dim() != 3 or attributes.shape[0] not in (1, len(points)) or attributes.shape[1] != rows:
        raise ValueError(
            f"attributes: expected ({points.shape[1]}, C) or ({len(points)}, {points.shape[1]}, C), "
            f"got {tuple(attributes.shape)}"
        )
    if attributes.dtype != points.dtype:
        raise ValueError(f"attributes: expected {points.dtype} as the points, got {attributes.dtype}")
    if faces is not None:
        if faces.shape != fragments.faces.shape or faces.device != points.device:
            raise ValueError(
                f"faces: expected {tuple(fragments.faces.shape)} on {points.device} as the rasterized ones, "
                f"got {tuple(faces.shape)} on {faces.device}"
            )
        check_faces(faces, rows)
        faces = faces.to(torch.int32).contiguous()
    return attributes.contiguous(), faces


def _checked(
    points: Tensor, faces: Tensor, resolution: tuple[int, int], edges: Tensor | None, near: float
) -> tuple[Tensor, Tensor, Tensor, tuple[int, int], float]:
    """What backends rasterize: points (B, V, 3), faces, edges, resolution and near."""
    height, width = resolution
    _check(points, faces, (height, width), near)
    if edges is None:
        edges = edge_table(faces)
    elif (
        edges.dim() != 2 or edges.shape[1] != 6 or edges.dtype != torch.int32 or edges.device != points.device
    ):
        raise ValueError(
            f"edges: expected edge_table(faces), (E, 6) int32 on {points.device}, got {tuple(edges.shape)} "
            f"{edges.dtype} on {edges.device}"
        )
    if points.shape[-1] == 4:
        points, near = torch.cat([points[..., :2], points[..., 3:]], dim=-1), 0.5
    return points.contiguous(), faces.to(torch.int32).contiguous(), edges, (height, width), near


def _check(points: Tensor, faces: Tensor, resolution: tuple[int, int], near: float) -> None:
    """ValueError, in one line, for what cannot be rasterized."""
    if points.dim() != 3 or points.shape[-1] not in (3, 4):
        raise ValueError(f"points: expected shape (B, V, 3) or (B, V, 4), got {tuple(points.shape)}")
    if faces.dim() != 2 or faces.shape[-1] != 3:
        raise ValueError(f"faces: expected shape (F, 3), got {tuple(faces.shape)}")
    if points.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"points: expected float32 or float64, got {points.dtype}; convert them first")
    if resolution[0] <= 0 or resolution[1] <= 0:
        raise ValueError(
            f"resolution: expected a positive height and width, got {resolution[0]} x {resolution[1]}"
        )
    if not near > 0:
        raise ValueError(f"near: expected a positive depth, got {near}")
    if len(faces) == 0 or len(points) == 0:
        raise ValueError(
            f"points, faces: expected at least one view and one face, got {len(points)} views, {len(faces)} faces"
        )
    if faces.device != points.device:
        raise ValueError(
            f"faces: expected on {points.device} as the points, got {faces.device}; move them there"
        )
    check_faces(faces, points.shape[1])
