"""How near a per-pixel estimate lies to the rasterizer's gradient where triangles are finer than pixels.

    python benchmarks/fine_pixels.py      # half a minute

An ellipsoid of 10,242 vertices with ripples, without them the target, in four views of 96² in known light. The gradient
is that by the Large Steps latent, at 60 % of a run. Eight estimates.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from largesteps_zg.mesh import icosphere
from largesteps_zg.reconstruct import Reconstruction, Settings
from largesteps_zg.reconstruct.gradients import GradientSource, PerPixelSource, Rasterized
from largesteps_zg.renderers import HardRasterizer
from largesteps_zg.scenes.synthetic import scene_from_mesh, studio_light

AXES, ESTIMATES = torch.tensor([1.0, 0.7, 0.8]), 8


def main() -> None:
    """Print the cosines of single estimates and of their mean, and the renders of each."""
    torch.set_num_threads(1)
    ball, fine = icosphere(4), icosphere(5)
    whole = replace(ball, vertices=AXES * ball.vertices)
    scene = scene_from_mesh(whole, views=8, test_views=0, height=96, width=96, up="z")
    ripples = 1 + 0.02 * torch.sin(9 * fine.vertices).prod(1, keepdim=True)
    settings = Settings(
        steps=6,
        views_per_step=4,
        remesh="off",
        gloss="off",
        exposure="off",
        gradients="per-pixel",
        lambda_=19,
    )
    start = replace(fine, vertices=AXES * ripples * fine.vertices)
    run = Reconstruction(scene.train, settings, start=start, light=studio_light())
    batch = run.targets.batch(torch.tensor([0, 2, 4, 6]))

    def gradient(source: GradientSource) -> Tensor:
        vertices, albedo = run.fit.surface()
        loss = source.loss(run.fit, vertices, albedo, batch, progress=0.6).loss
        return torch.autograd.grad(loss, run.fit.shape.latent)[0].flatten()

    exact, source = gradient(Rasterized()), PerPixelSource(HardRasterizer(), 0)
    found = torch.stack([gradient(source) for _ in range(ESTIMATES)])
    each = float(cosine_similarity(found, exact[None], dim=1).mean())
    mean = float(cosine_similarity(found.mean(0), exact, dim=0))
    print(
        f"cosine of an estimate {each:.3f}, of their mean {mean:.3f}; {source.renders // ESTIMATES} renders each"
    )


if __name__ == "__main__":
    main()
