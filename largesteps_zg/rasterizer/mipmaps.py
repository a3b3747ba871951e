"""Mipmaps of a texture: each level is the mean of two by two texels of the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .._support.checks import check_tensor
from .._support.values import check_count
from .._support.warp_launch import chunks_of, launch_items, run_chunks
from .texture_kernels import kernels_for

_FEW = 2**12  # items that take less time than to wake another thread


@dataclass(frozen=True)
class Mipmaps:
    """The levels of a texture beside its first, one behind the other.

    Attributes
    ----------
    values : (T, M, C) float
        Texels of levels 1 and up, of each texture.
    sizes : tuple of (height, width)
        Of all levels, the texture's own first.
    faces : int
        6 for a cube map, 1 otherwise.
    built : bool
        Whether these are means of the texture: then what they do to a result is the texture's doing, and its gradient
        includes it. Otherwise they are parameters of their own.
    """

    values: Tensor
    sizes: tuple[tuple[int, int], ...]
    faces: int
    built: bool

    def starts(self) -> list[int]:
        """The first texel of each level in a row of `values`; that of the texture itself is 0."""
        starts, after = [0], 0
        for height, width in self.sizes[1:]:
            starts.append(after)
            after += self.faces * height * width
        return starts


def build_mipmaps(
    texture: Float[Tensor, "*T H W C"], *, max_level: int | None = None, cube: bool = False
) -> Mipmaps:
    """Mipmaps of a texture that stays as it is, to build them once for many calls of `sample_texture`.

    Parameters
    ----------
    texture : (H, W, C), (T, H, W, C), (6, S, S, C) or (T, 6, S, S, C) float
        The last two with `cube`.
    max_level : int, optional
        The coarsest level, >= 0; without it 1 x 1 texels.
    cube : bool
        Whether it is a cube map.

    Returns
    -------
    Mipmaps

    Raises
    ------
    ValueError
        If a shape or type is wrong, or where a side is odd and not 1 before `max_level` is reached.

    Notes
    -----
    `sample_texture` hands the gradient of these levels on to the texture that it is called with.
    """
    textures = as_textures(texture.detach(), cube)
    height, width = textures.shape[-3:-1]
    sizes = level_sizes(height, width, max_level)
    faces = 6 if cube else 1
    count = faces * sum(height * width for height, width in sizes[1:])
    values = textures.new_empty(len(textures), count, textures.shape[-1])
    made = Mipmaps(values, sizes, faces, built=True)
    for level in range(1, len(sizes)):
        _each_coarse("halve", made, textures, values, level)
    return made


def own_mipmaps(texture: Tensor, levels: Sequence[Tensor], max_level: int | None, cube: bool) -> Mipmaps:
    """Levels that somebody else made, which get gradients of their own; `max_level` drops the coarsest.

    Raises
    ------
    ValueError
        If a level is not of the size that its number asks for, or of another type or device than the texture.
    """
    most = len(levels) if max_level is None else min(max_level, len(levels))
    sizes = [(int(texture.shape[-3]), int(texture.shape[-2]))]
    parts = []
    for number, level in enumerate(levels[:most], start=1):
        check_tensor(f"mipmaps[{number - 1}]", level)
        size = _half(sizes[-1])
        if size is None:
            raise ValueError(
                f"mipmaps: expected at most {number - 1} levels of a texture of {sizes[0][0]} x {sizes[0][1]} texels, "
                f"got {len(levels)}; level {number - 1} cannot be halved"
            )
        wanted = (*texture.shape[:-3], *size, texture.shape[-1])
        if tuple(level.shape) != wanted or (level.dtype, level.device) != (texture.dtype, texture.device):
            raise ValueError(
                f"mipmaps[{number - 1}]: expected {wanted} {texture.dtype} on {texture.device}, "
                f"got {tuple(level.shape)} {level.dtype} on {level.device}"
            )
        sizes.append(size)
        parts.append(level.reshape(len(texture), -1, texture.shape[-1]))
    values = torch.cat(parts, dim=1) if parts else texture.new_empty(len(texture), 0, texture.shape[-1])
    return Mipmaps(values, tuple(sizes), 6 if cube else 1, built=False)


def add_built_gradient(mipmaps: Mipmaps, grad_mipmaps: Tensor, grad_texture: Tensor) -> None:
    """Add to a texture's gradient what its mipmaps owe it; the gradient of the mipmaps is used up."""
    for level in range(len(mipmaps.sizes) - 1, 0, -1):
        _each_coarse("halve_adjoint", mipmaps, grad_texture, grad_mipmaps, level)


def as_textures(texture: Tensor, cube: bool) -> Tensor:
    """Contiguous (T, H, W, C) or, for a cube map, (T, 6, S, S, C).

    Raises
    ------
    ValueError
        If the shape or type is no texture's.
    """
    check_tensor("texture", texture)
    one = 4 if cube else 3
    shape = tuple(texture.shape)
    wanted = "(6, S, S, C) or (T, 6, S, S, C)" if cube else "(H, W, C) or (T, H, W, C)"
    if (
        texture.dim() not in (one, one + 1)
        or 0 in shape
        or (cube and (shape[-4] != 6 or shape[-3] != shape[-2]))
    ):
        raise ValueError(f"texture: expected {wanted}, no side 0, got {shape}")
    if texture.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"texture: expected float32 or float64, got {texture.dtype}; convert it first")
    if max(texture[..., 0].numel(), texture.shape[-1]) >= 2**30:
        raise ValueError(f"texture: expected fewer than 2**30 texels, got {shape}")
    return (texture[None] if texture.dim() == one else texture).contiguous()


def level_sizes(height: int, width: int, max_level: int | None) -> tuple[tuple[int, int], ...]:
    """(height, width) of all levels down to 1 x 1, or to `max_level`.

    Raises
    ------
    ValueError
        Where a side is odd and not 1 before.
    """
    if max_level is not None:
        check_count("max_level", max_level, least=0)
    sizes = [(height, width)]
    while sizes[-1] != (1, 1) and (max_level is None or len(sizes) <= max_level):
        size = _half(sizes[-1])
        if size is None:
            raise ValueError(
                f"texture: expected sides that can be halved down to 1, got {height} x {width} texels, "
                f"at level {len(sizes) - 1} {sizes[-1][0]} x {sizes[-1][1]}; "
                f"pass max_level={len(sizes) - 1}, or scale it to powers of two"
            )
        sizes.append(size)
    return tuple(sizes)


def _half(size: tuple[int, int]) -> tuple[int, int] | None:
    """The size of the next level; None where there is none."""
    if size == (1, 1) or any(side > 1 and side % 2 for side in size):
        return None
    return max(size[0] // 2, 1), max(size[1] // 2, 1)


def _each_coarse(kernel: str, mipmaps: Mipmaps, texture: Tensor, values: Tensor, level: int) -> None:
    """Launch a kernel on the texels of a level and those of the finer one that they are means of."""
    (high, wide), (height, width) = mipmaps.sizes[level - 1 : level + 1]
    starts, rows = mipmaps.starts(), mipmaps.faces * height
    k, row = kernels_for(texture.dtype, texture.device), values.shape[1]
    fine = [texture, 0, mipmaps.faces * high * wide]
    if level > 1:
        fine = [values, starts[level - 1], row]
    coarse = [values, starts[level], row]
    sizes = [rows, width, wide // width, high // height, values.shape[-1]]
    inputs = [*fine, *coarse, *sizes]

    def run(_: int, chunk: range) -> None:
        launch_items(getattr(k, kernel), chunk.start, chunk.stop, inputs, texture.device)

    run_chunks(run, item_chunks(len(texture) * rows * width, texture.device))


def item_chunks(count: int, device: torch.device) -> list[range]:
    """Consecutive items for each core, or all for one where they are few."""
    return chunks_of(count, device) if count > _FEW else [range(count)]
