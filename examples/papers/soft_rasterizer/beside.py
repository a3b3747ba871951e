"""A silhouette beside its target: without blur the loss is flat there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from matplotlib.figure import Figure
from torch import Tensor

from largesteps_zg import icosphere, sphere_of_cameras
from largesteps_zg.rasterizer import edge_table
from largesteps_zg.renderers import render, render_soft

from ..records import Record, Setup, clock

SIDE, RADIUS, AWAY = 128, 7.0, 24.0  # pixels; wide enough that no blur reaches the border
COLORS = ("#8c8c8c", "#b8962e", "#3b8f5a", "#1f5fa8", "#d1622b")
WIDTHS: dict[str, Callable[[float], float]] = {  # by the share of the run
    "no blur": lambda share: 0.0,
    "blur of 1 pixel": lambda share: 1.0,
    "blur of 3 pixels": lambda share: 3.0,
    "blur of 9 pixels": lambda share: 9.0,
    "blur of 9, then 0.5": lambda share: 9.0 * (0.5 / 9.0) ** share,
}


class Disc:
    """A ball before a camera that makes it a disc, moved by an offset in pixels."""

    def __init__(self) -> None:
        self.ball = icosphere(1)
        self.edges = edge_table(self.ball.faces)
        self.camera = sphere_of_cameras(1, distance=40.0, fov_y_degrees=10.0, height=SIDE, width=SIDE)
        axes = self.camera.world_to_camera[0, :2, :3]  # the image's, in the world
        self.axes = axes * 40.0 / float(self.camera.intrinsics[0, 0, 0])  # a pixel each
        self.radius = RADIUS * float(self.axes[0].norm())

    def coverage(self, offset: Tensor, sigma: float) -> Tensor:
        """(H, W)."""
        vertices = self.radius * self.ball.vertices + offset @ self.axes
        if sigma:
            return render_soft(vertices, self.ball.faces, None, self.camera, sigma=sigma)[0, ..., 0]
        return render(vertices, self.ball.faces, vertices.detach()[:, :1], self.camera, edges=self.edges)[
            0, ..., 1
        ]


def beside(setup: Setup) -> Iterator[Record]:
    """A disc beside its target, which it does not touch: blur makes a slope of a plateau.

    A disc of 14 pixels begins 24 pixels away, and Adam moves it by the squared difference of the silhouettes. Without
    blur nothing pulls. Blur pulls within its reach, three sigma and the two radii.
    """
    steps, disc = (100 if setup.small else 300), Disc()
    still = disc.coverage(torch.zeros(2), 0.0).detach()
    figure = Figure(figsize=(8.4, 3.0), layout="constrained")
    slopes, ways = figure.subplots(1, 2)
    places = torch.linspace(0, 32, 17 if setup.small else 65)
    for color, (method, width) in zip(COLORS, WIDTHS.items(), strict=True):
        if width(0.0) == width(1.0):
            losses = [
                float((disc.coverage(torch.tensor([float(x), 0.0]), width(0.0)) - still).square().mean())
                for x in places
            ]
            slopes.plot(places, losses, color=color, label=method)
    slopes.set_xlabel("pixels from the target")
    slopes.set_title("squared difference", loc="left", fontsize=9)
    for seed in setup.seeds:
        angle = float(torch.rand((), generator=torch.Generator().manual_seed(seed))) * 2 * torch.pi
        begin = AWAY * torch.tensor([angle, angle + torch.pi / 2]).cos()
        for color, (method, width) in zip(COLORS, WIDTHS.items(), strict=True):
            setup.say(f"seed {seed}: {method}")
            offset, track = begin.clone().requires_grad_(), []
            optimizer = torch.optim.Adam([offset])
            with clock() as seconds:
                for step in range(steps):
                    optimizer.param_groups[0]["lr"] = 60.0 / steps * (1 - 0.95 * step / steps)
                    loss = (disc.coverage(offset, width(step / steps)) - still).square().mean()
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    track.append(float(offset.detach().norm()))
                took = seconds()
            if seed == setup.seeds[0]:
                ways.plot(track, color=color, label=method)
            yield setup.record(method, seed, "pixels from the target", track[-1], took, evaluations=steps)
    ways.set_xlabel("steps")
    ways.set_title("pixels from the target", loc="left", fontsize=9)
    ways.legend(frameon=False, fontsize=8)
    figure.savefig(setup.folder / "beside.png", dpi=110)
