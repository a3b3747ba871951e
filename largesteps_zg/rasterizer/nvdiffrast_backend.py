"""nvdiffrast behind the same three operations, for those who have it; needs CUDA.

All three operations are nvdiffrast's own. Its antialiasing searches only the edges of visible triangles: where those
are smaller than a pixel, most of the silhouette's gradient is lost; Warp's backend is made to have no such limit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from .fragments import Fragments

# nvdiffrast compares depths in z/w between -1 and 1. This is the farthest that is drawn, in units of `near`.
FAR_OVER_NEAR = 1e6
INSTALL = "pip install --no-build-isolation git+https://github.com/NVlabs/nvdiffrast (mind its licence)"


@dataclass(frozen=True)
class NvdiffrastFragments(Fragments):
    """With what nvdiffrast's further operations take: clip coordinates (B, V, 4) and its image (B, H, W, 4)."""

    clip: Tensor = field(kw_only=True)
    rast: Tensor = field(kw_only=True)


def nvdiffrast_module(device: torch.device) -> ModuleType:
    """nvdiffrast.torch, or the reason why not and what to do."""
    if device.type != "cuda":
        raise ImportError(f"backend: nvdiffrast needs CUDA tensors, got {device.type}; use backend='warp'")
    try:
        import nvdiffrast.torch
    except ImportError as error:
        raise ImportError(f"backend: nvdiffrast cannot be imported ({error}); {INSTALL}") from error
    return nvdiffrast.torch


@cache
def _context(device: torch.device) -> Any:
    """One rasterizer for each device: it keeps its buffers."""
    return nvdiffrast_module(device).RasterizeCudaContext(device=device)


def clip_from_pixels(points: Tensor, resolution: tuple[int, int], near: float) -> Tensor:
    """(B, V, 4) clip coordinates of homogeneous pixels, as nvdiffrast takes them, with row 0 as our top.

    nvdiffrast's row r is centred at y/w = 2 (r + 1/2) / H - 1: its row 0, which OpenGL would call the bottom one, is
    then our row 0 where y/w = 2 v / H - 1. Depth goes to z/w = -1 at `near` and to 1 at FAR_OVER_NEAR times that.
    """
    height, width = resolution
    x, y, w = points.unbind(-1)
    far = near * FAR_OVER_NEAR
    slope = (far + near) / (far - near)
    z = slope * w - 2 * far * near / (far - near)
    return torch.stack([2 * x / width - w, 2 * y / height - w, z, w], dim=-1)


def compact(rast: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """From nvdiffrast's (B, H, W, 4) image to lists: pixels, triangles, slots and where each view's fragments end.

    Its last channel is the triangle's number plus one, as a float; see :class:`Fragments` for the lists.
    """
    views = len(rast)
    ids = rast[..., 3].reshape(-1).to(torch.int32) - 1
    covered = ids >= 0
    pixels = covered.nonzero()[:, 0].to(torch.int32)
    within = covered.view(views, -1)
    ranks = within.cumsum(1, dtype=torch.int32) - 1
    slots = torch.where(within, ranks, -1).to(torch.int32).view(-1)
    ends = torch.nn.functional.pad(within.sum(1).cumsum(0), (1, 0)).to(torch.int32)
    return pixels, ids[covered], slots, ends


def rasterize(
    points: Tensor,
    faces: Tensor,
    edges: Tensor,
    resolution: tuple[int, int],
    near: float,
    test: object | None = None,
) -> Fragments:
    """The nearest triangle at every pixel centre; see :func:`largesteps_zg.rasterizer.api.rasterize`."""
    if test is not None:
        raise ValueError("backend: layers, and points (B, V, 4), need 'warp', got 'nvdiffrast'")
    dr = nvdiffrast_module(points.device)
    if points.dtype != torch.float32:
        raise ValueError(f"points: expected float32 for nvdiffrast, got {points.dtype}; use backend='warp'")
    clip = clip_from_pixels(points, resolution, near).contiguous()
    rast, _ = dr.rasterize(_context(points.device), clip, faces, resolution, grad_db=False)
    pixels, triangles, slots, ends = compact(rast.detach())
    return NvdiffrastFragments(
        points=points, faces=faces, edges=edges, resolution=resolution, near=near, pixels=pixels,
        triangles=triangles, slots=slots, sides=torch.empty(0, device=points.device), view_ends=ends,
        backend="nvdiffrast", clip=clip, rast=rast,
    )  # fmt: skip


def interpolate(attributes: Tensor, fragments: Fragments, faces: Tensor | None = None) -> Tensor:
    """Its own interpolation, at the covered pixels."""
    f = _own(fragments)
    values, _ = nvdiffrast_module(f.points.device).interpolate(
        attributes, f.rast, f.faces if faces is None else faces
    )
    return values.reshape(-1, values.shape[-1])[f.pixels.long()]


def antialias(values: Tensor, fragments: Fragments) -> Tensor:
    """Its own antialiasing of the values and of the coverage, which is blended as one more channel."""
    f = _own(fragments)
    views, (height, width) = len(f.points), f.resolution
    with_alpha = torch.cat([values, torch.ones_like(values[:, :1])], dim=1)
    image = with_alpha.new_zeros(views * height * width, with_alpha.shape[1])
    image = image.index_copy(0, f.pixels.long(), with_alpha).view(views, height, width, -1)
    return nvdiffrast_module(f.points.device).antialias(image.contiguous(), f.rast, f.clip, f.faces)


def _own(fragments: Fragments) -> NvdiffrastFragments:
    assert isinstance(fragments, NvdiffrastFragments)
    return fragments
