"""Line charts as SVG text that takes its colours from the page around it, so that they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 460, 310
LEFT, TOP, BOTTOM = 50, 12, 42  # margins; the right one is as wide as the names
LETTER, LINE = 6.9, 15  # pixels: of the names, about


@dataclass(frozen=True)
class Curve:
    """A line of a chart.

    Attributes
    ----------
    name : str
        Written at its end; "" for one that belongs to another.
    color : str
        A CSS class: ``.color { color: ... }``.
    x, y : sequences of float
        Points that are not finite, or not positive on a logarithmic axis, are left out.
    """

    name: str
    color: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Axis:
    """One direction of a chart: values to pixels, and where the ticks are."""

    label: str
    low: float
    high: float
    log: bool

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def shows(self, value: float) -> bool:
        """Whether it can be drawn."""
        return math.isfinite(value) and (value > 0 or not self.log)

    def ticks(self, most: int = 6) -> list[float]:
        """Round numbers in the range."""
        if not self.log:
            step = _round_step((self.high - self.low) / (most - 1))
            first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
            return [step * i for i in range(first, last + 1)]
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        made: list[float] = []
        for digits in ((1, 2, 5), (1, 3), (1,)):
            made = [d * 10.0**e for e in range(first, last + 1) for d in digits]
            made = [value for value in made if self.low / 1.001 <= value <= self.high * 1.001]
            if len(made) <= most:
                return made
        return made[:: math.ceil(len(made) / most)]


def _round_step(size: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(size))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= size * (1 - 1e-9))


def axis(
    label: str, values: Sequence[float], *, log: bool, low: float | None = None, high: float | None = None
) -> Axis:
    """An axis around values, with a little room; `low` and `high` fix an end."""
    good = [value for value in values if math.isfinite(value) and (value > 0 or not log)] or [1.0]
    least, most = min(good), max(good)
    if log:
        room = max((most / least) ** 0.04, 1.02)
        least, most = least / room, most * room
    else:
        room = 0.04 * (most - least) or 0.5
        least, most = least - room, most + room
    return Axis(label, least if low is None else low, most if high is None else high, log)


def chart(title: str, curves: Sequence[Curve], x: Axis, y: Axis, *, marks: Sequence[float] = ()) -> str:
    """An ``<svg>`` element.

    Parameters
    ----------
    title : str
        For those who do not see it.
    curves : sequence of Curve
        Drawn in this order.
    x, y : Axis
    marks : sequence of float
        Where along x something happened.
    """
    right = WIDTH - 14 - LETTER * max((len(curve.name) for curve in curves), default=0)

    def across(value: float) -> float:
        return LEFT + x.place(value) * (right - LEFT)

    def down(value: float) -> float:
        return HEIGHT - BOTTOM - y.place(value) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    for value in y.ticks():
        parts.append(f'<path class="grid" d="M{LEFT} {down(value):.1f}H{right:.1f}"/>')
        parts.append(_text("tick", LEFT - 7, down(value) + 4, short(value), "end"))
    bottom = HEIGHT - BOTTOM
    for value in x.ticks():
        parts.append(f'<path class="grid" d="M{across(value):.1f} {TOP}V{bottom}"/>')
        parts.append(_text("tick", across(value), bottom + 17, short(value), "middle"))
    parts += [f'<path class="mark" d="M{across(value):.1f} {TOP}V{bottom}"/>' for value in marks]
    parts.append(f'<path class="base" d="M{LEFT} {bottom}H{right:.1f}"/>')
    parts.append(_text("axis", (LEFT + right) / 2, HEIGHT - 6, x.label, "middle"))
    ends: list[tuple[float, float, Curve]] = []
    for curve in curves:
        points = [
            (across(a), down(b)) for a, b in zip(curve.x, curve.y, strict=True) if x.shows(a) and y.shows(b)
        ]
        if points:
            path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
            parts.append(f'<path class="curve {curve.color}" d="{path}"/>')
            ends.append((*points[-1], curve))
    parts += _names(ends)  # below the dots: their halo would cover them
    parts += [f'<circle class="end {c.color}" cx="{a:.1f}" cy="{b:.1f}" r="3.2"/>' for a, b, c in ends]
    return "".join([*parts, "</svg>"])


def _text(kind: str, x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _names(ends: list[tuple[float, float, Curve]]) -> list[str]:
    """Names behind the ends of their lines, moved down so that none covers another, and up where the chart ends."""
    placed: list[tuple[float, float, float, Curve]] = []  # left, right, baseline
    for a, b, curve in sorted(ends, key=lambda end: end[1]):
        if curve.name:
            left, right, at = a + 8, a + 8 + LETTER * len(curve.name), b + 4
            for first, last, other, _ in placed:
                if left < last and first < right:
                    at = max(at, other + LINE)
            placed.append((left, right, at, curve))
    over = max([0.0, *(at - (HEIGHT - BOTTOM + 2) for *_, at, _ in placed)])
    made: list[str] = []
    for left, _, at, curve in reversed(placed):
        moved = min(at, HEIGHT - BOTTOM + 2 - LINE * len(made)) if over else at
        made.append(_text(f"name {curve.color}", left, moved, curve.name))
    return made


def short(value: float) -> str:
    """A round number in few letters: 0.02, 5, 20k, 3M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:.6g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.0e}".replace("e-0", "e-")
