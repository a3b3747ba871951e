"""One picture of a scene as it was read. It shows at once where cameras, masks and the first mesh do not fit."""

from __future__ import annotations

import os
import textwrap
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from ..._support.atomic import atomic_path
from ...cameras.model import Cameras
from ...geometry.normals import vertex_normals
from ...mesh.mesh import Mesh
from ...reconstruct.frame import Frame
from ...renderers.rasterized import render
from ...scenes.describe import sphere_or_fault
from ...scenes.up import up_direction
from ...scenes.views import Scene, Views
from .camera_map import draw_map
from .drawing import GAP, INK, MARGIN, TEXT, WHITE, font, save_png, shortened, write

PANELS = 6


SIDE = 300  # pixels, the width of a photograph


FINE = 3  # lines are drawn larger by this factor, then shrunk


MASK, SPHERE, START, FAULT = (229, 111, 36), (60, 60, 66), (40, 110, 190), (190, 30, 45)


_UNKNOWN = (226, 228, 236)


_SMALL = TEXT - 6


_MAP = 240  # pixels, with the caption


def save_overview(path: str | os.PathLike[str], scene: Scene, start: Mesh | None = None) -> None:
    """Write a picture of up to six photographs with lines over them, and of a map of the cameras.

    Each photograph shows the outline of its mask, if there are any, the sphere that holds the object, and the start
    mesh, all through its camera as it was read. In a right scene the sphere goes around the mask in every photograph,
    and the start mesh lies on the object.

    Parameters
    ----------
    path
        PNG file to write.
    scene : Scene
        The picture shows training views, those that lie farthest apart.
    start : Mesh, optional
        In the scene's coordinates.

    Raises
    ------
    OSError
        If the file cannot be written. There is no other error: where masks and cameras contradict each other, the
        picture has no sphere and says why.
    """
    views = scene.train
    sphere, fault = sphere_or_fault(views)
    chosen = spread_views(views.cameras, sphere, PANELS)
    photographs = _grid(
        [_panel(views[[i]], sphere, start, masked=scene.masked) for i in chosen],
        [views.names[i] for i in chosen],
    )
    maps = _maps(scene, sphere, chosen, max(photographs.height, 2 * _MAP))
    top = MARGIN + TEXT + 2 * GAP
    bottom = top + maps.height + GAP
    width = 3 * MARGIN + photographs.width + maps.width
    notes = textwrap.wrap(fault, (width - 2 * MARGIN) // 7) if fault else []
    sheet = Image.new("RGB", (width, bottom + (3 + len(notes)) * TEXT + MARGIN), WHITE)
    write(sheet, (MARGIN, MARGIN), shortened(_title(scene), width - 2 * MARGIN, TEXT), anchor="lt")
    sheet.paste(photographs, (MARGIN, top))
    sheet.paste(maps, (2 * MARGIN + photographs.width, top))
    _legend(sheet, (MARGIN, bottom + TEXT // 2), start is not None, sphere is not None, masked=scene.masked)
    for row, line in enumerate(notes):
        at = (MARGIN, bottom + (row + 2.4) * TEXT)
        ImageDraw.Draw(sheet).text(at, line, fill=FAULT, font=font(_SMALL), anchor="lt")
    with atomic_path(path) as part:
        save_png(part, sheet)


def _grid(panels: list[Image.Image], names: list[str]) -> Image.Image:
    """Photographs in rows, numbered and named."""
    columns = 3 if len(panels) > 4 else min(len(panels), 2)
    width, height = panels[0].width + GAP, panels[0].height + _SMALL + 2 * GAP
    sheet = Image.new("RGB", (columns * width - GAP, -(-len(panels) // columns) * height), WHITE)
    for number, (panel, name) in enumerate(zip(panels, names, strict=True)):
        x, y = number % columns * width, number // columns * height
        sheet.paste(panel, (x, y))
        label = shortened(f"{number + 1}  {name}", panel.width, _SMALL)
        write(sheet, (x + 1, y + panel.height + GAP // 2), label, anchor="lt", size=_SMALL)
    return sheet


def _maps(scene: Scene, sphere: tuple[Tensor, float] | None, chosen: list[int], height: int) -> Image.Image:
    """The cameras from above, and below that from the side."""
    size = height // 2 - _SMALL - GAP
    sheet = Image.new("RGB", (size, height), WHITE)
    up, source = up_direction(scene)
    held_out = None if scene.test is None else scene.test.cameras
    for row, caption in enumerate(("from above", "from the side")):
        picture = draw_map(
            scene.train.cameras, held_out, sphere, up, chosen, side=row == 1, size=size, fine=FINE,
            points=scene.points,
        )  # fmt: skip
        sheet.paste(picture, (0, row * (height // 2)))
        note = caption + (" (up is a guess)" if source == "cameras" and row == 1 else "")
        write(sheet, (size / 2, row * (height // 2) + size), note, anchor="mt", size=_SMALL)
    return sheet


def spread_views(cameras: Cameras, sphere: tuple[Tensor, float] | None, count: int) -> list[int]:
    """Sorted indices of the views that lie farthest apart as seen from the object; the first view is among them."""
    if sphere is None:
        directions = -cameras.forward.detach().double().cpu()
    else:
        directions = torch.nn.functional.normalize(cameras.centers.detach().double().cpu() - sphere[0], dim=1)
    chosen = [0]
    nearest = directions @ directions[0]
    while len(chosen) < min(count, len(cameras)):
        nearest[chosen] = torch.inf
        chosen.append(int(nearest.argmin()))
        nearest = nearest.maximum(directions @ directions[chosen[-1]])
    return sorted(chosen)


def sphere_outline(cameras: Cameras, center: Tensor, radius: float, points: int = 180) -> Tensor:
    """(B, points, 2) pixels of the circle along which the rays from each camera touch a sphere.

    NaN where the camera is inside the sphere. The image of the circle is an ellipse, whose middle is not the image of
    the centre.
    """
    eyes = cameras.centers.detach().double().cpu()
    offset = center.double().cpu() - eyes  # (B, 3)
    distance = offset.norm(dim=1, keepdim=True)
    axis = offset / distance
    cosine = (1 - (radius / distance).square()).sqrt()  # NaN inside
    side = torch.linalg.cross(axis, torch.eye(3, dtype=torch.float64)[axis.abs().argmin(dim=1)])
    side = side / side.norm(dim=1, keepdim=True)
    turn = torch.linspace(0, 2 * torch.pi, points, dtype=torch.float64)[:, None, None]
    circle = turn.cos() * side + turn.sin() * torch.linalg.cross(axis, side)  # (points, B, 3)
    on_sphere = eyes + cosine.square() * offset + radius * cosine * circle
    return cameras.to("cpu", torch.float64).project(on_sphere.movedim(0, 1).contiguous())[0]


def _panel(
    view: Views, sphere: tuple[Tensor, float] | None, start: Mesh | None, *, masked: bool
) -> Image.Image:
    """A photograph with a pale background, and the lines over it."""
    height, width = view.images.shape[1:3]
    size = (SIDE, max(1, round(SIDE * height / width)))
    pixels = _pale(view)
    if start is not None:
        pixels = _tinted(pixels, start, view.cameras)
    large = Image.fromarray(pixels).resize((FINE * size[0], FINE * size[1]), Image.Resampling.BICUBIC)
    draw, scale = ImageDraw.Draw(large), FINE * SIDE / width
    if start is not None:
        _draw_outline(draw, _coverage(start, view.cameras), START, scale)
    if masked:
        _draw_outline(draw, view.images[0, ..., 3].cpu().numpy() / 255.0, MASK, scale)
    if sphere is not None:
        outline = scale * sphere_outline(view.cameras, *sphere)[0].numpy()
        if np.isfinite(outline).all():
            for begin in range(0, len(outline) - 3, 6):  # dashes
                dash = [tuple(point) for point in outline[begin : begin + 4].clip(-1e5, 1e5).tolist()]
                draw.line(dash, fill=SPHERE, width=FINE + 2, joint="curve")
    draw.rectangle((0, 0, large.width - 1, large.height - 1), outline=(200, 200, 205), width=FINE)
    return large.resize(size, Image.Resampling.LANCZOS)


def _pale(view: Views) -> NDArray[np.uint8]:
    """(H, W, 3): the photograph, with the background half faded and unknown pixels in one colour."""
    image = view.images[0].cpu().numpy()
    color, alpha = image[..., :3].astype(np.float32), image[..., 3:].astype(np.float32) / 255
    outside = color[image[..., 3] == 0]
    # An object that was cut out has nothing behind it: white, not the grey of faded black.
    middle = np.median(outside, axis=0) if len(outside) else 0
    empty = len(outside) == 0 or float((np.abs(outside - middle).max(axis=-1) > 2).mean()) < 0.01
    behind = np.full_like(color, 255) if empty else 255 - 0.5 * (255 - color)
    shown = alpha * color + (1 - alpha) * behind
    if view.known is not None:
        shown[~view.known[0].cpu().numpy()] = _UNKNOWN
    return (shown + 0.5).astype(np.uint8)


def _normalized(mesh: Mesh, cameras: Cameras) -> tuple[Mesh, Cameras]:
    """Mesh and cameras moved to the unit sphere, where single precision is enough."""
    frame = Frame.around(mesh.vertices)
    return Mesh(frame.inside(mesh.vertices.detach()), mesh.faces.cpu()), frame.normalized(cameras)


def _coverage(mesh: Mesh, cameras: Cameras) -> NDArray[np.float32]:
    """(H, W) alpha of the mesh in one camera."""
    small, moved = _normalized(mesh, cameras)
    image = render(small.vertices, small.faces, torch.ones(len(small.vertices), 1), moved, near=1e-4)
    coverage: NDArray[np.float32] = image[0, ..., 1].clamp(0, 1).numpy()
    return coverage


def _tinted(pixels: NDArray[np.uint8], mesh: Mesh, cameras: Cameras) -> NDArray[np.uint8]:
    """The picture with the mesh over it like tinted glass, lit from the camera."""
    small, moved = _normalized(mesh, cameras)
    toward = torch.nn.functional.normalize(moved.centers - small.vertices, dim=1)
    facing = (vertex_normals(small.vertices, small.faces) * toward).sum(dim=1, keepdim=True).abs()
    color = torch.tensor(START) / 255 * (0.55 + 0.45 * facing) + 0.35 * facing.pow(8)
    image = render(small.vertices, small.faces, color.clamp(0, 1), moved, near=1e-4)[0].clamp(0, 1).numpy()
    strength = 0.5
    mixed = pixels * (1 - strength * image[..., 3:]) + 255 * strength * image[..., :3]
    return (mixed + 0.5).clip(0, 255).astype(np.uint8)


def _draw_outline(
    draw: ImageDraw.ImageDraw, values: NDArray, color: tuple[int, int, int], scale: float
) -> None:
    """Draw the lines where an image (H, W) in [0, 1] passes a half; a rim of zeros closes lines at the border."""
    from contourpy import contour_generator  # matplotlib draws contours with it

    lines: Any = contour_generator(z=np.pad(values, 1)).lines(0.5)
    for line in lines:
        # From indices of the padded image to pixels; the first pixel's centre is (0.5, 0.5).
        points = [tuple(point) for point in (scale * (line - 0.5)).tolist()]
        draw.line(points, fill=color, width=FINE + 2, joint="curve")


def _title(scene: Scene) -> str:
    name = "" if scene.path is None else f"{scene.path.resolve().name}  ·  "
    held_out = f" + {len(scene.test)} held out" if scene.test is not None else ""
    cameras = scene.train.cameras
    return f"{name}{scene.format}  ·  {len(scene.train)} views{held_out}  ·  {cameras.width} x {cameras.height} pixels"


def _legend(sheet: Image.Image, at: tuple[int, int], start: bool, sphere: bool, *, masked: bool) -> None:
    """The meaning of the lines, and below it how a right picture looks."""
    draw, (x, y) = ImageDraw.Draw(sheet), at
    entries = [("mask", MASK)] if masked else []
    entries += [("sphere that holds the object", SPHERE)] if sphere else []
    entries += [("start mesh", START)] if start else []
    for text, color in entries:
        for begin in (0, 12, 24) if color is SPHERE else (0,):
            draw.line([(x + begin, y), (x + begin + (6 if color is SPHERE else 30), y)], fill=color, width=3)
        write(sheet, (x + 38, y), text, anchor="lm", size=_SMALL)
        x += 38 + int(font(_SMALL).getlength(text)) + 28
    advice = (
        f"Right: in every photograph the sphere holds the {'mask' if masked else 'object'}"
        + ", and the start mesh is on it" * start
        + ".  "
    )
    advice = advice * sphere + "On the maps a camera opens towards where it looks."
    draw.text((at[0], y + TEXT), advice, fill=INK, font=font(_SMALL), anchor="lm")
