"""What a renderer without derivatives is: pictures in, and nothing to differentiate."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..cameras.model import Cameras
from ..geometry.connectivity import check_faces
from ..images.contributors import Contributors


@dataclass(frozen=True)
class Pictures:
    """What a renderer without derivatives gives for B views of H x W pixels; row 0 on top.

    Attributes
    ----------
    images : (B, H, W, 4) float32
        Linear RGB, premultiplied by the coverage, which is the last channel.
    triangles : (B, H, W) int32, or None
        The triangle that made the pixel, -1 where nothing is; None if the engine does not say.
    depth : (B, H, W) float32, or None
        The camera's z at the pixel (along the axis, world units), inf where nothing is; None if the engine does not
        say.
    contributors : Contributors, or None
        Which parameters made each pixel, where that is not one triangle: splats, voxels, texels.
    """

    images: Tensor
    triangles: Tensor | None = None
    depth: Tensor | None = None
    contributors: Contributors | None = None

    @property
    def primitives(self) -> Tensor | Contributors | None:
        """What made each pixel, for `PixelLosses`: lists, or else triangles; None if the engine says neither."""
        return self.triangles if self.contributors is None else self.contributors


class BlackBox(ABC):
    """A renderer that can be called and not differentiated; told apart from others by this type.

    A new one is one file with a class like this, and one line in the registry. `__call__` begins with `check_scene`.
    Whatever it keeps (a context, a connection) is made on first use and left out when the object is pickled, so that
    evaluations can run in other processes.

    Attributes
    ----------
    continuous : bool
        Whether the pictures change a little where the vertices move a little, as with antialiased outlines in floating
        point; then perturbations can be small. False unless a renderer says so.
    """

    continuous: bool = False

    @abstractmethod
    def __call__(
        self,
        vertices: Float[Tensor, "V 3"] | Float[Tensor, "B V 3"],
        faces: Int[Tensor, "F 3"],
        colors: Float[Tensor, "V 3"] | Float[Tensor, "B V 3"],
        cameras: Cameras,
    ) -> Pictures:
        """Pictures of a mesh with a colour at each vertex.

        Parameters
        ----------
        vertices : (V, 3) or (B, V, 3) float
            In the cameras' world; one set for all views, or one for each.
        faces : (F, 3) int
        colors : (V, 3) or (B, V, 3) float
            Linear RGB; likewise.
        cameras : Cameras
            B views of H x W pixels.

        Raises
        ------
        ValueError
            If a shape, a type, a device or an index is wrong, a vertex is not finite, or a gradient is asked for.
        """


def check_scene(vertices: Tensor, faces: Tensor, colors: Tensor, cameras: Cameras) -> None:
    """ValueError, in one line, for what a black box cannot draw, and for gradients that would silently be dropped."""
    views = len(cameras)
    if faces.dim() != 2 or faces.shape[-1] != 3 or faces.is_floating_point() or not len(faces):
        raise ValueError(f"faces: expected (F, 3) whole numbers with F > 0, got {_kind(faces)}")
    for name, tensor in (("vertices", vertices), ("colors", colors)):
        if tensor.dim() not in (2, 3) or tensor.shape[-1] != 3:
            raise ValueError(f"{name}: expected shape (V, 3) or (B, V, 3), got {tuple(tensor.shape)}")
        if tensor.dim() == 3 and len(tensor) != views:
            raise ValueError(f"{name}: expected one set for each of {views} views, got {len(tensor)} sets")
        if tensor.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"{name}: expected float32 or float64, got {tensor.dtype}; convert them first")
        if tensor.device != vertices.device:
            raise ValueError(
                f"{name}: expected on {vertices.device} as the vertices, got {tensor.device}; move them there"
            )
    if colors.shape[-2] != vertices.shape[-2]:
        raise ValueError(f"colors: expected {vertices.shape[-2]}, one a vertex, got {colors.shape[-2]}")
    if colors.dtype != vertices.dtype:
        raise ValueError(f"colors: expected {vertices.dtype} as the vertices, got {colors.dtype}")
    for name, tensor in (("faces", faces), ("cameras", cameras.world_to_camera)):
        if tensor.device != vertices.device:
            raise ValueError(
                f"{name}: expected on {vertices.device} as the vertices, got {tensor.device}; move them there"
            )
    if views == 0:
        raise ValueError("cameras: expected at least one view, got 0")
    _check_gradients(vertices=vertices, colors=colors, cameras=cameras.world_to_camera)
    _check_gradients(cameras=cameras.intrinsics)
    check_faces(faces, vertices.shape[-2])
    # One sum is a fiftieth of the time of looking at each; a search that diverges ends in NaN and not in a picture.
    if not math.isfinite(float(vertices.detach().sum())):
        bad = int((~torch.isfinite(vertices)).sum())
        raise ValueError(
            f"vertices: expected finite coordinates, got {bad} that are not; is the step too large?"
        )


def _check_gradients(**tensors: Tensor) -> None:
    if not torch.is_grad_enabled():
        return
    for name, tensor in tensors.items():
        if tensor.requires_grad:
            raise ValueError(
                f"{name}: expected a tensor that needs no gradient, got one that does: this renderer has no "
                "derivatives; wrap the loss: differentiable(f, estimator)"
            )


def _kind(tensor: Tensor) -> str:
    return f"{tensor.dtype} of shape {tuple(tensor.shape)}"
