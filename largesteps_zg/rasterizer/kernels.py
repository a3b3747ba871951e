"""The rasterizer's kernels, one source for the CPU and for CUDA, in float32 and in float64, compiled by NVIDIA Warp.

Points are homogeneous pixel coordinates ``(X, Y, w) = K (R x + t)``: a vertex is seen at pixel ``(X/w, Y/w)``
and at depth ``w``. With ``e_i = (X_i - px w_i, Y_i - py w_i)``, the three cross products ``b_i = e_j x e_k`` are the
perspective-correct barycentric coordinates of the pixel centre ``p`` up to scale, for any signs of the
``w_i`` (Olano and Greer, "Triangle scan conversion using 2D homogeneous coordinates", 1997), so that
triangles that cross the camera plane need no clipping. ``D = sum b_i w_i`` does not depend on ``p``; its sign
is the side of the triangle that is seen, and ``sum b_i / D = 1/w`` is the depth's inverse.

Adjoints are written by hand: each gathers what it needs once and keeps nothing from the forward pass.
"""

# No `from __future__ import annotations` here: Warp reads the annotations of closures as objects.
# mypy: ignore-errors
# Bodies of kernels are in the modules imported here, marked with what @wp.kernel and @wp.func_native return.
from functools import cache
from types import SimpleNamespace

import torch
import warp as wp

from . import composing, coverage, shading, silhouettes

# Smallest gap in depth, relative, behind a silhouette: less is rounding on a surface that goes on.
TOUCHING = 1e-5


@cache
def build(dtype: torch.dtype) -> SimpleNamespace:
    """Kernels for one floating-point type, in a Warp module of their own."""
    real = {torch.float32: wp.float32, torch.float64: wp.float64}[dtype]
    module = wp.get_module(f"largesteps_zg.rasterizer.{real.__name__}")
    # Contraction would break the exact antisymmetry of the cross product, and with it watertight edges.
    module.options["fuse_fp"] = False
    vec3 = wp.types.vector(3, real)
    names = f"using real = wp::{real.__name__};\n    using vec3 = wp::vec_t<3, real>;"

    def kernel(function):
        return wp.kernel(function, module=module, enable_backward=False)

    def native(body: str):
        return wp.func_native(names + body)

    parts = [part.define(kernel, native, real, vec3) for part in (coverage, shading, silhouettes, composing)]
    kernels = {name: value for part in parts for name, value in vars(part).items()}
    slack = real(4.0 * torch.finfo(dtype).eps)
    return SimpleNamespace(
        module=module, real=real, vec3=vec3, slack=slack, touching=real(TOUCHING), **kernels
    )
