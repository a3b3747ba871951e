"""Where a blurred outline lies: blur moves it, and by how much depends on the triangles."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from matplotlib.figure import Figure
from scipy.optimize import minimize_scalar

from largesteps_zg import icosphere, sphere_of_cameras
from largesteps_zg.renderers import render, render_soft

from ..records import Record, Setup, clock

SIDE, RADIUS = 64, 20.0  # pixels
COLORS = {1: "#b8962e", 2: "#3b8f5a", 3: "#1f5fa8", 4: "#d1622b"}


def edge(setup: Setup) -> Iterator[Record]:
    """The bias of a blurred outline.

    A ball of 20 pixels is photographed without blur, and the radius is sought whose blurred silhouette is nearest to
    that by squared differences. Triangles that meet at the outline add up, so the ball is found too small: by more the
    more blur there is, and the finer the triangles.
    """
    levels, widths = ((1, 2), (0.5, 2.0)) if setup.small else ((1, 2, 3, 4), (0.25, 0.5, 1.0, 2.0, 4.0))
    camera = sphere_of_cameras(1, distance=40.0, fov_y_degrees=10.0, height=SIDE, width=SIDE)
    unit = RADIUS * 40.0 / float(camera.intrinsics[0, 0, 0])
    figure = Figure(figsize=(8.4, 3.0), layout="constrained")
    profile, found = figure.subplots(1, 2)
    for level in levels:
        ball = icosphere(level)
        still = render(unit * ball.vertices, ball.faces, ball.vertices[:, :1], camera)[0, ..., 1]

        def blurred(radius: float, sigma: float, ball=ball) -> torch.Tensor:
            return render_soft(radius * unit * ball.vertices, ball.faces, None, camera, sigma=sigma)[
                0, ..., 0
            ]

        biases = []
        for sigma in widths:
            setup.say(f"{len(ball.faces)} triangles, blur of {sigma:g} pixels")
            with clock() as seconds:
                best = minimize_scalar(
                    lambda radius, s=sigma, b=blurred, t=still: float((b(radius, s) - t).square().mean()),
                    bounds=(0.4, 1.2),
                    method="bounded",
                    options={"xatol": 1e-4},
                )
                took = seconds()
            biases.append(RADIUS * (best.x - 1))
            yield setup.record(
                f"{len(ball.faces)} triangles, blur of {sigma:g} pixels", 0, "radius found, pixels too large",
                biases[-1], took, evaluations=int(best.nfev),
            )  # fmt: skip
        row = SIDE // 2
        across = torch.arange(SIDE) + 0.5 - SIDE / 2 - RADIUS
        color, name = COLORS[level], f"{len(ball.faces):,} triangles"
        profile.plot(across, blurred(1.0, 2.0)[row], color=color, label=name)
        found.plot(widths, biases, "o-", color=color, label=name)
    profile.axvline(0, color="#444444", lw=0.8)
    profile.set_xlim(-12, 12)
    profile.set_xlabel("pixels outside the outline")
    profile.set_title("coverage with a blur of 2 pixels", loc="left", fontsize=9)
    profile.legend(frameon=False, fontsize=8)
    found.set_xlabel("blur, pixels")
    found.set_title("radius found, pixels too large", loc="left", fontsize=9)
    figure.savefig(setup.folder / "edge.png", dpi=110)
