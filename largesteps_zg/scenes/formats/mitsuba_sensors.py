"""The sensors of a Mitsuba scene: pose, film, field of view."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...cameras.conventions import from_mitsuba
from ...cameras.model import Cameras
from .mitsuba_xml import has, number, parts, steps, string, to_world, whole

_TYPES = ("perspective", "thinlens")  # the latter as if all were in focus
_LARGEST_FILM = 1 << 16


@dataclass(frozen=True)
class Sensor:
    """A camera, for a film of its own size."""

    cameras: Cameras  # one
    name: str
    where: str


def read_sensors(root: ElementTree.Element, file: Path) -> list[Sensor]:
    """All sensors in the order of the file."""
    elements = list(root.iter("sensor"))
    if not elements:
        raise ValueError(f"{file}: expected at least one <sensor>, got none")
    return [_sensor(root, element, f"{file}: sensor {index}") for index, element in enumerate(elements)]


def _sensor(root: ElementTree.Element, element: ElementTree.Element, where: str) -> Sensor:
    name = element.get("id") or where.rsplit(" ", 1)[1].zfill(3)
    where = f"{where} ({name})" if element.get("id") else where
    if element.get("type") not in _TYPES:
        got = str(element.get("type"))[:40]
        raise ValueError(f"{where}: expected a sensor of type {' or '.join(_TYPES)}, got {got}; remove it")
    width, height, crop = _film(root, element, where)
    fov, axis = _field_of_view(element, where)
    offset = tuple(number(element, f"principal_point_offset_{axis}", 0.0, where) for axis in "xy")
    try:
        camera = from_mitsuba(
            torch.from_numpy(to_world(element, where)), fov_degrees=fov, fov_axis=axis,
            principal_point_offset=(offset[0], offset[1]), height=height, width=width,
        )  # fmt: skip
    except ValueError as error:
        raise ValueError(f"{where}: {str(error).removeprefix('cameras[0]: ')}") from None
    x0, y0, crop_width, crop_height = crop
    k = camera.intrinsics - torch.tensor([[0.0, 0.0, x0], [0.0, 0.0, y0], [0.0, 0.0, 0.0]])
    return Sensor(Cameras(camera.world_to_camera, k, crop_height, crop_width), name, where)


def _field_of_view(element: ElementTree.Element, where: str) -> tuple[float, str]:
    """Degrees, and the side of the film that they span; from a focal length where there is no fov, 50 mm by default."""
    if has(element, "fov"):
        return number(element, "fov", 0.0, where), (string(element, "fov_axis", where) or "x").lower()
    millimetres = (string(element, "focal_length", where) or "50mm").removesuffix("mm")
    try:
        focal = float(millimetres)
    except ValueError:
        focal = math.nan
    if not 0.1 < focal < 1e5:
        raise ValueError(f"{where}: expected a focal_length such as 50mm, got {millimetres[:40]!r}")
    return math.degrees(2 * math.atan(math.hypot(36, 24) / (2 * focal))), "diagonal"


def _film(
    root: ElementTree.Element, element: ElementTree.Element, where: str
) -> tuple[int, int, tuple[int, int, int, int]]:
    """Width and height of the whole film, and the part of it that the image shows: x, y, width, height."""
    film = next(parts(root, element, "film"), ElementTree.Element("film"))
    width, height = whole(film, "width", 768, where), whole(film, "height", 576, where)
    x0, y0 = whole(film, "crop_offset_x", 0, where), whole(film, "crop_offset_y", 0, where)
    crop_width = whole(film, "crop_width", width - x0, where)
    crop_height = whole(film, "crop_height", height - y0, where)
    inside = 0 <= x0 < x0 + crop_width <= width and 0 <= y0 < y0 + crop_height <= height
    if not inside or max(width, height) > _LARGEST_FILM:
        raise ValueError(
            f"{where}: expected a film with a crop inside it, got {width}x{height} pixels and a crop of "
            f"{crop_width}x{crop_height} at ({x0}, {y0})"
        )
    return width, height, (x0, y0, crop_width, crop_height)


def common_up(root: ElementTree.Element) -> Tensor | None:
    """(3,) of unit length: the up of all sensors' lookat; None where they differ or a pose is made in another way."""
    ups = set()
    for sensor in root.iter("sensor"):
        pose = steps(sensor)
        alone = len(pose) == 1 and pose[0].tag == "lookat"
        ups.add(tuple(pose[0].get("up", "0 1 0").replace(",", " ").split()) if alone else ())
    words = ups.pop() if len(ups) == 1 else ()
    if not words:
        return None
    return torch.nn.functional.normalize(torch.tensor([float(x) for x in words], dtype=torch.float64), dim=0)
