"""Textures at given coordinates: flat ones and cube maps, nearest, linear and mipmapped, with all derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from .._support.checks import check_tensor
from .._support.values import check_choice, check_count
from .._support.warp_launch import chunks_of, launch_items, run_chunks
from .mipmaps import Mipmaps, add_built_gradient, as_textures, build_mipmaps, item_chunks, own_mipmaps
from .texture_kernels import BOUNDARIES, FILTERS, kernels_for


def sample_texture(
    texture: Float[Tensor, "*T H W C"],
    uv: Float[Tensor, "*N D"],
    *,
    footprints: Float[Tensor, "*N E"] | None = None,
    bias: Float[Tensor, " *N"] | None = None,
    mipmaps: Mipmaps | Sequence[Tensor] | None = None,
    filter: str = "auto",
    boundary: str = "wrap",
    max_level: int | None = None,
) -> Float[Tensor, "*N C"]:
    """Values of a texture at given coordinates.

    A texel's centre is at ``((column + 0.5) / W, (row + 0.5) / H)``. With mipmaps, pixels see level
    ``log2(a) + bias``, where `a` is the length of the major axis of the pixel's footprint in texels.

    Parameters
    ----------
    texture : (H, W, C), (T, H, W, C), (6, S, S, C) or (T, 6, S, S, C) float32 or float64
        T is 1 or the first size of `uv`. The last two are cube maps, with faces in OpenGL's order and orientation.
    uv : (..., 2) float
        Column and row direction, the texture being [0, 1]². For cube maps (..., 3): directions of any length.
    footprints : (..., 4) float, optional
        Derivatives of `uv` by the pixel's coordinates, ``(du/dx, du/dy, dv/dx, dv/dy)``; (..., 6) for cube maps.
    bias : (...,) float, optional
        Added to the level; without `footprints` it is the level.
    mipmaps : Mipmaps or sequence of tensors, optional
        From `build_mipmaps`; or levels 1, 2 and so on of your own, shaped as `texture`. Without it they are built in
        every call whose filter needs them.
    filter : {"auto", "nearest", "linear", "linear-mipmap-nearest", "linear-mipmap-linear"}
        "auto" is "linear-mipmap-linear" with `footprints` or `bias`, "linear" without.
    boundary : {"wrap", "clamp", "zero", "cube"}
        What is beyond [0, 1]²: the texture again, its border, or 0. "cube" is for cube maps, which have no border:
        filters reach across their edges, and at a corner the mean of its three texels is the fourth.
    max_level : int, optional
        The coarsest level that is used, >= 0.

    Returns
    -------
    (..., C) float
        0, without derivatives, where `uv` is not finite, and for cube maps where it is a zero vector.

    Raises
    ------
    ValueError
        If a shape, a type, a device or a name is wrong; if a filter with mipmaps has neither `footprints` nor `bias`;
        or where a side is odd and not 1 before the last level, and mipmaps are built.

    Notes
    -----
    Differentiable in `texture`, `uv`, `footprints`, `bias` and mipmaps of your own. The level has derivatives for
    "linear-mipmap-linear" alone, and only between the first level and the last. On the CPU sums come out the same in
    every run with as many threads; on CUDA they are added in any order, and the last digits differ.

    References
    ----------
    Laine, Hellsten, Karras, Seol, Lehtinen, Aila: Modular Primitives for High-Performance Differentiable
    Rendering. ACM Transactions on Graphics 39(6), 2020.

    Examples
    --------
    >>> texture = torch.tensor([[[0.0], [1.0]]])  # 1 x 2 texels
    >>> sample_texture(texture, torch.tensor([[0.25, 0.5], [0.375, 0.5], [0.75, 0.5]]))[:, 0]
    tensor([0.0000, 0.2500, 1.0000])
    """
    check_choice("filter", filter, ("auto", *FILTERS))
    check_choice("boundary", boundary, (*BOUNDARIES, "cube"))
    cube = boundary == "cube"
    textures = as_textures(texture, cube)
    places = [
        ("uv", uv, 3 if cube else 2),
        ("footprints", footprints, 6 if cube else 4),
        ("bias", bias, None),
    ]
    for name, tensor, last in places:
        _check_places(name, tensor, last, textures, uv)
    if max_level is not None:
        check_count("max_level", max_level, least=0)
    if filter == "auto":
        filter = "linear" if footprints is None and bias is None else "linear-mipmap-linear"
    if "mipmap" not in filter:
        footprints = bias = mipmaps = None
    elif footprints is None and bias is None:
        raise ValueError(
            f"filter: {filter} needs the pixels' level; pass footprints= or bias=, or take 'linear'"
        )
    else:
        mipmaps = _mipmaps_of(textures, mipmaps, max_level, cube, batched=texture.dim() == textures.dim())
    how = _How(FILTERS.index(filter), 0 if cube else BOUNDARIES.index(boundary), cube, mipmaps)
    values = None if mipmaps is None else mipmaps.values
    given = [None if tensor is None else tensor.contiguous() for tensor in (values, uv, footprints, bias)]
    return _Sample.apply(textures, *given, how)


def _check_places(name: str, tensor: Tensor | None, last: int | None, textures: Tensor, uv: Tensor) -> None:
    """ValueError where coordinates, footprints or a bias don't fit the texture or each other."""
    if tensor is None:
        return
    check_tensor(name, tensor)
    shape = tuple(uv.shape[:-1]) + (() if last is None else (last,))
    if name == "uv":
        if uv.dim() < 1 or uv.shape[-1] != last:
            cure = "; boundary='cube' takes directions" if last == 3 else ""
            raise ValueError(f"uv: expected (..., {last}), got {tuple(uv.shape)}{cure}")
        if len(textures) != 1 and (uv.dim() < 2 or len(textures) != len(uv)):
            raise ValueError(
                f"texture: expected 1 or {len(uv) if uv.dim() > 1 else 1} of them, as many as uv has images, "
                f"got {len(textures)}"
            )
        if uv.numel() // last >= 2**31:
            raise ValueError(f"uv: expected fewer than 2**31 places, got {tuple(uv.shape)}; split them")
    elif tuple(tensor.shape) != shape:
        raise ValueError(f"{name}: expected {shape} beside uv, got {tuple(tensor.shape)}")
    if (tensor.dtype, tensor.device) != (textures.dtype, textures.device):
        raise ValueError(
            f"{name}: expected {textures.dtype} on {textures.device} as the texture, "
            f"got {tensor.dtype} on {tensor.device}"
        )


def _mipmaps_of(
    textures: Tensor,
    given: Mipmaps | Sequence[Tensor] | None,
    max_level: int | None,
    cube: bool,
    *,
    batched: bool,
) -> Mipmaps:
    """The levels to use: built here, built before, or somebody's own."""
    if given is None:
        return build_mipmaps(textures, max_level=max_level, cube=cube)
    if not isinstance(given, Mipmaps):
        if isinstance(given, Tensor) or not isinstance(given, Sequence):
            raise ValueError(f"mipmaps: expected Mipmaps or a list of tensors, got {type(given).__name__}")
        levels = [level if batched or not isinstance(level, Tensor) else level[None] for level in given]
        return own_mipmaps(textures, levels, max_level, cube)
    values, first = given.values, tuple(textures.shape[-3:-1])
    fits = (len(values), values.shape[-1], given.sizes[0], given.faces) == (
        len(textures), textures.shape[-1], first, 6 if cube else 1,
    )  # fmt: skip
    if not fits or (values.dtype, values.device) != (textures.dtype, textures.device):
        raise ValueError(
            f"mipmaps: expected those of a texture {tuple(textures.shape)} {textures.dtype} on {textures.device}; "
            "build them from this texture"
        )
    if max_level is None or max_level + 1 >= len(given.sizes):
        return given
    return Mipmaps(values, given.sizes[: max_level + 1], given.faces, given.built)


@dataclass(frozen=True)
class _How:
    """How to sample: numbers of the filter and the boundary, and the levels."""

    filter: int
    boundary: int
    cube: bool
    mipmaps: Mipmaps | None

    def levels(self, textures: Tensor) -> Tensor:
        """(L, 3) int32: width, height and first texel of each level."""
        if self.mipmaps is None:
            rows = [(textures.shape[-2], textures.shape[-3], 0)]
        else:
            sizes, starts = self.mipmaps.sizes, self.mipmaps.starts()
            rows = [(width, height, start) for (height, width), start in zip(sizes, starts, strict=True)]
        return torch.tensor(rows, dtype=torch.int32).to(textures.device)


class _Sample(torch.autograd.Function):
    @staticmethod
    def forward(ctx, textures: Tensor, mipmaps, uv: Tensor, footprints, bias, how: _How) -> Tensor:
        ctx.how = how
        ctx.save_for_backward(textures, mipmaps, uv, footprints, bias)
        values = textures.new_empty(*uv.shape[:-1], textures.shape[-1])
        _for_pixels("sample", how, (textures, mipmaps, uv, footprints, bias), lambda _: [values])
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_values: Tensor):
        textures, mipmaps, uv, footprints, bias = ctx.saved_tensors
        levels = ctx.how.mipmaps
        wants_texels, wants_places = any(ctx.needs_input_grad[:2]), any(ctx.needs_input_grad[2:5])
        # A buffer per chunk where views share a texture: no two threads add to one place.
        shared = len(textures) == 1
        banks = len(_chunks(textures, uv)) if shared else len(textures)
        sums: list[Any] = [
            None if tensor is None or not wants_texels else tensor.new_zeros(banks, *tensor.shape[1:])
            for tensor in (textures, mipmaps)
        ]
        places = [
            None if tensor is None or not wants_places else torch.empty_like(tensor)
            for tensor in (uv, footprints, bias)
        ]
        grad_values, nothing = grad_values.contiguous(), textures.new_empty(1)
        made = [nothing if tensor is None else tensor for tensor in (*sums, *places)]

        def rest(index: int) -> list:
            bank = index if shared else -1
            return [grad_values, bank, int(wants_texels), int(wants_places), *made]

        _for_pixels("sample_adjoint", ctx.how, ctx.saved_tensors, rest)
        if shared and banks > 1:
            sums = [None if tensor is None else tensor.sum(0, keepdim=True) for tensor in sums]
        if wants_texels and levels is not None and levels.built:
            add_built_gradient(levels, sums[1], sums[0])
            sums[1] = None
        return *sums, *places, None


def _chunks(textures: Tensor, uv: Tensor) -> list[range]:
    """What each core takes: pixels that share a texture, or textures with their pixels."""
    if len(textures) == 1:
        return item_chunks(uv[..., 0].numel(), uv.device)
    return chunks_of(len(textures), uv.device)


def _for_pixels(name: str, how: _How, given: tuple, rest: Callable[[int], list]) -> None:
    """Launch a kernel on the pixels of each chunk; ``rest(chunk)`` are its last arguments."""
    textures, mipmaps, uv, footprints, bias = given
    k, device, nothing = kernels_for(textures.dtype, textures.device), textures.device, textures.new_empty(1)
    kernel = getattr(k, name.replace("sample", "sample_cube" if how.cube else "sample_flat"))
    levels, pixels = how.levels(textures), uv[..., 0].numel() // len(textures)
    mips, *places = [nothing if tensor is None else tensor for tensor in (mipmaps, uv, footprints, bias)]
    inputs = [textures, mips, levels, len(levels), len(textures), textures[0, ..., 0].numel()]
    inputs += [0 if mipmaps is None else mipmaps.shape[1], textures.shape[-1], max(pixels, 1)]
    inputs += [how.filter, how.boundary, int(footprints is not None), int(bias is not None), *places]
    each = 1 if len(textures) == 1 else pixels

    def run(index: int, chunk: range) -> None:
        launch_items(kernel, chunk.start * each, chunk.stop * each, [*inputs, *rest(index)], device)

    run_chunks(run, _chunks(textures, uv))
