"""The rasterizer's kernels, one source for the CPU and for CUDA, in float32 and in float64, compiled by NVIDIA Warp.

Points are homogeneous pixel coordinates ``(X, Y, w) = K (R x + t)``: a vertex is seen at pixel ``(X/w, Y/w)``
and at depth ``w``. With ``e_i = (X_i - px w_i, Y_i - py w_i)``, the three cross products ``b_i = e_j x e_k`` are the
perspective-correct barycentric coordinates of the pixel centre ``p`` up to scale, for any signs of the
``w_i`` (Olano and Greer, "Triangle scan conversion using 2D homogeneous coordinates", 1997), so that
triangles that cross the camera plane need no clipping. ``D = sum b_i w_i`` does not depend on ``p``; its sign
is the side of the triangle that is seen, and ``sum b_i / D = 1/w`` is the depth's inverse.

Adjoints are written by hand: each gathers what it needs once and keeps nothing from the forward pass.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch

from .._support.warp_kernels import KernelModule, compiled
from . import composing, coverage, shading, silhouettes


def build(dtype: torch.dtype) -> SimpleNamespace:
    """Kernels for one floating-point type, in a Warp module of their own."""
    make = KernelModule("largesteps_zg.rasterizer", dtype, contract=coverage.CONTRACT)
    for part in (coverage, shading, silhouettes, composing):
        part.define(make)
    return make.finished()


def build_clip(dtype: torch.dtype) -> SimpleNamespace:
    """Those that compare depths, for clip space."""
    make = KernelModule("largesteps_zg.rasterizer.clip", dtype, contract=coverage.CONTRACT)
    coverage.define(make, "clip")
    silhouettes.define_search(make, "clip")
    return make.finished()


def build_layers(dtype: torch.dtype) -> SimpleNamespace:
    """Those that draw what lies behind other fragments."""
    make = KernelModule("largesteps_zg.rasterizer.layers", dtype, contract=coverage.CONTRACT)
    coverage.define(make, "layers")
    return make.finished()


kernels_for = compiled(build)
clip_kernels_for = compiled(build_clip)
layer_kernels_for = compiled(build_layers)
