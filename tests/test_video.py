"""Frames of videos: which are taken, how they are turned and coloured, and what is said of damaged ones."""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from largesteps_zg.cli.main import main
from largesteps_zg.scenes import Reading, load_scene
from largesteps_zg.scenes.from_photographs import frames as frames_module
from largesteps_zg.scenes.from_photographs.frames import Frames, frames_of
from largesteps_zg.scenes.from_photographs.sharpest import chosen, coarse, motion, sharpness

WIDTH, HEIGHT = 320, 240


def texture(width: int = 480, height: int = 360, seed: int = 0) -> np.ndarray:
    """(H, W) grey levels with details of many sizes."""
    generator = np.random.default_rng(seed)
    total = sum(s * gaussian_filter(generator.normal(size=(height, width)), s) for s in (1, 2, 4, 8, 16))
    return ((total - total.min()) / (total.max() - total.min()) * 255).astype(np.uint8)


def window(image: np.ndarray, left: float) -> np.ndarray:
    """(240, 320) of the image from a column on."""
    return shift(image.astype(float), (0, -left), order=1, mode="nearest")[:HEIGHT, :WIDTH].astype(np.uint8)


def panned(lefts: Sequence[float]) -> list[np.ndarray]:
    image = texture()
    return [np.repeat(window(image, left)[..., None], 3, axis=2) for left in lefts]


def save_video(
    path: Path,
    images: Sequence[np.ndarray],
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[int] = (),
    **options: object,
) -> Path:
    """A video of 30 frames a second, or shown at given thirtieths of a second."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options={"crf": "12"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixels
        for name, value in options.items():
            setattr(stream.codec_context, name, value)
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = times[index] if times else index, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def numbers(found: Frames) -> list[int]:
    return [int(file.stem) for file in found.files]


def refused(video: Path, folder: Path, *parts: str, error: type[Exception] = ValueError) -> None:
    with pytest.raises(error) as caught:
        frames_of(video, folder, 10)
    message = str(caught.value)
    assert "\n" not in message and all(part in message for part in parts), message


# --- which ones ------------------------------------------------------------------------------------------------------


def test_motion_is_how_far_an_image_was_shifted() -> None:
    image = texture()
    for pixels in (0.0, 1.0, 3.0, 6.0):
        found = motion(coarse(window(image, 10.0)), coarse(window(image, 10.0 + pixels)))
        assert found == pytest.approx(pixels / WIDTH, rel=0.15, abs=2e-4)
    darker = (0.5 * window(image, 10.0)).astype(np.uint8)
    assert motion(coarse(window(image, 10.0)), coarse(darker)) < 5e-4  # light is no motion
    flat = coarse(np.full((HEIGHT, WIDTH), 90, np.uint8))
    assert motion(flat, flat) == 0.0


def test_a_blurred_image_is_less_sharp() -> None:
    image = texture()
    assert (
        sharpness(image)
        > 2 * sharpness(gaussian_filter(image, 0.7))
        > 4 * sharpness(gaussian_filter(image, 2))
    )


def test_the_sharpest_of_each_stretch_is_taken() -> None:
    sharp = [1, 5, 2, 1, 1, 7, 3, 4, 9]
    assert chosen(sharp, [0] + [1] * 8, range(9), 3) == [1, 5, 8]
    assert chosen(sharp[:3], [0, 1, 1], range(3), 3) == [0, 1, 2]
    assert chosen(sharp, [0] * 9, range(9), 3) == [1, 5, 8]  # a still camera: by time


def test_a_camera_that_rests_takes_few_frames_and_a_fast_one_leaves_no_gap() -> None:
    # Walks, stands for three times as long as it walked.
    moved = [0.0] + [0.01] * 100 + [0.0] * 300 + [0.01] * 100
    found = np.array(chosen([1.0] * 501, moved, list(range(501)), 50))
    standing = ((found > 101) & (found < 400)).sum()
    assert standing < 50 * 0.35 and len(found) == 50  # by time alone it would be 30
    way = np.cumsum(moved)[found]
    assert np.diff(way).max() <= 3 * 2 / 50  # two stretches and a frame


# --- as files --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 frames of a camera that pans evenly; all but 1, 4, 7, ... are blurred."""
    images = panned([2.0 * i for i in range(36)])
    blurred = [image if i % 3 == 1 else gaussian_filter(image, (2, 2, 0)) for i, image in enumerate(images)]
    return save_video(tmp_path_factory.mktemp("clip") / "clip.mp4", blurred)


def test_sharp_frames_become_files_once(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    found = frames_of(clip, tmp_path, 12, watch=lambda share, text: told.append(f"{share:.2f} {text}"))
    assert numbers(found) == list(range(1, 36, 3)) and found.notes == ()
    assert "the sharpest 12 of 36 frames of clip.mp4" in found.told and told[-1].startswith("1.00")
    from PIL import Image

    pixels = np.asarray(Image.open(found.files[4])).astype(float)
    assert np.abs(pixels - panned([26.0])[0]).mean() < 4.0
    # The same video again: nothing is decoded. One file lost: it alone is written. Another count: all anew.
    monkeypatch.setattr(frames_module, "sharpness", None)
    found.files[3].unlink()
    before = {file: file.stat().st_mtime_ns for file in found.files if file.exists()}
    assert frames_of(clip, tmp_path, 12).files == found.files
    assert found.files[3].is_file() and all(file.stat().st_mtime_ns == time for file, time in before.items())
    monkeypatch.undo()
    fewer = frames_of(clip, tmp_path, 6)
    assert len(fewer.files) == 6
    assert sorted((tmp_path / "frames").glob("*.jpg")) == sorted(fewer.files)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_frames_are_turned_as_they_are_shown(tmp_path: Path, degrees: int) -> None:
    """The matrix of the track header, as telephones write it, turns clockwise by so many degrees."""
    from PIL import Image

    corner = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    corner[:80, :80] = 230  # top left
    video = save_video(tmp_path / "a.mov", [corner] * 4)
    cosine, sine = round(np.cos(np.radians(degrees))), round(np.sin(np.radians(degrees)))
    one = 1 << 16
    data = bytearray(video.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(
        ">9i", cosine * one, sine * one, 0, -sine * one, cosine * one, 0, 0, 0, 1 << 30
    )
    video.write_bytes(data)
    shown = np.asarray(Image.open(frames_of(video, tmp_path, 3).files[0]))
    assert shown.shape[:2] == ((WIDTH, HEIGHT) if degrees % 180 else (HEIGHT, WIDTH))
    bright = {90: (0, -1), 180: (-1, -1), 270: (-1, 0)}[degrees]
    corners = {(y, x): int(shown[y, x, 0]) for y in (0, -1) for x in (0, -1)}
    assert max(corners, key=corners.__getitem__) == bright


def test_times_of_a_video_may_be_uneven(tmp_path: Path) -> None:
    """Half of the frames pass in a tenth of the time: they get few of the stretches of a still camera."""
    image = panned([0.0])[0]
    times = [*range(0, 200, 10), *range(200, 220)]
    found = frames_of(save_video(tmp_path / "a.mkv", [image] * 40, times=times), tmp_path, 10)
    assert sum(number >= 20 for number in numbers(found)) <= 2 < len(numbers(found))


def test_deep_colours_and_hdr_are_said(tmp_path: Path) -> None:
    images = panned([2.0 * i for i in range(4)])
    video = save_video(tmp_path / "a.mkv", images, codec="ffv1", pixels="yuv420p10le", color_trc=18)
    (note,) = frames_of(video, tmp_path, 3).notes
    assert "10 bits a channel, HDR (HLG) of a.mkv" in note and "flat" in note


@pytest.mark.parametrize("space, number", [("bt709", 1), ("bt601", 5)])
def test_colours_are_those_of_the_matrix_that_the_video_names(
    tmp_path: Path, space: str, number: int
) -> None:
    """Orange in Y'CbCr by the formulas of BT.709 and BT.601, which differ by 17 levels here."""
    from PIL import Image

    av = pytest.importorskip("av")
    red, blue = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114)}[space]
    color = np.array([230.0, 120.0, 40.0])
    luma = red * color[0] + (1 - red - blue) * color[1] + blue * color[2]
    y = 16 + 219 / 255 * luma
    cb = 128 + 224 / 255 * (color[2] - luma) / (2 * (1 - blue))
    cr = 128 + 224 / 255 * (color[0] - luma) / (2 * (1 - red))
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv444p"
        stream.codec_context.colorspace = number
        planes = np.stack([np.full((64, 64), round(value), np.uint8) for value in (y, cb, cr)])
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv444p")
            frame.pts, frame.time_base = index, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    shown = np.asarray(Image.open(frames_of(tmp_path / "a.mkv", tmp_path, 3).files[0])).astype(float)
    assert np.abs(shown - color).max() < 5


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"nonsense" * 100, b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n"])
def test_files_that_are_no_videos(tmp_path: Path, data: bytes) -> None:
    pytest.importorskip("av")
    (tmp_path / "a.mp4").write_bytes(data)
    refused(
        tmp_path / "a.mp4", tmp_path, "a.mp4: no frame of the video can be decoded", "is the file complete?"
    )


def test_a_damaged_video_gives_what_can_be_decoded(clip: Path, tmp_path: Path) -> None:
    """MP4 has its index at its end, without which nothing can be decoded."""
    (tmp_path / "a.mp4").write_bytes(clip.read_bytes()[:5000])
    refused(tmp_path / "a.mp4", tmp_path, "no frame of the video can be decoded")
    whole = save_video(tmp_path / "whole.mp4", panned([2.0 * i for i in range(36)]), gop_size=6)
    data = bytearray(whole.read_bytes())
    middle = len(data) // 2
    data[middle : middle + len(data) // 10] = bytes(len(data) // 10)
    (tmp_path / "b.mp4").write_bytes(data)
    found = frames_of(tmp_path / "b.mp4", tmp_path, 5)
    assert 3 <= len(found.files) <= 5 and all(file.is_file() for file in found.files)
    assert numbers(found)[-1] > 22  # what follows the damage is used
    assert "parts of b.mp4 that cannot be decoded" in found.notes[0]


def test_two_frames_and_sound_alone(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    refused(save_video(tmp_path / "a.mp4", panned([0, 2])), tmp_path, "got 2 frames", "walk around it")
    with av.open(str(tmp_path / "b.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    refused(tmp_path / "b.mp4", tmp_path, "there is no picture in it")


def test_without_the_decoder_the_cure_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "a.mp4").write_bytes(b"")
    refused(tmp_path / "a.mp4", tmp_path, 'pip install "largesteps_zg[video]"', error=ImportError)


def test_several_videos_in_a_folder_are_refused(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.MOV"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match=r"expected one video, got 2 \(a.mp4, b.MOV\)"):
        load_scene(tmp_path)


# --- the whole way ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_video_becomes_a_scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    from photograph_files import around, save_photographs, things
    from PIL import Image

    photos = save_photographs(tmp_path / "photos", things(), around([14.0 * i for i in range(7)]))
    images = [np.asarray(Image.open(file).convert("RGB")) for file in photos]
    (tmp_path / "video").mkdir()
    save_video(tmp_path / "video" / "clip.mp4", images)
    monkeypatch.chdir(tmp_path)
    assert main(["info", str(tmp_path / "video"), "--init", "none"]) == 0
    told = capsys.readouterr().out
    assert "all 7 frames of clip.mp4" in told and "7 of 7 placed" in told
    # The file itself, kept in the same place: found again.
    reading = Reading(cameras=tmp_path / "cameras", hold_out=0)
    scene = load_scene(tmp_path / "video" / "clip.mp4", reading=reading)
    assert "by an earlier run" in " ".join(scene.notes)
    assert sorted(scene.train.names) == [f"{i:06}" for i in range(7)]
