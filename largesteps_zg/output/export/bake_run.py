"""The texture of a run: its photographs without the light, highlights and exposures that the run found in them."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...cameras.model import Cameras
from ...geometry.normals import vertex_normals
from ...mesh.mesh import Mesh
from ...reconstruct.loop import Reconstruction
from .bake import bake
from .textured import TexturedMesh


def bake_run(
    run: Reconstruction,
    mesh: Mesh | None = None,
    *,
    size: int | None = None,
    layout: tuple[Int[Tensor, "F 3"], Float[Tensor, "N 2"]] | None = None,
) -> TexturedMesh:
    """Wrap a run's photographs around its mesh, as albedo.

    Parameters
    ----------
    run : Reconstruction
        Its cameras are taken as it corrected them.
    mesh : Mesh, optional
        ``run.mesh()``, if the caller has it already.
    size, layout
        See `bake`.

    Raises
    ------
    ValueError, ImportError
        As `bake`.
    """
    views = replace(run.views, cameras=run.refined_cameras())
    appearance = run.fit.appearance
    exposure, gloss = appearance.exposure, appearance.gloss

    def highlights(vertices: Tensor, faces: Tensor, cameras: Cameras) -> Tensor:
        assert gloss is not None
        near = ((vertices.double() - run.center) / run.radius).to(run.device, torch.float32)
        faces = faces.to(run.device)
        with torch.no_grad():
            return gloss(near, faces, vertex_normals(near, faces), run.normalized(cameras)).cpu()

    return bake(
        mesh or run.mesh(),
        views,
        run.shading,
        highlights=highlights if gloss is not None and gloss.active else None,
        gains=exposure.log_gains.exp() if exposure is not None and not exposure.dropped else None,
        size=size,
        layout=layout,
    )
