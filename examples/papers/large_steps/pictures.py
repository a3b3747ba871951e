"""Pictures of the figures: bare surfaces in a row, and curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from largesteps_zg import Mesh
from largesteps_zg.output.pictures import save_filmstrip

from .methods import Curve
from .studio import Studio

COLORS = ["#1f5fa8", "#d1622b", "#3b8f5a", "#8a5aa8", "#8c8c8c", "#b8962e", "#444444"]


def strip(path: Path, studio: Studio, surfaces: Mapping[str, Mesh]) -> None:
    """Bare surfaces side by side under their names, the target last."""
    frames = [studio.bare(mesh) for mesh in surfaces.values()]
    save_filmstrip(path, frames, target=studio.bare(studio.target), labels=[*surfaces])


def curves(path: Path, found: Mapping[str, Curve], *, by: str = "steps") -> None:
    """Hausdorff distance and energy along runs, by steps or by seconds."""
    with matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(8.4, 3.1), layout="constrained")
        axes = figure.subplots(1, 2)
        for axis, name, label in zip(
            axes, ("hausdorff", "energy"), ("Hausdorff distance, ‰", "|Lv|² per vertex"), strict=True
        ):
            for color, (method, curve) in zip(COLORS, found.items(), strict=False):
                axis.plot(getattr(curve, by), getattr(curve, name), color=color, label=method, lw=1.6)
            axis.set_yscale("log")
            axis.set_xlabel("steps" if by == "steps" else "processor time, s")
            axis.set_title(label, loc="left", fontsize=9)
            axis.grid(alpha=0.25)
        axes[1].legend(frameon=False, fontsize=8)
        figure.savefig(path, dpi=110)
