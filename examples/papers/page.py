"""The results as one web page: for each experiment what it shows, a table, its pictures."""

from __future__ import annotations

import inspect
import statistics
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import largesteps_zg.output.report
from largesteps_zg._support.atomic import atomic_path

from .records import Experiment, Record

HERE = Path(__file__).parent
STYLE = Path(largesteps_zg.output.report.__file__).with_name("look.css")


def write_page(folder: Path, records: list[Record], experiments: Mapping[str, Experiment]) -> None:
    """`folder`/index.html; pictures beside it are linked, not copied."""
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
    parts = [part for name, run in experiments.items() if (part := _part(name, run, folder, records))]
    spent = {(r.paper, r.experiment, r.method, r.seed): r.seconds for r in records}
    text = environment.get_template("page.html.jinja").render(
        style=STYLE.read_text(), parts=parts, minutes=_number(sum(spent.values()) / 60),
        seeds=len({record.seed for record in records}),
    )  # fmt: skip
    with atomic_path(folder / "index.html") as path:
        path.write_text(text, encoding="utf-8")


def _part(name: str, run: Experiment, folder: Path, records: list[Record]) -> dict[str, object] | None:
    """What the page says of one experiment; None where it was not run."""
    paper, short = name.split("/")
    own = [record for record in records if (record.paper, record.experiment) == (paper, short)]
    if not own:
        return None
    title, _, text = inspect.getdoc(run).partition("\n")
    measures = list(dict.fromkeys(record.measure for record in own))
    rows = []
    for method in dict.fromkeys(record.method for record in own):
        mine = [record for record in own if record.method == method]
        cells = [_cell([record for record in mine if record.measure == measure]) for measure in measures]
        counts = {record.evaluations for record in mine} - {None}
        rows.append(
            {
                "method": method,
                "cells": cells,
                "evaluations": f"{max(counts):,}" if counts else "",
                "seconds": f"{statistics.median(record.seconds for record in mine):.3g}",
            }
        )
    pictures = sorted(path.relative_to(folder).as_posix() for path in (folder / paper / short).glob("*.png"))
    return {
        "name": name,
        "paper": paper.replace("_", " "),
        "title": title.rstrip("."),
        "text": text,
        "measures": measures,
        "rows": rows,
        "pictures": pictures,
    }


def _cell(records: list[Record]) -> dict[str, str]:
    """The median, all seeds where there are several, and the published number."""
    values = [record.value for record in records]
    if not values:
        return {"median": "", "seeds": "", "published": ""}
    published = next((record.published for record in records if record.published is not None), None)
    return {
        "median": _number(statistics.median(values)),
        "seeds": ", ".join(map(_number, values)) if len(values) > 1 else "",
        "published": "" if published is None else f"published {_number(published)}",
    }


def _number(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"
