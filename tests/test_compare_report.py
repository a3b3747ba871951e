"""The report is read back as a browser would: what it needs, what its table says, where its curves run."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from PIL import Image

from largesteps_zg.comparison import Result
from largesteps_zg.comparison.budget import Spent
from largesteps_zg.comparison.page import write_report
from largesteps_zg.comparison.records import Curves
from largesteps_zg.comparison.table import COLUMNS, digits, entries, row_of, text_table, typical
from largesteps_zg.output.report.curves import HEIGHT, WIDTH, Curve, axis, chart, short

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
VOID = {"meta", "img", "br", "link", "input"}


def row(gradient: str, seed: int, loss: float, chamfer: float = math.nan, **others: Any) -> dict[str, Any]:
    curves = Curves(
        [0, 16, 160], [0.0, 0.5, 5.0], [0.3, 0.1, loss], [30.0, 10.0, chamfer], [math.nan, 4.0, 40.0],
        [math.nan, 0.5, 0.25],
    )  # fmt: skip
    options = {"f_score": 0.5, "normals": 0.75, "memory_mib": 500} | others
    result = Result(gradient, seed, "finished", Spent(10, 160, 5.0), loss, chamfer, curves=curves, **options)
    return row_of(result, {"target": "disc"})


ROWS = [
    row("rasterizer", 0, 0.01, 2.0),
    row("rasterizer", 1, 0.05, 1.0),
    row("rasterizer", 2, 0.02, 9.0),
    row("per-pixel", 0, 0.025, 2.4, memory_mib=490),
    row("per-pixel", 1, 0.024, 2.2, memory_mib=490),
    row_of(Result("spsa", 0, "failed: step 3: the <loss> is nan", Spent(2, 32, 0.1)), {"target": "disc"}),
]


def disc(color: Sequence[float]) -> np.ndarray:
    """Two views (32, 40) of a disc, premultiplied."""
    y, x = np.mgrid[:32, :40]
    inside = (np.hypot(x - 20, y - 16) < 10)[..., None]
    return np.stack([np.concatenate([inside * np.asarray(color), inside], -1)] * 2).astype(np.float32)


class Reader(HTMLParser):
    """Elements with their attributes and texts; the page must be well-formed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.open: list[int] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_endtag(self, tag) -> None:
        assert self.elements[self.open.pop()][0] == tag

    def handle_startendtag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs), []))

    def handle_data(self, data) -> None:
        for index in self.open:
            self.elements[index][2].append(data)

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attributes, "".join(texts)) for name, attributes, texts in self.elements if name == tag]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(
        path,
        ROWS,
        title="A <title> & more",
        summary="What was compared.",
        notes=["A machine."],
        targets=disc((1, 0, 0)),
        pictures={"rasterizer": disc((1, 0, 0)), "per-pixel": disc((0, 0, 1))},
    )
    return path


@pytest.fixture(scope="module")
def page(report: Path) -> Reader:
    return Reader(report.read_text(encoding="utf-8"))


def test_the_page_needs_nothing_else(report: Path, page: Reader) -> None:
    for tag, attributes, _ in page.elements:
        assert tag not in ("script", "link", "iframe", "object"), tag
        for name in ("src", "href", "srcset", "data", "action", "xlink:href"):
            assert (attributes.get(name) or "data:").startswith("data:"), (tag, attributes)
    text = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", report.read_text(encoding="utf-8"))
    assert not re.search(r"url\(|@import|https?:|//", text)


def test_text_is_escaped(page: Reader) -> None:
    assert page.all("h1")[0][1] == "A <title> & more"
    assert page.all("loss") == []


def test_every_picture_decodes(page: Reader) -> None:
    pictures = []
    for attributes, _ in page.all("img"):
        content = base64.b64decode((attributes["src"] or "").split(",")[1], validate=True)
        picture = Image.open(io.BytesIO(content))
        assert picture.size == (int(attributes["width"] or 0), int(attributes["height"] or 0))
        pictures.append((attributes["alt"], np.asarray(picture.convert("RGBA"))))
    view = ["target", "rasterizer", "error of rasterizer", "per-pixel", "error of per-pixel"]
    assert [name for name, _ in pictures] == 2 * view
    shown = dict(pictures)
    center = tuple(size // 2 for size in shown["target"].shape[:2])
    assert shown["target"][center].tolist() == [255, 0, 0, 255]  # linear 1 is sRGB 1
    assert shown["per-pixel"][center].tolist() == [0, 0, 255, 255]
    assert shown["target"][0, 0, 3] == 0  # the page shows through
    # No error is the lightest colour, half of the channels wrong one of the darkest.
    right, wrong = shown["error of rasterizer"][center], shown["error of per-pixel"][center]
    assert right[:3].sum() > 600 and wrong[:3].sum() < 200 and right[3] == wrong[3] == 255


def test_the_table_holds_the_medians_of_the_rows(report: Path, page: Reader) -> None:
    text = report.read_text(encoding="utf-8")
    lines = dict(re.findall(r'<tr data-gradient="([^"]+)">(.*?)</tr>', text))
    assert [*lines] == ["rasterizer", "per-pixel"]
    stored = json.loads(json.dumps(ROWS))
    for name, line in lines.items():
        values = re.findall(r'<data value="([^"]+)">([^<]+)</data>', line)
        assert len(values) == len(COLUMNS)
        for column, (value, shown) in zip(COLUMNS, values, strict=True):
            own = [r[column.key] for r in stored if r["gradient"] == name]
            assert float(value) == pytest.approx(median(own), rel=1e-5), column.key
            assert shown == column.text(median(own))
    # 0.0245 over 0.02, 2.3 over 2; ranges of the seeds; the best in bold, and none where all are alike.
    assert [r for r in re.findall(r'class="ratio">([^<]+)<', lines["per-pixel"])] == [
        "1.23&times;",
        "1.15&times;",
    ]
    assert "0.0100 &ndash; 0.0500" in lines["rasterizer"] and "1.00 &ndash; 9.00" in lines["rasterizer"]
    bold = {name: re.findall(r"<b><data[^>]*>([^<]+)<", line) for name, line in lines.items()}
    assert bold == {"rasterizer": ["0.0200", "2.00"], "per-pixel": ["490"]}


def test_a_failed_run_is_a_row_with_its_reason(page: Reader) -> None:
    [(_, told)] = [found for found in page.all("tr") if found[0].get("class") == "failed"]
    assert told == "spsaseed 0 failed: step 3: the <loss> is nan, after 2 steps"
    assert "spsa, seed 0: failed: step 3" in text_table(ROWS)


def test_without_truth_and_diagnostics_there_is_less(tmp_path: Path) -> None:
    result = Result(
        "spsa", 0, "finished", Spent(1, 2, 3.0), 0.5, curves=Curves([2], [3.0], [0.5], [math.nan], [math.nan])
    )
    bare = row_of(result, {})
    write_report(tmp_path / "r.html", [bare], title="", summary="", targets=disc((1, 1, 1)), pictures={})
    page = Reader((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert [text for _, text in page.all("th")] == [
        "Gradient",
        "Image loss",
        "Renders",
        "Steps",
        "Seconds",
        "spsa",
    ]
    assert len(page.all("svg")) == 2 and page.all("img") == []


def test_the_distance_has_curves_of_its_own(page: Reader) -> None:
    titles = [text for _, text in page.all("figcaption")]
    assert [title for title in titles if "against" in title] == [
        f"{what} against {x}" for what in ("Image loss", "Chamfer ‰") for x in ("renders", "seconds")
    ]
    assert len(page.all("svg")) == 6


def test_rows_are_plain_json() -> None:
    text = json.dumps(ROWS, allow_nan=False)
    assert json.loads(text)[0]["curves"]["variance"] == [None, 4.0, 40.0]
    assert ROWS[-1]["image_loss"] is None and ROWS[-1]["state"].startswith("failed")


def test_the_typical_run_is_in_the_middle() -> None:
    middle = typical(ROWS, "rasterizer")
    assert middle is not None and middle["seed"] == 0  # Chamfer 2 of 1, 2, 9
    assert typical(ROWS, "spsa") is None
    # Of an even number the better one of the middle two, whatever their order.
    own = [dict(middle, seed=seed, chamfer=chamfer) for seed, chamfer in enumerate((4.0, 1.0, 3.0, 2.0))]
    assert typical(own, "rasterizer")["chamfer"] == 2.0
    assert entries(ROWS)["rasterizer", "chamfer"].ratio is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123456, "0.0123"), (1.0, "1.00"), (123.4, "123"), (52_345.6, "52,346"), (0.0, "0")],
)
def test_three_digits(value: float, text: str) -> None:
    assert digits(value) == text


# --- curves ----------------------------------------------------------------------------------------------------------


def drawn(svg: str) -> tuple[list[np.ndarray], list[ElementTree.Element]]:
    """The points of each curve, and the texts."""
    root = ElementTree.fromstring(svg)
    curves = [e for e in root.iter() if e.get("class", "").startswith("curve")]
    points = [np.array([p.split() for p in (e.get("d") or "")[1:].split("L")], dtype=float) for e in curves]
    return points, [e for e in root.iter() if e.tag == "text"]


def test_a_curve_runs_through_its_points() -> None:
    x, y = axis("renders", [1, 1000], log=True), axis("loss", [0, 1], log=False, low=0.0, high=1.0)
    svg = chart("c", [Curve("a", "c0", [0, 1, 10, 100, 1000], [1.0, 0.0, 0.5, math.nan, 1.0])], x, y)
    [points], texts = drawn(svg)
    assert len(points) == 3  # 0 is nowhere on a logarithmic axis, NaN nowhere at all
    across, down = points.T
    # Evenly in the logarithm: 1, 10, 1000.
    assert (across[1] - across[0]) / (across[2] - across[0]) == pytest.approx(1 / 3, abs=1e-3)
    assert (down[0] - down[1]) / (down[0] - down[2]) == pytest.approx(1 / 2, abs=1e-3) and down[2] < down[0]
    ticks = {e.text: float(e.get("x") or 0) for e in texts if e.get("text-anchor") == "middle"}
    for value, at in zip(("1", "10", "1k"), across, strict=True):
        assert ticks[value] == pytest.approx(at, abs=0.11)


def test_names_cover_neither_each_other_nor_the_edge() -> None:
    ends = [0.5, 0.501, 0.502, 0.001, 0.0, 0.002]
    curves = [Curve(f"estimator {i}", "c0", [1, 2], [1, end]) for i, end in enumerate(ends)]
    x, y = axis("", [1, 2], log=False), axis("", [0, 1], log=False)
    _, texts = drawn(chart("names", curves, x, y))
    places = sorted(float(e.get("y") or 0) for e in texts if e.get("class", "").startswith("name"))
    assert len(places) == 6 and min(np.diff(places)) >= 14.9
    assert all(10 < place < HEIGHT for place in places)
    lefts = {float(e.get("x") or 0) for e in texts if e.get("class", "").startswith("name")}
    assert max(lefts) + 6.9 * len("estimator 0") <= WIDTH


@pytest.mark.parametrize(
    ("low", "high", "log", "expected"),
    [
        (0.0, 1.0, False, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.01, 0.3, True, [0.01, 0.02, 0.05, 0.1, 0.2]),
        (1.0, 1e5, True, [1, 10, 100, 1e3, 1e4, 1e5]),
        (20.0, 3000.0, True, [30, 100, 300, 1000, 3000]),
    ],
)
def test_ticks_are_few_and_round(low: float, high: float, log: bool, expected: list[float]) -> None:
    assert axis("", [low, high], log=log, low=low, high=high).ticks() == pytest.approx(expected)


def test_one_value_or_none_makes_an_axis() -> None:
    for values in ([], [3.0], [math.nan, 0.0]):
        for log in (True, False):
            found = axis("", values, log=log)
            assert found.low < found.high and len(found.ticks()) < 8


@pytest.mark.parametrize(
    ("value", "text"), [(20_000, "20k"), (3e6, "3M"), (0.05, "0.05"), (5, "5"), (1e-5, "1e-5")]
)
def test_short_numbers(value: float, text: str) -> None:
    assert short(value) == text


# --- in a browser ----------------------------------------------------------------------------------------------------


def browser(tmp_path: Path, *arguments: str) -> str:
    assert CHROMIUM is not None
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=120, check=True
    ).stdout


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_shows_it_at_the_width_of_a_phone(report: Path, tmp_path: Path) -> None:
    """In a frame of 360 pixels: nothing sticks out, and all pictures are there."""
    probe = (
        "<script>addEventListener('load',()=>{const e=document.documentElement;"
        "const seen=[...document.images].filter(i=>i.complete&&i.naturalWidth>0&&i.width>0).length;"
        "parent.postMessage([e.clientWidth,e.scrollWidth,seen],'*')})</script>"
    )
    (tmp_path / "page.html").write_text(report.read_text(encoding="utf-8") + probe, encoding="utf-8")
    (tmp_path / "phone.html").write_text(
        "<iframe src=page.html width=360 height=800 style='border:0'></iframe>"
        "<script>addEventListener('message',e=>{document.title='told '+e.data})</script>"
    )
    found = browser(
        tmp_path, "--virtual-time-budget=5000", "--allow-file-access-from-files", "--dump-dom",
        (tmp_path / "phone.html").as_uri(),
    )  # fmt: skip
    told = re.search(r"told (\d+),(\d+),(\d+)", found)
    assert told is not None, found
    width, needed, pictures = map(int, told.groups())
    assert needed <= width <= 360 and pictures == 10
