"""Photographs turned by 90 degrees against their cameras: turned back where masks say so too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from format_files import COUNT, HEIGHT, WIDTH, save, worst_miss, write_middlebury
from PIL import Image

from largesteps_zg.constants import Checks, Constants
from largesteps_zg.scenes import Reading, load_scene

WHOLE = Reading(hold_out=0)


def rewrite(folder: Path, change, count: int = COUNT) -> None:
    for file in sorted(folder.rglob("*.png"))[:count]:
        save(file, change(np.array(Image.open(file))))


@pytest.mark.parametrize(("turns", "way"), [(1, "clockwise"), (-1, "counter-clockwise")])
def test_turned_photographs_are_turned_back(tmp_path: Path, turns: int, way: str) -> None:
    write_middlebury(tmp_path)
    right = load_scene(tmp_path, reading=WHOLE)
    assert worst_miss(right.train) < 0.1 and not [note for note in right.notes if "turned" in note]
    rewrite(tmp_path, lambda pixels: np.rot90(pixels, turns))
    scene = load_scene(tmp_path, reading=WHOLE)
    assert torch.equal(scene.train.images, right.train.images)
    (note,) = [note for note in scene.notes if "turned" in note]
    assert note.startswith(f"images: all {COUNT} photographs (dots0000, ")
    assert f"turned by 90 degrees {way} with their masks" in note
    assert f"the middle of {WIDTH}x{HEIGHT} pixels ((30, 23), got {HEIGHT}x{WIDTH})" in note
    assert "masks agree on 100% of the object so" in note


def test_some_are_turned_the_other_way(tmp_path: Path) -> None:
    """As where a ring of photographs was turned so that each shows the object upright (Middlebury's temple ring)."""
    write_middlebury(tmp_path)
    right = load_scene(tmp_path, reading=WHOLE)
    rewrite(tmp_path, np.rot90)
    rewrite(tmp_path, lambda pixels: np.rot90(pixels, 2), COUNT // 3)
    scene = load_scene(tmp_path, reading=WHOLE)
    assert torch.equal(scene.train.images, right.train.images)
    (note,) = [note for note in scene.notes if "turned" in note]
    assert f"images: {COUNT - COUNT // 3} of {COUNT} photographs (" in note
    assert f" and {COUNT // 3} of {COUNT} photographs (dots0000, " in note
    assert note.count("turned by 90 degrees clockwise") == note.count("degrees counter-clockwise") == 1


def test_those_that_are_turned_among_others(tmp_path: Path) -> None:
    """As a program leaves them that obeyed the EXIF orientation of photographs in portrait format."""
    write_middlebury(tmp_path)
    rewrite(tmp_path, np.rot90, 2)  # most masks still agree; who is right is not for masks to say
    (note,) = [note for note in load_scene(tmp_path, reading=WHOLE).notes if "turned" in note]
    assert note.startswith(f"images: principal points of 2 of {COUNT} photographs (dots0000, dots0001)")
    write_middlebury(tmp_path)
    rewrite(tmp_path, np.rot90, 4)
    scene = load_scene(tmp_path, reading=WHOLE)
    (note,) = [note for note in scene.notes if "turned" in note]
    assert note.startswith(f"images: 4 of {COUNT} photographs (") and "turned by 90 degrees clockwise" in note
    assert worst_miss(scene.train) < 0.1


def test_photographs_that_were_cut_are_told_and_read(tmp_path: Path) -> None:
    """Their principal points are where turned ones have theirs; the masks agree as they are."""
    write_middlebury(tmp_path)
    rewrite(tmp_path, lambda pixels: np.pad(pixels, [(0, 38), (0, 0), (0, 0)]))
    scene = load_scene(tmp_path, reading=WHOLE)
    (note,) = [note for note in scene.notes if "turned" in note]
    assert note.startswith(f"images: principal points of all {COUNT} photographs") and "undo that" in note
    assert f"of {WIDTH}x{HEIGHT + 38} pixels" in note
    assert worst_miss(scene.train) < 0.1


def test_turning_back_can_be_overruled(tmp_path: Path) -> None:
    write_middlebury(tmp_path)
    rewrite(tmp_path, lambda pixels: np.rot90(pixels))
    reading = Reading(hold_out=0, advanced=Constants(checks=Checks(turned=0.0)))
    scene = load_scene(tmp_path, reading=reading)
    assert any("undo that" in note for note in scene.notes) and scene.train.images.shape[1:3] == (
        WIDTH,
        HEIGHT,
    )
