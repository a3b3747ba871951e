"""The lines of COLMAP's images.txt that hold a pose and a name, names with spaces included.

COLMAP itself reads a name up to its first space. RealityScan, which names cameras after their files, writes all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..._support.regular_files import lines_of
from ...mesh.sources.lines import cure_for
from .text_files import is_number

_LONGEST = 2**26  # characters of a line, which has about 30 for each point that an image shows
_NUMBERS = 9  # IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID, then the name


@dataclass(frozen=True)
class ImageLine:
    """The numbers of a line as they stand there, and the rest of it."""

    numbers: str
    name: str


def image_lines(file: Path) -> list[ImageLine]:
    """One for each image. Every one has a line of points behind it, which may be empty, or missing at the end.

    Raises
    ------
    ValueError
        A line that is neither.
    """
    found: list[ImageLine] = []
    points = False  # whether the line of an image's points may come
    for number, line in enumerate(lines_of(file, longest=_LONGEST), start=1):
        line = line.strip()
        if line.startswith("#") or not line:
            points = points and bool(line)
            continue
        words = line.split(maxsplit=_NUMBERS)
        if points and is_number(line.rsplit(maxsplit=1)[-1]):  # of points; the names of images have suffixes
            points = False
            continue
        if len(words) <= _NUMBERS:
            raise ValueError(
                f"{file}: line {number}: expected IMAGE_ID, 8 numbers and a name, got {len(words)} words; "
                "is it complete?"
            )
        wrong = next((word for word in words[:_NUMBERS] if not is_number(word)), None)
        if wrong is not None:
            raise ValueError(
                f"{file}: line {number}: expected 9 numbers and a name, got {wrong[:40]!r}; {cure_for(wrong)}"
            )
        found.append(ImageLine(" ".join(words[:_NUMBERS]), words[_NUMBERS].strip()))
        points = True
    return found


def check_camera_lines(content: str, file: Path, models: Mapping[str, int]) -> None:
    """ValueError that names the first line of cameras.txt that is no camera of one of the models.

    CAMERA_ID MODEL WIDTH HEIGHT, then as many numbers as belong to the model.
    """
    for number, line in enumerate(content.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"{file}: line {number}"
        if len(words) > 1 and words[1] not in models:
            raise ValueError(
                f"{where}: camera model {words[1][:40]!r} is not known, expected one of {', '.join(models)}; "
                "undistort the images first"
            )
        whole = [*words[:1], *words[2:4]]
        count = models[words[1]] if len(words) > 1 else 0
        if (
            len(words) != 4 + count
            or not all(word.isdecimal() for word in whole)
            or not all(map(is_number, words[4:]))
        ):
            raise ValueError(
                f"{where}: expected CAMERA_ID MODEL WIDTH HEIGHT and {count} numbers, got {line.strip()[:80]!r}; "
                f"{cure_for(line)}"
            )
