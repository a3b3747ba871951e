"""Plots of the tables that the project keeps in benchmarks/measurements, drawn when the site is built.

In a page:

    ```{table-plot} benchmarks/measurements/rasterizer.md
    :heading: Time and memory of a step
    ```
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from .pages import ROOT

COLORS = ("#2a78d6", "#e07b39", "#3a9d6e", "#a05fc4", "#888888")
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*\.?\d*")


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one."""
    parts = re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    if heading not in found:
        raise ValueError(f"expected a heading {heading!r}, got {', '.join(map(repr, found))}")
    return found[heading]


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a page of Markdown: rows of cells, the header first, without what marks bold text."""
    found = []
    for block in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
        rows = [
            [cell.strip().strip("*").replace("`", "") for cell in line.strip("|").split("|")]
            for line in block.splitlines()
        ]
        found.append([rows[0], *rows[2:]])
    return found


def numbers(cell: str) -> list[float]:
    """All numbers of a cell; 2,562 is one."""
    return [float(word.rstrip(",").replace(",", "")) for word in NUMBER.findall(cell)]


class TablePlot(SphinxDirective):
    """One table as a plot: `lines` over the numbers in the header, `bars` or `dots` for each row."""

    required_arguments = 1
    option_spec = {  # noqa: RUF012
        "heading": directives.unchanged_required,
        "table": directives.positive_int,
        "columns": directives.positive_int_list,
        "kind": lambda word: directives.choice(word, ("lines", "bars", "dots")),
        "log": directives.flag,
        "label": directives.unchanged,
        "alt": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        """Two pictures, one for pages that are light and one for those that are dark."""
        source = ROOT / self.arguments[0]
        self.env.note_dependency(source)
        heading = self.options["heading"]
        table = tables(section(source.read_text(encoding="utf-8"), heading))[self.options.get("table", 1) - 1]
        name = re.sub(r"\W+", "-", f"{source.stem} {heading}".lower())
        shown = []
        for mode, ink in (("light", "#333333"), ("dark", "#cccccc")):
            path = Path(self.env.srcdir) / "plots" / f"{name}-{mode}.svg"
            draw(table, path, ink, self.options)
            image = nodes.image(uri=f"/plots/{path.name}", alt=self.options.get("alt", heading))
            image["classes"] += [f"only-{mode}", "table-plot"]
            shown.append(image)
        return shown


def draw(table: list[list[str]], path: Path, ink: str, options: dict[str, Any]) -> None:
    """A plot without a background, in the color of the text around it."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    style = {"text.color": ink, "axes.labelcolor": ink, "xtick.color": ink, "ytick.color": ink,
             "axes.edgecolor": ink, "font.size": 10, "svg.hashsalt": path.stem}  # fmt: skip
    with plt.rc_context(style):
        kind = options.get("kind", "bars")
        height = 3.2 if kind == "lines" else 0.8 + 0.34 * sum(len(row) > 1 for row in table[1:])
        figure, axes = plt.subplots(figsize=(7, max(height, 1.6)), layout="constrained")
        {"lines": lines, "bars": bars, "dots": dots}[kind](axes, table, options)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.grid(axis="y" if kind == "lines" else "x", alpha=0.25)
        path.parent.mkdir(exist_ok=True)
        figure.savefig(path, transparent=True, metadata={"Date": None})
        plt.close(figure)


def lines(axes: Any, table: list[list[str]], options: dict[str, Any]) -> None:
    """A line for each row over the numbers of the header."""
    at = [numbers(cell)[0] for cell in table[0][1:]]
    for row, color in zip(table[1:], COLORS, strict=False):
        axes.plot(at, [numbers(cell)[0] for cell in row[1:]], "o-", color=color, label=row[0])
    axes.set_xscale("log")
    axes.set_xticks(at, table[0][1:])
    axes.minorticks_off()
    if "log" in options:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel(options.get("label", ""))
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))


def bars(axes: Any, table: list[list[str]], options: dict[str, Any]) -> None:
    """A group of bars for each row, the first number of each cell."""
    columns = options.get("columns") or range(1, len(table[0]))
    width = 0.8 / len(columns)
    for i, (column, color) in enumerate(zip(columns, COLORS, strict=False)):
        values = [next(iter(numbers(row[column])), 0.0) for row in table[1:]]
        at = [place + (i - (len(columns) - 1) / 2) * width for place in range(len(values))]
        axes.barh(at, values, 0.9 * width, color=color, label=table[0][column])
    axes.set_yticks(range(len(table) - 1), [row[0] for row in table[1:]])
    axes.invert_yaxis()
    axes.set_xlabel(options.get("label", ""))
    axes.set_ylabel(table[0][0])
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))


def dots(axes: Any, table: list[list[str]], options: dict[str, Any]) -> None:
    """All numbers of one column's cell as dots in a row of their own."""
    column = (options.get("columns") or [1])[0]
    for place, row in enumerate(table[1:]):
        values = numbers(row[column])
        axes.plot(values, [place] * len(values), "o", color=COLORS[0], alpha=0.8)
    axes.set_yticks(range(len(table) - 1), [row[0] for row in table[1:]])
    axes.set_ylim(len(table) - 1.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel(options.get("label", ""))
