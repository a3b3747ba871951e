"""The pictures of the formats' axes: a camera and how it sees, and where the first pixel is.

Writes docs/formats/NAME.png for every format:

    python docs/formats/draw_axes.py
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

INK, FAINT, BODY = "#1c1c1e", "#b9b9be", "#eef2f7"
COLORS = {"x": "#c0392b", "y": "#2e8b57", "z": "#2f5d8a"}
# A camera seen from behind, from the left and above: its right, down and forward on the paper.
RIGHT, DOWN, FORWARD = np.array([0.94, -0.16]), np.array([0.0, -0.97]), np.array([0.72, 0.50])


@dataclass(frozen=True)
class Format:
    """Directions of the three axes as (right, down, forward), what the file's pose is, and where pixels begin."""

    axes: dict[str, tuple[int, int, int]]
    pose: str
    first_pixel: float  # coordinate of its centre
    pixels: str


OPENCV = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)}
OPENGL = {"x": (1, 0, 0), "y": (0, -1, 0), "z": (0, 0, -1)}
MITSUBA = {"x": (-1, 0, 0), "y": (0, -1, 0), "z": (0, 0, 1)}

FORMATS = {
    "colmap": Format(OPENCV, "world to camera:\nquaternion w x y z, t", 0.5, "fx fy cx cy and lens, pixels"),
    "transforms": Format(
        OPENGL, "camera to world:\n4x4, centre in the last column", 0.5, "fl_x fl_y cx cy, pixels"
    ),
    "idr": Format(OPENCV, "world to image:\nworld_mat = K [R t]", 0.0, "K inside world_mat, pixels"),
    "mvsnet": Format(OPENCV, "world to camera:\n4x4 'extrinsic'", 0.5, "3x3 'intrinsic', pixels"),
    "middlebury": Format(OPENCV, "world to camera:\nR and t", 0.5, "K, pixels"),
    "mitsuba": Format(MITSUBA, "camera to world:\nto_world", 0.5, "fov in degrees, across the width"),
}


def on_paper(right: float, down: float, forward: float) -> np.ndarray:
    return right * RIGHT + down * DOWN + forward * FORWARD


def draw_camera(ax: Axes, shown: Format) -> None:
    """The pyramid that the camera sees, and the axes at its tip."""
    corners = [on_paper(0.62 * r, 0.46 * d, 1.35) for r, d in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    ax.fill(*np.transpose(corners), facecolor=BODY, edgecolor=FAINT, linewidth=1.0, zorder=1)
    for corner in corners:
        ax.plot([0, corner[0]], [0, corner[1]], color=FAINT, linewidth=0.8, zorder=1)
    top = on_paper(0.0, -0.46, 1.35)
    ax.annotate(
        "image", top, xytext=(0, 5), textcoords="offset points", ha="center", color="#6e6e73", fontsize=9
    )
    words = {1: ("right", "down", "forward"), -1: ("left", "up", "backward")}
    for name, direction in shown.axes.items():
        along = int(np.flatnonzero(direction)[0])
        tip = on_paper(*(0.95 * np.array(direction)))
        ax.annotate(
            "",
            tip,
            xytext=(0, 0),
            arrowprops={"arrowstyle": "-|>", "color": COLORS[name], "lw": 2.0},
            zorder=3,
        )
        label = f"{name}  {words[direction[along]][along]}"
        far = 1.52 if along == 0 else 1.18
        ax.text(*(far * tip), label, color=COLORS[name], fontsize=11, ha="center", va="center", zorder=4)
    ax.plot(0, 0, "o", color=INK, markersize=5, zorder=5)
    ax.text(-1.75, -1.62, shown.pose, fontsize=9, color=INK, va="bottom")
    ax.set(xlim=(-1.8, 2.0), ylim=(-1.65, 1.45), aspect="equal")
    ax.axis("off")


def draw_pixels(ax: Axes, shown: Format) -> None:
    """The top left corner of the image: two rows of pixels, their centres, and where 0 is."""
    for column in range(3):
        for row in range(2):
            ax.add_patch(plt.Rectangle((column, row), 1, 1, facecolor=BODY, edgecolor=FAINT, linewidth=1.0))
            ax.plot(column + 0.5, row + 0.5, ".", color="#6e6e73", markersize=4)
    first = shown.first_pixel
    ax.plot(0.5, 0.5, "o", color=INK, markersize=5)
    ax.text(0.57, 0.74, f"({first:g}, {first:g})", fontsize=8, va="center", color=INK)
    origin = 0.5 - first  # where the file's (0, 0) is
    for end, name in (((origin + 2.0, origin), "x"), ((origin, origin + 1.45), "y")):
        arrow = {"arrowstyle": "-|>", "color": COLORS[name], "lw": 1.8}
        ax.annotate("", end, xytext=(origin, origin), arrowprops=arrow)
    ax.text(origin + 2.08, origin, "u", color=COLORS["x"], fontsize=11, va="center")
    ax.text(origin, origin + 1.5, "v", color=COLORS["y"], fontsize=11, ha="center", va="top")
    ax.text(0, -0.32, "first pixel, its centre's coordinates", fontsize=9, color=INK)
    ax.text(0, 2.36, shown.pixels, fontsize=9, color=INK)
    ax.set(xlim=(-0.25, 3.3), ylim=(2.5, -0.6), aspect="equal")
    ax.axis("off")


def main() -> None:
    plt.rcParams["font.family"] = "DejaVu Sans"
    for name, shown in FORMATS.items():
        figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 2.6), width_ratios=(1.1, 1.0))
        draw_camera(left, shown)
        draw_pixels(right, shown)
        figure.tight_layout(pad=0.2)
        figure.savefig(Path(__file__).with_name(f"{name}.png"), dpi=90, metadata={"Software": None})
        plt.close(figure)


if __name__ == "__main__":
    main()
