"""Mask files beside photographs, under the names that other programs give them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..formats.files_beside import MARK_ENDS, by_number, folders_in, images_in, last_number, marked_for
from .lookup import key

# NAME is the photograph's without its suffix, NAME.EXT with it. The first two are names of masks in a folder of masks
# alone (COLMAP has the second); the others wherever they lie: Metashape and 3dgrut _mask, OpenMVS .mask, RealityScan
# NAME.EXT.mask.
_IN_FOLDERS = ("NAME", "NAME.EXT")
_ANYWHERE = (
    *(f"{name}{end}mask" for end in MARK_ENDS for name in ("NAME", "NAME.EXT")),
    *(f"mask{end}{name}" for end in MARK_ENDS for name in ("NAME", "NAME.EXT")),
)
_FOLDERS = ("masks", "mask", "silhouettes", "silhouette", ".mask")  # the last one: RealityScan's layers


@dataclass(frozen=True)
class MaskFile:
    """A mask that was found, and the rule that it was found by: "masks/NAME_mask.png"."""

    file: Path
    rule: str


def mask_of(found: MaskFile | None) -> dict[str, Any]:
    """The fields of a `Shot` whose format says that the file is its mask."""
    return {} if found is None else {"mask": found.file, "mask_rule": found.rule}


@dataclass
class MaskFinder:
    """Finds masks in folders that are listed once each.

    Attributes
    ----------
    root : Path
        The folder of the scene.
    """

    root: Path
    _listed: dict[Path, dict[str, list[Path]]] = field(default_factory=dict)
    _around: dict[Path, list[Path]] = field(default_factory=dict)

    def of_all(self, images: Sequence[Path]) -> list[MaskFile | None]:
        """For each image the mask beside it: by name, or all of them by the number at the end of the name."""
        found = [self.beside(image) for image in images]
        if any(found) or not images:
            return found
        numbered = (self._by_number(images, place) for place in self._places(images[0]))
        return list(next((masks for masks in numbered if masks), found))

    def beside(self, image: Path) -> MaskFile | None:
        """The mask of an image in the folders of masks around it, or beside it under a name that says so."""
        places = self._places(image)
        for folder in [*(place / below for below in self._below(image) for place in places), *places]:
            found = self._named(folder, image)
            if found is not None:
                return found
        return self._named(image.parent, image, _ANYWHERE)

    def in_folder(self, place: Path, images: Sequence[Path], below: Sequence[Path]) -> list[MaskFile | None]:
        """The masks of images in one folder that was named; `below` is where each image lies under its own root."""
        found = [
            self._named(place / deeper, image) or self._named(place, image)
            for image, deeper in zip(images, below, strict=True)
        ]
        return found if any(found) else list(self._by_number(images, place)) or found

    def of_format(self, images: Sequence[Path], folders: Sequence[str]) -> list[MaskFile | None]:
        """The masks of a format that has a folder for them: by name, else by number, else in the same order.

        Without such a folder, those beside the images.

        Raises
        ------
        ValueError
            There are masks, but none that an image could be given (naming the first such image).
        """
        place = next((self.root / name for name in folders if images_in(self.root / name)), None)
        if place is None:
            return self.of_all(images)
        masks = images_in(place)
        by_name = [self._named(place, image) for image in images]
        if None not in by_name:
            return by_name
        numbers = [last_number(image.stem) for image in images]
        numbered = by_number(numbers, {last_number(_without_mark(file)): file for file in masks})
        for ways, how in ((numbered, "by number"), (masks if len(masks) == len(images) else [], "in order")):
            files = [file for file in ways if file is not None]
            if len(files) == len(images):
                return [MaskFile(file, self._rule(place, how)) for file in files]
        missing = (numbered or [None if mask is None else mask.file for mask in by_name]).index(None)
        raise ValueError(
            f"{images[missing]}: no mask of its name or number in {place} ({len(masks)} masks for {len(images)} "
            "images); name it as the image, or move the folder away to have the background told by colour"
        )

    def _named(
        self, folder: Path, image: Path, rules: Sequence[str] = _IN_FOLDERS + _ANYWHERE
    ) -> MaskFile | None:
        """The mask of an image in a folder, by name."""
        files = self._files(folder)
        for rule in rules:
            name = rule.replace("NAME.EXT", image.name).replace("NAME", image.stem)
            found = [file for file in files.get(key(name), []) if file != image]
            if len(found) > 1:
                raise ValueError(
                    f"{found[1]}: {found[0].name} has the same name; keep one of the two, for nothing tells them apart"
                )
            if found:
                return MaskFile(found[0], self._rule(folder, f"{rule}{found[0].suffix}"))
        return None

    def _by_number(self, images: Sequence[Path], place: Path) -> list[MaskFile]:
        """The masks of the same numbers as the images; [] where numbers don't tell, or one is missing."""
        masks = images_in(place)
        numbered = {last_number(_without_mark(file)): file for file in masks}
        found = by_number([last_number(image.stem) for image in images], numbered)
        if not found or None in found or len(numbered) != len(masks):
            return []
        return [MaskFile(file, self._rule(place, "by number")) for file in found if file is not None]

    def _rule(self, folder: Path, how: str) -> str:
        place, root = folder.absolute(), self.root.absolute()
        short = place.relative_to(root).as_posix() if place.is_relative_to(root) else str(folder)
        return f"{short}/ {how}" if "NAME" not in how else how if short == "." else f"{short}/{how}"

    def _places(self, image: Path) -> list[Path]:
        """Folders that may hold the masks of an image: beside its folder, in it, in the scene's."""
        own = image.parent
        if own not in self._around:
            scaled = re.search(r"_[0-9]+$", own.name)  # nerfstudio's images_2 and masks_2
            names = [f"{name}{scaled[0]}" for name in _FOLDERS[:-1]] if scaled else []
            rank = {key(name): index for index, name in enumerate((*names, *_FOLDERS))}
            here = own.absolute() == self.root.absolute()
            found: list[Path] = []
            for folder in (own,) if here else (own.parent, own, self.root):
                inside = [child for child in folders_in(folder) if key(child.name) in rank]
                found += sorted(inside, key=lambda child: rank[key(child.name)])
            self._around[own] = list(dict.fromkeys(found))
        return self._around[own]

    def _below(self, image: Path) -> list[Path]:
        """Where masks may lie in a folder of masks: images/left/a.jpg -> images/left and left."""
        own, root = image.parent.absolute(), self.root.absolute()
        parts = own.relative_to(root).parts if own.is_relative_to(root) else ()
        return [Path(*parts[start:]) for start in (0, 1) if parts[start:]]

    def _files(self, folder: Path) -> Mapping[str, list[Path]]:
        """The images in a folder by their names without suffix."""
        if folder not in self._listed:
            files: dict[str, list[Path]] = {}
            for file in images_in(folder, masks=True):
                files.setdefault(key(file.stem), []).append(file)
            self._listed[folder] = files
        return self._listed[folder]


def _without_mark(file: Path) -> str:
    return marked_for(file) or file.stem
