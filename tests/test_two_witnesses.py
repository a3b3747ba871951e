"""Light and colour, and photographs that have to agree, on photographs that no light of the run explains.

The truth is known: a painted ball with plain dents. Its pictures have what photographs of a rig have: a shadow that
stays in the image while the camera goes round, a highlight that follows the camera, other exposures, bites in some
masks.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from largesteps_zg.images import linear_to_srgb
from largesteps_zg.mesh import Mesh, icosphere, surface_distances
from largesteps_zg.reconstruct import Reconstruction, Settings
from largesteps_zg.reconstruct.batch import Batch
from largesteps_zg.reconstruct.photo_consistency.witness import Witness
from largesteps_zg.scenes import Views
from largesteps_zg.scenes.synthetic import scene_from_mesh

SIDE, VIEWS, STEPS, SEEDS = 128, 24, 160, 3


def painted() -> Mesh:
    """A ball with fine paint on it, but for three dents, which are plain."""
    ball = icosphere(6)
    toward = torch.nn.functional.normalize(
        torch.tensor([[1.0, 0.2, 0.3], [-0.4, 0.9, 0.2], [-0.3, -0.5, 0.8]]), dim=1
    )
    near = torch.exp(-(1 - ball.vertices @ toward.T) / 0.06).sum(1, keepdim=True)
    waves = 14 * torch.randn(16, 3, generator=torch.Generator().manual_seed(0))
    paint = torch.sin(ball.vertices @ waves.T + torch.arange(16)).sum(1, keepdim=True) * (1 - near).clamp(
        0, 1
    )
    colors = (0.45 + 0.1 * paint).clamp(0.05, 0.95) * torch.tensor([1.0, 0.9, 0.8])
    return Mesh(ball.vertices * (1 - 0.35 * near), ball.faces, colors)


def spoilt(views: Views) -> Views:
    """As a rig takes them."""
    random = torch.Generator().manual_seed(1)
    linear, alpha = views.linear()[..., :3].clone(), views.images[..., 3].clone()
    x = torch.linspace(-1, 1, SIDE)
    shadow = 0.8 + 0.2 * torch.sigmoid(25 * (x[:, None] + 0.6 * x + 0.25))
    spot = 0.15 * torch.exp(-((x[:, None] + 0.2) ** 2 + (x - 0.15) ** 2) / 0.02)
    linear = linear * shadow[..., None] + spot[..., None] * (alpha > 127)[..., None]
    linear = linear * (0.25 * torch.randn(VIEWS, 1, 1, 1, generator=random)).exp()
    covered = alpha.float()[..., None] / 255
    straight = torch.where(covered > 0, linear / covered.clamp_min(1e-6), 0.0).clamp(0, 1)
    for view in (3, 11):
        row = int((alpha[view] > 127).any(1).nonzero()[0])
        alpha[view, row : row + 8, SIDE // 2 - 6 : SIDE // 2 + 6] = 0
    rgb = (255 * linear_to_srgb(straight)).round().byte()
    return replace(views, images=torch.cat([rgb, alpha[..., None]], -1))


def off(views: Views, truth: Mesh, patches: str = "auto") -> float:
    """Chamfer distance of short runs, the mean of some seeds, in thousandths of the diagonal."""
    found = []
    for seed in range(1, 1 + SEEDS):
        chosen = Settings(steps=STEPS, views_per_step=6, refine_cameras="off", seed=seed, patches=patches)
        run = Reconstruction(views, chosen)
        while run.step < STEPS:
            run.advance()
        assert run.fit.witness is None or run.fit.witness.heard
        found.append(surface_distances(run.mesh(), truth).chamfer_permille)
    return sum(found) / SEEDS


@pytest.mark.slow
@pytest.mark.usefixtures("same_topology")
def test_both_witnesses_beat_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patches hold the surface where colours mislead, and colours where there is no texture."""
    scene = scene_from_mesh(painted(), views=VIEWS, test_views=0, height=SIDE, width=SIDE)
    truth, views = scene.mesh, spoilt(scene.train)
    assert truth is not None
    both, colors = off(views, truth), off(views, truth, patches="off")
    nothing = torch.zeros(1, 1, 1)

    # Then outlines and patches move the surface, and nothing else.
    def untrusted(_: Witness, batch: Batch) -> Batch:
        return replace(batch, trust=nothing.expand(batch.targets.shape[:3]))

    monkeypatch.setattr(Witness, "trusting", untrusted)
    patches = off(views, truth)
    assert both < 0.8 * patches and both < 0.6 * colors


def test_colours_that_are_not_trusted_move_paint_but_not_the_surface() -> None:
    """Without trust the albedo's gradient is that of full trust, and of the shape's only what outlines say is left."""
    scene = scene_from_mesh(painted(), views=4, test_views=0, height=48, width=48)
    run = Reconstruction(
        scene.train, Settings(steps=10, views_per_step=4, patches="off", refine_cameras="off")
    )
    batch = run.targets.batch(torch.arange(4))

    def slopes(trust: float | None) -> tuple[torch.Tensor, torch.Tensor, float]:
        given = None if trust is None else torch.full(batch.targets.shape[:3], trust)
        vertices, albedo = (part.detach().requires_grad_() for part in run.fit.surface())
        result = run.fit.source.loss(run.fit, vertices, albedo, replace(batch, trust=given), progress=0.5)
        found = torch.autograd.grad(result.loss, [vertices, albedo])
        return *found, result.shown

    (whole, paint, shown), (full, full_paint, full_shown), (none, none_paint, none_shown) = map(
        slopes, (None, 1.0, 0.0)
    )
    torch.testing.assert_close(full, whole)
    for found in (full_paint, none_paint):
        torch.testing.assert_close(found, paint)
    assert full_shown == pytest.approx(shown) and none_shown == pytest.approx(shown)
    assert float(none.norm()) < 0.9 * float(whole.norm())
    # The middle of the ball is in no outline.
    toward = torch.nn.functional.normalize(batch.cameras.centers[0], dim=0)
    middle = (run.fit.surface()[0] @ toward).argmax()
    assert float(none[middle].norm()) == 0 < float(whole[middle].norm())
