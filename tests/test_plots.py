"""Plots of the kept tables: numbers where the table has them, and no page whose table went away unnoticed."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[1] / "benchmarks" / "plots.py"


@pytest.fixture(scope="module")
def plots() -> Any:
    spec = importlib.util.spec_from_file_location("plots", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["plots"] = module  # for its dataclass
    spec.loader.exec_module(module)
    return module


def test_numbers_are_the_first_of_their_cells(plots: Any) -> None:
    cells = {"**2,562**": 2562, "0.22 M": 220000, "17.0 (27.5), 70 MiB": 17, "+0.5": 0.5, "-2": -2, "64²": 64}
    assert {cell: plots.number(cell) for cell in cells} == cells
    assert all(math.isnan(plots.number(cell)) for cell in ("", "not measured", "-"))


def test_lines_are_rows_or_columns_of_a_table(plots: Any) -> None:
    text = "# A\n\n| | 1 | 10 % |\n|---|---|---|\n| a | 2 | **3** |\n| ratio | 9 | |\n\n## B\n\n" + (
        "| mesh | x | y |\n| --- | ---: | ---: |\n| one | 1 | 5 |\n| | 2 | 6 |\n| two | | 7 |\n"
    )
    across = plots.Plot("A", "", "", across=True, leave=("ratio",))
    assert plots.lines(plots.tables(text, "A")[0], across) == {"a": ([1, 10], [2, 3])}
    down = plots.Plot("B", "x", "y", line="mesh {mesh}")
    (table,) = plots.tables(text, "B")
    assert plots.lines(table, down) == {"mesh one": ([1, 2], [5, 6]), "mesh two": ([2], [7])}
    with pytest.raises(ValueError, match="expected 'C', got A, B"):
        plots.tables(text, "C")


@pytest.mark.slow
def test_every_plot_finds_its_table(plots: Any) -> None:
    for page, wanted in plots.PLOTS.items():
        figures = plots.draw(page, ink="#123456")
        assert len(figures) == len(wanted) > 0
        for figure in figures:
            (axes,) = figure.axes
            assert all(len(line.get_xdata()) > 0 for line in axes.lines)
            assert max(len(line.get_xdata()) for line in axes.lines) >= 3
            assert axes.xaxis.label.get_color() == "#123456"
    assert plots.draw("exposures") == []
