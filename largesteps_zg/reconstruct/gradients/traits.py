"""What a run has to know of a source of gradients."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceTraits:
    """What a run has to know of a source's gradients. The defaults are those of estimates.

    Attributes
    ----------
    exact_colors : bool
        Gradients of colours have no noise. Then each vertex can have a colour and steps of its own, and steps stay long
        for longer (`schedule.decay`); else neighbours share what is known.
    reaches_colors, reaches_cameras : bool
        Gradients reach what colours are made of beside light and albedo (gloss, exposure), and the cameras.
    step_factor : float
        Factor of the step size of positions and colours. An optimiser that divides by the size of its gradients takes
        shorter steps where more of a gradient is noise; the factor makes up for it.
    momentum : float
        Of the optimiser of positions and colours, in [0, 1).
    lambda_, max_vertices : float, int
        Defaults of a run's smoothing and of its bound on vertices. Noise wants more smoothing and fewer vertices.
    lambda_bound : float
        The smoothing falls no lower than this as triangles become finer: they have to share the noise.
    bending_share : float
        Share of the weight of `Bending` that counts. Its gradient is exact and would rule beside estimates that are too
        short; 0 for those.
    """

    exact_colors: bool = False
    reaches_colors: bool = False
    reaches_cameras: bool = False
    step_factor: float = 1.0
    momentum: float = 0.9
    lambda_: float = 19.0
    max_vertices: int = 20_000
    lambda_bound: float = 1.0
    bending_share: float = 1.0

    def check_reach(self, *, colors: bool, cameras: bool) -> None:
        """ValueError for what is to be found and would never move: gloss or exposure, and cameras."""
        if cameras and not self.reaches_cameras:
            raise ValueError(
                "refine cameras: expected the gradients of the rasterizer, which alone reach cameras"
            )
        if colors and not self.reaches_colors:
            raise ValueError(
                "gloss, exposure: expected gradients of the rasterizer or per-pixel, which alone reach them; leave "
                "them off"
            )


# The rasterizer's own gradients.
EXACT = SourceTraits(
    exact_colors=True, reaches_colors=True, reaches_cameras=True, lambda_=5.0, max_vertices=50_000
)
