"""Masks of photographs that have none: by a background of one colour, else by a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..from_photographs.work import unwatched
from ..provenance import UNUSED, Record, counted, some
from ..reading import NETWORK, Reading
from .masking import background_color, masks_from_background
from .network import masks_by_network, model_of
from .photo import Photo

KEPT = "network"  # the folder of what a network said
AT_BORDERS = ", found at the borders"  # ends the rule of masks by a background that nobody named


class NoMaskError(ValueError):
    """A photograph has no mask, and neither its background nor a network tells one."""


def with_masks(photos: list[Photo], reading: Reading, record: Record) -> list[Photo]:
    """The photographs, those without masks with masks that were found.

    Raises
    ------
    NoMaskError
        None could be found, and none was asked for in a certain way.
    ValueError, OSError, ImportError
        The network that was asked for cannot be had, or finds nothing.
    """
    bare = [index for index, photo in enumerate(photos) if photo.source in ("bare", "opaque")]
    if not bare:
        return photos
    found = None if reading.masks == NETWORK else _by_background([photos[i] for i in bare], reading)
    if found is not None and reading.mask_model is not None:
        record.add(
            UNUSED,
            f"{reading.mask_model}: the background is of one colour, which tells more (--masks {NETWORK})",
        )
    if found is None:
        found = _by_network([photos[i] for i in bare], reading)
    for index, photo in zip(bare, found, strict=True):
        photos[index] = photo
    return photos


def _by_background(photos: Sequence[Photo], reading: Reading) -> list[Photo] | None:
    """None where the background is not of one colour, or where that leaves a photograph without a mask."""
    pixels = [photo.pixels for photo in photos]
    constants, given = reading.advanced.photographs, reading.background
    if given == "none":
        return None
    color = background_color(pixels, constants) if isinstance(given, str) else given
    masks = None if color is None else masks_from_background(pixels, color, constants)
    if color is None or masks is None or not all(mask.any() and not mask.all() for mask in masks):
        return None
    shown = ", ".join(f"{value:.0f}" for value in color)
    rule = f"what differs from the background's colour {shown}" + AT_BORDERS * (given == "auto")
    return [_masked(photo, mask, "background", rule) for photo, mask in zip(photos, masks, strict=True)]


def _by_network(photos: Sequence[Photo], reading: Reading) -> list[Photo]:
    asked = reading.masks == NETWORK or reading.mask_model is not None
    file = model_of(reading) if asked or reading.background == "auto" else None
    if file is None:
        raise NoMaskError(_no_mask(photos[0]))
    kept = None if reading.cameras is None else reading.cameras / KEPT
    masks = masks_by_network(file, [photo.pixels for photo in photos], kept, reading.watch or unwatched)
    nothing = [
        photo.shot.name for photo, mask in zip(photos, masks, strict=True) if not mask.any() or mask.all()
    ]
    if nothing:
        text = (
            f"{photos[0].shot.image.parent}: the network {file.name} finds no object in "
            f"{counted(len(nothing), 'photograph')} of {len(photos)} ({some(nothing)}); remove them, give masks, or "
            "--masks none"
        )
        raise ValueError(text) if asked else NoMaskError(text)
    rule = f"the network {file.name}, and what the views agree on"
    return [_masked(photo, mask, "network", rule) for photo, mask in zip(photos, masks, strict=True)]


def _masked(photo: Photo, mask: np.ndarray, source: str, rule: str) -> Photo:
    photo.pixels[..., 3] = np.where(mask, 255, 0)
    return replace(photo, source=source, rule=rule)


def _no_mask(photo: Photo) -> str:
    if photo.source == "opaque":
        problem = "mask covers the whole image, so nothing outlines the object, and no background could be told apart"
    else:
        problem = (
            "image has no alpha channel and no mask, and no background of one colour could be told apart"
        )
    return (
        f"{photo.shot.image}: {problem}; give alpha 0 on the background, a mask of the same name in a folder 'masks' "
        "beside its folder, a 'mask_path' in the frame, the background's colour, or --masks rembg"
    )
