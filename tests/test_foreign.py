"""Folders that are no scene: which program left what is there, and what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from format_files import save, write_colmap, write_transforms
from test_scene_errors import refused

PIXELS = np.zeros((4, 4, 3), dtype=np.uint8)


def written(name: str, content: bytes = b"") -> Callable[[Path], object]:
    """What writes one file beside photographs."""

    def write(folder: Path) -> None:
        save(folder / "images" / "1.png", PIXELS)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    return write


@pytest.mark.parametrize(
    ("write", "parts"),
    [
        (
            written("cameras.xml", b'<?xml version="1.0"?>\n<document version="2.0">\n  <chunk label="a">'),
            ("cameras.xml holds cameras of Metashape", "as COLMAP"),
        ),
        (
            written("Registration.csv", b"#name,x,y,alt,heading"),
            ("Registration.csv holds", "RealityScan", "as COLMAP"),
        ),
        (
            written("images/1.xmp", b'<x:xmpmeta xcr:Version="3">'),
            ("images/1.xmp holds cameras of RealityScan",),
        ),
        (written("out/bundle.out", b"# Bundle file v0.3\n"), ("out/bundle.out holds cameras of Bundler",)),
        (written("reconstruction.json", b"[]"), ("cameras of OpenSfM", "export_colmap")),
        (written("poses_bounds.npy"), ("cameras of LLFF", "COLMAP model")),
        (written("database.db"), ("database.db", "colmap mapper")),
        (
            written("transforms_test.json", b"{}"),
            ("transforms_test.json", "expected transforms_train.json beside it"),
        ),
        (
            written("sparse/0/cameras.bin"),
            ("sparse/0 holds cameras of COLMAP, but no images.bin or images.txt",),
        ),
        (
            lambda folder: save(folder / "deep/down/a.png", PIXELS),
            ("there are photographs in deep/down, give that folder",),
        ),
        (
            lambda folder: [save(folder / f"round {i}/{i}.png", PIXELS) for i in range(2)],
            ("there are photographs in round 0, round 1, put those of one object into one folder",),
        ),
        (written("IMG_1.CR2", b"II*"), ("IMG_1.CR2 is a raw photograph, export JPEG",)),
        (lambda folder: write_transforms(folder / "export"), ("but export in it is one, give that folder",)),
        (lambda folder: write_colmap(folder / "a" / "b"), ("but a/b in it is one, give that folder",)),
    ],
)
def test_a_folder_of_another_program_is_told_with_the_cure(
    tmp_path: Path, write: Callable, parts: tuple
) -> None:
    write(tmp_path)
    refused(tmp_path, "not a scene in a known format", *parts)


def test_files_alike_that_say_nothing_about_cameras(tmp_path: Path) -> None:
    """Any XML, CSV or .out: photographs alone, of which one is too few."""
    for name in ("pom.xml", "prices.csv", "a.out"):
        written(name, b"<document/># name of no one")(tmp_path)
    assert "holds" not in refused(tmp_path, "expected photographs from many places, got 1 photograph")


def test_archives_and_pipes(tmp_path: Path) -> None:
    write_colmap(tmp_path / "scene")
    archive = Path(shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "scene"))
    refused(archive, "unpack it, and give the folder")
    file = next((tmp_path / "scene").rglob("images.txt"))
    file.unlink()
    os.mkfifo(file)
    refused(tmp_path / "scene", "images.txt is a named pipe, copy its content into a file")
