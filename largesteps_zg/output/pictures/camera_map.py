"""A map of cameras around an object, from above or from the side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from ...cameras.model import Cameras
from ...cameras.upright import upright_rotation
from .drawing import INK, WHITE, font

Points = NDArray[np.float64]
Color = tuple[int, int, int]

_TRAIN, _TEST, _SHOWN, _OBJECT = (120, 124, 134), (190, 194, 204), (24, 28, 36), (236, 238, 243)
_DOTS = (201, 120, 44)
_AXES = (("x", (214, 64, 56)), ("y", (46, 150, 76)), ("z", (52, 98, 206)))
_REACH = 0.09  # of the map's size: the length of a camera
_BORDER = 0.12  # of the map's size


def draw_map(
    cameras: Cameras,
    held_out: Cameras | None,
    sphere: tuple[Tensor, float] | None,
    up: Tensor,
    shown: Sequence[int],
    *,
    side: bool,
    size: int,
    fine: int = 3,
    points: Tensor | None = None,
) -> Image.Image:
    """Draw cameras as wedges that open in the viewing direction, in parallel projection, with the scene's axes.

    Parameters
    ----------
    cameras, held_out : Cameras
        Held-out cameras are pale.
    sphere : (center, radius) or None
        Around the object.
    up : (3,) float64
        In the scene's coordinates.
    shown : sequence of int
        Cameras that get numbers, from 1.
    side : bool
        True: from the side, with up on top. False: from above.
    size : int
        Pixels along each side of the map.
    fine : int
        The map is drawn larger by this factor, then shrunk.
    points : (N, 3), optional
        Points of surfaces, drawn where they lie on the map.
    """
    rotation = upright_rotation(up).numpy()
    # Upright axes: x right, y up, z towards the viewer. The view from above looks along -y, and z points down.
    across = rotation[:2] if side else np.stack([rotation[0], -rotation[2]])
    groups = [cameras] if held_out is None else [cameras, held_out]
    paper = _Paper.around(groups, sphere, across, fine * size)
    middle = paper(paper.origin if sphere is None else _flat(sphere[0][None], across)[0])
    sheet = Image.new("RGB", (fine * size, fine * size), WHITE)
    draw = ImageDraw.Draw(sheet)
    if sphere is not None:
        (x, y), r = middle, paper.scale * sphere[1]
        draw.ellipse((x - r, y - r, x + r, y + r), fill=_OBJECT, outline=(150, 154, 164), width=fine)
    if points is not None:
        _draw_points(sheet, paper(_flat(points, across)), fine)
    _draw_axes(draw, across, middle, fine, size)
    if held_out is not None:
        _draw_cameras(draw, held_out, paper, _TEST, (), fine)
    _draw_cameras(draw, cameras, paper, _TRAIN, shown, fine)
    return sheet.resize((size, size), Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class _Paper:
    """Where points lie on the map: `origin`, in the plane of the axes `across`, in the middle of `side` pixels."""

    across: Points
    origin: Points
    scale: float
    side: int

    @classmethod
    def around(
        cls, groups: list[Cameras], sphere: tuple[Tensor, float] | None, across: Points, side: int
    ) -> _Paper:
        """With room for all cameras and the sphere."""
        places = [_flat(group.centers, across) for group in groups]
        if sphere is not None:
            middle = _flat(sphere[0][None], across)
            places += [middle - sphere[1], middle + sphere[1]]
        everything = np.concatenate(places)
        low, high = everything.min(axis=0), everything.max(axis=0)
        extent = max(float((high - low).max()), 1e-30)
        return cls(across, 0.5 * (low + high), side * (1 - 2 * _BORDER) / extent, side)

    def __call__(self, flat: Points) -> Points:
        """(N, 2) pixels of points in the plane."""
        return 0.5 * self.side + self.scale * (flat - self.origin) * np.array([1.0, -1.0])


def _draw_points(sheet: Image.Image, places: Points, fine: int) -> None:
    """A dot of a shrunk pixel for each point, the darker the more lie there."""
    cells = np.floor(places / fine)
    size = sheet.width // fine
    cells = cells[((cells >= 0) & (cells < size)).all(axis=1)].astype(np.int64)
    count = np.bincount(cells[:, 1] * size + cells[:, 0], minlength=size * size).reshape(size, size)
    ink = np.array(_DOTS) * np.ones((size, size, 1))
    opacity = 255 * (1 - 0.5 ** count.astype(np.float64))
    dots = Image.fromarray(np.concatenate([ink, opacity[..., None]], axis=2).astype(np.uint8), "RGBA")
    dots = dots.resize(sheet.size, Image.Resampling.NEAREST)
    sheet.paste(dots, (0, 0), dots)


def _draw_cameras(
    draw: ImageDraw.ImageDraw, cameras: Cameras, paper: _Paper, color: Color, shown: Sequence[int], fine: int
) -> None:
    """A wedge for each camera; those that are shown are darker and have numbers."""
    corners = paper(_flat(cameras.centers, paper.across))
    wedges = _wedges(cameras, paper.across, _REACH * paper.side)
    for index, (corner, wedge) in enumerate(zip(corners, wedges, strict=True)):
        outline = [tuple(corner), *(tuple(corner + point) for point in wedge), tuple(corner)]
        if index not in shown:
            draw.line(outline, fill=color, width=fine, joint="curve")
            continue
        draw.line(outline, fill=_SHOWN, width=2 * fine, joint="curve")
        away = -wedge.mean(axis=0)
        away = away / max(float(np.linalg.norm(away)), 1e-9) * 9 * fine
        _label(draw, corner + away, str(list(shown).index(index) + 1), INK, 15 * fine)


def _flat(points: Tensor, across: Points) -> Points:
    """(N, 2) in the plane of the map."""
    flat: Points = points.detach().double().cpu().numpy() @ across.T
    return flat


def _wedges(cameras: Cameras, across: Points, length: float) -> Points:
    """(B, 2, 2) steps on the map, from each camera along the left and right border of its view."""
    rotation = cameras.world_to_camera[:, :3, :3].detach().double().cpu().numpy()
    forward = rotation[:, 2] @ across.T  # (B, 2)
    tangent = 0.5 * cameras.width / cameras.intrinsics[:, 0, 0].detach().double().cpu().numpy()
    sideways = np.stack([-forward[:, 1], forward[:, 0]], axis=1) * np.clip(tangent, 0.15, 0.6)[:, None]
    # A camera that looks along the map's line of sight has no direction on the map, and becomes a short line.
    flip = np.array([1.0, -1.0])
    wedges: Points = length * np.stack([forward + sideways, forward - sideways], axis=1) * flip
    return wedges


def _draw_axes(draw: ImageDraw.ImageDraw, across: Points, middle: Points, fine: int, size: int) -> None:
    """The scene's axes from the object's middle; one that points at the viewer is a dot."""
    axes = across.T * np.array([1.0, -1.0])  # (3, 2): each axis on the map
    for (name, color), direction in zip(_AXES, axes, strict=True):
        length = float(np.linalg.norm(direction))
        tip = middle + 0.1 * fine * size * direction
        if length > 0.2:
            draw.line([tuple(middle), tuple(tip)], fill=color, width=2 * fine)
            label = middle + (0.1 + 0.03 / length) * fine * size * direction
            _label(draw, label, name, color, 14 * fine)


def _label(draw: ImageDraw.ImageDraw, at: Points, text: str, color: Color, size: int) -> None:
    """Text with a white rim, because it may lie on lines."""
    draw.text(
        tuple(at), text, fill=color, font=font(size), anchor="mm", stroke_width=size // 10, stroke_fill=WHITE
    )
