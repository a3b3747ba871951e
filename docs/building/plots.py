"""Plots of the tables that the project keeps in benchmarks/measurements, drawn when the site is built.

Lines are those of benchmarks/plots.py, bars and dots are drawn here. In a page:

    ```{measured} rasterizer
    :figure: 1
    ```

    ```{table-plot} benchmarks/measurements/path_traced.md
    :heading: Gloss
    ```
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from .pages import ROOT

sys.path.append(str(ROOT / "benchmarks"))
import plots as kept

NUMBER = re.compile(r"(?<![\w.])\d[\d,]*\.?\d*")
INKS = {"light": "#333333", "dark": "#cccccc"}


def numbers(cell: str) -> list[float]:
    """All numbers of a cell; 2,562 is one."""
    return [float(word.rstrip(",").replace(",", "")) for word in NUMBER.findall(cell)]


class _Plot(SphinxDirective):
    """Two pictures, one for pages that are light and one for those that are dark."""

    required_arguments = 1

    def pictures(
        self, source: Path, name: str, alt: str, save: Callable[[Path, str], None]
    ) -> list[nodes.Node]:
        """What `save` makes of a path and an ink, once for each kind of page."""
        self.env.note_dependency(source)
        folder, shown = Path(self.env.srcdir) / "plots", []
        folder.mkdir(exist_ok=True)
        for mode, ink in INKS.items():
            path = folder / f"{name}-{mode}.svg"
            save(path, ink)
            image = nodes.image(uri=f"/plots/{path.name}", alt=alt)
            image["classes"] += [f"only-{mode}", "table-plot"]
            shown.append(image)
        return shown


class Measured(_Plot):
    """One of the figures that benchmarks/plots.py draws of a page of measurements."""

    option_spec = {"figure": directives.positive_int, "alt": directives.unchanged}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        """See `_Plot`."""
        page, number = self.arguments[0], self.options.get("figure", 1)

        def save(path: Path, ink: str) -> None:
            figure = kept.draw(page, ink=ink)[number - 1]
            figure.savefig(path, transparent=True, metadata={"Date": None})

        alt = self.options.get("alt", kept.PLOTS[page][number - 1].heading)
        return self.pictures(kept.PAGES / f"{page}.md", f"{page}-{number}", alt, save)


class TablePlot(_Plot):
    """One table as a plot: `bars` or `dots` for each row."""

    option_spec = {  # noqa: RUF012
        "heading": directives.unchanged_required,
        "table": directives.positive_int,
        "columns": directives.positive_int_list,
        "kind": lambda word: directives.choice(word, ("bars", "dots")),
        "label": directives.unchanged,
        "alt": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        """See `_Plot`."""
        source, heading = ROOT / self.arguments[0], self.options["heading"]
        found = kept.tables(source.read_text(encoding="utf-8"), heading)
        rows = found[self.options.get("table", 1) - 1]
        table = [[cell.strip("*").replace("`", "") for cell in row] for row in rows]
        name = re.sub(r"\W+", "-", f"{source.stem} {heading}".lower())
        alt = self.options.get("alt", heading)
        return self.pictures(source, name, alt, lambda path, ink: draw(table, path, ink, self.options))


def draw(table: list[list[str]], path: Path, ink: str, options: dict[str, Any]) -> None:
    """A plot without a background, in the color of the text around it."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    style = {"text.color": ink, "axes.labelcolor": ink, "xtick.color": ink, "ytick.color": ink,
             "axes.edgecolor": ink, "font.size": 10, "svg.hashsalt": path.stem}  # fmt: skip
    with plt.rc_context(style):
        kind = options.get("kind", "bars")
        height = 0.8 + 0.34 * sum(len(row) > 1 for row in table[1:])
        figure, axes = plt.subplots(figsize=(7, max(height, 1.6)), layout="constrained")
        {"bars": bars, "dots": dots}[kind](axes, table, options)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.grid(axis="x", alpha=0.25)
        figure.savefig(path, transparent=True, metadata={"Date": None})
        plt.close(figure)


def bars(axes: Any, table: list[list[str]], options: dict[str, Any]) -> None:
    """A group of bars for each row, the first number of each cell."""
    columns = options.get("columns") or range(1, len(table[0]))
    width = 0.8 / len(columns)
    for i, (column, color) in enumerate(zip(columns, kept.COLORS, strict=False)):
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
        axes.plot(values, [place] * len(values), "o", color=kept.COLORS[0], alpha=0.8)
    axes.set_yticks(range(len(table) - 1), [row[0] for row in table[1:]])
    axes.set_ylim(len(table) - 1.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel(options.get("label", ""))
