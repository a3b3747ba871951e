"""Photographs before anything is known of their cameras: what their files say, and which of them share a lens."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ...images.files import image_header, read_image
from ...images.opening import opened_image

_MAKE, _MODEL, _EXIF, _FOCAL, _FOCAL_35 = 0x010F, 0x0110, 0x8769, 0x920A, 0xA405
_DIAGONAL_35 = math.hypot(36.0, 24.0)  # millimetres


@dataclass(frozen=True)
class Photograph:
    """A file and what it says.

    Attributes
    ----------
    file : Path
    name : str
        Below the folder of the photographs, with slashes.
    width, height : int
        Of the pixels as they are stored.
    orientation : int
        By EXIF, 1 for upright.
    lens : str
        Photographs of the same size with the same text were taken through one lens at one focal length.
    focal : float or None
        In pixels, by EXIF.
    digest : str
        SHA-256 of the file.
    """

    file: Path
    name: str
    width: int
    height: int
    orientation: int
    lens: str
    focal: float | None
    digest: str

    @property
    def camera(self) -> tuple[int, int, str]:
        """The same for photographs of one lens."""
        return self.width, self.height, self.lens


def collection(files: Sequence[Path], root: Path) -> list[Photograph]:
    """What the files of photographs say; those that are no images are left out.

    Raises
    ------
    ValueError
        Half of them or more are no images; one line that names the first.
    """

    def told(file: Path) -> Photograph | ValueError:
        try:
            return _photograph(file, root)
        except ValueError as error:
            return error

    with ThreadPoolExecutor(4) as pool:  # waits for the disk most of the time
        found = list(pool.map(told, files))
    check_most([error for error in found if isinstance(error, ValueError)], len(files))
    return [photograph for photograph in found if isinstance(photograph, Photograph)]


def check_most(faults: Sequence[ValueError], count: int) -> None:
    """Raise the first fault where half of so many photographs, or more, have one."""
    if faults and 2 * len(faults) >= count:
        raise faults[0]


def faults_of(files: Sequence[Path]) -> dict[Path, str]:
    """Why files cannot be read, a line for each that cannot."""
    found = {}
    for file in files:
        try:
            read_image(file)
        except ValueError as error:
            found[file] = str(error)
    return found


def _photograph(file: Path, root: Path) -> Photograph:
    header = image_header(file)
    with opened_image(file) as image:
        lens, focal = _exif(image, max(math.hypot(header.width, header.height), 1.0))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Photograph(
        file, file.relative_to(root).as_posix(), header.width, header.height, header.orientation or 1, lens, focal,
        digest,
    )  # fmt: skip


def _exif(image: Image.Image, diagonal: float) -> tuple[str, float | None]:
    """Camera and focal length in words, and the focal length in pixels for a diagonal of so many pixels."""
    try:
        # Not PNG's own `getexif`, which decodes all pixels.
        found = Image.Image.getexif(image)
        inner = found.get_ifd(_EXIF)
        words = (found.get(_MAKE), found.get(_MODEL), inner.get(_FOCAL), inner.get(_FOCAL_35))
        lens = ", ".join(str(word).strip("\0 ") for word in words if word)
        equivalent = float(inner.get(_FOCAL_35) or 0)
    except Exception:  # damaged EXIF data says nothing
        return "", None
    usable = math.isfinite(equivalent) and equivalent > 0
    return lens, diagonal * equivalent / _DIAGONAL_35 if usable else None
