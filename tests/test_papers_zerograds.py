"""ZeroGrads' experiments in their small form: each keeps a promise that a broken one would miss."""

from __future__ import annotations

import gzip
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.append(str(Path(__file__).resolve().parents[1]))

from examples.papers.records import Record, Setup
from examples.papers.zerograds import EXPERIMENTS
from examples.papers.zerograds.caustic import IOR, Caustic
from examples.papers.zerograds.digits import VARIABLE, digits
from examples.papers.zerograds.led import Display
from examples.papers.zerograds.mlp import Network
from examples.papers.zerograds.pen import KNOTS, PEN, SIZE, strokes
from examples.papers.zerograds.rivals import DESCENTS, SEARCHES
from examples.papers.zerograds.toy import HEIGHTS

pytest.importorskip("cma")
pytest.importorskip("pymoo")
ALL = {*DESCENTS, *SEARCHES}


def small(name: str, folder: Path) -> list[Record]:
    """Records of the small form."""
    said: list[str] = []
    records = list(EXPERIMENTS[name](Setup("zerograds", name, True, (0,), folder, said.append)))
    assert said and list(folder.glob("*.png"))
    assert all(math.isfinite(record.value) for record in records)
    return records


def values(records: list[Record], measure: str) -> dict[str, float]:
    """By method."""
    return {record.method: record.value for record in records if record.measure == measure}


def assert_equal_evaluations(records: list[Record], most: int) -> None:
    """All rivals spent the same, but for a last step that would not have fitted."""
    spent = {record.method: record.evaluations for record in records if record.method in ALL}
    assert set(spent) == ALL
    assert all(most - 20 < (count or 0) <= most for count in spent.values())


@pytest.mark.slow
def test_valley_is_followed_past_the_dents(tmp_path: Path) -> None:
    records = small("toy", tmp_path)
    assert values(records, "distance from the minimum")["ZeroGrads"] < 0.05
    assert values(records, "best loss")["ZeroGrads"] < 1e-2


@pytest.mark.slow
def test_rosenbrocks_floor_is_found(tmp_path: Path) -> None:
    found = values(small("rosenbrock", tmp_path), "best loss")
    assert found["ZeroGrads"] < 0.3 and found["CMA-ES"] < 1e-6


@pytest.mark.slow
def test_caustic_nears_its_target_with_less_noise(tmp_path: Path) -> None:
    records = small("caustic", tmp_path)
    assert values(records, "best image MSE")["ZeroGrads"] < 0.0165  # 0.14 at the start
    assert 0.01 < values(records, "photons' noise")["the target's sheet"] < 0.03
    noise = values(records, "gradients' change")
    assert noise["ZeroGrads"] < 0.7 * min(noise["SPSA"], noise["PRDPT"])


@pytest.mark.slow
def test_texture_of_the_published_size_improves_in_less_than_four_gibibytes(tmp_path: Path) -> None:
    records = small("texture", tmp_path)
    assert values(records, "peak memory, GiB")["ZeroGrads, 256 x 256"] < 4
    assert values(records, "best image MSE")["ZeroGrads"] < 0.15  # 0.5 at the start
    # A call can tell of one direction in 196,608: of the squared error 1 / (2 P), 2.54 ppm. Longer steps make it grow.
    left = values(records, "share of the image MSE that is left")["ZeroGrads, 256 x 256"]
    assert 1.5e-6 < (1 - left) / 40 < 3.5e-6


@pytest.mark.slow
def test_network_learns_a_digit(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    records = small("mlp", tmp_path)
    assert_equal_evaluations(records, 800)
    assert values(records, "best image MSE")["ZeroGrads"] < 0.03  # 0.17 at the start


@pytest.mark.slow
def test_decoder_learns_through_the_pen(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    records = small("vae", tmp_path)
    assert values(records, "best image MSE")["ZeroGrads"] < 0.1  # 0.12 at the start


@pytest.mark.slow
def test_sphere_becomes_more_of_a_fox(tmp_path: Path) -> None:
    found = values(small("mesh", tmp_path), "best image MSE")
    assert found["Large Steps"] < 0.04 < found["ZeroGrads"] < 0.07  # 0.108 at the start


@pytest.mark.slow
def test_cells_are_switched_towards_the_target(tmp_path: Path) -> None:
    records = small("led", tmp_path)
    assert values(records, "wrong cells")["ZeroGrads"] < 130  # 168 by chance


@pytest.mark.slow
def test_blender_draws_the_display_that_is_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("bpy")
    assert "ZeroGrads" in values(small("led_blender", tmp_path), "wrong cells")


def test_display_in_blender_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bpy", None)
    with pytest.raises(ImportError, match="pip install bpy"):
        small("led_blender", tmp_path)


def test_valley_has_the_published_minimum() -> None:
    assert abs(HEIGHTS(4.0)) < 1e-12 and HEIGHTS(6.0) == pytest.approx(1)
    assert HEIGHTS(1.1) == pytest.approx(5.8, abs=0.3)


def test_photons_land_where_snells_law_says() -> None:
    render = Caustic(8, 20, 10)
    sheet = torch.randn(8, 8, generator=torch.Generator().manual_seed(0)) * 1.5
    counts = np.zeros((10, 10))
    spline = _bicubic(sheet.double().numpy())
    for y in -1 + 2 * (np.arange(20) + 0.5) / 20:
        for x in -1 + 2 * (np.arange(20) + 0.5) / 20:
            height = 0.75 + 0.25 * spline(x, y)
            step = 1e-5
            slope_x = 0.25 * (spline(x + step, y) - spline(x - step, y)) / (2 * step)
            slope_y = 0.25 * (spline(x, y + step) - spline(x, y - step)) / (2 * step)
            normal = np.array([-slope_x, -slope_y, 2.0])
            normal /= np.linalg.norm(normal)
            # In angles: the ray turns in the plane of itself and the normal.
            inside = math.acos(normal[2])
            away = math.asin(IOR * math.sin(inside)) - inside
            level = math.hypot(normal[0], normal[1])
            reach = height * math.tan(away) / level
            column, row = (int(v) for v in np.floor((np.array([x, y]) + reach * normal[:2] + 1) * 5))
            if 0 <= column < 10 and 0 <= row < 10:
                counts[row, column] += 1
    found = render(sheet[None])[0].numpy()
    bright = np.sort(counts.ravel())[round(0.995 * 99)]
    assert np.abs(found - np.clip(counts / bright, 0, 1)).mean() < 1e-3


def _bicubic(sheet: np.ndarray):
    """A function of place, by the blending polynomials of a uniform cubic B-spline."""

    def weights(at: float) -> tuple[int, np.ndarray]:
        place = (at + 1) / 2 * (len(sheet) - 3)
        first = min(max(int(place), 0), len(sheet) - 4)
        t = place - first
        return first, np.array(
            [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
        ) / 6

    def value(x: float, y: float) -> float:
        (i, a), (j, b) = weights(x), weights(y)
        return float(b @ sheet[j : j + 4, i : i + 4] @ a)

    return value


def test_network_has_the_published_number_of_weights() -> None:
    network = Network((256, 32, 32, 784))
    assert network.count == 35_152
    weights = network.start(torch.Generator().manual_seed(0))
    # One after the other, as torch's own layers compute them.
    rest, x = weights, network._input[0]
    for before, after in ((256, 32), (32, 32), (32, 784)):
        matrix, rest = rest[: before * after].view(before, after), rest[before * after :]
        bias, rest = rest[:after], rest[after:]
        x = torch.nn.functional.linear(x, matrix.T, bias)
        x = torch.sigmoid(x) if after == 784 else torch.relu(x)
    torch.testing.assert_close(network(weights[None])[0], x)


def test_every_cell_of_the_display_is_seen_and_rounds() -> None:
    display = Display()
    dark, bright = display(torch.full((336,), 0.49)), display(torch.full((336,), 0.51))
    assert dark.max() == 0 and bright.max() == 1
    on = torch.zeros(336)
    on[100] = 1.0
    assert 1 <= display(on).sum() <= 9


def test_pen_draws_a_straight_line_as_wide_as_itself() -> None:
    line = torch.stack((torch.linspace(0.2, 0.8, KNOTS), torch.full((KNOTS,), 0.5)), -1)
    picture = strokes(line[None])[0]
    at = (torch.arange(SIZE) + 0.5) / SIZE
    across = (at - 0.5).abs() < PEN
    inside = (at > 0.2) & (at < 0.8)
    assert torch.equal(picture[:, inside].bool(), across[:, None].expand(-1, int(inside.sum())))


def test_digits_of_the_users_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28)
    data = np.array([2051, 2, 28, 28], dtype=">i4").tobytes() + pictures.tobytes()
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(data))
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    torch.testing.assert_close(digits(28), torch.from_numpy(pictures).float() / 255)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="MNIST: expected a folder"):
        digits(28)
