"""``report.html`` of a run: the object to turn, photographs against pictures, numbers, warnings, curves."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike

from ..pictures.drawing import running_mean
from .curves import Curve, axis, chart
from .filling import HERE, write_page
from .pictures import compared
from .told import numbers, warnings

DOCUMENTS = HERE.parents[2]  # the project's folder, where it was not installed but checked out


def write_run_report(
    path: str | os.PathLike[str],
    content: dict[str, Any],
    *,
    surface: dict[str, Any],
    targets: ArrayLike,
    results: ArrayLike,
    surfaces: ArrayLike,
    names: Sequence[str],
    links: Sequence[tuple[str, str]] = (),
) -> None:
    """Write one HTML file about a run: opens from a disk, in any browser, without a network.

    Parameters
    ----------
    path
        The file to write; whole or absent.
    content : dict
        What ``run.json`` holds.
    surface : dict
        See `surface.packed_surface`.
    targets, results, surfaces : (B, H, W, 4) linear, premultiplied
        Some photographs, their renderings, and the bare surface from there.
    names : sequence of str
        Of the photographs.
    links : sequence of (str, str)
        Files beside the report, and what they are.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    pictures = compared(targets, results, surfaces, names)
    scene = content["scene"]
    named = "the built-in scene" if scene["path"] is None else Path(scene["path"]).name
    height, width = scene["size"]
    warned = [(warning, _link(warning.page)) for warning in warnings(content, pictures.pop("outlines"))]
    write_page(
        path,
        HERE / "run.html.jinja",
        title=f"Reconstruction of {named}",
        summary=f"{scene['views']} photographs of {width} x {height} pixels, {content['steps']:,} steps, "
        f"{_time(content['seconds'])} on {content['device']}.",
        notes=[", ".join(f"{name} {version}" for name, version in content["versions"].items())],
        surface=surface,
        # In a script element only "<" could end it.
        packed=Markup(json.dumps(surface, separators=(",", ":")).replace("<", "\\u003c")),
        script=(HERE / "surface.js").read_text(encoding="utf-8") + (HERE / "page.js").read_text("utf-8"),
        warned=warned,
        numbers=numbers(content),
        links=links,
        **pictures,
        loss=_loss(content),
        bars=_bars(content),
        read=_read(content),
        settings=_settings(content),
    )


def _time(seconds: float) -> str:
    """ "48 s", "12 min"."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _link(page: str) -> tuple[str, str] | None:
    """Text and address of a page of the documentation; no address where it did not come along."""
    if not page:
        return None
    name, _, anchor = page.partition("#")
    file = DOCUMENTS / name
    return page, f"{file.as_uri()}#{anchor}" if file.is_file() else ""


def _loss(content: dict[str, Any]) -> Markup:
    """The loss of each step, pale, and its running mean; marks where the triangles were renewed."""
    losses = np.array([math.nan if loss is None else loss for loss in content["loss"]], dtype=np.float64)
    losses[~(losses > 0)] = math.nan
    steps = np.arange(1, len(losses) + 1)
    few = np.unique(np.linspace(0, len(losses) - 1, min(len(losses), 600)).round().astype(int))
    smooth = running_mean(losses)
    curves = [Curve("", kind, steps[few].tolist(), values[few].tolist()) for kind, values in
              (("pale", losses), ("c0", smooth))]  # fmt: skip
    across = axis("step", steps.tolist(), log=False, low=0.0, high=float(max(len(losses), 1)))
    down = axis("", losses.tolist(), log=True)
    return Markup(chart("Loss against steps", curves, across, down, marks=content["remeshed"]))


def _bars(content: dict[str, Any]) -> list[tuple[str, list[tuple[str, str, float]]]]:
    """Where time and memory went: titles, and for each row its name, its value and its share of the largest."""
    phases = sorted(content["seconds_by_phase"].items(), key=lambda item: -item[1])
    memory = content["peak_memory_mib_after"]
    groups = [
        (f"Time, {content['seconds']:.0f} s in all", phases, "{:.1f} s"),
        ("Memory, the most until after", list(memory.items()), "{:,.0f} MiB"),
    ]
    return [
        (
            title,
            [(name, form.format(value), value / max([v for _, v in rows] + [1e-9])) for name, value in rows],
        )
        for title, rows, form in groups
    ]


def _read(content: dict[str, Any]) -> list[tuple[str, str]]:
    """What was read, and how the run began."""
    notes = [(note["about"], note["text"]) for note in content["scene"]["provenance"]]
    return [("scene", str(content["scene"]["path"] or "built-in")), ("format", content["scene"]["format"]), *notes,
            *(("start", line) for line in content["start"])]  # fmt: skip


def _settings(content: dict[str, Any]) -> list[tuple[str, str]]:
    """As they were taken, and what else was asked for."""
    taken = {**content["options"], **content["settings"]}
    return [(name.strip("_").replace("_", "-"), _word(value)) for name, value in sorted(taken.items())]


def _word(value: Any) -> str:
    """A value as one would type it."""
    return "not given" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
