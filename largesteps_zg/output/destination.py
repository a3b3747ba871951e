"""Where results may go: folders that can be written to and hold no scene."""

from __future__ import annotations

import os
from pathlib import Path

from ..images.files import SUFFIXES
from ..scenes.save import is_part_of_unfinished

# Of no run, but of scenes in all formats.
_OF_SCENES = (
    "transforms*.json",
    "cameras*.npz",
    "*_par.txt",
    "cams",
    "sparse",
    "scene.xml",
    "cameras.bin",
    "images.bin",
)

# What a run leaves behind; pictures among it are no photographs, and leftover parts of these files are cleared away.
_MARKS = ("run.json", "results.json", "evaluation.json", "checkpoint.pt")
OF_A_MATERIAL = ("mesh.mtl", "mesh.png", "mesh_roughness.png", "mesh_metalness.png", "mesh_normal.png",
                 "mesh_normal.exr")  # fmt: skip
_PICTURES = (
    "comparison.png",
    "loss.png",
    "progression.gif",
    "progression.png",
    "evaluation.png",
    "curves.png",
    *OF_A_MATERIAL,
)
OF_A_RUN = (
    *_MARKS,
    *_PICTURES,
    "report.html",
    "recording.html",
    "mesh.ply",
    "mesh.obj",
    "mesh.glb",
    "cameras.json",
)


def writable_folder(path: str | os.PathLike[str]) -> Path:
    """The folder to write to, which need not be there yet and isn't made.

    An empty name would mean the current folder, most likely by mistake: it is refused.

    Raises
    ------
    ValueError
        If it is a file, or lies where nothing can be made.
    """
    if not str(path):
        raise ValueError("output: expected a folder, got an empty name; '.' is the current one")
    folder = Path(path)
    try:
        # The folder itself, or the one in which it would be made.
        nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    except OSError as error:
        raise ValueError(
            f"output: {folder} cannot be a folder ({error.strerror}); choose another name"
        ) from error
    if not nearest.is_dir():
        raise ValueError(f"output: expected a folder, {nearest} is a file; choose another name")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ValueError(f"output: cannot write to {nearest}; choose another folder")
    return folder


def refuse_scene(folder: Path, *, unfinished: bool = False) -> None:
    """ValueError for a folder that holds a scene, or photographs of one, among which the results would count.

    With `unfinished`, what `save_scene` left there when it was stopped is none.
    """
    found = sorted(path for pattern in _OF_SCENES for path in folder.glob(pattern))
    if unfinished:
        found = [path for path in found if not is_part_of_unfinished(path)]
    # A run that was killed may have left any of its files, and those half-written, whose names begin with a dot.
    if folder.is_dir() and not any((folder / name).is_file() for name in _MARKS):
        pictures = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        found += sorted(p for p in pictures if p.name not in _PICTURES and not p.name.startswith("."))
    if found:
        raise ValueError(
            f"output: {folder} holds a scene ({found[0].name}), which would be overwritten or disturbed; choose "
            "another folder"
        )
