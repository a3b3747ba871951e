"""What people bring by mistake, in any format: named in one line, or understood."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from format_files import (
    COUNT,
    draw,
    save,
    truths,
    worst_miss,
    write_colmap,
    write_idr,
    write_mitsuba,
    write_mvsnet,
    write_transforms,
)
from PIL import Image
from test_scene_errors import refused

from largesteps_zg.images.files import read_mask
from largesteps_zg.scenes import load_scene
from largesteps_zg.scenes.describe import describe
from largesteps_zg.scenes.photographs.masking import check_mask


def edited(folder: Path, change) -> Path:
    """transforms.json after a change of its content."""
    file = folder / "transforms.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return folder


def replaced(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


# --- cameras ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("focal", [1.1, 1e9])
def test_focal_lengths_that_are_no_pixels(tmp_path: Path, focal: float) -> None:
    def change(content: dict) -> None:
        for fields in (content, *content["frames"]):
            fields.update(fl_x=focal, fl_y=focal)

    edited(write_transforms(tmp_path / "a"), change)
    refused(
        tmp_path / "a", "transforms.json: frame 0", "does not go with an image of 56x44", "expected pixels"
    )
    file = write_colmap(tmp_path / "b") / "sparse" / "0" / "cameras.txt"
    replaced(file, "52.0 52.0", f"{focal} {focal}")
    refused(tmp_path / "b", "images.txt: dots1.png: focal length", "expected pixels")


def test_transforms_for_images_of_another_size(tmp_path: Path) -> None:
    def change(content: dict) -> None:
        for fields in (content, *content["frames"]):
            fields.pop("w", None), fields.pop("h", None)
            fields.update({key: 2 * fields[key] for key in ("fl_x", "fl_y", "cx", "cy") if key in fields})

    refused(edited(write_transforms(tmp_path), change), "calibrated for images 2", "times as large")


def test_two_cameras_for_one_image(tmp_path: Path) -> None:
    def change(content: dict) -> None:
        content["frames"][2]["file_path"] = content["frames"][1]["file_path"]

    refused(edited(write_transforms(tmp_path / "a"), change), "frame 2", "frame 1", "keep one of them")
    file = write_colmap(tmp_path / "b") / "sparse" / "0" / "images.txt"
    replaced(file, "dots3.png", "dots2.png")
    refused(tmp_path / "b", "images.txt: dots2.png: two images have this name; keep one of them")


def test_a_quaternion_of_zeros(tmp_path: Path) -> None:
    file = write_colmap(tmp_path) / "sparse" / "0" / "images.txt"
    lines = file.read_text().split("\n")
    words = lines[0].split()
    lines[0] = " ".join([words[0], "0", "0", "0", "0", *words[5:]])
    file.write_text("\n".join(lines))
    refused(tmp_path, "dots1.png: expected a unit quaternion, got [0.0, 0.0, 0.0, 0.0]")


def test_poses_the_wrong_way_round_may_put_all_cameras_in_one_place(tmp_path: Path) -> None:
    def change(content: dict) -> None:
        for frame in content["frames"]:
            matrix = np.eye(4)
            matrix[:3, :3] = np.array(frame["transform_matrix"])[:3, :3].T
            matrix[:3, 3] = [0.0, 0.0, -3.0]
            frame["transform_matrix"] = matrix.tolist()

    refused(
        edited(write_transforms(tmp_path), change),
        "are in one place",
        "world-to-camera where camera-to-world",
    )


def test_coefficients_that_leave_nothing_of_the_photograph(tmp_path: Path) -> None:
    def change(content: dict) -> None:
        content.update(camera_model="OPENCV", k1=1e5, k2=-1e9)

    message = refused(edited(write_transforms(tmp_path), change), "frame 0", "check the coefficients")
    assert "of 56x44 without distortion" in message or "no pixel" in message


# --- names and places of files ---------------------------------------------------------------------------------------


def test_a_file_may_stand_for_its_folder(tmp_path: Path) -> None:
    write_transforms(tmp_path / "a")
    assert worst_miss(load_scene(tmp_path / "a" / "transforms.json").train) < 0.1
    model = write_colmap(tmp_path / "b") / "sparse"
    for path in (model, model / "0", model / "0" / "cameras.txt", model / "0" / "images.txt"):
        found = load_scene(path)
        assert found.format == "colmap" and worst_miss(found.train) < 0.1


def test_absolute_and_relative_paths_may_be_mixed(tmp_path: Path, monkeypatch) -> None:
    def change(content: dict) -> None:
        first = content["frames"][0]
        first["file_path"] = str((tmp_path / "scene" / first["file_path"]).absolute())

    edited(write_transforms(tmp_path / "scene"), change)
    monkeypatch.chdir(tmp_path)
    assert worst_miss(load_scene("scene").train) < 0.1


@pytest.mark.parametrize("write", [write_idr, write_mvsnet, write_mitsuba])
def test_what_macos_leaves_beside_files_is_none_of_them(tmp_path: Path, write) -> None:
    write(tmp_path)
    for file in [file for file in tmp_path.rglob("*.*") if file.is_file()]:
        file.with_name(f"._{file.name}").write_bytes(b"\x00\x05\x16\x07\x00")
    scene = load_scene(tmp_path)
    train = scene.train
    assert len(train) == COUNT and worst_miss(train) < 0.1


def test_text_models_of_colmap_with_a_mark_at_the_beginning_or_spaces_in_names(tmp_path: Path) -> None:
    model = write_colmap(tmp_path) / "sparse" / "0"
    for name in ("cameras.txt", "images.txt"):
        (model / name).write_bytes(b"\xef\xbb\xbf" + (model / name).read_bytes())
    assert worst_miss(load_scene(tmp_path).train) < 0.1
    shutil.move(tmp_path / "images" / "dots2.png", tmp_path / "images" / "dots 2.png")
    replaced(model / "images.txt", "dots2.png", "dots 2.png")
    assert worst_miss(load_scene(tmp_path).train) < 0.1


def test_of_two_xml_files_one_has_to_be_named(tmp_path: Path) -> None:
    write_mitsuba(tmp_path)
    (tmp_path / "scene.xml").rename(tmp_path / "a.xml")
    (tmp_path / "notes.xml").write_text("<notes/>")
    assert len(load_scene(tmp_path).train) == COUNT  # the only one with a scene in it
    shutil.copy(tmp_path / "a.xml", tmp_path / "b.xml")
    refused(tmp_path, "expected scene.xml, got a.xml, b.xml; give the path of the right one")


@pytest.mark.parametrize(
    ("emitter", "light"),
    [
        ('<rgb name="radiance" value="#ff8000"/>', (1.0, 0.2158605, 0.0)),
        ('<spectrum name="radiance" value="400:0.5, 700:0.8"/>', None),
    ],
)
def test_colours_as_mitsuba_writes_them(tmp_path: Path, emitter: str, light) -> None:
    write_mitsuba(tmp_path)
    replaced(tmp_path / "scene.xml", "</scene>", f'<emitter type="constant">{emitter}</emitter></scene>')
    found = load_scene(tmp_path).light
    if light is None:
        assert found is None
        return
    assert found is not None
    ratio = found.coefficients[0] / found.coefficients[0, 0]
    torch.testing.assert_close(ratio, torch.tensor(light), atol=1e-5, rtol=0)


def test_cameras_without_an_image_are_told(tmp_path: Path) -> None:
    """The last photograph is missing and the others are numbered from 1: each takes the camera of another one."""
    write_idr(tmp_path)
    assert not [note for note in load_scene(tmp_path).notes if note.startswith("not used")]
    (tmp_path / "image" / f"{COUNT - 1:06d}.png").unlink()
    (tmp_path / "mask" / f"{COUNT - 1:03d}.png").unlink()
    for i in reversed(range(COUNT - 1)):
        (tmp_path / "image" / f"{i:06d}.png").rename(tmp_path / "image" / f"{i + 1:06d}.png")
        (tmp_path / "mask" / f"{i:03d}.png").rename(tmp_path / "mask" / f"{i + 1:03d}.png")
    scene = load_scene(tmp_path)
    note = "cameras_sphere.npz: no image is numbered as world_mat 0; do all of them count from 0?"
    assert [said for said in scene.notes if said.startswith("not used")] == [f"not used: {note}"]
    assert f"not used  {note}" in describe(scene)


# --- masks -----------------------------------------------------------------------------------------------------------


def test_a_mask_for_two_photographs(tmp_path: Path) -> None:
    """images/left/0.png and images/right/0.png, and one masks/0.png."""

    def change(content: dict) -> None:
        for i, frame in enumerate(content["frames"][:2]):
            name = f"images/{'left' if i else 'right'}/0.png"
            save(tmp_path / name, draw(truths()[i])[..., :3])
            frame["file_path"] = name

    edited(write_transforms(tmp_path), change)
    save(tmp_path / "masks" / "0.png", draw(truths()[0])[..., 3])
    refused(tmp_path, "masks/0.png: found as the mask of", "left/0.png", "right/0.png", "give each its own")
    for i, side in enumerate(("right", "left")):
        save(tmp_path / "masks" / side / "0.png", draw(truths()[i])[..., 3])
    assert len(load_scene(tmp_path).train) == COUNT


def test_an_inverted_mask_is_named(tmp_path: Path) -> None:
    write_idr(tmp_path)
    file = tmp_path / "mask" / "003.png"
    save(file, 255 - np.array(Image.open(file)))
    refused(tmp_path, "003.png: mask covers", "of its border; is it inverted?")
    close = np.full((60, 80), 255, dtype=np.uint8)  # a photograph that its object fills, but for a corner
    close[:20, :30] = 0
    check_mask(close, "close")


def test_labels_of_0_and_1_in_16_bits(tmp_path: Path) -> None:
    labels = (np.arange(12).reshape(3, 4) % 2).astype(np.uint16)
    for values in (labels, 65535 * labels, 255 * labels):
        Image.fromarray(values).save(tmp_path / "mask.png")
        assert (read_mask(tmp_path / "mask.png") == 255 * labels).all()
