"""The add-on for Blender as a file that Blender installs."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path

from .._support.atomic import atomic_path
from .._version import __version__

ADDON = Path(__file__).with_name("addon")
MANIFEST = "blender_manifest.toml"
_BEGIN = (1980, 1, 1, 0, 0, 0)  # the first date that a zip file knows: equal contents make equal files


def write_addon(path: str | os.PathLike[str]) -> None:
    """Write the add-on as an extension of Blender 4.2 and newer, with the version of this package.

    Parameters
    ----------
    path
        ``NAME.zip``. It appears whole or not at all.

    Raises
    ------
    ValueError
        Another suffix.
    OSError
        If the file can't be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".zip":
        raise ValueError(f"output: expected a file NAME.zip, got {path}")
    with atomic_path(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted([*ADDON.glob("*.py"), ADDON / MANIFEST]):
            text = file.read_text(encoding="utf-8")
            if file.name == MANIFEST:
                text = text.replace("0.0.0", _semantic(__version__), 1)
            archive.writestr(zipfile.ZipInfo(file.name, _BEGIN), text)


def _semantic(version: str) -> str:
    """Three numbers, which is all that Blender understands of a version."""
    numbers = [*re.findall(r"\d+", version), "0", "0"]
    return ".".join(numbers[:3])
