"""Image files -> one uint8 tensor with the mask as alpha, read by several threads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


@dataclass(frozen=True)
class ImageFiles:
    """One view on disk: an image, the mask where it is a file of its own, and one for images without alpha."""

    image: Path
    mask: Path | None = None
    spare_mask: Path | None = None


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image whose faults become one line that names the file."""
    try:
        with Image.open(path) as image:
            yield image
    except Exception as error:
        # Pillow's decoders raise nearly anything for damaged files: OSError, SyntaxError, struct.error, EOFError, ...
        reason = (str(error).splitlines() or [type(error).__name__])[0].replace(str(path), "file")
        raise ValueError(f"{path}: image cannot be read ({reason}); is the file complete?") from error


def image_size(path: Path) -> tuple[int, int]:
    """(width, height), from the header alone."""
    with _opened(path) as image:
        return image.size


def read_views(files: Sequence[ImageFiles], size: tuple[int, int]) -> Tensor:
    """All views as (B, H, W, 4) uint8; `size` is the (width, height) that all have.

    Raises
    ------
    ValueError
        A damaged file, a mask of another size than its image, an image without any mask, a mask that is empty or
        covers everything.
    """
    width, height = size
    views = np.empty((len(files), height, width, 4), dtype=np.uint8)

    def read(index: int) -> None:
        views[index] = _read_view(files[index])

    # Pillow lets go of the interpreter while it decodes.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        list(pool.map(read, range(len(files))))  # list: raises what the first of them raised
    return torch.from_numpy(views)


def _read_view(files: ImageFiles) -> np.ndarray:
    """(H, W, 4) uint8 of one view."""
    with _opened(files.image) as image:
        has_alpha = "A" in image.getbands() or "transparency" in image.info
        pixels = np.array(_eight_bit(image).convert("RGBA"))
    # An alpha channel that is opaque everywhere was only added by a program that saves nothing else.
    source = files.mask or (files.spare_mask if pixels[..., 3].min() == 255 else None)
    if source is not None:
        mask = _read_mask(source)
        if mask.shape != pixels.shape[:2]:
            sizes = (
                f"{mask.shape[1]}x{mask.shape[0]} pixels, expected the {pixels.shape[1]}x{pixels.shape[0]}"
            )
            raise ValueError(f"{source}: mask has {sizes} of its image {files.image}")
        pixels[..., 3] = mask
    elif not has_alpha:
        raise ValueError(
            f"{files.image}: image has no alpha channel and no mask; save it as RGBA, put a mask of the same name into "
            "a folder 'masks' beside its folder, or name it in the frame's 'mask_path'"
        )
    _check_mask(pixels[..., 3], source or files.image)
    return pixels


def _check_mask(mask: np.ndarray, source: Path) -> None:
    """ValueError for masks that say nothing about the object."""
    if mask.max() < 128:
        raise ValueError(
            f"{source}: mask is empty, so the view sees no object; correct the mask or remove the view"
        )
    if mask.min() >= 128:
        raise ValueError(
            f"{source}: mask covers the whole image, so nothing outlines the object; give a mask "
            "(alpha 0 on the background, or a file in 'masks') or remove the view"
        )


def _read_mask(path: Path) -> np.ndarray:
    """(H, W) uint8 of a mask file: its alpha where that says something, else its brightness."""
    with _opened(path) as image:
        image = _eight_bit(image)
        if "A" in image.getbands() or "transparency" in image.info:
            alpha = np.array(image.convert("RGBA").getchannel("A"))
            if alpha.min() < 255:
                return alpha
        mask = np.array(image.convert("RGB")).max(axis=-1)  # also a mask painted in red is a mask
    # Labels 0 and 1 are a common way to write a mask; as brightness they would all be black.
    return mask * np.uint8(255) if mask.max() == 1 else mask


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey and float images as 8-bit; Pillow itself converts 16-bit colour when it opens the file."""
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.float64)
        return Image.fromarray(np.clip(values / 257 + 0.5, 0, 255).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("floating-point pixels; expected 8-bit or 16-bit sRGB")
    return image
