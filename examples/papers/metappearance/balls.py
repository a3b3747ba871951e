"""BRDFs on balls under two lamps."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import torch
from torch import Tensor

from largesteps_zg.images.color import linear_to_srgb

from .brdfs import Analytic, Directions, Measured, of_angles
from .networks import Weights, network

matplotlib.use("Agg")
from matplotlib import pyplot

VIEW = torch.tensor([0.0, 0.0, 1.0])
# From the upper right, and from the left.
LAMPS = torch.tensor([0.5, 0.6, 0.62]), torch.tensor([-0.8, -0.1, 0.3])
STRENGTHS = (3.5, 1.5)


def on_ball(lamp: Tensor, size: int) -> tuple[Directions, Tensor]:
    """Directions of each pixel of a ball, and (S,) which of the size² pixels these are; row 0 on top."""
    x, y = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(1, -1, size), indexing="xy")
    inside = x.square() + y.square() < 0.98
    normals = torch.stack([x, y, (1 - x.square() - y.square()).clamp(0).sqrt()], -1)[inside]
    lamp = lamp / lamp.norm()
    lit = (normals @ lamp > 0.01) & (normals[:, 2] > 0.01)
    normals, half = normals[lit], (lamp + VIEW) / (lamp + VIEW).norm()
    across = torch.linalg.cross(normals, half.expand_as(normals))  # the y axis of the half vector's frame
    turned = torch.linalg.cross(across, half.expand_as(normals))
    turn = torch.atan2(across @ lamp, turned @ lamp).abs()  # mirrored and exchanged directions are the same
    between = (half @ lamp).clamp(-1, 1).acos().expand(len(normals))
    angles = torch.stack([(normals @ half).clamp(-1, 1).acos(), between, turn], -1)
    return of_angles(angles), inside.flatten().nonzero()[:, 0][lit]


@torch.no_grad()
def balls(brdf: Analytic | Measured | Weights, count: int, size: int = 96) -> Tensor:
    """(N, size, size, 3) sRGB: a BRDF, or networks of it, on a ball."""
    picture = torch.zeros(count, size * size, 3)
    x, y = torch.meshgrid(*2 * [torch.linspace(-1, 1, size)], indexing="xy")
    picture[:, (x.square() + y.square() >= 0.98).flatten()] = 1
    for lamp, strength in zip(LAMPS, STRENGTHS, strict=True):
        directions, pixels = on_ball(lamp, size)
        known = isinstance(brdf, dict)
        values = network(brdf, directions.inputs).expm1().clamp(min=0) if known else brdf(directions)
        picture[:, pixels] += strength * values * directions.cosine[:, None]
    return linear_to_srgb(picture.clamp(0, 1)).view(count, size, size, 3)


def draw_balls(path: Path, truth: Analytic | Measured, columns: dict[str, Weights], rows: int = 5) -> None:
    """A row for each of some BRDFs, a column for each method."""
    rows = min(rows, truth.count)
    pictures = {name: balls(weights, truth.count) for name, weights in columns.items()}
    pictures["truth"] = balls(truth, truth.count)
    figure, axes = pyplot.subplots(
        rows, len(pictures), figsize=(1.25 * len(pictures), 1.25 * rows + 0.3), squeeze=False,
        gridspec_kw={"wspace": 0, "hspace": 0, "left": 0, "right": 1, "bottom": 0, "top": rows / (rows + 0.24)},
    )  # fmt: skip
    for column, (name, images) in enumerate(pictures.items()):
        axes[0, column].set_title(name, fontsize=7)
        for row in range(rows):
            axes[row, column].imshow(images[row].numpy())
            axes[row, column].set_axis_off()
    figure.savefig(path, dpi=96)
    pyplot.close(figure)
