"""Bad scenes: one line that names the file and the remedy; never a traceback of another kind, whatever the bytes."""

from __future__ import annotations

import copy
import json
import math
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scene_files import disc, rewrite, write_scene

from largesteps_zg.scenes import load_scene


def refused(path: Path, *parts: str, format: str = "auto") -> str:
    """The message, which must be one line and have all the parts in it."""
    with pytest.raises((ValueError, OSError)) as caught:
        load_scene(path, format=format)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message
    return message


def replace_pixels(folder: Path, pixels: np.ndarray, name: str = "r_2.png") -> None:
    Image.fromarray(pixels).save(folder / "train" / name)


# --- folders and files -----------------------------------------------------------------------------------------------


def test_no_folder(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "nowhere: no such file or folder")


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("{}")
    refused(tmp_path / "notes.json", "not a scene in a known format")
    refused(tmp_path / "notes.json", "found neither", format="transforms")


def test_unknown_form_of_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.md").touch()
    refused(tmp_path, "not a scene in a known format", "looked for transforms_train.json or transforms.json")
    refused(tmp_path, "expected transforms_train.json or transforms.json", format="transforms")
    refused(tmp_path, "format: expected auto, transforms", "got 'colmpa'", format="colmpa")


def test_missing_image_names_file_and_json(tmp_path: Path) -> None:
    write_scene(tmp_path)
    (tmp_path / "train" / "r_3.png").unlink()
    refused(
        tmp_path,
        "transforms_train.json: frame 3 (./train/r_3)",
        "image not found",
        "train/r_3, also with .png",
    )


def test_missing_mask_names_file_and_json(tmp_path: Path) -> None:
    content = write_scene(tmp_path)
    content["frames"][1]["mask_path"] = "masks/lost.png"
    rewrite(tmp_path, content)
    refused(tmp_path, "transforms_train.json: frame 1 (./train/r_1): mask not found", "masks/lost.png")


@pytest.mark.parametrize("keep", [0, 5, 40, 0.5])
def test_truncated_png_names_the_file(tmp_path: Path, keep: float) -> None:
    write_scene(tmp_path)
    noise = np.random.default_rng(1).integers(0, 256, (24, 32, 4), dtype=np.uint8)  # does not compress
    replace_pixels(tmp_path, noise)
    file = tmp_path / "train" / "r_2.png"
    data = file.read_bytes()
    file.write_bytes(data[: int(keep * len(data)) if keep < 1 else int(keep)])
    refused(tmp_path, "train/r_2.png: image cannot be read", "is the file complete?")


def test_an_image_that_is_none(tmp_path: Path) -> None:
    write_scene(tmp_path)
    (tmp_path / "train" / "r_0.png").write_text("<html>404</html>")
    refused(tmp_path, "train/r_0.png: image cannot be read")


def test_floating_point_image(tmp_path: Path) -> None:
    content = write_scene(tmp_path)
    Image.fromarray(np.ones((24, 32), dtype=np.float32)).save(tmp_path / "train" / "f.tif")
    content["frames"][0]["file_path"] = "train/f.tif"
    rewrite(tmp_path, content)
    refused(tmp_path, "f.tif: image cannot be read", "expected 8-bit or 16-bit sRGB")


# --- images and masks ------------------------------------------------------------------------------------------------


def test_size_that_does_not_fit_the_calibration(tmp_path: Path) -> None:
    write_scene(tmp_path, w=24, h=32)
    refused(tmp_path, "frame 0 (./train/r_0): image has 32x24 pixels but w and h say 24x32", "turned?")


def test_mask_of_another_size(tmp_path: Path) -> None:
    content = write_scene(tmp_path)
    Image.fromarray(disc(12, 16)[..., 3]).save(tmp_path / "small.png")
    content["frames"][3]["mask_path"] = "small.png"
    rewrite(tmp_path, content)
    refused(tmp_path, "small.png: mask has 16x12 pixels, expected the 32x24", "r_3.png")


def test_image_without_any_mask(tmp_path: Path) -> None:
    write_scene(tmp_path)
    replace_pixels(tmp_path, disc()[..., :3])
    refused(tmp_path, "r_2.png: image has no alpha channel and no mask", "'masks'", "'mask_path'")


@pytest.mark.parametrize("alpha", [0, 100])
def test_empty_mask_names_the_view(tmp_path: Path, alpha: int) -> None:
    write_scene(tmp_path)
    pixels = disc()
    pixels[..., 3] = alpha  # 100 of 255 everywhere is no object either
    replace_pixels(tmp_path, pixels)
    refused(tmp_path, "r_2.png: mask is empty", "remove the view")


def test_mask_that_covers_everything(tmp_path: Path) -> None:
    write_scene(tmp_path)
    pixels = disc()
    pixels[..., 3] = 255
    replace_pixels(tmp_path, pixels)
    refused(tmp_path, "r_2.png: mask covers the whole image", "alpha 0 on the background")


def test_a_fault_in_the_test_split_is_found_too(tmp_path: Path) -> None:
    """Where some of its images are there; a split without any is left out: test_provenance.py."""
    content = write_scene(tmp_path)
    lost = [{**content["frames"][0], "file_path": "./test/r_0"}, content["frames"][1]]
    rewrite(tmp_path, {**content, "frames": lost}, name="transforms_test.json")
    refused(tmp_path, "transforms_test.json: frame 0 (./test/r_0): image not found")


# --- cameras ---------------------------------------------------------------------------------------------------------


def change_matrix(folder: Path, change) -> None:
    content = copy.deepcopy(write_scene(folder))
    matrix = content["frames"][2]["transform_matrix"]
    content["frames"][2]["transform_matrix"] = change(matrix)
    rewrite(folder, content)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (
            lambda m: [[2 * x for x in row] for row in m[:3]] + [m[3]],
            ("is not a rotation", "a rotation times 2"),
        ),
        (lambda m: [m[0], m[0], m[2], m[3]], ("is not a rotation", "by 1)")),
        (lambda m: [[-x for x in m[0]], *m[1:]], ("mirrors the world", "from_opengl")),
        (lambda m: m[:2], ("expected a 4x4 matrix", "a list of length 2")),
        (lambda m: [row[:3] for row in m], ("expected a 4x4 matrix",)),
        (lambda m: None, ("expected a 4x4 matrix", "got null")),
        (lambda m: [["0", *m[0][1:]], *m[1:]], ("expected a number", "the text '0'")),
        (lambda m: [[math.nan, *m[0][1:]], *m[1:]], ("finite number", "got nan")),
        (
            lambda m: [list(column) for column in zip(*m, strict=True)],
            ("0 0 0 1 as the last row", "transposed?"),
        ),
    ],
)
def test_camera_that_is_no_rotation(tmp_path: Path, change, parts) -> None:
    change_matrix(tmp_path, change)
    refused(tmp_path, "transforms_train.json: frame 2 (./train/r_2): ", "transform_matrix", *parts)


def test_a_matrix_of_three_rows_will_do(tmp_path: Path) -> None:
    change_matrix(tmp_path, lambda m: m[:3])
    assert len(load_scene(tmp_path).train) == 4


def test_cameras_that_see_nothing(tmp_path: Path) -> None:
    # The same matrices as if they were OpenCV's: x right, y down, z forward. All look outwards.
    content = copy.deepcopy(write_scene(tmp_path))
    for frame in content["frames"]:
        frame["transform_matrix"] = [[a, -b, -c, d] for a, b, c, d in frame["transform_matrix"][:3]] + [
            [0, 0, 0, 1]
        ]
    rewrite(tmp_path, content)
    refused(tmp_path, "4 of 4 cameras (r_0 first) look away", "convention")


@pytest.mark.parametrize(
    ("shared", "parts"),
    [
        ({"camera_angle_x": 4.0}, ("an angle in (0, pi) radians for camera_angle_x, got 4",)),
        ({"camera_angle_x": 0}, ("finite number > 0 for camera_angle_x, got 0",)),
        ({"fl_x": -3}, ("finite number > 0 for fl_x, got -3",)),
        ({"fl_x": True}, ("expected a number for fl_x, got true",)),
        ({"fl_x": "40"}, ("expected a number for fl_x, got the text '40'",)),
        ({"fl_x": 10**400}, ("finite number > 0 for fl_x, got inf",)),
        ({"cx": None}, ("expected a number for cx, got null",)),
        ({"w": 0}, ("finite number > 0 for w, got 0",)),
        ({"k1": "0.1"}, ("expected a number for k1, got the text '0.1'",)),
        ({"p2": math.inf}, ("finite number for p2, got inf",)),
        (
            {"k6": 0.1, "camera_model": "OPENCV"},
            (
                "k5 = 0 and k6 = 0.1 belong to OpenCV's full model",
                "FULL_OPENCV, but the file says OPENCV; add",
            ),
        ),
        (
            {"k5": 0.2, "k6": 0.1},
            ("k5 = 0.2 and k6 = 0.1", 'the file names none; add "camera_model": "FULL_OPENCV", or undistort'),
        ),
        (
            {"distortion_coefficients": [0.1, 0, 0, 0, 0, 0, 0.3, 0], "camera_model": None},
            ("k5 = 0.3 and k6 = 0", "the file names none"),
        ),
        (
            {"k1": 0.1, "p1": 0.2, "camera_model": "OPENCV_FISHEYE"},
            ("expected k1 to k4 alone for camera_model OPENCV_FISHEYE, got p1 = 0.2 too; correct",),
        ),
        (
            {"camera_model": "EQUIRECTANGULAR"},
            ("got the text 'EQUIRECTANGULAR'", "undistort the images first"),
        ),
        ({"camera_model": 3}, ("OPENCV_FISHEYE, got 3", "undistort")),
        ({"is_fisheye": True, "k1": 1e300}, ("no pixel of the ideal image", "check the coefficients")),
    ],
)
def test_wrong_intrinsics(tmp_path: Path, shared: dict, parts: tuple) -> None:
    write_scene(tmp_path, **shared)
    refused(tmp_path, "transforms_train.json: frame 0 (./train/r_0): ", *parts)


def test_no_focal_length(tmp_path: Path) -> None:
    content = write_scene(tmp_path)
    del content["camera_angle_x"]
    rewrite(tmp_path, content)
    refused(tmp_path, "frame 0", "no focal length; expected camera_angle_x (radians) or fl_x (pixels)")


# --- JSON ------------------------------------------------------------------------------------------------------------


def test_broken_json_names_the_line(tmp_path: Path) -> None:
    write_scene(tmp_path)
    (tmp_path / "transforms_train.json").write_text('{\n "frames": [\n  {"file_path": }\n ]\n}')
    refused(tmp_path, "transforms_train.json: line 3: not valid JSON")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-32-le"])
def test_json_in_any_encoding_of_unicode(tmp_path: Path, encoding: str) -> None:
    content = write_scene(tmp_path)
    content["note"] = "Größe"
    expected = load_scene(tmp_path).train.cameras.world_to_camera
    data = json.dumps(content, ensure_ascii=False).encode(encoding)
    (tmp_path / "transforms_train.json").write_bytes(data)
    scene = load_scene(tmp_path)
    assert torch.equal(scene.train.cameras.world_to_camera, expected)
    assert any("note" in note for note in scene.notes)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_are_named_and_not_waited_for(tmp_path: Path) -> None:
    write_scene(tmp_path / "a")
    os.mkfifo(tmp_path / "a" / "transforms_val.json")
    notes = load_scene(tmp_path / "a").notes
    assert "not used: transforms_val.json: a named pipe, which is not read" in notes
    file = tmp_path / "a" / "transforms_train.json"
    file.unlink()
    os.mkfifo(file)
    refused(tmp_path / "a", "transforms_train.json is a named pipe, copy its content into a file")
    refused(file, "expected a regular file, got a named pipe; copy its content into a file")


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "line 1: not valid JSON"),
        (b"{\xff", "expected UTF-8 text, got byte 0xff at 1; save it as UTF-8"),
        (b"\xff\xfe{", "expected UTF-16 text, got byte 0x7b at 2; save it as UTF-8"),
        (b"\xff\xfe\0\0{\0\0", "expected UTF-32 text, got byte 0x7b at 4"),
        (b"[" * 100000, "not readable as JSON"),
        (b'{"camera_angle_x": ' + b"1" * 5000 + b"}", "transforms_train.json: "),
        (b"[1, 2]", "expected a JSON object with a list 'frames', got a list of length 2"),
        (b"null", "got null"),
        (b"{}", "expected a list 'frames' with at least one frame, got null"),
        (b'{"frames": []}', "at least one frame, got a list of length 0"),
        (b'{"frames": [7]}', "frame 0: expected an object, got 7"),
        (b'{"frames": [{}]}', "frame 0: expected a file name for file_path, got null"),
        (b'{"frames": [{"file_path": "a\\u0000b"}]}', "expected a file name for file_path"),
        (b'{"frames": [{"file_path": "a\\nb"}]}', "expected a file name for file_path"),
        (b'{"frames": [{"file_path": "\\ud800"}]}', "expected a file name for file_path"),
    ],
)
def test_json_that_holds_no_scene(tmp_path: Path, data: bytes, part: str) -> None:
    (tmp_path / "transforms_train.json").write_bytes(data)
    refused(tmp_path, part)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    content = write_scene(tmp_path)
    (tmp_path / "transforms_train.json").write_text(json.dumps(content), encoding="utf-8-sig")
    assert len(load_scene(tmp_path).train) == 4


@pytest.mark.parametrize(
    ("lists", "part"),
    [
        ({"train_filenames": ["train/r_9"]}, "train_filenames names 'train/r_9', which no frame has"),
        ({"test_filenames": "train/r_1"}, "expected a list of file names for test_filenames, got the text"),
        ({"test_filenames": [f"train/r_{i}" for i in range(4)]}, "no frame is left for training"),
        ({"train_filenames": []}, "no frame is left for training"),
    ],
)
def test_lists_of_files_that_do_not_fit(tmp_path: Path, lists: dict, part: str) -> None:
    write_scene(tmp_path, name="transforms.json", **lists)
    refused(tmp_path, "transforms.json: ", part)


# --- anything else ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("fuzz")
    content = write_scene(folder, fl_x=40, fl_y=41.5, cx=15, w=32, h=24, k1=0.01, camera_model="OPENCV")
    Image.fromarray(disc()[..., 3]).save(folder / "m.png")
    content["frames"][1]["mask_path"] = "m.png"
    return folder, content


def a_scene_or_one_line(folder: Path) -> bool:
    """Whether there is a scene; anything but a scene, a ValueError or an OSError fails the test."""
    try:
        scene = load_scene(folder)
    except (ValueError, OSError) as error:
        assert "\n" not in str(error)
        assert str(error)
        return False
    assert len(scene.train) >= 1
    return True


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["train", "m.png", "..", ".", "/", "train/r_1", "~", 10**400, 1e308, 5e-324, -1]),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=4), children, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.slow
@settings(max_examples=150)
@given(value=ANYTHING, seed=st.integers(0, 2**32), delete=st.booleans())
def test_any_value_anywhere_in_the_file(fuzzed, value, seed: int, delete: bool) -> None:
    folder, content = fuzzed
    content = copy.deepcopy(content)
    choose = random.Random(seed)
    place: object = content
    while True:  # walk down to a random field
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = choose.choice(list(keys))
        below = place[key]
        if not isinstance(below, (dict, list)) or not below or choose.random() < 0.2:
            break
        place = below
    if delete:
        del place[key]
    else:
        place[key] = value
    rewrite(folder, content)
    a_scene_or_one_line(folder)


@pytest.mark.slow
@settings(max_examples=60)
@given(data=st.data())
def test_any_part_of_the_file(fuzzed, data) -> None:
    folder, content = fuzzed
    whole = json.dumps(content).encode()
    start = data.draw(st.integers(0, len(whole)))
    junk = data.draw(st.binary(max_size=6))
    end = data.draw(st.sampled_from([start, start + 1, start + 7, len(whole)]))
    (folder / "transforms_train.json").write_bytes(whole[:start] + junk + whole[end:])
    a_scene_or_one_line(folder)


@pytest.mark.slow
@settings(max_examples=60)
@given(position=st.integers(0, 10**6), junk=st.binary(max_size=8), cut=st.booleans())
def test_any_damage_to_an_image(fuzzed, position: int, junk: bytes, cut: bool) -> None:
    folder, content = fuzzed
    rewrite(folder, content)
    file = folder / "train" / "r_2.png"
    whole = file.read_bytes()
    position %= len(whole)
    try:
        file.write_bytes(whole[:position] + junk + (b"" if cut else whole[position + len(junk) :]))
        a_scene_or_one_line(folder)
    finally:
        file.write_bytes(whole)


def test_the_fuzzed_scene_is_good_to_begin_with(fuzzed) -> None:
    folder, content = fuzzed
    rewrite(folder, content)
    assert a_scene_or_one_line(folder)
