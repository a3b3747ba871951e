"""Images that lie in a scene's folders and are used for nothing: said, so that nobody takes them for used."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...images.files import SUFFIXES
from ..formats.files_beside import folders_in, images_in, marked_for
from ..provenance import UNUSED, Record, counted, some
from ..shots import Shot
from .lookup import key

# Folders whose name contains the first, or is one of the others, hold masks.
_MASK_WORD = "mask"
_MASK_FOLDERS = ("alpha", "alphas", "matte", "mattes", "silhouette", "silhouettes", "segmentation")


def tell_left_over(record: Record, shots: Sequence[Shot], masks: Iterable[Path]) -> None:
    """Notes of masks that fit no photograph, and of images in the photographs' folders that are not in the scene."""
    used = {shot.image.absolute() for shot in shots} | {mask.absolute() for mask in masks}
    folders = list(dict.fromkeys(shot.image.parent for shot in shots))
    for folder in _mask_folders(record.root, folders):
        _tell_masks(
            record, shots[0], folder, [file for file in _below(folder) if file.absolute() not in used]
        )
        _tell_other_kinds(record, shots, folder)
    around = _around(record.root, folders)
    names = {key(name) for shot in shots for name in (shot.image.name, shot.image.stem)}
    for folder in around:
        if folder not in folders:
            left = [file for file in images_in(folder, masks=True) if file.absolute() not in used]
            _tell_masks(record, shots[0], folder, [file for file in left if marked_for(file)])
            others = [file for file in left if not marked_for(file) and not _named_as(file, names)]
            _tell_others(record, folder, others, "that no photograph goes with")
    _tell_namesakes(record, shots, around, names, used)
    common = Path(os.path.commonpath([folder.absolute() for folder in folders]))
    inner = common != record.root.absolute() and common.is_relative_to(record.root.absolute())
    for folder in [common] if inner and len(folders) > 1 else folders:
        files = _below(folder) if inner and len(folders) > 1 else images_in(folder, masks=True)
        left = [
            file for file in files if file.absolute() not in used and not _in_mask_folder(file, record.root)
        ]
        marked = [file for file in left if marked_for(file)]
        others = [file for file in left if not marked_for(file)]
        _tell_masks(record, shots[0], folder, marked)
        _tell_others(record, folder, others, "without a camera")


def _tell_masks(record: Record, shot: Shot, folder: Path, files: Sequence[Path]) -> None:
    if files:
        stem, name = shot.image.stem, shot.image.name
        record.add(
            UNUSED,
            f"{_shown(record, folder)}: {counted(len(files), 'mask')} that no photograph goes with "
            f"({some([file.name for file in files])}); for {name} expected {stem}.png, {name}.png, {stem}_mask.png, "
            f"{stem}.mask.png or {name}.mask.png in a folder 'masks', or the folder named by --masks",
        )


def _tell_other_kinds(record: Record, shots: Sequence[Shot], folder: Path) -> None:
    """A note of files under the names of photographs whose suffix is none of an image that is read here."""
    stems = {key(name) for shot in shots for name in (shot.image.name, shot.image.stem)}
    left = [file for file in folder.iterdir() if file.is_file() and file.suffix.lower() not in SUFFIXES]
    named = sorted(file.name for file in left if _named_as(file, stems) or key(file.stem) in stems)
    if named:
        record.add(
            UNUSED,
            f"{_shown(record, folder)}: {counted(len(named), 'file')} of a kind that is not read ({some(named)}); "
            "convert masks to PNG",
        )


def _tell_others(record: Record, folder: Path, files: Sequence[Path], which: str) -> None:
    if files:
        names = some([file.relative_to(folder).as_posix() for file in files])
        record.add(UNUSED, f"{_shown(record, folder)}: {counted(len(files), 'image')} {which} ({names})")


def _tell_namesakes(
    record: Record, shots: Sequence[Shot], around: Sequence[Path], names: set[str], used: set[Path]
) -> None:
    """A note of folders, none of masks by their names, that hold images under the names of photographs."""
    photographs = {shot.image.parent for shot in shots}
    above = {place for folder in photographs for place in folder.parents}
    children = [child for folder in around for child in folders_in(folder) if not _is_for_masks(child.name)]
    found = []
    for place in dict.fromkeys([*around, *(child for child in children if child not in above)]):
        left = [
            file
            for file in images_in(place, masks=True)
            if file.absolute() not in used and not marked_for(file)
        ]
        if place not in photographs and any(_named_as(file, names) for file in left):
            found.append(_shown(record, place))
    if found:
        record.add(
            UNUSED,
            f"{some(found)}: images under the names of photographs; if they are masks, name the folder by --masks",
        )


def _named_as(file: Path, names: set[str]) -> bool:
    """Whether a file's name is that of a photograph, or that and something more: a_seg.png for a.jpg."""
    name = key(file.name)
    ends = [found.start() for found in re.finditer(r"[-_. ]", name)]
    return any(name[:end] in names for end in [*ends, len(name)])


def _around(root: Path, folders: Sequence[Path]) -> list[Path]:
    """The scene's folder, and those of the photographs and above them that lie in it."""
    inside = [folder for folder in folders if folder.absolute().is_relative_to(root.absolute())]
    above = [folder.parent for folder in inside if folder.absolute() != root.absolute()]
    return list(dict.fromkeys([root, *inside, *above]))


def _mask_folders(root: Path, folders: Sequence[Path]) -> list[Path]:
    """Those that hold masks by their names, in the scene's folder and around the photographs."""
    found = [child for folder in _around(root, folders) for child in folders_in(folder)]
    return [child for child in dict.fromkeys(found) if _is_for_masks(child.name) and child not in folders]


def _is_for_masks(name: str) -> bool:
    return _MASK_WORD in key(name) or key(name) in _MASK_FOLDERS


def _in_mask_folder(file: Path, root: Path) -> bool:
    own, root = file.parent.absolute(), root.absolute()
    return own.is_relative_to(root) and any(_is_for_masks(part) for part in own.relative_to(root).parts)


def _below(folder: Path) -> list[Path]:
    """The images in a folder and in those below it that are not hidden."""
    found = []
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if not hidden and file.suffix.lower() in SUFFIXES and file.is_file():
            found.append(file)
    return found


def _shown(record: Record, folder: Path) -> str:
    name = record.short(folder)
    return "beside the scene's files" if name == "." else f"{name}/"
