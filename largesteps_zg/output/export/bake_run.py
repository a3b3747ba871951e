"""The texture of a run: its photographs without the light, highlights and exposures that the run found in them."""

from __future__ import annotations

from dataclasses import replace

from jaxtyping import Float, Int
from torch import Tensor

from ...reconstruct.rendering import Rendering
from ...reconstruct.result import Result
from .bake import bake
from .textured import TexturedMesh


def bake_run(
    result: Result,
    rendering: Rendering,
    *,
    size: int | None = None,
    layout: tuple[Int[Tensor, "F 3"], Float[Tensor, "N 2"]] | None = None,
) -> TexturedMesh:
    """Wrap a run's photographs around its mesh, as albedo.

    Parameters
    ----------
    result : Result
        Its mesh gets the texture; its photographs are taken with their cameras as corrected.
    rendering : Rendering
        Of the same run: says how albedo is shaded, and what the surface mirrors.
    size, layout
        See `bake`.

    Raises
    ------
    ValueError, ImportError
        As `bake`.
    """
    return bake(
        result.mesh,
        replace(result.views, cameras=result.cameras),
        rendering.shading,
        highlights=rendering.highlights if rendering.glossy else None,
        gains=result.gains,
        size=size,
        layout=layout,
        constants=result.settings.advanced.texture,
    )
