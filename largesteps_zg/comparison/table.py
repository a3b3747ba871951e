"""The rows of a comparison, one for each run, and what they say of each gradient: median, spread, best."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from .records import FINISHED, Result

Row = Mapping[str, Any]
REFERENCE = "rasterizer"


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes
    ----------
    key : str
        In a row.
    title, meaning : str
        For people.
    text : callable
        A number as it is shown.
    best : callable or None
        ``min`` or ``max`` where one end is better.
    ratio : bool
        Whether a multiple of the rasterizer's says more than the number.
    """

    key: str
    title: str
    meaning: str
    text: Callable[[float], str]
    best: Callable[..., float] | None = None
    ratio: bool = False


def digits(value: float) -> str:
    """Three significant digits, and never an exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def whole(value: float) -> str:
    """Thousands apart."""
    return f"{value:,.0f}"


COLUMNS = (
    Column(
        "image_loss", "Image loss",
        "mean absolute difference of colour and coverage over all views at the end, by the antialiased rasterizer for "
        "all alike, whatever the run itself looked at; lower is better",
        digits, min, ratio=True,
    ),
    Column(
        "chamfer", "Chamfer ‰",
        "distance to the true surface, mean of both directions, in thousandths of its bounding box's diagonal; "
        "lower is better",
        digits, min, ratio=True,
    ),
    Column(
        "f_score", "F-score",
        "share of both surfaces that lies within 0.5 % of the diagonal of the other, as harmonic mean; "
        "higher is better",
        lambda value: f"{value:.3f}", max,
    ),
    Column(
        "normals", "Normals",
        "mean cosine between normals and those of the nearest place on the other surface; well below 1 it tells of "
        "sheets folded inside, which no image shows",
        lambda value: f"{value:.3f}", max,
    ),
    Column("renders", "Renders", "images made to get gradients, one view each; a backward pass is none", whole),
    Column("steps", "Steps", "of the optimiser", whole),
    Column(
        "seconds", "Seconds", "wall time of the steps, without set-up and without what was measured for this report",
        digits, min,
    ),
    Column(
        "memory_mib", "Memory MiB",
        "largest resident set of the run's own process until its last step; Python and its libraries are most of it",
        whole, min,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A number of the table: the median over seeds, between which bounds, and what multiple of the rasterizer's."""

    value: float
    low: float
    high: float
    ratio: float | None
    best: bool


def row_of(result: Result, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A run as ``results.json`` holds it, without what is in files of its own; NaN is None."""
    row = {
        "gradient": result.gradient,
        "seed": result.seed,
        "state": result.state,
        **asdict(result.spent),
        **{
            name: getattr(result, name)
            for name in ("image_loss", "chamfer", "f_score", "normals", "memory_mib")
        },
        "curves": asdict(result.curves),
        "light": result.light,
        "settings": dict(settings),
    }
    return _plain(row)


def _plain(value: Any) -> Any:
    """Six digits, and None for what is no number: standard JSON has neither NaN nor infinity."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def finished(rows: Sequence[Row]) -> list[Row]:
    """Those that have results."""
    return [row for row in rows if row["state"] == FINISHED]


def names(rows: Sequence[Row]) -> list[str]:
    """The gradients in the rows' order."""
    return list(dict.fromkeys(row["gradient"] for row in rows))


def entries(rows: Sequence[Row]) -> dict[tuple[str, str], Entry]:
    """The table: by gradient and column, where there is a number."""
    made: dict[tuple[str, str], Entry] = {}
    for column in COLUMNS:
        values = {
            name: [
                r[column.key] for r in finished(rows) if r["gradient"] == name and r[column.key] is not None
            ]
            for name in names(rows)
        }
        medians = {name: median(found) for name, found in values.items() if found}
        # None is best where all look the same.
        differ = len({column.text(value) for value in medians.values()}) > 1
        top = column.best(medians.values()) if column.best and differ else None
        reference = medians.get(REFERENCE)
        for name, value in medians.items():
            ratio = value / reference if column.ratio and reference and name != REFERENCE else None
            # What looks the same is as good.
            best = top is not None and column.text(value) == column.text(top)
            made[name, column.key] = Entry(value, min(values[name]), max(values[name]), ratio, best)
    return made


def typical(rows: Sequence[Row], name: str) -> Row | None:
    """The run of a gradient in the middle of its seeds, by distance to the truth where that is known."""
    own = [row for row in finished(rows) if row["gradient"] == name]
    own.sort(key=lambda row: row["image_loss"] if row["chamfer"] is None else row["chamfer"])
    return own[(len(own) - 1) // 2] if own else None


def text_table(rows: Sequence[Row]) -> str:
    """The table for a terminal."""
    table = entries(rows)
    lines = [["gradient", *(column.title for column in COLUMNS)]]
    for name in names(rows):
        found = [table.get((name, column.key)) for column in COLUMNS]
        cells = ["-" if e is None else c.text(e.value) for c, e in zip(COLUMNS, found, strict=True)]
        lines.append([name, *cells])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    texts = [
        "  ".join(
            [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    ]
    reasons = [
        f"{row['gradient']}, seed {row['seed']}: {row['state']}" for row in rows if row["state"] != FINISHED
    ]
    return "\n".join([*texts, *reasons])
