"""The settings of a run, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ..constants import DEFAULTS, Constants

CHOICES = ("auto", "on", "off")
LOSSES = ("l1", "l2", "robust")


@dataclass(frozen=True)
class Settings:
    """How to reconstruct.

    Attributes
    ----------
    steps : int
        Gradient steps, >= 1.
    lambda_ : float, optional
        Smoothing of the parametrization at a start of 2,562 vertices, >= 0; see `LargeSteps`. Finer and coarser starts
        get the value that reaches as far over the surface. It falls to a quarter with every remeshing, down to 1. By
        default 5, and 19 where gradients are estimates.
    step_size : float
        The first step size of the positions' optimiser, > 0, in a scene scaled to the unit sphere. It falls to 3 %;
        where gradients are exact, it falls later in the run.
    views_per_step : int
        Images compared in each step, >= 1. A run sees all images before it sees one again.
    remesh : "auto", "adaptive", "off" or tuple of steps
        When to remesh. "adaptive" remeshes when "auto" does, to edges that are shorter where the surface is curved and
        longer where it is flat.
    max_vertices : int, optional
        A bound that remeshing keeps to within some per cent. Where the images ask for more vertices, edges become
        longer. By default 50,000, and 20,000 where gradients are estimates.
    device : {"auto", "cpu", "cuda", ...}
    backend : {"auto", "warp", "nvdiffrast"}
    seed : int
        Fixes the order in which views are drawn, and the perturbations.
    gradients : {"rasterizer", "per-pixel", "zerograds", "smoothed", "spsa"}
        Where gradients come from; see `reconstruct.gradients.GRADIENTS`.
    renderer : str
        The renderer that estimates call: "rasterizer", "opengl", or "FILE.py:FUNCTION"; see
        `renderers.load_renderer`.
    loss : {"l1", "l2", "robust"}
        How pixels are compared; see `images.losses.image_loss`.
    bending : float
        How strongly a run prefers smooth shapes, >= 0. The weight of `Bending` beside the loss is this number times the
        root of the number of pixels in all images: noise averages out, so more and larger images show more detail. A
        run begins with four times the weight.
    gloss, exposure, refine_cameras : {"auto", "on", "off"}
        Whether to find reflections, the brightness of each image, and corrections of poses and focal length. "auto"
        drops each of these where the run finds, half-way, that it explains nothing. "on" keeps reflections and
        brightness, and still drops corrections of cameras that come to nothing.
    advanced : Constants
        All other numbers that decide about the result; docs/constants.md lists them.
    """

    steps: int = 1500
    lambda_: float | None = None
    step_size: float = 0.1
    views_per_step: int = 8
    remesh: str | tuple[int, ...] = "auto"
    max_vertices: int | None = None
    device: str = "auto"
    backend: str = "auto"
    seed: int = 0
    gradients: str = "rasterizer"
    renderer: str = "rasterizer"
    loss: str = "l1"
    bending: float = 0.025
    gloss: str = "auto"
    exposure: str = "auto"
    refine_cameras: str = "auto"
    advanced: Constants = DEFAULTS

    def __post_init__(self) -> None:
        for name in ("steps", "views_per_step", "max_vertices"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name.replace('_', ' ')}: expected at least 1, got {value}")
        if self.lambda_ is not None and not (math.isfinite(self.lambda_) and self.lambda_ >= 0):
            raise ValueError(f"lambda: expected a number >= 0, got {self.lambda_}; 5 is a good start")
        if not (math.isfinite(self.step_size) and self.step_size > 0):
            raise ValueError(f"step size: expected a number > 0, got {self.step_size}; 0.1 is a good start")
        if self.loss not in LOSSES:
            raise ValueError(f"loss: expected {' or '.join(LOSSES)}, got {self.loss!r}")
        for name in ("gloss", "exposure", "refine_cameras"):
            if (choice := getattr(self, name)) not in CHOICES:
                raise ValueError(f"{name.replace('_', ' ')}: expected auto, on or off, got {choice!r}")
        if not (math.isfinite(self.bending) and self.bending >= 0):
            raise ValueError(f"bending: expected a number >= 0, got {self.bending}; 0.025 is a good start")
        if not isinstance(self.advanced, Constants):
            raise ValueError(f"advanced: expected Constants(...), got {self.advanced!r}")


def resolve_device(name: str) -> torch.device:
    """The device with this name; "auto" is CUDA where it is usable."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device: expected auto, cpu or cuda, got {name!r}") from error
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device: expected auto, cpu or cuda, got {name!r}")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "device: cuda was asked for, but PyTorch finds no usable CUDA device; use --device cpu"
        )
    return device
