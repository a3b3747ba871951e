"""11. The smoothed gradient: a disc crosses a region where the gradient is zero.

A black-box renderer draws a disc, and the loss compares images. As long as the disc does not touch its target, moving
it changes nothing: a plateau. Blurred in the disc's position the loss has a slope everywhere. The blur begins wide and
narrows down, as it also blurs the minimum.

    python examples/11_smoothed.py

You should see the disc arrive within a tenth of its radius, while a narrow perturbation leaves it exactly where it
was, and the way there in out/examples/11_smoothed.png.
"""

import argparse
from pathlib import Path

import torch

from largesteps_zg.estimators import SPSA, Estimator, Smoothed, differentiable, geometric
from largesteps_zg.output.pictures import save_filmstrip

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)

PIXELS, RADIUS = 40, 0.12  # pixels per unit of length
SHOWN = (0, 15, 30, 45, 240)
axis = (torch.arange(3 * PIXELS) + 0.5) / PIXELS - 1  # from -1 to 2, so that the disc has no edge to fall off
y, x = torch.meshgrid(axis, axis, indexing="ij")


def draw(center: torch.Tensor) -> torch.Tensor:
    left, top = ((center * PIXELS).round() / PIXELS).tolist()  # old games move things by whole pixels
    return ((x - left) ** 2 + (y - top) ** 2 < RADIUS**2).float()


goal, start = torch.tensor([0.75, 0.6]), torch.tensor([0.25, 0.4])
target = draw(goal)


def image_loss(center: torch.Tensor) -> torch.Tensor:
    return (draw(center) - target).square().sum() / target.sum()


def search(estimator: Estimator) -> tuple[torch.Tensor, list[torch.Tensor]]:
    center = start.clone().requires_grad_()
    loss = differentiable(image_loss, estimator, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam([center], lr=0.02, betas=(0.9, 0.99))
    slower = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
    frames = []
    for step in range(241):
        if step in SHOWN:
            frames.append(draw(center.detach())[40:80, 40:80])
        optimizer.zero_grad()
        loss(center).backward()
        optimizer.step()
        slower.step()
    return center.detach(), frames


stuck, _ = search(SPSA(epsilon=0.02, pairs=16))
found, frames = search(Smoothed(sigma=geometric(0.3, 0.02, 140, start=80), pairs=16))


def enlarged(image: torch.Tensor) -> torch.Tensor:
    gray = image.repeat_interleave(5, dim=0).repeat_interleave(5, dim=1)
    return torch.stack([gray, gray, gray, torch.ones_like(gray)], dim=-1)


labels = [str(step) for step in SHOWN]
picture = output / "11_smoothed.png"
save_filmstrip(picture, [enlarged(f) for f in frames], target=enlarged(target[40:80, 40:80]), labels=labels)
print(f"narrow perturbations moved it by {(stuck - start).norm():.3f}")
print(f"smoothed: from {(start - goal).norm():.3f} to {(found - goal).norm():.4f} from the target")
print(picture)
assert torch.equal(stuck, start) and (found - goal).norm() < RADIUS / 10
