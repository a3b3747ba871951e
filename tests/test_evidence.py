"""What pixels say of the object by themselves, where masks were found by colours."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from test_starts import views_named

from largesteps_zg.constants import DEFAULTS
from largesteps_zg.reconstruct import Settings, reconstruct
from largesteps_zg.reconstruct.starts.overlap import silhouette_overlap
from largesteps_zg.reconstruct.targets import Targets
from largesteps_zg.scenes import Views


def wide(views: Views, pixels: int) -> Views:
    """Views whose masks reach so much too far."""
    images, size = views.images.clone(), 2 * pixels + 1
    alpha = images[..., 3].float()[:, None]
    images[..., 3] = torch.nn.functional.max_pool2d(alpha, size, 1, pixels)[:, 0].byte()
    return replace(views, images=images)


def told(views: Views) -> torch.Tensor:
    """(B, H, W) int8: what exact masks say."""
    return torch.where(views.images[..., 3] > 127, 127, -127).to(torch.int8)


def test_pixels_are_the_object_by_their_sign_and_count_by_their_size() -> None:
    views = views_named("pebble", 4)
    evidence = torch.zeros(views.images.shape[:3], dtype=torch.int8)
    evidence[:, ::2], evidence[:, :, 1::2] = 127, -40
    known = torch.ones_like(evidence, dtype=torch.bool)
    known[:, :10] = False
    batch = Targets(replace(views, evidence=evidence, known=known), views.cameras, 0).batch(
        torch.tensor([2, 0])
    )
    assert batch.weights is not None
    assert torch.equal(batch.targets[..., 3] > 0, evidence[[2, 0]] > 0)
    torch.testing.assert_close(batch.weights, evidence[[2, 0]].abs() / 127 * known[[2, 0]])
    plain = Targets(views, views.cameras, 0)
    assert plain.batch(torch.tensor([2, 0])).weights is None
    stiffer = Targets(replace(views, evidence=evidence), views.cameras, 0)
    assert stiffer.bending(1.0) == DEFAULTS.schedule.bending_by_colors * plain.bending(1.0)


def test_evidence_goes_with_its_views_and_has_their_shape() -> None:
    views = views_named("pebble", 4)
    evidence = torch.arange(4, dtype=torch.int8)[:, None, None].expand(views.images.shape[:3])
    some = replace(views, evidence=evidence)[[3, 1]]
    assert some.evidence is not None and some.evidence[:, 0, 0].tolist() == [3, 1]
    with pytest.raises(ValueError, match=r"evidence: expected int8 of shape .* got torch.float32"):
        replace(views, evidence=evidence.float())
    with pytest.raises(ValueError, match="known: expected bool of shape"):
        replace(views, known=evidence)


@pytest.mark.slow
def test_outlines_go_where_pixels_say_and_not_where_masks_were_drawn() -> None:
    """Masks that reach two pixels too far, and pixels that are right, half of which cannot tell."""
    exact = views_named("pebble", 8)
    evidence = told(exact)
    evidence[:, :, ::2] = 0
    settings = Settings(steps=120, seed=0)
    overlaps = {}
    for name, views in (("masks", wide(exact, 2)), ("pixels", replace(wide(exact, 2), evidence=evidence))):
        *_, last = reconstruct(views, settings)
        overlaps[name] = silhouette_overlap(last.run.result().mesh, exact)
    assert overlaps["pixels"] > 0.98 > overlaps["masks"]
