"""`texture` and `texture_construct_mip` as nvdiffrast's documentation has them, on `rasterizer.sample_texture`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jaxtyping import Float
from torch import Tensor

from .._support.checks import check_tensor
from ..rasterizer import Mipmaps, build_mipmaps, sample_texture

# What arguments are called here, where a message names one.
_NAMES = {
    "texture": "tex", "footprints": "uv_da", "bias": "mip_level_bias", "mipmaps": "mip", "filter": "filter_mode",
    "boundary": "boundary_mode", "max_level": "max_mip_level",
}  # fmt: skip
_NAMED = re.compile(rf"\b({'|'.join(_NAMES)})(?=[:=\[])")


def texture(
    tex: Float[Tensor, "T *H C"],
    uv: Float[Tensor, "B H W D"],
    uv_da: Float[Tensor, "B H W E"] | None = None,
    mip_level_bias: Float[Tensor, "B H W"] | None = None,
    mip: Mipmaps | Sequence[Tensor] | None = None,
    filter_mode: str = "auto",
    boundary_mode: str = "wrap",
    max_mip_level: int | None = None,
) -> Float[Tensor, "B H W C"]:
    """Sample a texture at given coordinates.

    Parameters
    ----------
    tex : (T, H, W, C) float32 or float64
        T is 1 or B; row 0 is at t = 0. (T, 6, S, S, C) for cube maps.
    uv : (B, H, W, 2) float
        Texture coordinates (s, t); (B, H, W, 3) for cube maps.
    uv_da : (B, H, W, 4) float, optional
        ``(ds/dX, ds/dY, dt/dX, dt/dY)``, as `interpolate` makes them; (B, H, W, 6) for cube maps.
    mip_level_bias : (B, H, W) float, optional
        Added to the mipmap level; without `uv_da` it is the level.
    mip : optional
        From `texture_construct_mip`; or a list of tensors, levels 1, 2 and so on, which get gradients of their own.
        Without it a stack is built in every call that needs one.
    filter_mode : {"auto", "nearest", "linear", "linear-mipmap-nearest", "linear-mipmap-linear"}
        "auto" is "linear-mipmap-linear" with `uv_da` or `mip_level_bias`, "linear" without.
    boundary_mode : {"wrap", "clamp", "zero", "cube"}
    max_mip_level : int, optional
        The coarsest level that is used.

    Returns
    -------
    (B, H, W, C) float
        0, without derivatives, where `uv` is not finite, and for cube maps where it is a zero vector.

    Raises
    ------
    ValueError
        See `sample_texture`.

    Notes
    -----
    Differentiable in all tensors. The gradient of a stack from `texture_construct_mip` goes to `tex`.

    References
    ----------
    https://nvlabs.github.io/nvdiffrast/, "PyTorch API reference".
    """
    with _own_names():
        sides = "6, S, S" if boundary_mode == "cube" else "H, W"
        for name, tensor, wanted in (("tex", tex, f"(T, {sides}, C)"), ("uv", uv, "(B, H, W, D)")):
            check_tensor(name, tensor)
            if tensor.dim() != wanted.count(",") + 1:
                cure = "; cube maps take boundary_mode='cube', and nothing else does" if name == "tex" else ""
                raise ValueError(f"{name}: expected {wanted}, got {tuple(tensor.shape)}{cure}")
        return sample_texture(
            tex,
            uv,
            footprints=uv_da,
            bias=mip_level_bias,
            mipmaps=mip,
            filter=filter_mode,
            boundary=boundary_mode,
            max_level=max_mip_level,
        )


def texture_construct_mip(
    tex: Float[Tensor, "T *H C"], max_mip_level: int | None = None, cube_mode: bool = False
) -> Mipmaps:
    """A mipmap stack for `texture`, of a texture that stays as it is.

    Parameters
    ----------
    tex : (T, H, W, C) float
        (T, 6, S, S, C) with `cube_mode`.
    max_mip_level : int, optional
        The coarsest level; without it 1 x 1 texels.
    cube_mode : bool
        Whether `tex` is a cube map.

    Returns
    -------
    Mipmaps

    Raises
    ------
    ValueError
        Where a side is odd and not 1 before `max_mip_level`, or a shape is wrong.
    """
    with _own_names():
        return build_mipmaps(tex, max_level=max_mip_level, cube=cube_mode)


@contextmanager
def _own_names() -> Iterator[None]:
    """Messages name the arguments of this interface."""
    try:
        yield
    except ValueError as error:
        raise ValueError(_NAMED.sub(lambda found: _NAMES[found[1]], str(error))) from error
