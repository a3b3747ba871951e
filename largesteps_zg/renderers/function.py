"""Any Python function that returns images, as a renderer: an engine, a simulator, a program that is started."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..cameras.model import Cameras
from ..images.color import srgb_to_linear
from .black_box import BlackBox, Pictures, check_scene
from .hard import HardRasterizer

ENCODINGS = ("linear", "srgb")
ALPHAS = ("premultiplied", "straight")


class FunctionRenderer(BlackBox):
    """Images from a function, triangle ids from our own rasterizer at the same vertices.

    Parameters
    ----------
    function : callable
        Called with vertices (V, 3), faces (F, 3), colours (V, 3) and `Cameras` of B views, all without gradients and
        where the caller's are; returns a tensor or an array (B, H, W, 3 or 4), row 0 on top, either uint8 from 0 to 255
        or floats of which 1 is white.
    encoding : {"linear", "srgb"}
        What the colours are; sRGB is decoded. Alpha is always linear.
    alpha : {"premultiplied", "straight"}
        What the colours of four-channel images are. Straight ones are decoded and then multiplied by alpha;
        premultiplied ones, an image over black, are decoded as they are. Three channels are an image over black.
    batched : bool
        Whether the function also takes vertices and colours (B, V, 3), a set for each view. By default it does not need
        to: where they differ between views it is called for one view at a time.
    near : float
        For the ids: nothing nearer to the camera is drawn, > 0, in the world's units.

    Notes
    -----
    The function may be noisy: estimators average. It may be quantised: 8 bits hide changes below 1/255 in a pixel, so
    take perturbations that are larger than that. It may be slow: evaluations go through an executor; for processes it
    must be importable (a `def` in a module, not a lambda).

    Where a three-channel image says nothing about coverage, that of our ids is taken, 0 or 1. Pixels that the engine
    draws and our rasterizer does not (silhouettes half a pixel wider) have no triangle: per-pixel gradients pass them
    over.

    Examples
    --------
    >>> from largesteps_zg.cameras import sphere_of_cameras
    >>> from largesteps_zg.mesh import icosphere
    >>> def grey(vertices, faces, colors, cameras):
    ...     return np.full((len(cameras), cameras.height, cameras.width, 3), 51, dtype=np.uint8)
    >>> ball = icosphere(2)
    >>> views = sphere_of_cameras(2, distance=3.0, fov_y_degrees=45.0, height=16, width=16)
    >>> pictures = FunctionRenderer(grey)(ball.vertices, ball.faces, torch.ones_like(ball.vertices), views)
    >>> [round(x, 3) for x in pictures.images[0, 8, 8].tolist()]
    [0.2, 0.2, 0.2, 1.0]
    """

    def __init__(
        self,
        function: Callable[[Tensor, Tensor, Tensor, Cameras], Any],
        *,
        encoding: str = "linear",
        alpha: str = "premultiplied",
        batched: bool = False,
        near: float = 1e-3,
    ) -> None:
        if not callable(function):
            raise ValueError(
                f"function: expected something that can be called, got {type(function).__name__}"
            )
        for name, value, known in (("encoding", encoding, ENCODINGS), ("alpha", alpha, ALPHAS)):
            if value not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
        self.function, self.encoding, self.alpha, self.batched = function, encoding, alpha, batched
        self._ids = HardRasterizer(near=near)

    def __call__(
        self,
        vertices: Float[Tensor, "V 3"] | Float[Tensor, "B V 3"],
        faces: Int[Tensor, "F 3"],
        colors: Float[Tensor, "V 3"] | Float[Tensor, "B V 3"],
        cameras: Cameras,
    ) -> Pictures:
        """Pictures of a mesh with a colour at each vertex; see `BlackBox`."""
        check_scene(vertices, faces, colors, cameras)
        with torch.no_grad():
            hard = self._ids(vertices, faces, colors, cameras)
            if self.batched or (vertices.dim() == 2 and colors.dim() == 2):
                images = self._images(vertices, faces, colors, cameras)
            else:
                images = torch.cat(
                    [
                        self._images(_of(vertices, view), faces, _of(colors, view), cameras[view])
                        for view in range(len(cameras))
                    ]
                )
            if images.shape[-1] == 3:
                images = torch.cat([images, hard.images[..., 3:]], dim=-1)
        return Pictures(images, hard.triangles)

    def _images(self, vertices: Tensor, faces: Tensor, colors: Tensor, cameras: Cameras) -> Tensor:
        """What the function returns: checked, linear, premultiplied, float32, where the vertices are."""
        images = self._checked(self.function(vertices, faces, colors, cameras), cameras)
        bright = images.dtype == torch.uint8
        images = images.to(device=vertices.device, dtype=torch.float32)
        if bright:
            images = images / 255
        else:
            self._check_range(images)
        if self.encoding == "linear" and (self.alpha == "premultiplied" or images.shape[-1] == 3):
            return images
        color, coverage = images[..., :3], images[..., 3:]
        if self.encoding == "srgb":
            color = srgb_to_linear(color)
        if self.alpha == "straight" and images.shape[-1] == 4:
            color = color * coverage
        return torch.cat([color, coverage], dim=-1)

    def _checked(self, images: Any, cameras: Cameras) -> Tensor:
        """As a tensor of a right shape and type."""
        size = f"({len(cameras)}, {cameras.height}, {cameras.width}, 3 or 4)"
        if isinstance(images, np.ndarray):
            if images.dtype != np.uint8 and not np.issubdtype(images.dtype, np.floating):
                raise ValueError(f"{self._name}: expected uint8 or floats, got {images.dtype}; convert them")
            images = torch.from_numpy(images.copy())  # may be read-only, or run backwards in memory
        if not isinstance(images, Tensor):
            kind = type(images).__name__
            raise ValueError(
                f"{self._name}: expected a tensor or an array {size}, got {kind}; use numpy.stack"
            )
        images = images.detach()
        if images.dtype != torch.uint8 and not images.is_floating_point():
            raise ValueError(f"{self._name}: expected uint8 or floats, got {images.dtype}; convert them")
        shape = (len(cameras), cameras.height, cameras.width)
        if images.dim() != 4 or tuple(images.shape[:3]) != shape or images.shape[3] not in (3, 4):
            raise ValueError(
                f"{self._name}: expected images {size}, got {tuple(images.shape)}{_cure(images, cameras)}"
            )
        return images

    def _check_range(self, images: Tensor) -> None:
        low, high = (float(x) for x in torch.aminmax(images))
        if not np.isfinite(low) or not np.isfinite(high):
            bad = int((~torch.isfinite(images)).sum())
            raise ValueError(f"{self._name}: expected finite colours, got {bad} numbers that are not")
        if 2 < high <= 255 and low >= 0 and bool((images == images.round()).all()):
            raise ValueError(
                f"{self._name}: expected floats of which 1 is white, got whole numbers up to {high:.0f}; "
                "divide by 255, or return uint8"
            )
        if images.shape[-1] == 4:
            low, high = (float(x) for x in torch.aminmax(images[..., 3]))
            if low < -0.01 or high > 1.01:
                raise ValueError(f"{self._name}: expected alpha in [0, 1], got {low:.3g} to {high:.3g}")

    @property
    def _name(self) -> str:
        name = getattr(self.function, "__qualname__", None) or type(self.function).__name__
        return f"function {name}"


def _of(values: Tensor, view: int) -> Tensor:
    return values[view] if values.dim() == 3 else values


def _cure(images: Tensor, cameras: Cameras) -> str:
    """What to do about a wrong shape, where it can be told."""
    shape, views, size = tuple(images.shape), len(cameras), (cameras.height, cameras.width)
    if len(shape) == 4 and shape[1] in (3, 4) and shape[2:] == size:
        return "; channels come last: images.permute(0, 2, 3, 1)"
    if len(shape) == 4 and shape[:3] == (views, size[1], size[0]):
        return "; rows come before columns: swap height and width"
    if len(shape) == 3 and views == 1 and shape[:2] == size:
        return "; add the axis of views: images[None]"
    if len(shape) == 3 and shape == (views, *size):
        return "; repeat grey values three times"
    return ""
