"""The fused image loss against plain torch."""

from __future__ import annotations

import pytest
import torch

from largesteps_zg.losses import image_loss


@pytest.mark.parametrize("kind", ["l1", "l2"])
@pytest.mark.parametrize("shape", [(2, 5, 7, 4), (1, 3, 16, 3), (3, 1, 1, 1)])
@pytest.mark.parametrize("weighted", [False, True])
def test_value_and_gradient_are_those_of_torch(kind, shape, weighted, generator):
    images, targets = (torch.rand(shape, generator=generator) for _ in range(2))
    images[0, 0, 0, 0] = targets[0, 0, 0, 0]  # where |x| has no derivative, 0 counts
    weights = torch.rand(shape[3], generator=generator) if weighted else None
    found, expected = images.clone().requires_grad_(), images.double().requires_grad_()
    difference = expected - targets.double()
    power = difference.abs() if kind == "l1" else difference**2
    reference = (power * (1 if weights is None else weights.double())).sum(-1).mean()
    loss = image_loss(found, targets, kind=kind, weights=weights)
    assert loss.item() == pytest.approx(reference.item(), rel=1e-6)
    for factor in (1.0, -2.5):
        (gradient,) = torch.autograd.grad(factor * loss, found, retain_graph=True)
        (wanted,) = torch.autograd.grad(factor * reference, expected, retain_graph=True)
        assert torch.allclose(gradient.double(), wanted, rtol=1e-6, atol=0)


def test_the_gradient_is_not_changed_by_who_uses_it(generator):
    images = torch.rand(1, 4, 4, 3, generator=generator, requires_grad=True)
    loss = image_loss(images, torch.zeros(1, 4, 4, 3))
    loss.backward(retain_graph=True)
    first = images.grad.clone()
    loss.backward()
    assert torch.allclose(images.grad, 2 * first)


@pytest.mark.parametrize("kind", ["l1", "l2"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_shows(kind, bad):
    images = torch.zeros(1, 4, 4, 3)
    images[0, 2, 1, 0] = bad
    assert not torch.isfinite(image_loss(images, torch.zeros_like(images), kind=kind))


def test_bad_input_is_refused_in_one_line(unchecked):
    images = torch.zeros(2, 3, 4, 3)
    with pytest.raises(
        ValueError, match=r"^targets: expected images' shape \(2, 3, 4, 3\), got \(2, 3, 4, 4\)$"
    ):
        image_loss(images, torch.zeros(2, 3, 4, 4))
    with pytest.raises(ValueError, match=r"^kind: expected one of l1, l2, got 'huber'$"):
        image_loss(images, images, kind="huber")
    with pytest.raises(ValueError, match=r"^targets: expected float32, got torch.float64; convert it first$"):
        image_loss(images, images.double())
    with pytest.raises(ValueError, match=r"^weights: expected \(3,\), one a channel, got \(4,\)$"):
        image_loss(images, images, weights=torch.ones(4))
