"""What a source of gradients is, and the plainest one: the differentiable rasterizer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..cameras import Cameras
from ..losses import SCALE, image_loss, pixel_losses
from ..parameterize import LargeSteps
from ..renderers import BlackBox, render


@dataclass(frozen=True)
class Batch:
    """The views of a step.

    Attributes
    ----------
    cameras : Cameras
    targets : (B, H, W, 4) float32
        Linear, premultiplied.
    index : (B,) int64
        Which of the run's views they are.
    weights : (B, H, W) float32, or None
        What a pixel counts: 0 where it belongs to no photograph. None for 1 everywhere.
    """

    cameras: Cameras
    targets: Tensor
    index: Tensor
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.cameras)

    def __getitem__(self, where: Tensor) -> Batch:
        weights = None if self.weights is None else self.weights[where]
        return Batch(self.cameras[where], self.targets[where], self.index[where], weights)


@dataclass(frozen=True)
class Difference:
    """How renderings are compared with photographs.

    Attributes
    ----------
    kind : {"l1", "l2", "robust"}
        See `losses.image_loss`.
    scale : float
        Of the robust kind, for colours, > 0; coverage is compared by l1 then, since surface that is missing has to be
        felt in full.
    brightness : float or None
        What brightness counts beside hue, see `losses.image_loss` and `colorfulness.brightness_weight`; None compares
        red, green and blue one by one.
    """

    kind: str = "l1"
    scale: float = SCALE
    brightness: float | None = None

    @property
    def scales(self) -> tuple[float, float, float, float]:
        """Of red, green, blue and the coverage."""
        return self.scale, self.scale, self.scale, float("inf")

    def loss(self, images: Tensor, batch: Batch) -> Tensor:
        """Mean over all pixels; differentiable in the images."""
        return image_loss(images, batch.targets, **self._how(batch))

    def of_pixels(self, images: Tensor, batch: Batch) -> Tensor:
        """(B, H, W): what each pixel adds to `loss`."""
        return pixel_losses(images, batch.targets, **self._how(batch))

    def _how(self, batch: Batch) -> dict[str, Any]:
        """Arguments that both losses take."""
        return {
            "kind": self.kind, "scales": self.scales, "pixel_weights": batch.weights, "brightness": self.brightness,
        }  # fmt: skip

    def of_channels(self, images: Tensor, batch: Batch) -> Tensor:
        """(B, H, W, 3): differences of red, green and blue one by one, over the number of pixels."""
        values = (images[..., :3] - batch.targets[..., :3]).abs_()
        if self.kind == "l2":
            values.square_()
        elif self.kind == "robust":
            values.div_(1.0 + values / self.scale)
        if batch.weights is not None:
            values.mul_(batch.weights[..., None])
        return values.div_(batch.targets[..., 0].numel())


@runtime_checkable
class Surface(Protocol):
    """What a source needs to know of a fit: a mesh, its two latents, their parametrizations, its shading."""

    faces: Tensor
    edges: Tensor
    latent: Tensor
    color_latent: Tensor
    shape: LargeSteps
    paint: LargeSteps
    backend: str

    @property
    def difference(self) -> Difference:
        """How pictures are compared at present."""
        ...

    @property
    def light(self) -> Tensor:
        """(K, 3): coefficients of the present light."""
        ...

    def shaded(
        self, vertices: Tensor, albedo: Tensor, batch: Batch, *, light: Tensor | None = None
    ) -> Tensor:
        """(V, 3) or (B, V, 3): colours of the surface in some views; in another light where one is given."""
        ...


class GradientSource(ABC):
    """Makes the loss of a step, whose ``backward()`` reaches what the fit optimises.

    Attributes
    ----------
    step_factor : float
        On the step size of positions and colours: how much longer than with exact gradients. An optimiser that divides
        by the size of what it is given takes steps the shorter the more of that is noise.
    momentum : float
        Of the optimiser of positions and colours, in [0, 1).
    lambda_, max_vertices : float, int
        Defaults of a run's smoothing and of the bound on its vertices: noise wants more of the one, fewer of the other.
    lambda_bound : float
        To which the smoothing may fall as triangles become finer: noise has to be spread over more of them.
    bending_share : float
        Of the weight of `Bending`, whose gradient is exact: 0 for estimates that are too short, beside which it would
        rule.
    reaches_colors, reaches_cameras : bool
        Whether gradients reach what colours are made of beside light and albedo (gloss, exposure), and the cameras.
    exact_colors : bool
        Whether gradients of colours have no noise, so that each vertex can have a colour and steps of its own, and
        steps stay long for longer (`schedule.decay`); else neighbours share what is known.
    renders : int
        Images made so far to get gradients.
    shown : float or None
        What to report of the last loss, with brightness in full, since that counts less at some times of a run than at
        others; None for the loss itself.
    """

    exact_colors: bool = False
    reaches_colors: bool = False
    reaches_cameras: bool = False
    step_factor: float = 1.0
    momentum: float = 0.9
    lambda_: float = 19.0
    max_vertices: int = 20_000
    lambda_bound: float = 1.0
    bending_share: float = 1.0
    shown: float | None = None

    def __init__(self) -> None:
        self.renders = 0

    def topology_changed(self) -> None:  # noqa: B027
        """The fit has other triangles from now on; most sources keep nothing about them."""

    @abstractmethod
    def loss(
        self, fit: Surface, vertices: Tensor, albedo: Tensor, batch: Batch, *, progress: float
    ) -> Tensor:
        """The loss, differentiable.

        Parameters
        ----------
        fit : Surface
            A `Fit`.
        vertices, albedo : (V, 3) float32
            ``fit.surface()``.
        batch : Batch
        progress : float
            Share of the run that lies behind, in [0, 1).
        """

    def shortening(self, progress: float) -> float:
        """Factor on the step that follows from the last `loss`, beside those of the run."""
        return 1.0

    def state_dict(self) -> dict[str, Any]:
        """All that later steps depend on."""
        return {"renders": self.renders}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.renders = state["renders"]


class Rasterized(GradientSource):
    """The differentiable rasterizer: exact derivatives, shading and silhouettes, from one rendering."""

    exact_colors = True
    reaches_colors = True
    reaches_cameras = True
    lambda_ = 5.0
    max_vertices = 50_000

    def loss(
        self, fit: Surface, vertices: Tensor, albedo: Tensor, batch: Batch, *, progress: float
    ) -> Tensor:
        """See `GradientSource`."""
        self.renders += len(batch)
        colors = fit.shaded(vertices, albedo, batch)
        images = render(vertices, fit.faces, colors, batch.cameras, edges=fit.edges, backend=fit.backend)
        self.shown = None
        if fit.difference.brightness not in (None, 1.0):
            with torch.no_grad():
                self.shown = float(replace(fit.difference, brightness=1.0).loss(images, batch))
        return fit.difference.loss(images, batch)


class Sampled(GradientSource):
    """A renderer that is only called, and a generator for where to call it."""

    def __init__(self, renderer: BlackBox, seed: int) -> None:
        super().__init__()
        self.renderer = renderer
        self.generator = torch.Generator().manual_seed(seed)

    def state_dict(self) -> dict[str, Any]:
        """Its own, and the generator's."""
        return {**super().state_dict(), "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        super().load_state_dict(state)
        self.generator.set_state(state["generator"].cpu())


def between(first: float, last: float, progress: float) -> float:
    """From one size to another, by the same factor at every step."""
    return first ** (1.0 - progress) * last**progress
