"""The command of the papers' experiments: which it runs, what it keeps, what it says of those that cannot run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))
from examples.papers import __main__ as command
from examples.papers.records import Record, Setup

ran: list[tuple[str, bool, tuple[int, ...]]] = []


def good(setup: Setup) -> Iterator[Record]:
    """Two <methods>

    Of which one is better.
    """
    ran.append((setup.experiment, setup.small, setup.seeds))
    (setup.folder / "curve.png").write_bytes(b"")
    for seed in setup.seeds:
        yield setup.record("ours", seed, "error", 0.5 + seed, 1.0, published=0.25, evaluations=1200)
        yield setup.record("theirs", seed, "error", 2.0, 3.0)


def missing(setup: Setup) -> Iterator[Record]:
    """Needs a package"""
    raise ImportError("expected blender: pip install bpy")
    yield


def broken(setup: Setup) -> Iterator[Record]:
    """Has a fault"""
    yield setup.record("ours", 0, "error", 1.0, 1.0)
    raise ZeroDivisionError


@pytest.fixture(autouse=True)
def four(monkeypatch: pytest.MonkeyPatch) -> None:
    """Experiments of this file in place of the papers'."""
    found = {"one/broken": broken, "one/good": good, "one/missing": missing, "two/good": good}
    monkeypatch.setattr(command, "experiments", lambda: found)
    ran.clear()


def test_runs_what_was_asked_for_and_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    assert command.main(["two", "--seeds", "2", "--output", str(tmp_path)]) == 0
    assert ran == [("good", False, (0, 1))]
    rows = json.loads((tmp_path / "results.json").read_text())
    assert [row["value"] for row in rows if row["method"] == "ours"] == [0.5, 1.5]
    assert {"paper", "experiment", "method", "seed", "value", "published", "seconds"} <= rows[0].keys()
    assert command.main(["--small", "--output", str(tmp_path)]) == 1
    assert ran[1:] == [("good", True, (0,))]  # of the first paper; that of the second is there
    assert len(json.loads((tmp_path / "results.json").read_text())) == 6


def test_the_page_has_medians_seeds_published_numbers_and_pictures(tmp_path: Path) -> None:
    command.main(["one/good", "--seeds", "3", "--output", str(tmp_path)])
    page = (tmp_path / "index.html").read_text()
    for part in (
        "Two &lt;methods&gt;",
        "Of which one is better.",
        "<td>1.5<span>0.5, 1.5, 2.5</span>",
        "published 0.25",
        "Seeds: 3.",
        '<a href="#one/good">Two &lt;methods&gt;</a>',
    ):
        assert part in page
    assert "1,200" in page and 'src="one/good/curve.png"' in page


def test_what_cannot_run_is_said_and_the_others_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["one", "--output", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "one/missing: left out: expected blender: pip install bpy" in said.err
    assert "one/broken: failed" in said.err and "ZeroDivisionError" in said.err
    assert "one/good: 0 s" in said.out and str(tmp_path / "index.html") in said.out
    rows = json.loads((tmp_path / "results.json").read_text())
    assert {row["experiment"] for row in rows} == {"good"}  # nothing of the one that failed


@pytest.mark.parametrize(
    "given", [["three"], ["one/go"], ["--output"], [], ["one", "--seeds", "0", "--output", "x"]]
)
def test_bad_words_end_it_with_status_two(
    given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        command.main(given)
    assert caught.value.code == 2 and not ran and not list(tmp_path.iterdir())


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    command.main(["two", "--output", str(tmp_path)])
    kept = command.read_records(tmp_path / "results.json")
    assert [asdict(record) for record in kept] == json.loads((tmp_path / "results.json").read_text())
    assert command.read_records(tmp_path / "none.json") == []
