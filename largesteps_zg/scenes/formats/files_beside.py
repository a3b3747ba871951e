"""Images and masks that lie in folders beside the cameras: which there are, and which belongs to which camera."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...images.files import SUFFIXES

# a_mask.png, a.jpg.mask.png, a-mask.png and mask_a.png: masks of a.jpg where that lies beside them.
MARK_ENDS = "_.- "  # what may stand between the photograph's name and the word
_MARK = re.compile(
    rf"(?P<front>.+)[{re.escape(MARK_ENDS)}]masks?|masks?[{re.escape(MARK_ENDS)}](?P<back>.+)",
    re.IGNORECASE | re.DOTALL,
)


def marked_for(file: Path) -> str:
    """The name of the photograph that a file says to be the mask of; "" where it says no such thing."""
    match = _MARK.fullmatch(file.stem)
    return (match["front"] or match["back"]) if match else ""


def images_in(folder: Path, *, masks: bool = False) -> list[Path]:
    """The image files of a folder in the order of their names, 9 before 10; [] where there is no folder.

    Without masks of others among them, unless these are asked for too.
    """
    if not folder.is_dir():
        return []
    # macOS leaves ._a.png beside a.png.
    found = (file for file in folder.iterdir() if not file.name.startswith("."))
    files = [file for file in found if file.suffix.lower() in SUFFIXES and file.is_file()]
    if not masks:
        names = {name for file in files for name in (file.name, file.stem)}
        files = [file for file in files if marked_for(file) not in names]
    return sorted(files, key=_natural)


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, by name; [] where there is none."""
    return sorted(child for child in folder.iterdir() if child.is_dir()) if folder.is_dir() else []


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


def by_number(own: Sequence[int | None], numbered: Mapping[int | None, Path]) -> list[Path | None]:
    """The files of these numbers; [] where numbers tell nothing apart."""
    distinct = None not in own and None not in numbered and len(set(own)) == len(own)
    found = [numbered.get(number) for number in own] if distinct else []
    return found if any(found) else []
