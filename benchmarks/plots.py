"""The kept tables as plots, where they have a natural x axis: `draw(page)` for the site, files for everybody else.

Numbers come from the pages in benchmarks/measurements as they stand. A page that lost a table that is drawn here is an
error. Figures have no background, and one colour for text, lines and ticks: draw them once for light pages and once
for dark ones.

    python benchmarks/plots.py --output out/plots                  # SVG for light pages
    python benchmarks/plots.py --output out/plots --ink "#cccccc"  # for dark ones
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGES = Path(__file__).resolve().parent / "measurements"
COLORS = ("#2a78d6", "#e07b39", "#3a9d6e", "#a05fc4", "#c44e73", "#7f8c1f")  # legible on white and on black
NUMBER = re.compile(r"^[^\d+\-.]*([+-]?\d[\d,]*\.?\d*) ?(M\b)?")


@dataclass(frozen=True)
class Plot:
    """A table of a page, and how it is drawn.

    Attributes
    ----------
    heading : str
        Of its section.
    x, y : str
        Names of the axes: of columns, where `across` is False.
    table : int
        Which of the section's.
    across : bool
        The header's numbers are x, and each row is a line; else each row is a point.
    line : str
        What a line is called, from a row's cells, such as "{steps} steps". Rows without the first of these cells
        belong to the line above, and cells without x have the one above.
    label : str
        Of the y axis; `y` by default.
    leave : tuple of str
        Rows that are other quantities.
    log : str
        Which axes are logarithmic.
    """

    heading: str
    x: str
    y: str
    table: int = 0
    across: bool = False
    line: str = ""
    label: str = ""
    leave: tuple[str, ...] = ()
    log: str = ""


PLOTS: dict[str, tuple[Plot, ...]] = {
    "choosing": (
        Plot("λ", "λ", "Chamfer ‰", line="{mesh}, {vertices} vertices", log="xy"),
        Plot("Step size", "step size", "Chamfer ‰", log="xy"),
        Plot("Views per step", "views per step", "Chamfer ‰", line="{steps} steps", log="x"),
        Plot("Solver", "vertices", "Cholesky", line="λ {λ}", label="Cholesky, ms", log="xy"),
        Plot(
            "Solver",
            "vertices",
            "conjugate gradients",
            line="λ {λ}",
            label="conjugate gradients, ms",
            log="xy",
        ),
    ),
    "gradients": (Plot("Estimates of the whole loss", "renders", "image loss of ZeroGrads"),),
    "photographs": (
        Plot("Where a run starts", "confirmed by", "share of depths that are right", 1, across=True),
        Plot("When patches are dropped", "share of the run, %", "vote", across=True),
    ),
    "rasterizer": (
        Plot("Time and memory of a step", "vertices", "wall time, ms", across=True, log="xy"),
        Plot("nvdiffrast's interface", "vertices", "ms", across=True, leave=("ratio",), log="xy"),
    ),
    "zerograds_memory": tuple(
        Plot("zerograds_memory.py: 196,608 parameters", "parameters", y, label=label, log="xy")
        for y, label in (
            ("peak of the process, GB", ""),
            ("seconds per step without the renderings", "seconds a step"),
        )
    ),
}


def number(cell: str) -> float:
    """The first number of a cell; NaN where it begins with none."""
    found = NUMBER.match(cell.strip("* "))
    return float("nan") if found is None else float(found[1].replace(",", "")) * (1e6 if found[2] else 1)


def tables(text: str, heading: str) -> list[list[list[str]]]:
    """The tables below a heading of a page in Markdown: rows of cells, the header first."""
    parts = re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    if heading not in sections:
        raise ValueError(f"heading: expected {heading!r}, got {', '.join(sections)}")
    blocks = re.findall(r"(?:^\|.*\|$\n?)+", sections[heading], re.MULTILINE)
    cells = [[[c.strip() for c in line.strip("|").split("|")] for line in b.splitlines()] for b in blocks]
    return [[rows[0], *rows[2:]] for rows in cells]


def lines(rows: list[list[str]], plot: Plot) -> dict[str, tuple[list[float], list[float]]]:
    """What is drawn: x and y of each line by its name."""
    head, *body = rows
    made: dict[str, tuple[list[float], list[float]]] = {}
    if plot.across:
        for row in body:
            if row[0] not in plot.leave:
                made[row[0].replace("`", "")] = [number(c) for c in head[1:]], [number(c) for c in row[1:]]
        return made
    first = re.search(r"{(.*?)}", plot.line)
    name, across = "", ""
    for row in body:
        cells = dict(zip(head, row, strict=True))
        name = plot.line.format(**cells) if first is None or cells[first[1]] else name
        across = cells[plot.x] or across
        x, y = made.setdefault(name, ([], []))
        x.append(number(across))
        y.append(number(cells[plot.y]))
    return made


def draw(page: str, *, ink: str = "#333333") -> list[Any]:
    """Figures of matplotlib for a page of measurements; none for one without a natural x axis.

    Parameters
    ----------
    page : str
        The page's name, such as "rasterizer".
    ink : str
        The colour of text and axes; the background is transparent.

    Raises
    ------
    ValueError
        The page has not the heading, the table or the column any more.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    text, figures = (PAGES / f"{page}.md").read_text(encoding="utf-8"), []
    parts = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    for plot in PLOTS.get(page, ()):
        style = dict.fromkeys(parts, ink) | {"font.size": 11, "svg.hashsalt": page, "svg.fonttype": "none"}
        with rc_context(style):
            figure = Figure(figsize=(7.2, 3.4), layout="constrained")
            _drawn(figure.add_subplot(), lines(tables(text, plot.heading)[plot.table], plot), plot, ink)
        figures.append(figure)
    return figures


def _drawn(axes: Any, made: dict[str, tuple[list[float], list[float]]], plot: Plot, ink: str) -> None:
    """The lines, with their names beside the picture."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

    for (name, (x, y)), color in zip(made.items(), COLORS, strict=False):
        pairs = sorted((a, b) for a, b in zip(x, y, strict=True) if a == a and b == b)
        axes.plot(*zip(*pairs, strict=True), "o-", color=color, label=name, markersize=4.5, linewidth=1.7)
    axes.set(
        xlabel=plot.x, ylabel=plot.label or plot.y, title=plot.heading if ":" not in plot.heading else ""
    )
    axes.set(xscale="log" if "x" in plot.log else "linear", yscale="log" if "y" in plot.log else "linear")
    if "y" in plot.log:
        axes.yaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), minor_locator=NullLocator())
    else:
        axes.set_ylim(bottom=0)
    ticks = sorted({a for x, _ in made.values() for a in x if a == a})
    axes.xaxis.set(major_locator=FixedLocator(ticks), minor_locator=NullLocator())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v / 1e6:g} M" if v >= 1e6 else f"{v:,.6g}"))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color=ink, alpha=0.18, linewidth=0.7)
    if len(made) > 1:
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


def main() -> None:
    """Write all figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--ink", default="#333333", help="the colour of text and axes (default %(default)s)")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for page in PLOTS:
        for index, figure in enumerate(draw(page, ink=options.ink)):
            file = options.output / f"{page}-{index}.svg"
            figure.savefig(file, transparent=True, metadata={"Date": None})
            print(file)


if __name__ == "__main__":
    main()
