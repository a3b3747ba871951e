"""Images and masks that lie in folders beside the cameras: which there are, and which belongs to which camera."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...images.files import SUFFIXES


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder in the order of their names, 9 before 10; [] where there is no folder."""
    if not folder.is_dir():
        return []
    found = (
        file for file in folder.iterdir() if not file.name.startswith(".")
    )  # macOS leaves ._a.png beside a.png
    files = [file for file in found if file.suffix.lower() in SUFFIXES and file.is_file()]
    return sorted(files, key=_natural)


def _natural(file: Path) -> tuple[list[tuple[int, str]], str]:
    """Numbers by value; the name itself where that leaves a tie (1 and 01)."""
    pieces = re.split(r"([0-9]+)", file.name)
    return [(int(piece) if piece.isdecimal() else 0, piece.lstrip("0")) for piece in pieces], file.name


def first_with_images(root: Path, folders: Sequence[str]) -> list[Path]:
    """The images of the first of the folders that has any."""
    return next((files for files in (images_in(root / name) for name in folders) if files), [])


def by_stem(files: Sequence[Path]) -> dict[str, Path]:
    """Files by their names without suffix; ValueError where two share one."""
    found: dict[str, Path] = {}
    for file in files:
        if file.stem in found:
            raise ValueError(
                f"{file}: {found[file.stem].name} has the same name; keep one of the two, for nothing tells them apart"
            )
        found[file.stem] = file
    return found


def last_number(name: str) -> int | None:
    """The number that a name ends with, `rect_007` -> 7; None where there is none."""
    match = re.search(r"([0-9]{1,9})$", name)
    return int(match[1]) if match else None


def masks_for(images: Sequence[Path], masks: Sequence[Path]) -> list[Path | None]:
    """The mask of each image: of the same name, else of the same number, else in the same order; all None without any.

    Raises
    ------
    ValueError
        There are masks, but none that an image could be given (naming the first such image).
    """
    if not masks:
        return [None] * len(images)
    named = {**{_without_suffix(file): file for file in masks}, **by_stem(masks)}
    numbered = {last_number(file.stem): file for file in masks}
    ways: list[list[Path | None]] = [
        [named.get(image.stem) or named.get(image.name) for image in images],
        _by_number([last_number(image.stem) for image in images], numbered),
        list(masks) if len(masks) == len(images) else [],
    ]
    for found in ways:
        if found and None not in found:
            return found
    best = ways[1] or ways[0]
    raise ValueError(
        f"{images[best.index(None)]}: no mask of its name or number in {masks[0].parent} ({len(masks)} masks for "
        f"{len(images)} images); name it as the image, or move the folder away to have the background told by colour"
    )


def _by_number(own: Sequence[int | None], numbered: Mapping[int | None, Path]) -> list[Path | None]:
    """The files of these numbers; [] where numbers tell nothing apart."""
    distinct = None not in own and None not in numbered and len(set(own)) == len(own)
    found = [numbered.get(number) for number in own] if distinct else []
    return found if any(found) else []


def _without_suffix(file: Path) -> str:
    """`a.jpg.png` -> `a.jpg`, as COLMAP names masks."""
    return file.name[: -len(file.suffix)]
