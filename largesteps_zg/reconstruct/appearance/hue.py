"""How much of what photographs show is hue, and what brightness should count beside it."""

from __future__ import annotations

import torch

from ...constants import DEFAULTS, Hue
from ...scenes.views import Views

VIEWS = 16  # are enough to tell


def colorfulness(views: Views) -> float:
    """Mean of |hue| over that of brightness within the masks, in linear light: 0 for grey, 1.4 for pure colours."""
    every = max(1, len(views) // VIEWS)
    hue = brightness = 0.0
    for i in range(0, len(views), every):
        colors = views.linear(i)[0, ..., :3].double()  # premultiplied: nothing outside the masks
        grey = colors.mean(dim=-1, keepdim=True)
        hue += float((colors - grey).norm(dim=-1).sum())
        brightness += float(3**0.5 * grey.sum())
    return hue / brightness if brightness > 0 else 0.0


def brightness_weight(views: Views, constants: Hue = DEFAULTS.hue) -> float:
    """What brightness counts, in [0.45, 1]: all where there is hardly any hue, little where hue tells as well.

    White highlights wander over a surface with the camera, and a shape that follows them gets dents. They leave hue
    alone. Where all is grey, brightness is all there is; and of a place that only two or three views see, shading has
    to tell what outlines do not: from 24 views down to 8 it comes to count in full. `Appearance.brightness` says what
    becomes of it along a run.
    """
    hue = (colorfulness(views) - constants.grey) / (constants.colorful - constants.grey)
    many = (len(views) - constants.few) / (constants.many - constants.few)
    shares = torch.tensor([hue, many]).clamp(0.0, 1.0)
    return 1.0 - (1.0 - constants.least) * float(shares.prod())
