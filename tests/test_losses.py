"""The fused image loss, and that of each pixel, against plain torch."""

from __future__ import annotations

import pytest
import torch

from largesteps_zg.images.losses import image_loss, losses_of_images, pixel_losses

KINDS = ["l1", "l2", "robust"]
SHAPES = [(2, 5, 7, 4), (1, 3, 16, 3), (3, 1, 1, 1), (1, 2, 9, 4), (1, 2, 11, 2)]


def rho(kind: str, x: torch.Tensor, scales=0.2) -> torch.Tensor:
    """What each kind does to differences, with torch's derivatives."""
    if kind == "robust":
        return x.abs() / (1 + x.abs() / torch.as_tensor(scales, dtype=x.dtype))
    return x.abs() if kind == "l1" else x**2


def extras(shape, weighted: bool, known: bool, generator) -> tuple:
    """Weights of channels and of pixels, some of them 0; None where they are not asked for."""
    weights = torch.rand(shape[3], generator=generator) if weighted else None
    pixels = torch.rand(shape[:3], generator=generator) if known else None
    if pixels is not None:
        pixels[pixels < 0.3] = 0.0
    return weights, pixels


def reference(power, weights, pixels):
    """(B, H, W): what each pixel adds, by broadcasting."""
    each = (power * (1 if weights is None else weights.double())).sum(-1) / power[..., 0].numel()
    return each if pixels is None else each * pixels.double()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_value_and_gradient_are_those_of_torch(kind, shape, weighted, known, generator):
    images, targets = (torch.rand(shape, generator=generator) for _ in range(2))
    images[0, 0, 0, 0] = targets[0, 0, 0, 0]  # where |x| has no derivative, 0 counts
    weights, pixels = extras(shape, weighted, known, generator)
    found, expected = images.clone().requires_grad_(), images.double().requires_grad_()
    wanted_loss = reference(rho(kind, expected - targets.double()), weights, pixels).sum()
    loss = image_loss(found, targets, kind=kind, weights=weights, pixel_weights=pixels)
    assert loss.item() == pytest.approx(wanted_loss.item(), rel=1e-6)
    for factor in (1.0, -2.5):
        (gradient,) = torch.autograd.grad(factor * loss, found, retain_graph=True)
        (wanted,) = torch.autograd.grad(factor * wanted_loss, expected, retain_graph=True)
        assert torch.allclose(gradient.double(), wanted, rtol=3e-6, atol=0)


def test_a_robust_loss_of_each_channel_has_its_own_scale(generator):
    images, targets = (torch.rand(2, 3, 6, 4, generator=generator) for _ in range(2))
    found, expected = images.clone().requires_grad_(), images.double().requires_grad_()
    scales = (0.1, 0.2, 0.4, float("inf"))
    loss = image_loss(found, targets, kind="robust", scales=scales)
    wanted_loss = rho("robust", expected - targets.double(), scales).sum(-1).mean()
    assert loss.item() == pytest.approx(wanted_loss.item(), rel=1e-6)
    for made in (loss, wanted_loss):
        made.backward()
    assert torch.allclose(found.grad.double(), expected.grad, rtol=3e-6, atol=0)
    l1 = images.clone().requires_grad_()
    image_loss(l1, targets).backward()
    assert torch.equal(found.grad[..., 3], l1.grad[..., 3])


def test_what_is_far_off_pulls_less_and_never_counts_more_than_the_scale():
    off = torch.tensor([0.0, 0.01, 0.1, 0.2, 1.0, 100.0]).view(1, 1, 6, 1).requires_grad_()
    loss = image_loss(off, torch.zeros_like(off), kind="robust", scales=0.2)
    loss.backward()
    pull = 6 * off.grad.flatten()
    assert pull[0] == 0 and pull[1] == pytest.approx(1 / 1.05**2)
    assert pull[3] == pytest.approx(0.25) and pull[5] < 1e-5
    assert bool((pull[1:].diff() < 0).all())
    assert float(pixel_losses(off, torch.zeros_like(off), kind="robust")[0, 0, 5]) < 0.2 / 6


def test_pixels_that_are_not_known_have_no_say(generator):
    images, targets = (torch.rand(2, 4, 6, 4, generator=generator) for _ in range(2))
    pixels = (torch.rand(2, 4, 6, generator=generator) > 0.4).float()
    other = torch.where(pixels[..., None] > 0, targets, torch.rand(targets.shape, generator=generator))
    for kind in KINDS:
        first, second = (images.clone().requires_grad_() for _ in range(2))
        losses = [
            image_loss(made, given, kind=kind, pixel_weights=pixels)
            for made, given in ((first, targets), (second, other))
        ]
        assert losses[0] == losses[1]
        losses[0].backward()
        losses[1].backward()
        assert torch.equal(first.grad, second.grad) and bool((first.grad[pixels == 0] == 0).all())
        ones = torch.ones_like(pixels)
        assert image_loss(images, targets, kind=kind, pixel_weights=ones) == image_loss(
            images, targets, kind=kind
        )


def test_the_gradient_is_not_changed_by_who_uses_it(generator):
    images = torch.rand(1, 4, 4, 3, generator=generator, requires_grad=True)
    loss = image_loss(images, torch.zeros(1, 4, 4, 3))
    loss.backward(retain_graph=True)
    first = images.grad.clone()
    loss.backward()
    assert torch.allclose(images.grad, 2 * first)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_shows(kind, bad):
    images = torch.zeros(1, 4, 4, 3)
    images[0, 2, 1, 0] = bad
    assert not torch.isfinite(image_loss(images, torch.zeros_like(images), kind=kind))


AXES = torch.tensor([[1, 1, 1], [1, -1, 0], [1, 1, -2]], dtype=torch.float64)
AXES = AXES / AXES.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(2, 5, 7, 4), (1, 3, 16, 3), (3, 1, 1, 4), (1, 2, 11, 3)])
@pytest.mark.parametrize("known", [False, True])
def test_brightness_and_hue_are_compared_along_axes_at_right_angles(kind, shape, known, generator):
    images, targets = (torch.rand(shape, generator=generator) for _ in range(2))
    weights, pixels = extras(shape, True, known, generator)
    weights[1:3] = weights[0]
    found, expected = images.clone().requires_grad_(), images.double().requires_grad_()
    away = expected - targets.double()
    # Differences of brightness are those of grey pixels, three equal ones; hue lies along the two other axes.
    grey = away[..., :3].mean(-1, keepdim=True).expand(*shape[:3], 3)
    turned = torch.cat([grey, away[..., :3] @ AXES[1:].T, away[..., 3:]], dim=-1)
    counts = weights[[0, 0, 0, 0, 0, 3] if shape[3] == 4 else [0] * 5].double()
    counts[:3] *= 0.4
    wanted = reference(rho(kind, turned), counts, pixels)
    given = {"kind": kind, "weights": weights, "pixel_weights": pixels, "brightness": 0.4}
    loss = image_loss(found, targets, **given)
    assert loss.item() == pytest.approx(wanted.sum().item(), rel=1e-6)
    (gradient,) = torch.autograd.grad(loss, found)
    (true,) = torch.autograd.grad(wanted.sum(), expected)
    assert torch.allclose(gradient.double(), true, rtol=1e-5, atol=1e-6 * float(true.abs().max()))
    assert torch.allclose(pixel_losses(images, targets, **given).double(), wanted, rtol=1e-5)
    counts[:3] /= 0.4
    less, full = losses_of_images(found, targets, **given)
    assert less.item() == loss.item() and not full.requires_grad
    assert full.item() == pytest.approx(reference(rho(kind, turned), counts, pixels).sum().item(), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(2, 5, 19, 4), (1, 3, 16, 3)])
@pytest.mark.parametrize("known", [False, True])
def test_trust_scales_differences_of_colours_alone(kind, shape, known, generator):
    images, targets = (torch.rand(shape, generator=generator) for _ in range(2))
    _, pixels = extras(shape, False, known, generator)
    trust = torch.rand(shape[:3], generator=generator)
    factors = torch.cat([trust[..., None]] * 3 + [torch.ones_like(trust)[..., None]] * (shape[3] - 3), dim=-1)
    given = {"kind": kind, "pixel_weights": pixels, "brightness": 0.4}
    found, scaled = images.clone().requires_grad_(), images.clone().requires_grad_()
    losses = losses_of_images(found, targets, trust=trust, **given)
    wanted = losses_of_images(scaled * factors, targets * factors, **given)
    assert [float(x.detach()) for x in losses] == pytest.approx([float(x.detach()) for x in wanted], rel=1e-6)
    slopes = [torch.autograd.grad(loss, of)[0] for loss, of in ((losses[0], found), (wanted[0], scaled))]
    assert torch.allclose(*slopes, rtol=1e-4, atol=1e-6 * float(slopes[1].abs().max()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("brightness", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("channels", [3, 4])
def test_white_light_counts_as_much_as_brightness_says(kind, brightness, channels, generator):
    # Both losses without axes are the oracle: a law of ratios, for value, slope and each pixel.
    colors = torch.rand(1, 4, 5, channels, generator=generator)
    white = torch.zeros_like(colors)
    white[..., :3] = torch.rand(1, 4, 5, 1, generator=generator) - 0.5
    plain, along = ((colors + white).requires_grad_() for _ in range(2))
    for scales in (0.05, 2.0):
        given = {"kind": kind, "scales": scales}
        losses = image_loss(plain, colors, **given), image_loss(along, colors, brightness=brightness, **given)
        assert float(losses[1]) == pytest.approx(brightness * float(losses[0]), rel=1e-4)
        # Along grey: across it |x| has a kink, where rounding decides.
        grads = [torch.autograd.grad(loss, of)[0] for loss, of in zip(losses, (plain, along), strict=True)]
        slopes = [grad[..., :3].sum(-1) for grad in grads]
        assert torch.allclose(slopes[1], brightness * slopes[0], rtol=1e-3, atol=1e-6)
        each = [pixel_losses(along, colors, brightness=b, **given) for b in (None, brightness)]
        assert torch.allclose(each[1], brightness * each[0], rtol=1e-4)


def test_channels_of_their_own_do_not_go_with_brightness(unchecked):
    images = torch.zeros(2, 3, 4, 3)
    with pytest.raises(ValueError, match=r"^weights: expected equal ones of red, green and blue beside"):
        image_loss(images, images, brightness=0.5, weights=torch.tensor([1.0, 2.0, 1.0]))
    with pytest.raises(ValueError, match=r"^scales: expected equal ones of red, green and blue beside"):
        pixel_losses(images, images, kind="robust", brightness=0.5, scales=(0.1, 0.2, 0.1))


def test_bad_input_is_refused_in_one_line(unchecked):
    images = torch.zeros(2, 3, 4, 3)
    with pytest.raises(
        ValueError, match=r"^targets: expected images' shape \(2, 3, 4, 3\), got \(2, 3, 4, 4\)$"
    ):
        image_loss(images, torch.zeros(2, 3, 4, 4))
    with pytest.raises(ValueError, match=r"^kind: expected one of l1, l2, robust, got 'huber'$"):
        image_loss(images, images, kind="huber")
    with pytest.raises(ValueError, match=r"^targets: expected float32, got torch.float64; convert it first$"):
        image_loss(images, images.double())
    with pytest.raises(ValueError, match=r"^weights: expected \(3,\), one a channel, got \(4,\)$"):
        image_loss(images, images, weights=torch.ones(4))
    with pytest.raises(ValueError, match=r"^pixel_weights: expected \(2, 3, 4\), one a pixel, got \(2, 3\)$"):
        image_loss(images, images, pixel_weights=torch.ones(2, 3))
    with pytest.raises(
        ValueError, match=r"^pixel_weights: expected float32, got torch.bool; convert it first$"
    ):
        image_loss(images, images, pixel_weights=torch.ones(2, 3, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"^scales: expected numbers > 0, got 0.0; infinity is l1$"):
        image_loss(images, images, kind="robust", scales=0.0)
    with pytest.raises(ValueError, match=r"^scales: expected 3, one a channel, got 2$"):
        image_loss(images, images, kind="robust", scales=(0.1, 0.2))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [*SHAPES, (1, 1, 5, 4)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_the_loss_of_each_pixel_is_that_of_torch(kind, shape, weighted, known, generator):
    images, targets = (torch.rand(shape, generator=generator) - 0.2 for _ in range(2))
    weights, pixels = extras(shape, weighted, known, generator)
    expected = reference(rho(kind, images.double() - targets.double()), weights, pixels)
    for threads in (1, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            losses = pixel_losses(images, targets, kind=kind, weights=weights, pixel_weights=pixels)
        finally:
            torch.set_num_threads(before)
        assert losses.shape == shape[:3] and losses.dtype == torch.float32
        assert torch.allclose(losses.double(), expected, rtol=1e-5, atol=1e-9)
    whole = image_loss(images, targets, kind=kind, weights=weights, pixel_weights=pixels)
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
    with pytest.raises(ValueError, match=r"^kind: expected one of l1, l2, robust, got 'huber'$"):
        pixel_losses(images, images, kind="huber")
    with pytest.raises(ValueError, match=r"^images: expected float32, got torch.float64"):
        pixel_losses(images.double(), images)
    with pytest.raises(ValueError, match=r"^brightness: expected a number > 0, got 0.0$"):
        image_loss(images, images, brightness=0.0)
    with pytest.raises(
        ValueError, match=r"^brightness: expected images of 3 or 4 channels, got 2; leave it out$"
    ):
        image_loss(images[..., :2], images[..., :2], brightness=0.5)


def test_second_derivatives_are_refused(generator):
    """The kernel keeps a first derivative alone; PyTorch would take it for a constant, in silence."""
    images = torch.rand(1, 4, 4, 3, generator=generator).requires_grad_()
    loss = image_loss(images, torch.zeros(1, 4, 4, 3), kind="l2").square()
    (gradient,) = torch.autograd.grad(loss, images, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.square().sum().backward()
