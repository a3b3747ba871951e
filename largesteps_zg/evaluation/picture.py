"""A picture of the error: the bare surface, and beside it the same with its distances as colours."""

from __future__ import annotations

import math
import os

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.spatial import cKDTree

from .._support.atomic import atomic_path
from ..cameras.model import Cameras
from ..cameras.placement import look_at
from ..images.color import srgb_to_linear
from ..mesh.closest import closest_points
from ..mesh.mesh import Mesh
from ..output.pictures import drawing
from ..output.pictures.bare import bare_images
from ..output.pictures.drawing import GAP, MARGIN, TEXT, WHITE
from ..output.seen import seen_from
from ..reconstruct.frame import Frame
from .reference import Reference

SIDE = 480  # pixels of a view made for the picture
DOT = 2  # pixels, the radius of a point's dot
# Where one looks from if the reference has no cameras: the corners of a tetrahedron, which together see everything.
_CORNERS = ((1.0, 1.0, 1.0), (-1.0, -1.0, 1.0), (1.0, -1.0, -1.0), (-1.0, 1.0, -1.0))


def save_error_picture(
    path: str | os.PathLike[str],
    mesh: Mesh,
    reference: Reference,
    distances: NDArray[np.float64],
    *,
    cameras: Cameras | None = None,
    unit: str = "",
) -> None:
    """Write the bare surface and its error side by side, a row for each view.

    Where the reference is a surface or a scan, each face has the colour of its own distance to it. Where it is sparse,
    dots have the colours of the points' distances and lie where the points meet the surface.

    Parameters
    ----------
    path
        PNG file to write.
    mesh : Mesh
    reference : Reference
    distances : (N,) float64
        From the reference's points to the mesh, for a sparse one.
    cameras : Cameras, optional
        Where to look from; by default four views from around.
    unit : str
        Of lengths, for the scale.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    mesh = Mesh(mesh.vertices.detach().double().cpu(), mesh.faces.cpu())
    cameras = _around(mesh) if cameras is None else _smaller(cameras)
    bare = bare_images(mesh.vertices, mesh.faces, cameras)
    if reference.sparse:
        error, scale = bare, _round(float(np.quantile(distances, 0.95)))
    else:
        of_faces = _face_distances(mesh, reference)
        scale = _round(float(np.quantile(of_faces, 0.95)))
        colors = srgb_to_linear(torch.from_numpy(drawing.error_colors(of_faces / scale)).float() / 255)
        error = bare_images(mesh.vertices, mesh.faces, cameras, tint=colors)
    columns = [drawing.displayed(images.numpy()) for images in (bare, error)]
    if reference.sparse and reference.points is not None:
        _draw_dots(columns[1], mesh, reference.points, distances / scale, cameras)
    _write(path, columns, bare[..., 3].numpy() > 0, scale, unit)


def _write(
    path: str | os.PathLike[str], columns: list[NDArray[np.uint8]], covered: NDArray, scale: float, unit: str
) -> None:
    """The sheet: rows of the surface and its error, cut to what they show, and the scale."""
    rows = []
    for view in range(len(covered)):
        y, x = np.nonzero(covered[view]) if covered[view].any() else np.nonzero(covered[view] | True)
        cut = slice(max(y.min() - 4, 0), y.max() + 5), slice(max(x.min() - 4, 0), x.max() + 5)
        rows.append([drawing.fit(np.ascontiguousarray(column[view][cut]), SIDE) for column in columns])
    width = max(picture.width for row in rows for picture in row)
    top = MARGIN + TEXT + GAP
    bar = top + sum(row[0].height + GAP for row in rows) + 4
    sheet = Image.new("RGB", (2 * MARGIN + 2 * width + GAP, bar + 18 + TEXT + MARGIN), WHITE)
    down = top
    for row in rows:
        for column, picture in enumerate(row):
            sheet.paste(picture, (MARGIN + column * (width + GAP) + (width - picture.width) // 2, down))
        down += row[0].height + GAP
    for column, heading in enumerate(("Surface", f"Distance{f' ({unit})' if unit else ''}")):
        middle = MARGIN + column * (width + GAP) + width / 2
        drawing.write(sheet, (middle, top - GAP), heading, anchor="ms")
    corner = (MARGIN + width + GAP, bar)
    drawing.color_bar(sheet, corner, width, scale, last=f"≥ {scale:g}")
    with atomic_path(path) as part:
        drawing.save_png(part, sheet)


def _face_distances(mesh: Mesh, reference: Reference) -> NDArray[np.float64]:
    """(F,) distances of the faces' middles to the reference."""
    middles = mesh.vertices[mesh.faces].mean(dim=1)
    if reference.mesh is not None:
        vertices = reference.mesh.vertices.detach().double().cpu()
        found: NDArray[np.float64] = closest_points(
            middles, vertices, reference.mesh.faces.cpu()
        ).distances.numpy()
        return found
    assert reference.points is not None
    found, _ = cKDTree(reference.points).query(middles.numpy())
    return found


def _draw_dots(
    pictures: NDArray[np.uint8], mesh: Mesh, points: NDArray, unit_errors: NDArray, cameras: Cameras
) -> None:
    """Draw the points where they meet the surface, the worst last, so that no good one hides them."""
    met = closest_points(torch.from_numpy(points).double(), mesh.vertices, mesh.faces)
    corners = mesh.vertices[mesh.faces[met.faces]]
    places = (met.weights[:, :, None] * corners).sum(dim=1)
    colors = drawing.error_colors(unit_errors)
    for view in range(len(cameras)):
        shown = seen_from(mesh, places, cameras[view], of_faces=met.faces).numpy()
        pixels = cameras[view].to("cpu", torch.float64).project(places)[0][0].numpy()
        sheet = Image.fromarray(pictures[view])
        draw = ImageDraw.Draw(sheet)
        for index in np.argsort(unit_errors, kind="stable"):
            if shown[index]:
                x, y = pixels[index]
                box = (x - DOT, y - DOT, x + DOT, y + DOT)
                draw.ellipse(box, fill=tuple(int(c) for c in colors[index]), outline=(60, 60, 66))
        pictures[view] = np.asarray(sheet)


def _around(mesh: Mesh) -> Cameras:
    eyes = torch.tensor(_CORNERS, dtype=torch.float64) / math.sqrt(3)
    around = look_at(3.5 * eyes, fov_y_degrees=35.0, height=SIDE, width=SIDE)
    return Frame.around(mesh.vertices).restored(around)


def _smaller(cameras: Cameras) -> Cameras:
    """With images of the picture's size."""
    scale = SIDE / max(cameras.height, cameras.width)
    return cameras.to("cpu", torch.float64).resized(
        max(1, round(scale * cameras.height)), max(1, round(scale * cameras.width))
    )


def _round(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten, so that scales compare."""
    if not 0 < value < math.inf:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return float(
        f"{next(digit * power for digit in (1, 2, 5, 10) if digit * power >= value * (1 - 1e-9)):.6g}"
    )
