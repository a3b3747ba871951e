"""Pictures are read back and their pixels compared with numbers worked out here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from largesteps_zg._support.atomic import atomic_path
from largesteps_zg.output.pictures import drawing
from largesteps_zg.output.pictures import figures as report

RED = (255, 0, 0)


def disc(size: int = 64, radius: float = 0.8, color: Sequence[float] = (1.0, 0.0, 0.0)) -> np.ndarray:
    """(size, size, 4): a disc of one linear colour, premultiplied, nothing around it."""
    y, x = np.mgrid[:size, :size]
    inside = np.hypot(x + 0.5 - size / 2, y + 0.5 - size / 2) < radius * size / 2
    return np.concatenate([inside[..., None] * np.asarray(color), inside[..., None]], axis=-1).astype(
        np.float32
    )


def has_color(picture: Image.Image, color: tuple[int, int, int], tolerance: int = 48) -> np.ndarray:
    """(H, W) where the colour is nearly that one: resampling rings a little at edges."""
    return (np.abs(np.asarray(picture.convert("RGB"), dtype=int) - color) <= tolerance).all(axis=-1)


def test_displayed_is_srgb_over_white() -> None:
    # Linear 0.5 is sRGB 0.7354 -> 188; half-covered black over white is linear 0.5 too; nothing is white.
    pixels = np.array([[0.5, 0.5, 0.5, 1.0], [0.0, 0.0, 0.0, 0.5], [0.0, 0.0, 0.0, 0.0]], dtype=np.float32)
    assert drawing.displayed(pixels).tolist() == [[188] * 3, [188] * 3, [255] * 3]


def test_error_is_the_mean_of_four_channels() -> None:
    target = np.zeros((1, 1, 3, 4), dtype=np.float32)
    result = target.copy()
    result[0, 0, 0] = (0, 0, 0, 1)  # black where nothing should be: alpha alone is wrong, 1 / 4
    result[0, 0, 1] = (1, 1, 1, 1)  # white where nothing should be, which over white looks right: all four
    result[0, 0, 2] = np.nan
    np.testing.assert_allclose(drawing.absolute_errors(target, result), [[[0.25, 1.0, 1.0]]], atol=1e-6)


def test_error_colors_darken_steadily() -> None:
    colors = drawing.error_colors(np.linspace(0, 1.5, 16)) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(colors)[:10] < 0).all()
    assert (colors[11:] == colors[-1]).all()  # clipped above 1


@pytest.mark.parametrize(
    ("value", "scale"), [(0.0, 0.05), (0.05, 0.05), (0.051, 0.1), (0.3, 0.5), (0.7, 1.0)]
)
def test_error_scale_is_a_round_number(value: float, scale: float) -> None:
    assert drawing.nice_ceiling(value) == scale


def test_cropping_keeps_all_that_is_covered_at_one_scale() -> None:
    first, second, third = np.zeros((3, 100, 80, 4), dtype=np.float32)
    first[20, 30, 3] = 1
    second[60, 50, 3] = np.nan
    third[90:, 75:, 3] = 1
    # The pair needs rows 20..60 and columns 30..50, with 5 pixels around: 51 x 31, from (15, 25). So does the
    # other, whose window ends at the image's corner: from (49, 49), the ten rows and five columns at its end.
    pair, other = drawing.cropped([np.stack([first, second]), third[None]], border=0.05)
    assert pair.shape == (2, 51, 31, 4)
    assert other.shape == (1, 51, 31, 4)
    assert pair[0, 5, 5, 3] == 1
    assert np.isnan(pair[1, 45, 25, 3])
    assert other[0, -10:, -5:, 3].all()
    assert other[..., 3].sum() == 50


def test_cropping_leaves_empty_images_alone() -> None:
    assert [group.shape for group in drawing.cropped([np.zeros((2, 8, 9, 4), dtype=np.float32)])] == [
        (2, 8, 9, 4)
    ]


def test_comparison_shows_target_result_and_error(tmp_path: Path) -> None:
    target = np.stack([disc(), disc(), disc()])
    result = np.stack([disc(), disc(color=(0.0, 0.0, 1.0)), disc()])
    report.save_comparison(tmp_path / "a.png", target, result, names=["right", "wrong", "right"])
    picture = Image.open(tmp_path / "a.png")
    # 52 of 64 pixels across, cut with 2 around: 56 fill a panel. Three red discs in the first column, two in the next.
    disc_pixels = np.pi / 4 * (0.8 * 64 / 56) ** 2 * drawing.PANEL**2
    red, blue = has_color(picture, RED), has_color(picture, (0, 0, 255))
    assert red.sum() == pytest.approx(5 * disc_pixels, rel=0.04)
    assert blue.sum() == pytest.approx(disc_pixels, rel=0.04)
    # Red for blue is wrong in two channels of four. On the scale of 0.5 that is the last colour.
    none, most = (tuple(drawing.error_colors(np.array(x))) for x in (0.0, 1.0))
    assert has_color(picture, none, 24).sum() == pytest.approx(2 * disc_pixels, rel=0.04)
    assert has_color(picture, most).sum() == pytest.approx(disc_pixels, rel=0.04)


def test_comparison_of_equal_or_broken_images_is_drawn(tmp_path: Path) -> None:
    empty = np.zeros((1, 20, 30, 4))
    report.save_comparison(tmp_path / "a.png", empty, empty)
    report.save_comparison(tmp_path / "b.png", empty, empty * np.nan)
    assert Image.open(tmp_path / "a.png").size == Image.open(tmp_path / "b.png").size
    assert Image.open(tmp_path / "a.png").width > 3 * drawing.PANEL


def test_long_names_stay_within_their_row(tmp_path: Path) -> None:
    images = disc()[None]
    report.save_comparison(tmp_path / "a.png", images, images, names=["x"])
    report.save_comparison(tmp_path / "b.png", images, images, names=["a very long name " * 20])
    assert Image.open(tmp_path / "a.png").size == Image.open(tmp_path / "b.png").size


@pytest.mark.parametrize(
    ("targets", "results", "names", "message"),
    [
        (np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 8, 3)), None, r"targets: .* got shape \(2, 8, 8, 3\)"),
        (np.zeros((2, 8, 8, 4)), np.zeros((2, 8, 9, 4)), None, r"results: .* got \(2, 8, 9, 4\)"),
        (np.zeros((2, 8, 8, 4)), np.zeros((2, 8, 8, 4)), ["one"], "names: expected 2, .* got 1"),
    ],
)
def test_comparison_refuses(
    tmp_path: Path, targets: np.ndarray, results: np.ndarray, names: list[str] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        report.save_comparison(tmp_path / "a.png", targets, results, names=names)
    assert not list(tmp_path.iterdir())


def test_running_mean_of_an_exponential_is_the_exponential() -> None:
    # The logarithm is a line, and a centred mean of a line is the line: exact away from the ends.
    values = np.exp(-0.01 * np.arange(400.0))
    smooth = drawing.running_mean(values)
    np.testing.assert_allclose(smooth[20:-20], values[20:-20], rtol=1e-12)
    values[200] = np.nan
    assert np.isfinite(drawing.running_mean(values)).all()
    assert np.isnan(drawing.running_mean(np.full(3, np.nan))).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "losses", [[0.3], [1.0, 0.5], [0.0, float("nan"), 0.1], [float("inf")] * 3, [0.2] * 50]
)
def test_loss_curve_is_drawn_for_every_run(tmp_path: Path, losses: list[float]) -> None:
    report.save_loss_curve(tmp_path / "loss.png", losses, events={1: "remeshed"})
    picture = np.asarray(Image.open(tmp_path / "loss.png").convert("L"))
    assert picture.min() < 100
    assert np.median(picture) == 255


def test_loss_curve_leaves_no_global_state(tmp_path: Path) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    report.save_loss_curve(tmp_path / "loss.png", [1.0, 0.1])
    assert dict(matplotlib.rcParams) == before


def test_progression_plays_all_frames_and_rests_on_the_last(tmp_path: Path) -> None:
    frames = [disc(radius=radius) for radius in np.linspace(0.3, 0.9, 7)]
    labels = [f"step {index}" for index in range(7)]
    report.save_progression(tmp_path / "a.gif", frames, target=frames[-1], labels=labels, milliseconds=50)
    animation = Image.open(tmp_path / "a.gif")
    areas, targets, durations = [], [], []
    for index in range(animation.n_frames):
        animation.seek(index)
        durations.append(animation.info["duration"])
        red = has_color(animation, RED)
        areas.append(red[:, : animation.width // 2].sum())
        targets.append(red[:, animation.width // 2 :].sum())
    assert len(areas) == 7
    assert (np.diff(areas) > 0).all()
    assert targets == pytest.approx([areas[-1]] * 7, rel=0.01)
    assert durations[:-1] == [50] * 6
    assert durations[-1] > 1000
    assert animation.info["loop"] == 0
    assert has_color(animation, (255, 255, 255), 0)[0, 0]  # exactly white, not the palette's idea of it


@pytest.mark.slow
def test_progression_gets_smaller_to_keep_the_limit(tmp_path: Path) -> None:
    y, x = np.mgrid[:64, :64] / 64
    frames = [
        np.stack([(x + t) % 1, (y * 3 + t) % 1, (x * y * 9) % 1, x * 0 + 1], axis=-1) for t in (0.0, 0.3, 0.6)
    ]
    report.save_progression(tmp_path / "large.gif", frames)
    limit = (tmp_path / "large.gif").stat().st_size // 2
    report.save_progression(tmp_path / "small.gif", frames, limit=limit)
    assert 0 < (tmp_path / "small.gif").stat().st_size <= limit
    report.save_progression(tmp_path / "least.gif", frames, limit=1)  # it ends, at the smallest size
    assert Image.open(tmp_path / "least.gif").n_frames == 3


def test_filmstrip_has_a_picture_for_every_stage(tmp_path: Path) -> None:
    frames = [disc(radius=radius) for radius in (0.4, 0.6, 0.8)]
    report.save_filmstrip(tmp_path / "a.png", frames, target=disc(), labels=["step 0", "step 1", "step 2"])
    red = has_color(Image.open(tmp_path / "a.png"), RED).any(axis=0)
    assert np.count_nonzero(np.diff(red.astype(int)) == 1) == 4  # columns where red begins


@pytest.mark.parametrize("save", [report.save_filmstrip, report.save_progression])
def test_stages_are_checked(tmp_path: Path, save) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="frames: expected at least one"):
        save(tmp_path / "a", [])
    with pytest.raises(ValueError, match=r"labels: expected 2, .* got 1"):
        save(tmp_path / "a", [disc(), disc()], labels=["one"])
    with pytest.raises(ValueError, match=r"frames\[1\]: .* \(64, 64, 4\), got \(32, 32, 4\)"):
        save(tmp_path / "a", [disc(), disc(32)])
    with pytest.raises(ValueError, match=r"target: .* got \(32, 32, 4\)"):
        save(tmp_path / "a", [disc(), disc()], target=disc(32))
    with pytest.raises(FileNotFoundError):
        save(tmp_path / "missing" / "a", [disc()])


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_path(file) as part:
        part.write_text("half of the n")
        assert file.read_text() == "old"
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert file.read_text() == "old"
    with atomic_path(file) as part:
        part.write_text("new")
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o044  # readable as any new file, where the umask allows it


def test_the_bare_surface_stands_beside_the_result(tmp_path: Path) -> None:
    target, bare = np.stack([disc()] * 2), np.stack([disc(color=(0.0, 0.0, 1.0))] * 2)
    report.save_comparison(tmp_path / "with.png", target, target, surfaces=bare)
    report.save_comparison(tmp_path / "without.png", target, target)
    shown, plain = Image.open(tmp_path / "with.png"), Image.open(tmp_path / "without.png")
    disc_pixels = np.pi / 4 * (0.8 * 64 / 56) ** 2 * drawing.PANEL**2
    blue = has_color(shown, (0, 0, 255))
    assert blue.sum() == pytest.approx(2 * disc_pixels, rel=0.04)
    assert has_color(shown, RED).sum() == pytest.approx(4 * disc_pixels, rel=0.04)
    assert shown.width == plain.width + drawing.PANEL + drawing.GAP
    columns = np.flatnonzero(blue.any(axis=0))
    assert columns.min() > np.flatnonzero(has_color(shown, RED).any(axis=0)).max()  # third, before the error
    with pytest.raises(ValueError, match="surfaces: expected the shape"):
        report.save_comparison(tmp_path / "no.png", target, target, surfaces=bare[:1])


def test_the_bare_surface_stands_beside_each_frame(tmp_path: Path) -> None:
    frames, bare = [disc()] * 3, [disc(color=(0.0, 0.0, 1.0))] * 3
    report.save_progression(tmp_path / "a.gif", frames, surfaces=bare, target=disc(color=(0.0, 1.0, 0.0)))
    animation = Image.open(tmp_path / "a.gif")
    for index in range(3):
        animation.seek(index)
        amounts = [has_color(animation, color, 60).sum() for color in (RED, (0, 0, 255), (0, 255, 0))]
        assert min(amounts) > 0.5 * max(amounts) > 1000
    with pytest.raises(ValueError, match="surfaces: expected 3"):
        report.save_progression(tmp_path / "b.gif", frames, surfaces=bare[:2])
