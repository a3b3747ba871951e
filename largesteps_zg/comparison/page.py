"""A comparison as one web page that needs nothing else: table, curves, pictures."""

from __future__ import annotations

import base64
import io
import math
import os
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from .._support.atomic import atomic_path
from ..images.color import linear_to_srgb
from ..output.pictures import drawing
from .curves import Curve, axis, chart
from .records import FINISHED
from .style import STYLE
from .table import COLUMNS, REFERENCE, Column, Entry, Row, digits, entries, finished, names

COLORS = 7  # in the style sheet, beside the rasterizer's
SIDE = 320  # pixels, of the longer side of a picture


def write_report(
    path: str | os.PathLike[str],
    rows: Sequence[Row],
    *,
    title: str,
    summary: str,
    notes: Sequence[str] = (),
    targets: ArrayLike,
    pictures: Mapping[str, ArrayLike],
) -> None:
    """One HTML file: opens from a disk, in any browser, without a network.

    Parameters
    ----------
    path
        The file to write; whole or absent.
    rows : sequence of dict
        As in ``results.json``; see `compare_table.row_of`.
    title, summary : str
        A line, and what was compared in a sentence or two.
    notes : sequence of str
        Small print at the end: machine, versions, command.
    targets : (B, H, W, 4) linear, premultiplied
        Some of the views.
    pictures : dict of name to (B, H, W, 4)
        What the gradients made of them.
    """
    order = names(rows)
    colors = {name: "reference" if name == REFERENCE else "" for name in order}
    colors |= {name: f"c{i % COLORS}" for i, name in enumerate(n for n in order if n != REFERENCE)}
    body = [
        f"<header><h1>{escape(title)}</h1><p>{escape(summary)}</p></header>",
        _table(rows, colors),
        _curves(rows, colors),
        _pictures(targets, pictures, colors),
        _meanings(rows),
        "<footer>" + "".join(f"<p>{escape(note)}</p>" for note in notes) + "</footer>",
    ]
    page = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><main>{''.join(body)}</main></body></html>\n"
    )
    with atomic_path(path) as part:
        part.write_text(page, encoding="utf-8")


def _table(rows: Sequence[Row], colors: Mapping[str, str]) -> str:
    """Medians, spreads below them, the best in bold; runs that failed, with their reasons."""
    table, columns = entries(rows), _columns(rows)
    head = "".join(f'<th scope="col">{escape(column.title)}</th>' for column in columns)
    lines = []
    for name, color in colors.items():
        if any((name, column.key) in table for column in columns):
            cells = "".join(_cell(column, table.get((name, column.key))) for column in columns)
            lines.append(f'<tr data-gradient="{escape(name)}">{_name(name, color)}{cells}</tr>')
        for row in rows:
            if row["gradient"] == name and row["state"] != FINISHED:
                reason = f"seed {row['seed']} {row['state']}, after {row['steps']:,} steps"
                lines.append(
                    f'<tr class="failed">{_name(name, color)}<td colspan="{len(columns)}">{escape(reason)}</td></tr>'
                )
    seeds = len({row["seed"] for row in rows})
    caption = f"Medians of {seeds} seeds, the range below them." if seeds > 1 else "One seed."
    if any(entry.ratio is not None for entry in table.values()):
        caption += " &times; is the multiple of the rasterizer's."
    return (
        '<section><div class="scroll"><table><thead><tr><th scope="col">Gradient</th>'
        f'{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div><p class="note">{caption}</p></section>'
    )


def _columns(rows: Sequence[Row]) -> list[Column]:
    """Those in which anything is known."""
    return [column for column in COLUMNS if any(row[column.key] is not None for row in finished(rows))]


def _name(name: str, color: str) -> str:
    return f'<th scope="row"><i class="swatch {color}"></i>{escape(name)}</th>'


def _cell(column: Column, entry: Entry | None) -> str:
    """The number, with all its digits as an attribute, and what belongs to it."""
    if entry is None:
        return "<td>&ndash;</td>"
    value = f'<data value="{entry.value:.6g}">{column.text(entry.value)}</data>'
    parts = [f"<b>{value}</b>" if entry.best else value]
    if entry.ratio is not None:
        parts.append(f'<span class="ratio">{digits(entry.ratio)}&times;</span>')
    low, high = column.text(entry.low), column.text(entry.high)
    if low != high:
        parts.append(f'<span class="spread">{low} &ndash; {high}</span>')
    return f"<td>{''.join(parts)}</td>"


def _curves(rows: Sequence[Row], colors: Mapping[str, str]) -> str:
    """The loss against renders and seconds; variance and cosine of the gradients, where they were measured."""
    rows = [row for row in rows if row["curves"]["renders"]]
    if not rows:
        return ""
    charts = []
    for x, label in (("renders", "renders"), ("seconds", "seconds")):
        charts.append(
            _figure(f"Image loss against {x}", rows, colors, (x, label, True), ("image_loss", True))
        )
    others = [row for row in rows if row["gradient"] != REFERENCE]
    if any(value is not None for row in others for value in row["curves"]["variance"]):
        renders = ("renders", "renders", True)
        charts.append(_figure("Variance of the gradient", others, colors, renders, ("variance", True)))
        charts.append(
            _figure("Cosine to the rasterizer's gradient", others, colors, renders, ("cosine", False))
        )
    return f'<section><h2>Along the runs</h2><div class="charts">{"".join(charts)}</div></section>'


def _figure(
    title: str, rows: Sequence[Row], colors: Mapping[str, str], x: tuple[str, str, bool], y: tuple[str, bool]
) -> str:
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
    down = (
        axis("", values, log=True)
        if y[1]
        else axis("", values, log=False, low=min(0.0, *values, 0.0), high=1.0)
    )
    return f"<figure><figcaption>{escape(title)}</figcaption>{chart(title, curves, across, down)}</figure>"


def _pictures(targets: ArrayLike, pictures: Mapping[str, ArrayLike], colors: Mapping[str, str]) -> str:
    """A row for each view: the target, then each result with its error below."""
    true = drawing.as_images("targets", targets)
    made = {name: drawing.as_images(f"pictures of {name}", images) for name, images in pictures.items()}
    if not made:
        return ""
    groups = drawing.cropped(list(np.stack([true, *made.values()], axis=1)))  # B times (1 + results, H, W, 4)
    errors = np.stack([drawing.absolute_errors(group[:1], group[1:]) for group in groups])
    inside = np.stack([drawing.covered(group[:1], group[1:]) for group in groups])
    # That of the best result: on the scale of one that is all wrong the good ones would look alike.
    high = [
        float(np.quantile(errors[:, i][inside[:, i]], 0.95)) for i in range(len(made)) if inside[:, i].any()
    ]
    top = drawing.nice_ceiling(min(high, default=0.0))
    lines = []
    for view, group in enumerate(groups):
        cards = [_card("target", "", _image(_bytes(group[0]), "target") + _scale(top))]
        for number, name in enumerate(made):
            there = 255 * inside[view, number].astype(np.uint8)
            error = np.dstack([drawing.error_colors(errors[view, number] / top), there])
            both = _image(_bytes(group[1 + number]), name) + _image(error, f"error of {name}")
            cards.append(_card(name, f'<i class="swatch {colors.get(name, "c0")}"></i>', both))
        lines.append(f'<div class="cards" style="--count:{max(len(cards), 4)}">{"".join(cards)}</div>')
    return (
        f'<section><h2>Results</h2>{"".join(lines)}<p class="note">Below each result its error: the mean difference of '
        "colour and coverage. One scale for all; the same crop for all of a view.</p></section>"
    )


def _card(name: str, swatch: str, content: str) -> str:
    return f'<figure class="card"><figcaption>{swatch}{escape(name)}</figcaption>{content}</figure>'


def _scale(top: float) -> str:
    """The colours of errors, with their ends."""
    ramp = ",".join("rgb({},{},{})".format(*drawing.error_colors(np.array(i / 8))) for i in range(9))
    last = f"≥ {top:g}" if top < 1 else "1"
    bar = f'<span style="background:linear-gradient(90deg,{ramp})"></span>'
    return f'<div class="scale">{bar}<p>0<b>error</b>{last}</p></div>'


def _bytes(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """sRGB with straight alpha: the page's own background shows around the object."""
    alpha = np.clip(np.nan_to_num(image[..., 3:]), 0, 1)
    straight = np.where(alpha > 0, np.nan_to_num(image[..., :3]) / np.maximum(alpha, 1e-6), 0)
    encoded = linear_to_srgb(torch.from_numpy(np.clip(straight, 0, 1))).numpy()
    return (np.concatenate([encoded, alpha], axis=-1) * 255 + 0.5).astype(np.uint8)


def _image(pixels: NDArray[np.uint8], alt: str) -> str:
    """The picture itself, in the page; large ones made smaller."""
    picture = Image.fromarray(pixels)
    if max(picture.size) > SIDE:
        picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    content = base64.b64encode(buffer.getvalue()).decode()
    size = f'width="{picture.width}" height="{picture.height}"'
    return f'<img alt="{escape(alt)}" {size} src="data:image/png;base64,{content}">'


def _meanings(rows: Sequence[Row]) -> str:
    """What each column and each curve is."""
    items = [(column.title, column.meaning) for column in _columns(rows)]
    if any(value is not None for row in rows for value in row["curves"]["variance"]):
        items += [
            (
                "Variance",
                "of an estimate of the gradient of the latent, from 4 estimates at the same state: mean squared "
                "distance from their expectation, over the squared length of that. 0 is repeatable; at 1 noise is as "
                "long as what it hides, at 100 ten times as long",
            ),
            (
                "Cosine",
                "between an estimate and the rasterizer's gradient at the same state, mean of 4. 1 is the same "
                "direction, 0 has nothing in common. Estimates of a smoothed loss differ also without noise",
            ),
        ]
    parts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(meaning)}.</dd>" for name, meaning in items)
    return f"<section><h2>What the columns say</h2><dl>{parts}</dl></section>"
