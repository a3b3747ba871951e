"""Scenes of the Middlebury multi-view stereo benchmark: one text file, `*_par.txt`, beside the images.

    scene/
      templeSR_par.txt                      number of images; then NAME K (9 numbers) R (9) t (3) on a line each
      templeSR0001.png ...
      masks/templeSR0001.png ...            or mask/; without, alpha or the background's colour

`K [R t]` projects, world to camera with OpenCV's axes. The benchmark's gantry moves around the y axis and takes images
sideways and upside down, so up is +y and not what is up in the images.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..photographs.assemble import assemble
from ..photographs.lookup import Lookup
from ..photographs.mask_files import MaskFile, MaskFinder, mask_of
from ..provenance import Record
from ..reading import Reading
from ..sanity import check_shots
from ..shots import Shot
from ..views import Scene
from .fields import kind, text
from .text_files import numbers, read_text

LOOKS_FOR = "*_par.txt beside its images"

_ENDING = "_par.txt"
_MASKS = ("masks", "mask")


def recognises(path: Path) -> bool:
    """Whether the path is such a file, or a folder with one."""
    return path.name.endswith(_ENDING) if path.is_file() else any(path.glob(f"[!.]*{_ENDING}"))


def load(path: Path, reading: Reading = Reading()) -> Scene:  # noqa: B008
    """Read the scene in a folder, or the one that a `*_par.txt` describes; see `scenes.load_scene` for errors."""
    file = path if path.is_file() else _cameras_file(path)
    entries = _entries(file)
    lookup, record = Lookup(), Record(file.parent)
    images = [_image(file, line, words[0], lookup) for line, words in entries]
    lookup.tell(record, len(images))
    masks = MaskFinder(file.parent).of_format(images, _MASKS)
    shots = [
        _shot(f"{file}: line {line}", image, words[1:], mask)
        for (line, words), image, mask in zip(entries, images, masks, strict=True)
    ]
    check_shots(shots, constants=reading.advanced.checks)
    up = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    views = assemble(shots, reading, record)
    return Scene(path=path, format="middlebury", train=views, up=up, provenance=tuple(record.notes))


def _cameras_file(folder: Path) -> Path:
    found = sorted(folder.glob(f"[!.]*{_ENDING}"))
    if not found:
        raise FileNotFoundError(f"{folder}: expected {LOOKS_FOR}, found no such file")
    if len(found) > 1:
        names = ", ".join(file.name for file in found[:4])
        raise ValueError(f"{folder}: expected one *{_ENDING}, got {names}; give the path of the right one")
    return found[0]


def _entries(file: Path) -> list[tuple[int, list[str]]]:
    """Number and words of each line that describes an image; as many as the first line says."""
    lines = [(number, line.split()) for number, line in enumerate(read_text(file).splitlines(), start=1)]
    lines = [(number, words) for number, words in lines if words]
    if not lines or len(lines[0][1]) != 1 or not lines[0][1][0].isdecimal():
        got = kind(" ".join(lines[0][1])) if lines else "an empty file"
        raise ValueError(f"{file}: expected the number of images on the first line, got {got}")
    said, entries = lines[0][1][0], lines[1:]
    if not entries or said.lstrip("0") != str(len(entries)):
        raise ValueError(
            f"{file}: expected {said[:12]} lines of cameras, got {len(entries)}; is the file complete?"
        )
    return entries


def _image(file: Path, line: int, name: str, lookup: Lookup) -> Path:
    name = text({"image": name}, "image", f"{file}: line {line}")
    image = lookup.find(file.parent, name)
    if image is None:
        hint = lookup.hint(file.parent, name)
        raise FileNotFoundError(
            f"{file}: line {line}: image not found; looked for {file.parent / name}{hint}"
        )
    return image


def _shot(where: str, image: Path, words: list[str], mask: MaskFile | None) -> Shot:
    values = numbers(words, 21, f"{where} ({image.name})", "K, R and t")
    world_to_camera = np.eye(4)
    world_to_camera[:3, :3], world_to_camera[:3, 3] = values[9:18].reshape(3, 3), values[18:]
    return Shot(image, image.stem, world_to_camera, values[:9].reshape(3, 3), where, **mask_of(mask))
