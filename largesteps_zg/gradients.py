"""Where the gradient of a reconstruction comes from: a differentiable rasterizer, or a renderer that is only called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from .cameras import Cameras
from .estimators import SPSA, Estimator, PerPixel, PixelLosses, Smoothed, ZeroGrads, differentiable
from .lighting import SphericalHarmonicsLight
from .losses import image_loss, pixel_losses
from .parameterize import LargeSteps
from .renderers import BlackBox, HardRasterizer, render, shade


@runtime_checkable
class Surface(Protocol):
    """What a source needs to know of a fit: a mesh, its two latents, their parametrizations, the light."""

    faces: Tensor
    edges: Tensor
    latent: Tensor
    color_latent: Tensor
    light: Tensor
    shape: LargeSteps
    paint: LargeSteps
    backend: str


class GradientSource(ABC):
    """Makes the loss of a step, whose ``backward()`` reaches what the fit optimises.

    Attributes
    ----------
    step_factor : float
        On the step size of positions and colours: how much longer than with exact gradients. An optimiser that divides
        by the size of what it is given takes steps the shorter the more of that is noise.
    momentum : float
        Of the optimiser of positions and colours, in [0, 1).
    lambda_bound : float
        To which the smoothing may fall as triangles become finer: noise has to be spread over more of them.
    renders : int
        Images made so far to get gradients.
    """

    step_factor: float = 1.0
    momentum: float = 0.9
    lambda_bound: float = 1.0

    def __init__(self) -> None:
        self.renders = 0

    def topology_changed(self) -> None:  # noqa: B027
        """The fit has other triangles from now on; most sources keep nothing about them."""

    @abstractmethod
    def loss(
        self,
        fit: Surface,
        vertices: Tensor,
        albedo: Tensor,
        cameras: Cameras,
        targets: Tensor,
        *,
        progress: float,
    ) -> Tensor:
        """The loss, differentiable.

        Parameters
        ----------
        fit : Surface
            A `Fit`.
        vertices, albedo : (V, 3) float32
            ``fit.surface()``.
        cameras : Cameras
        targets : (B, H, W, 4) float32
        progress : float
            Share of the run that lies behind, in [0, 1).
        """

    def state_dict(self) -> dict[str, Any]:
        """All that later steps depend on."""
        return {"renders": self.renders}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.renders = state["renders"]


class Rasterized(GradientSource):
    """The differentiable rasterizer: exact derivatives, shading and silhouettes, from one rendering."""

    def loss(
        self,
        fit: Surface,
        vertices: Tensor,
        albedo: Tensor,
        cameras: Cameras,
        targets: Tensor,
        *,
        progress: float,
    ) -> Tensor:
        """See `GradientSource`."""
        self.renders += len(cameras)
        colors = shade(vertices, fit.faces, albedo, SphericalHarmonicsLight(fit.light))
        images = render(vertices, fit.faces, colors, cameras, edges=fit.edges, backend=fit.backend)
        return image_loss(images, targets)


class _Sampled(GradientSource):
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


class PerPixelSource(_Sampled):
    """`PerPixel` estimates for positions and shaded colours; from there on by the chain rule.

    Shading (normals, light, albedo) is differentiated as with the rasterizer: only what the renderer does with
    positions and colours is sampled. Each view has its own perturbation.
    """

    step_factor = 2.0
    lambda_bound = 5.0
    # At the beginning and at the end of a run, pixels and linear RGB. Where outlines jump from pixel to pixel, far
    # smaller ones find few pixels that change, and those change a lot: noise; colours stay above the steps of 8 bits.
    epsilon, color_epsilon = (0.6, 0.2), (0.05, 0.01)
    continuous_epsilon, continuous_color_epsilon = (0.6, 0.05), (0.05, 0.01)
    numbers = 2**24  # perturbations of a step that exist at one time; above, views share one

    def loss(
        self,
        fit: Surface,
        vertices: Tensor,
        albedo: Tensor,
        cameras: Cameras,
        targets: Tensor,
        *,
        progress: float,
    ) -> Tensor:
        """See `GradientSource`."""
        colors = shade(vertices, fit.faces, albedo, SphericalHarmonicsLight(fit.light))
        views = len(cameras) if len(cameras) * vertices.numel() <= self.numbers else None
        ids = HardRasterizer()

        def losses(vertices: Tensor, colors: Tensor) -> PixelLosses:
            pictures = self.renderer(vertices, fit.faces, colors, cameras)
            triangles = pictures.triangles
            if triangles is None:
                triangles = ids(vertices, fit.faces, colors, cameras).triangles
            assert triangles is not None
            return PixelLosses(pixel_losses(pictures.images, targets), triangles)

        def units(vertices: Tensor, _: Tensor) -> tuple[Tensor, float]:
            return (pixel_size(vertices, cameras) if views else pixel_size(vertices, cameras).mean(0)), 1.0

        widths = self.epsilon, self.color_epsilon
        if self.renderer.continuous:
            widths = self.continuous_epsilon, self.continuous_color_epsilon
        estimator = PerPixel(
            (between(*widths[0], progress), between(*widths[1], progress)),
            primitives=fit.faces,
            views=views,
            units=units,
        )
        loss = differentiable(losses, estimator, generator=self.generator)(vertices, colors)
        self.renders += 2 * len(cameras)
        return loss


def pixel_size(vertices: Tensor, cameras: Cameras) -> Tensor:
    """(B, V, 1): the length of a pixel at the depth of each vertex in each view, in the world's units; at least that
    at a hundredth of the camera's distance from the vertices' mean."""
    axis, shift = (
        cameras.world_to_camera[:, 2, :3].to(vertices),
        cameras.world_to_camera[:, 2, 3].to(vertices),
    )
    depth = vertices @ axis.T + shift  # (V, B)
    least = 0.01 * depth.mean(0).abs()
    focal = cameras.intrinsics[:, [0, 1], [0, 1]].to(vertices).mean(1)
    return (torch.maximum(depth, least) / focal).T[..., None]


class _Width:
    """A size of perturbations that the source sets at every step."""

    def __init__(self, share: float) -> None:
        self.share, self.value = share, share

    def __call__(self, _: int) -> float:
        return self.value


class LatentSource(_Sampled):
    """An estimator of the gradient of the whole loss, in the latent, where a perturbation is a smooth deformation.

    Latent, colours and light are perturbed together, as far as they are not known.

    Parameters
    ----------
    make : callable
        From the sizes of the perturbations, callables, one for each parameter tensor, to an estimator. Called for every
        topology.
    renderer : BlackBox
    seed : int
    widths : (float, float)
        Sizes in the latent at the beginning and at the end of the run, in scene radii.
    step_factor, momentum : float
        See `GradientSource`.
    """

    lambda_bound = 5.0
    color_share, light_share = 0.5, 0.1  # sizes for colours and light over that for positions

    def __init__(
        self,
        make: Callable[[tuple[_Width, ...]], Estimator],
        renderer: BlackBox,
        seed: int,
        *,
        widths: tuple[float, float],
        step_factor: float,
        momentum: float = 0.9,
    ) -> None:
        super().__init__(renderer, seed)
        self._make, self.widths = make, widths
        self.step_factor, self.momentum = step_factor, momentum
        self._sizes: tuple[_Width, ...] = ()
        self._estimator: Estimator | None = None
        self._loaded: dict[str, Any] | None = None

    def topology_changed(self) -> None:
        """Other parameters, so an estimator that knows nothing."""
        self._estimator = None

    def loss(
        self,
        fit: Surface,
        vertices: Tensor,
        albedo: Tensor,
        cameras: Cameras,
        targets: Tensor,
        *,
        progress: float,
    ) -> Tensor:
        """See `GradientSource`."""
        parts = (fit.latent, fit.color_latent, fit.light)
        shares = (1.0, self.color_share, self.light_share)
        estimator = self._ready(
            [share for share, part in zip(shares, parts, strict=True) if part.requires_grad]
        )
        for size in self._sizes:
            size.value = size.share * between(*self.widths, progress)

        def value(latent: Tensor, color_latent: Tensor, light: Tensor) -> float:
            moved, paint = fit.shape.from_differential(latent), fit.paint.from_differential(color_latent)
            colors = shade(moved, fit.faces, paint, SphericalHarmonicsLight(light))
            images = self.renderer(moved, fit.faces, colors, cameras).images
            return float(pixel_losses(images, targets).sum(dtype=torch.float64))

        sampled = differentiable(value, estimator, generator=self.generator)
        loss = sampled(*parts)
        self.renders += sampled.evaluations * len(cameras)
        return loss

    def _ready(self, shares: list[float]) -> Estimator:
        """The estimator for the present parameters."""
        if self._estimator is None:
            self._sizes = tuple(_Width(share) for share in shares)
            self._estimator = self._make(self._sizes)
            if self._loaded is not None:
                self._estimator.load_state_dict(self._loaded)
                self._loaded = None
        return self._estimator

    def state_dict(self) -> dict[str, Any]:
        """Its own, and the estimator's."""
        return {**super().state_dict(), "estimator": self._estimator and self._estimator.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        super().load_state_dict(state)
        self._estimator, self._loaded = None, state["estimator"]


PAIRS = 10  # as published for ZeroGrads' large problems
WIDTHS = 0.3, 0.1


def _zerograds(renderer: BlackBox, seed: int) -> GradientSource:
    """The surrogate remembers; momentum would do so a second time, and the two together swing."""

    def make(sizes: tuple[_Width, ...]) -> Estimator:
        return ZeroGrads(sigma=sizes, pairs=PAIRS, width=32, depth=1, k_phi=1, rate=1.0, memory=0.85)

    return LatentSource(make, renderer, seed, widths=WIDTHS, step_factor=1.0, momentum=0.0)


def _smoothed(renderer: BlackBox, seed: int) -> GradientSource:
    def make(sizes: tuple[_Width, ...]) -> Estimator:
        return Smoothed(sigma=sizes, pairs=PAIRS)

    return LatentSource(make, renderer, seed, widths=WIDTHS, step_factor=2.0)


def _spsa(renderer: BlackBox, seed: int) -> GradientSource:
    def make(sizes: tuple[_Width, ...]) -> Estimator:
        return SPSA(epsilon=sizes, pairs=PAIRS)

    return LatentSource(make, renderer, seed, widths=WIDTHS, step_factor=2.0)


# Each is called with the renderer (which the first has no use for) and a seed.
GRADIENTS: dict[str, Callable[[BlackBox, int], GradientSource]] = {
    "rasterizer": lambda renderer, seed: Rasterized(),
    "per-pixel": PerPixelSource,
    "zerograds": _zerograds,
    "smoothed": _smoothed,
    "spsa": _spsa,
}


def make_source(name: str, renderer: BlackBox, seed: int) -> GradientSource:
    """The source of a name.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in GRADIENTS:
        raise ValueError(f"gradients: expected one of {', '.join(GRADIENTS)}, got {name!r}")
    return GRADIENTS[name](renderer, seed)
