"""The fused image loss, and that of each pixel, against plain torch."""

from __future__ import annotations

import pytest
import torch

from largesteps_zg.losses import image_loss, pixel_losses


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


@pytest.mark.parametrize("kind", ["l1", "l2"])
@pytest.mark.parametrize("shape", [(2, 5, 7, 4), (1, 3, 16, 3), (3, 1, 1, 1), (1, 1, 5, 4)])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_of_each_pixel_is_that_of_torch(kind, shape, weighted, generator):
    images, targets = (torch.rand(shape, generator=generator) - 0.2 for _ in range(2))
    weights = torch.rand(shape[3], generator=generator) if weighted else None
    difference = images.double() - targets.double()
    power = difference.abs() if kind == "l1" else difference**2
    expected = (power * (1 if weights is None else weights.double())).sum(-1) / (
        shape[0] * shape[1] * shape[2]
    )
    for threads in (1, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            losses = pixel_losses(images, targets, kind=kind, weights=weights)
        finally:
            torch.set_num_threads(before)
        assert losses.shape == shape[:3] and losses.dtype == torch.float32
        assert torch.allclose(losses.double(), expected, rtol=1e-5, atol=1e-9)
    whole = image_loss(images, targets, kind=kind, weights=weights)
    assert losses.sum().item() == pytest.approx(whole.item(), rel=1e-5)


def test_the_losses_of_pixels_of_any_layout(generator):
    images = torch.rand(2, 4, 6, 5, generator=generator).movedim(1, -1)  # not contiguous
    targets = torch.zeros(1, 6, 5, 4).expand(2, 6, 5, 4)
    assert torch.allclose(pixel_losses(images, targets), images.sum(-1) / 60, rtol=1e-5)
    images[1, 2, 3, 0] = float("nan")
    losses = pixel_losses(images, targets)
    assert losses.isnan().sum() == 1 and losses[1, 2, 3].isnan()


def test_bad_input_of_pixel_losses_is_refused_too(unchecked):
    images = torch.zeros(2, 3, 4, 3)
    with pytest.raises(ValueError, match=r"^targets: expected images' shape"):
        pixel_losses(images, images[:1])
    with pytest.raises(ValueError, match=r"^kind: expected one of l1, l2, got 'huber'$"):
        pixel_losses(images, images, kind="huber")
    with pytest.raises(ValueError, match=r"^images: expected float32, got torch.float64"):
        pixel_losses(images.double(), images)
