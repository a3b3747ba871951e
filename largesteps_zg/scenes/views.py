"""Views (images with masks and cameras) and Scene (what a folder holds)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..cameras.model import Cameras
from ..constants import DEFAULTS, Constants
from ..images.color import srgb_to_linear
from ..mesh.mesh import Mesh
from ..renderers.light import SphericalHarmonicsLight
from .provenance import Note

Index = int | slice | Sequence[int] | Tensor


@dataclass(frozen=True)
class Ball:
    """A ball of space that the object lies in, where a scene's files say so.

    Attributes
    ----------
    center : (3,) float64 tensor
        In the scene's coordinates.
    radius : float
        > 0, in the scene's units.
    """

    center: Tensor
    radius: float

    def depth(self, points: np.ndarray) -> np.ndarray:
        """(N,) distances of points (N, 3) to the ball's surface, positive inside."""
        from_center = points - self.center.cpu().double().numpy()
        inside: np.ndarray = self.radius - np.linalg.norm(from_center, axis=1)
        return inside


@dataclass(frozen=True)
class Views:
    """Images on a canvas of one size, the mask of the object in each, and the cameras that took them.

    Attributes
    ----------
    images : (B, H, W, 4) uint8 tensor
        sRGB with straight (not premultiplied) alpha, row 0 on top. Alpha is the mask: 255 where the object is.
    cameras : Cameras
        One per image.
    names : tuple of str
        One per image, for messages and file names.
    known : (B, H, W) bool tensor, optional
        False where a pixel of the canvas belongs to no photograph: beside a smaller one, or beyond the border of one
        that was undistorted. Such pixels have alpha 0 and are never compared. All are known by default.
    ball : Ball, optional
        Where the object is, if the scene says so. Then a photograph that cuts the object off says nothing of what lies
        beyond its border; without it, the mask is taken to go on there, since nothing else would bound the object.
    evidence : (B, H, W) int8 tensor, optional
        What each pixel says by itself, where masks were found by colours: from -127, it is not the object, to 127, it
        is. A mask's outline was drawn by one photograph alone; a run asks the pixels of all of them in its place.

    Raises
    ------
    ValueError
        Images of another shape or type, or numbers of images, cameras and names that differ.
    """

    images: Tensor
    cameras: Cameras
    names: tuple[str, ...]
    known: Tensor | None = None
    ball: Ball | None = None
    evidence: Tensor | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.images.shape)
        if len(shape) != 4 or shape[-1] != 4 or self.images.dtype != torch.uint8:
            raise ValueError(
                f"images: expected uint8 of shape (B, H, W, 4), got {self.images.dtype} of shape {shape}"
            )
        if not shape[0] == len(self.cameras) == len(self.names):
            raise ValueError(
                "views: expected as many cameras and names as images, "
                f"got {shape[0]} images, {len(self.cameras)} cameras and {len(self.names)} names"
            )
        if shape[1:3] != (self.cameras.height, self.cameras.width):
            raise ValueError(
                f"views: images are {shape[2]}x{shape[1]} pixels but cameras {self.cameras.width}x"
                f"{self.cameras.height}; use cameras.resized"
            )
        for name, part, kind in (("known", self.known, torch.bool), ("evidence", self.evidence, torch.int8)):
            if part is not None and (part.shape != self.images.shape[:3] or part.dtype != kind):
                wanted = f"{kind}".removeprefix("torch.")
                raise ValueError(
                    f"{name}: expected {wanted} of shape {shape[:3]}, got {part.dtype} of {tuple(part.shape)}"
                )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Index) -> Views:
        """Some of the views, always as a batch."""
        chosen = torch.arange(len(self))[index.cpu() if isinstance(index, Tensor) else index].reshape(-1)
        names = tuple(self.names[i] for i in chosen.tolist())
        where = chosen.to(self.images.device)
        known, evidence = (None if part is None else part[where] for part in (self.known, self.evidence))
        return Views(self.images[where], self.cameras[chosen], names, known, self.ball, evidence)

    def linear(
        self, index: Index | None = None, *, device: torch.device | str | None = None
    ) -> Float[Tensor, "B H W 4"]:
        """Images in linear light, *premultiplied* by alpha, alpha last; what a renderer gives over black.

        Parameters
        ----------
        index : int, slice, sequence of int or tensor, optional
            Which views; all by default. Convert only the views of a step: floats take four times the memory.
        device
            Where the result goes, by default where the images are. They travel as bytes.

        Returns
        -------
        (B, H, W, 4) float32 tensor in [0, 1]
        """
        images = self.images
        if index is not None:
            images = images[[index] if isinstance(index, int) else index]
        images = images.to(device=device)
        # 256 levels are looked up: a tenth of the time of the powers. NumPy needs no numbers of eight bytes for that.
        levels = torch.arange(256, device=images.device, dtype=torch.float32) / 255
        light = srgb_to_linear(levels)
        if images.device.type != "cpu":
            alpha = torch.take(levels, images[..., 3:].long())
            return torch.cat([torch.take(light, images[..., :3].long()) * alpha, alpha], dim=-1)
        pixels, found = images.numpy(), torch.empty(images.shape)
        covered = levels.numpy()[pixels[..., 3]]
        for channel in range(3):
            np.multiply(light.numpy()[pixels[..., channel]], covered, out=found.numpy()[..., channel])
        found[..., 3] = torch.from_numpy(covered)
        return found


@dataclass(frozen=True)
class Scene:
    """What a folder holds.

    Attributes
    ----------
    path : Path or None
        The folder, where there is one.
    format : str
        Name of the format in `scenes.FORMATS`.
    train, test : Views
        To reconstruct from, and held out to measure with (None where the folder has none). Cameras that were read
        from files are float64: a scene far from the origin needs the digits until it has been moved there
        (`cameras.transformed(...).to(dtype=torch.float32)`).
    mesh : Mesh or None
        The true surface in the scene's coordinates, where it is known.
    up : (3,) float64 tensor or None
        The direction that points up in the scene's coordinates, where the format fixes one.
    light : SphericalHarmonicsLight or None
        Where it is known.
    masked : bool
        False where no mask tells the object from what is around it: all pixels may be object, and the views' ball says
        where it is.
    spare : Views or None
        All photographs with masks by the background's colour, which are in doubt: for where nothing better is found.
    points : (N, 3) float64 tensor or None
        Points of surfaces in the scene, of the object or around it, where the cameras were found with them.
    provenance : tuple of Note
        Where masks, lenses, splits and models came from, and what lay there and was not used.
    constants : Constants
        By which it was read.
    """

    path: Path | None
    format: str
    train: Views
    test: Views | None = None
    mesh: Mesh | None = None
    up: Tensor | None = None
    light: SphericalHarmonicsLight | None = None
    masked: bool = True
    spare: Views | None = None
    points: Tensor | None = None
    provenance: tuple[Note, ...] = ()
    constants: Constants = DEFAULTS

    @property
    def notes(self) -> tuple[str, ...]:
        """The provenance in words, a phrase each: "masks: alpha, in all 10 photographs"."""
        return tuple(str(note) for note in self.provenance)
