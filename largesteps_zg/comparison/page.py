"""A comparison as one web page that needs nothing else: table, curves, pictures."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..output.pictures import drawing
from ..output.report.curves import Curve, axis, chart
from ..output.report.filling import error_ramp, picture, straight_bytes, write_page
from .records import FINISHED
from .table import COLUMNS, REFERENCE, Column, Entry, Row, digits, entries, finished, names

COLORS = 7  # in the style sheet, beside the rasterizer's
SIDE = 320  # pixels, of the longer side of a picture
FOLDER = Path(__file__).parent

CURVES_MEANINGS = (
    (
        "Variance",
        "of an estimate of the gradient of the latent, from 4 estimates at the same state: mean squared distance "
        "from their expectation, over the squared length of that. 0 is repeatable; at 1 noise is as long as what it "
        "hides, at 100 ten times as long",
    ),
    (
        "Cosine",
        "between an estimate and the rasterizer's gradient at the same state, mean of 4. 1 is the same direction, "
        "0 has nothing in common. Estimates of a smoothed loss differ also without noise",
    ),
)


def write_report(
    path: str | os.PathLike[str],
    rows: Sequence[Row],
    *,
    title: str,
    summary: str,
    notes: Sequence[str] = (),
    targets: ArrayLike,
    pictures: Mapping[str, ArrayLike],
    surfaces: Mapping[str, ArrayLike] | None = None,
) -> None:
    """One HTML file: opens from a disk, in any browser, without a network.

    Parameters
    ----------
    path
        The file to write; whole or absent.
    rows : sequence of dict
        As in ``results.json``; see `table.row_of`.
    title, summary : str
        A line, and what was compared in a sentence or two.
    notes : sequence of str
        Small print at the end: machine, versions, command.
    targets : (B, H, W, 4) linear, premultiplied
        Some of the views.
    pictures : dict of name to (B, H, W, 4)
        What the gradients made of them.
    surfaces : dict of name to (B, H, W, 4), optional
        The same without colours, for each of `pictures`.
    """
    order = names(rows)
    colors = {name: "reference" if name == REFERENCE else "" for name in order}
    colors |= {name: f"c{i % COLORS}" for i, name in enumerate(n for n in order if n != REFERENCE)}
    write_page(
        path,
        FOLDER / "page.html.jinja",
        title=title,
        summary=summary,
        notes=notes,
        colors=colors,
        charts=_charts(rows, colors),
        meanings=_meanings(rows),
        **_table(rows, order),
        **_pictures(targets, pictures, surfaces or {}),
    )


def _table(rows: Sequence[Row], order: Sequence[str]) -> dict[str, Any]:
    """Medians, spreads below them, the best in bold; runs that failed, with their reasons."""
    table, columns = entries(rows), _columns(rows)
    lines = []
    for name in order:
        known = any((name, column.key) in table for column in columns)
        cells = [_cell(column, table.get((name, column.key))) for column in columns] if known else []
        failed = [
            f"seed {row['seed']} {row['state']}, after {row['steps']:,} steps"
            for row in rows
            if row["gradient"] == name and row["state"] != FINISHED
        ]
        lines.append({"name": name, "cells": cells, "failed": failed})
    seeds = len({row["seed"] for row in rows})
    return {
        "columns": columns,
        "lines": lines,
        "caption": f"Medians of {seeds} seeds, the range below them." if seeds > 1 else "One seed.",
        "ratios": any(entry.ratio is not None for entry in table.values()),
    }


def _columns(rows: Sequence[Row]) -> list[Column]:
    """Those in which anything is known."""
    return [column for column in COLUMNS if any(row[column.key] is not None for row in finished(rows))]


def _cell(column: Column, entry: Entry | None) -> dict[str, Any] | None:
    """The number, all its digits, and what belongs to it."""
    if entry is None:
        return None
    return {
        "best": entry.best,
        "digits": f"{entry.value:.6g}",
        "text": column.text(entry.value),
        "ratio": None if entry.ratio is None else digits(entry.ratio),
        "low": column.text(entry.low),
        "high": column.text(entry.high),
    }


def _charts(rows: Sequence[Row], colors: Mapping[str, str]) -> list[dict[str, str]]:
    """Loss and distance against renders and seconds; variance and cosine of the gradients, where they were measured."""
    rows = [row for row in rows if row["curves"]["renders"]]
    if not rows:
        return []
    charts = [
        _chart(f"{title} against {x}", rows, colors, (x, x, True), (y, True))
        for title, y in (("Image loss", "image_loss"), ("Chamfer ‰", "chamfer"))
        if _measured(rows, y)
        for x in ("renders", "seconds")
    ]
    others = [row for row in rows if row["gradient"] != REFERENCE]
    if _measured(others, "variance"):
        renders = ("renders", "renders", True)
        charts.append(_chart("Variance of the gradient", others, colors, renders, ("variance", True)))
        charts.append(
            _chart("Cosine to the rasterizer's gradient", others, colors, renders, ("cosine", False))
        )
    return charts


def _measured(rows: Sequence[Row], name: str) -> bool:
    """Whether any run has numbers for a curve."""
    return any(value is not None for row in rows for value in row["curves"][name])


def _chart(
    title: str, rows: Sequence[Row], colors: Mapping[str, str], x: tuple[str, str, bool], y: tuple[str, bool]
) -> dict[str, str]:
    """One chart: a line for each run, the name at the first run of each gradient."""
    curves, named = [], set()
    for row in rows:
        xs, ys = ([math.nan if v is None else v for v in row["curves"][key]] for key in (x[0], y[0]))
        known = [(a, b) for a, b in zip(xs, ys, strict=True) if math.isfinite(b)]
        name = row["gradient"]
        curves.append(
            Curve("" if name in named else name, colors[name], [a for a, _ in known], [b for _, b in known])
        )
        named.add(name)
    across = axis(x[1], [a for curve in curves for a in curve.x], log=x[2])
    values = [b for curve in curves for b in curve.y]
    if y[1]:
        down = axis("", values, log=True)
    else:
        down = axis("", values, log=False, low=min(0.0, *values, 0.0), high=1.0)
    return {"title": title, "svg": chart(title, curves, across, down)}


def _pictures(
    targets: ArrayLike, pictures: Mapping[str, ArrayLike], surfaces: Mapping[str, ArrayLike]
) -> dict[str, Any]:
    """For each view the target, then each result with its bare surface and its error, and the scale of the errors."""
    true = drawing.as_images("targets", targets)
    made = {name: drawing.as_images(f"pictures of {name}", images) for name, images in pictures.items()}
    if not made:
        return {"views": [], "ramp": "", "top": ""}
    bare = {name: drawing.as_images(f"surfaces of {name}", images) for name, images in surfaces.items()}
    # B times (1 + results + surfaces, H, W, 4)
    cut = drawing.cropped(list(np.stack([true, *made.values(), *bare.values()], axis=1)))
    groups = [group[: 1 + len(made)] for group in cut]
    shapes = [dict(zip(bare, group[1 + len(made) :], strict=True)) for group in cut]
    errors = np.stack([drawing.absolute_errors(group[:1], group[1:]) for group in groups])
    inside = np.stack([drawing.covered(group[:1], group[1:]) for group in groups])
    # That of the best result: on the scale of one that is all wrong the good ones would look alike.
    high = [
        float(np.quantile(errors[:, i][inside[:, i]], 0.95)) for i in range(len(made)) if inside[:, i].any()
    ]
    top = drawing.nice_ceiling(min(high, default=0.0))
    views = []
    for view, group in enumerate(groups):
        results = []
        for number, name in enumerate(made):
            there = 255 * inside[view, number].astype(np.uint8)
            error = np.dstack([drawing.error_colors(errors[view, number] / top), there])
            image = picture(straight_bytes(group[1 + number]), name, side=SIDE)
            shape = shapes[view].get(name)
            surface = (
                None if shape is None else picture(straight_bytes(shape), f"surface of {name}", side=SIDE)
            )
            wrong = picture(error, f"error of {name}", side=SIDE)
            results.append({"name": name, "image": image, "surface": surface, "error": wrong})
        views.append({"target": picture(straight_bytes(group[0]), "target", side=SIDE), "results": results})
    return {"views": views, "ramp": error_ramp(), "top": f"≥ {top:g}" if top < 1 else "1"}


def _meanings(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """What each column and each curve is."""
    items = [(column.title, column.meaning) for column in _columns(rows)]
    return [*items, *CURVES_MEANINGS] if _measured(rows, "variance") else items
