"""A generative model of digits whose decoder ends in a renderer without a derivative."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from largesteps_zg.estimators import SPSA, Estimator, Objective, Smoothed, ZeroGrads

from ..records import Record, Setup, clock
from .curves import draw_curves, draw_images
from .digits import digits
from .pen import KNOTS, SIZE, strokes
from .rivals import Curve, records

BATCH, MARGIN, SHOWN = 5, 2, 64  # digits of a step; pixels around them; pixels of a drawing that is shown
SOURCES: dict[str, Callable[[], Estimator]] = {
    # Each call is at another latent: memory would tell of another drawing.
    "ZeroGrads": lambda: ZeroGrads(sigma=0.05, pairs=4, width=16, memory=0.0),
    "SPSA": lambda: SPSA(epsilon=0.05, pairs=4),
    "PRDPT": lambda: Smoothed(sigma=0.05, pairs=4),
}


class Vae(nn.Module):
    """Pictures to two numbers, and two numbers to points."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(SIZE**2, 128), nn.ReLU(), nn.Linear(128, 4))
        self.decoder = nn.Sequential(nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU())
        self.last = nn.Linear(128, 2 * KNOTS)

    def points(self, z: Tensor) -> Tensor:
        """(N, 8, 2): a diagonal line to begin with, moved by up to a half, as published."""
        line = torch.linspace(0.2, 0.8, KNOTS)[:, None].expand(-1, 2)
        return line + 0.5 * torch.tanh(self.last(self.decoder(z)).view(-1, KNOTS, 2))


def train(method: str, images: Tensor, epochs: int, seed: int, kld: float = 0.02) -> tuple[Vae, Curve]:
    """Every digit has an estimator of its own, which gives the loss's derivative by the digit's points."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Vae()
    generator = torch.Generator().manual_seed(seed)
    sources = [SOURCES[method]() for _ in images]
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    steps = epochs * -(-len(images) // BATCH)
    slower = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.1 ** (1 / steps))
    losses, spent = [], [0]
    with clock() as seconds:
        for _ in range(epochs):
            spent.append(spent[-1])
            for chosen in torch.randperm(len(images), generator=generator).split(BATCH):
                mean, log_variance = model.encoder(images[chosen]).chunk(2, 1)
                z = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=generator)
                points = model.points(z)
                made = [
                    sources[index].estimate(_difference(images[index]), place, generator=generator)
                    for index, place in zip(chosen.tolist(), points.detach(), strict=True)
                ]
                divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
                optimizer.zero_grad()
                (kld * divergence).backward(retain_graph=True)
                points.backward(torch.stack([one.gradient for one in made]))
                optimizer.step()
                slower.step()
                spent[-1] += sum(one.evaluations for one in made)
            losses.append(_error(model, images))
        found = nn.utils.parameters_to_vector(model.parameters()).detach()
    return model, Curve(method, seed, tuple(spent[1:]), tuple(losses), found, seconds())


def vae(setup: Setup) -> Iterator[Record]:
    """ZeroGrads: a generative model that draws digits with a pen

    A pen draws a curve through the decoder's eight points. The loss is that of the training digits at the mean latent.
    """
    count, epochs = (6, 24) if setup.small else (60, 300)
    # So that a stroke can end inside.
    images = functional.pad(digits(SIZE - 2 * MARGIN)[:count], (MARGIN,) * 4)
    curves, shown = [], {}
    for seed in setup.seeds:
        for method in SOURCES:
            setup.say(f"{method}, seed {seed}")
            model, curve = train(method, images, epochs, seed)
            curves.append(curve)
            if seed == setup.seeds[0]:
                shown |= _shown(model, images, method)
    yield from records(setup, curves, "image MSE")
    draw_curves(setup.folder / "curves.png", curves, f"Spline VAE, {count} digits", "image MSE")
    draw_images(setup.folder / "digits.png", shown)


@torch.no_grad()
def _shown(model: Vae, images: Tensor, method: str) -> dict[str, Any]:
    """Digits, what the model draws of them, and samples of its latent space."""
    drawn = strokes(model.points(model.encoder(images[:8]).chunk(2, 1)[0]), SHOWN)
    z = torch.randn(16, 2, generator=torch.Generator().manual_seed(0))
    rows = (("digit", images[:8]), (method, drawn), (f"{method}, sample", strokes(model.points(z), SHOWN)))
    return {f"{name} {k + 1}": image for name, row in rows for k, image in enumerate(row)}


def _difference(image: Tensor) -> Objective:
    """Squared error of drawings of points (N, 8, 2)."""
    return Objective(lambda points: (strokes(points) - image).square().sum((1, 2)), batched=True)


@torch.no_grad()
def _error(model: Vae, images: Tensor) -> float:
    """Mean squared error at the mean latent."""
    return float((strokes(model.points(model.encoder(images).chunk(2, 1)[0])) - images).square().mean())
