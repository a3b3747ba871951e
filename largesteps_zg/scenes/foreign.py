"""What lies in a folder that is no scene in a known format: which program left it, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from .._support.regular_files import irregular
from .formats.files_beside import folders_in, images_in
from .provenance import some

_TO_COLMAP = "export the cameras as COLMAP there"
# By the name of a file, what its beginning holds, whose it is, and the cure.
_FOREIGN = (
    ("*.xml", rb"<document\b[^>]*>\s*<chunk\b", "cameras of Metashape", _TO_COLMAP),
    ("*.csv", rb"#(name|cameras)\b", "a registration of RealityScan", _TO_COLMAP),
    ("*.xmp", rb"xcr:", "cameras of RealityScan", _TO_COLMAP),
    ("*.rcproj", b"", "a project of RealityScan", _TO_COLMAP),
    ("*.psx", b"", "a project of Metashape", _TO_COLMAP),
    ("*.sfm", b"", "cameras of Meshroom", _TO_COLMAP),
    ("*.mvs", b"", "a scene of OpenMVS", "give the COLMAP model that it was made from"),
    ("*.nvm", rb"NVM_V", "cameras of VisualSFM", _TO_COLMAP),
    ("*.out", rb"# Bundle file", "cameras of Bundler", _TO_COLMAP),
    ("reconstruction.json", b"", "cameras of OpenSfM", "run `opensfm export_colmap`"),
    ("poses_bounds.npy", b"", "cameras of LLFF", "give the COLMAP model that they were made from"),
    ("cameras.json", b"", "cameras of Gaussian splatting", "give the folder that it was trained on"),
    ("database.db", b"", "COLMAP's matches without a model", "run `colmap mapper`"),
)
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
_RAW = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2")
_START = 4096  # bytes of a file that tell whose it is


def told(place: Path, recognised: Callable[[Path], bool]) -> str:
    """Phrases for a message about a folder or file that no format recognises, "" where there is nothing to say."""
    if not place.is_dir():
        return "; unpack it, and give the folder" if place.suffix.lower() in _ARCHIVES else ""
    inside = folders_in(place)
    folders = [place, *inside, *(inner for outer in inside for inner in folders_in(outer))]
    said = [
        f"{(folder / name).relative_to(place)} is {kind}, copy its content into a file"
        for folder in folders
        for name, kind in irregular(folder).items()
    ]
    scenes = [folder.relative_to(place).as_posix() for folder in folders[1:] if recognised(folder)]
    if scenes:
        said.append(f"but {scenes[0]} in it is one, give that folder")
    others = [file.name for file in sorted(place.glob("transforms_*.json")) if file.is_file()]
    if others:
        said.append(
            f"{others[0]} holds no views to reconstruct from, expected transforms_train.json beside it"
        )
    halves = [
        folder
        for folder in folders
        if any((folder / f"cameras{kind}").is_file() for kind in (".bin", ".txt"))
    ]
    said += [
        f"{folder.relative_to(place)} holds cameras of COLMAP, but no images.bin or images.txt beside them"
        for folder in halves
    ]
    said += [phrase for folder in folders for phrase in _foreign(place, folder)][:3]
    photographs = [folder for folder in folders[1:] if images_in(folder)]
    if not said and photographs and not any(images_in(place / name) for name in ("", "images", "input")):
        names = [folder.relative_to(place).as_posix() for folder in photographs]
        cure = "give that folder"
        if len(names) > 1:
            cure = (
                "put those of one object into one folder, each under a name of its own, or give one of these"
            )
        said.append(f"there are photographs in {some(names)}, {cure}")
    if not said:
        said += [
            f"{file.name} is a raw photograph, export JPEG" for file in sorted(place.iterdir()) if _raw(file)
        ][:1]
    return "".join(f"; {phrase}" for phrase in said[:3])


def _raw(file: Path) -> bool:
    return file.suffix.lower() in _RAW


def _foreign(place: Path, folder: Path) -> list[str]:
    """A phrase for each file of another program."""
    found = []
    for pattern, start, whose, cure in _FOREIGN:
        for file in sorted(folder.glob(pattern)):
            if file.is_file() and (not start or re.search(start, _beginning(file))):
                found.append(f"{file.relative_to(place)} holds {whose}, {cure}")
                break
    return found


def _beginning(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_START)
