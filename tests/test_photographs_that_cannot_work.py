"""Photographs from which nothing can come: each has its line, which says what to photograph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from photograph_files import HEIGHT, WIDTH, around, save_photographs, things
from PIL import Image

from largesteps_zg.mesh import Mesh
from largesteps_zg.reconstruct.starts.unmasked import unmasked
from largesteps_zg.scenes import Reading, load_scene
from largesteps_zg.scenes.from_photographs.find import cameras_from_photographs

pytestmark = pytest.mark.slow
STEP = 14.0  # degrees between photographs


def refused(files: list[Path], folder: Path, *parts: str) -> None:
    """One line that says all of this, and no model."""
    with pytest.raises(ValueError) as caught:
        cameras_from_photographs(files, files[0].parent, folder)
    message = str(caught.value)
    assert "\n" not in message and all(part in message for part in parts), message
    assert not list(folder.glob("sparse/*"))


def test_two_captures_of_as_many_photographs(tmp_path: Path) -> None:
    angles = [STEP * i for i in range(4)]
    files = save_photographs(tmp_path / "photos", things(), around(angles))
    files += save_photographs(tmp_path / "photos", things(seed=40), around(angles), first=100)
    refused(
        files,
        tmp_path / "c",
        "fall into 2 groups of 4, 4 with nothing in common",
        "000.png",
        "100.png",
        "a folder of each",
    )


def test_one_photograph_saved_again_and_again(tmp_path: Path) -> None:
    with Image.open(save_photographs(tmp_path / "one", things(), around([0.0]))[0]) as one:
        files = [tmp_path / f"{quality}.jpg" for quality in range(75, 83)]
        for quality, file in enumerate(files, 75):
            one.save(file, quality=quality)
    refused(
        files,
        tmp_path / "c",
        "of the features stand still from photograph to photograph",
        "walk around the object",
    )


def test_outlines_of_something_else(tmp_path: Path) -> None:
    """As of a ball that mirrors a room: the cameras are those of what it shows."""
    files = save_photographs(tmp_path / "photos", things(), around([STEP * i for i in range(6)]))
    (tmp_path / "masks").mkdir()
    for number, file in enumerate(files):
        mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
        mask[100:140, 20 + 80 * (number % 4) : 60 + 80 * (number % 4)] = 255
        Image.fromarray(mask).save(tmp_path / "masks" / file.name)
    reading = Reading(masks=tmp_path / "masks", cameras=tmp_path / "c", hold_out=0)
    with pytest.raises(ValueError, match=r"outlines do not fit the cameras that were found.*chalk or powder"):
        load_scene(tmp_path / "photos", reading=reading)


def test_a_table_and_nothing_on_it(tmp_path: Path) -> None:
    mesh, ball = things(), len(things(table=False).vertices)
    bare = Mesh(mesh.vertices, mesh.faces[(mesh.faces.long() >= ball).all(dim=1)], mesh.colors)
    save_photographs(tmp_path / "photos", bare, around([STEP * i for i in range(6)]))
    scene = load_scene(
        tmp_path / "photos", reading=Reading(masks="none", cameras=tmp_path / "c", hold_out=0, max_size=160)
    )
    with pytest.raises(ValueError, match=r"nothing stands on the flat thing.*--keep-support"):
        unmasked(scene)
