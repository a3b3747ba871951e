"""Mitsuba's XML scenes, those of the Large Steps paper among them: sensors, meshes and an environment map.

    scene/
      scene.xml                  or any one *.xml; or the path of the file
      meshes/target.ply ...      what the file names
      images/0.png ...           photographs or renderings of the sensors, where there are any

Without images the scene is rendered here, from the shapes and the environment map, shaded as diffuse without shadows,
as the paper does. Axes are Mitsuba's: x left, y up, looking along +z.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import torch

from ...cameras.model import Cameras
from ...images.files import image_size
from ...mesh.mesh import Mesh
from ...renderers.light import SphericalHarmonicsLight
from ..photographs.assemble import assemble
from ..photographs.mask_files import MaskFile, MaskFinder
from ..photographs.masking import check_mask
from ..provenance import UNUSED, Record, counted, some
from ..reading import Reading
from ..sanity import check_shots
from ..shots import Shot
from ..synthetic import render_views, studio_light
from ..views import Scene, Views
from .files_beside import by_stem, images_in
from .mitsuba_sensors import Sensor, common_up, read_sensors
from .mitsuba_world import LIGHTS, SHAPES, read_light, read_shapes
from .mitsuba_xml import read_scene

LOOKS_FOR = "scene.xml"


def recognises(path: Path) -> bool:
    """Whether the path is an XML file, or a folder with a scene.xml or an XML file that has a <scene> in it."""
    if path.is_file():
        return path.suffix.lower() == ".xml"
    if (path / "scene.xml").is_file():
        return True
    return any(_begins_a_scene(file) for file in path.glob("[!.]*.xml") if file.is_file())


def _begins_a_scene(path: Path) -> bool:
    with path.open("rb") as file:
        return b"<scene" in file.read(4096)


def load(path: Path, reading: Reading = Reading()) -> Scene:  # noqa: B008
    """Read a scene from its XML file, or from the folder of one; see `scenes.load_scene` for what is raised."""
    file = path if path.is_file() else _scene_file(path)
    root = read_scene(file)
    sensors = read_sensors(root, file)
    mesh, light = read_shapes(root, file), read_light(root, file)
    images = images_in(file.parent / "images")
    record = Record(file.parent)
    record.add("model", f"{file.name}, {counted(len(sensors), 'sensor')}")
    _tell_parts(root, record)
    if images:
        views = _photographs(sensors, images, file, reading, record)
    else:
        views = _rendered(sensors, mesh, light, file, reading)
        record.add("images", "none in images/: rendered here from the shapes and the light")
        record.add("masks", "what the shapes cover")
    notes = tuple(record.notes)
    up = common_up(root)
    return Scene(path, "mitsuba", train=views, mesh=mesh, up=up, light=light, provenance=notes)


def _tell_parts(root: ElementTree.Element, record: Record) -> None:
    """A note of the shapes and lights that mean nothing here."""
    for tag, known in (("shape", SHAPES), ("emitter", LIGHTS)):
        kinds = [str(element.get("type")) for element in root.iter(tag)]
        unknown = sorted({kind[:40] for kind in kinds if kind not in known})
        if unknown:
            count = sum(kind not in known for kind in kinds)
            record.add(UNUSED, f"{counted(count, tag)} of type {some(unknown)}; read are {', '.join(known)}")


def _scene_file(folder: Path) -> Path:
    files = [folder / "scene.xml"] if (folder / "scene.xml").is_file() else sorted(folder.glob("[!.]*.xml"))
    if not files:
        raise FileNotFoundError(f"{folder}: expected {LOOKS_FOR}, found no such file")
    if len(files) > 1:
        files = [file for file in files if _begins_a_scene(file)] or files
    if len(files) > 1:
        names = ", ".join(file.name for file in files[:4])
        raise ValueError(f"{folder}: expected scene.xml, got {names}; give the path of the right one")
    return files[0]


def _photographs(
    sensors: Sequence[Sensor], images: Sequence[Path], file: Path, reading: Reading, record: Record
) -> Views:
    """The images beside the scene: by the sensors' ids where they have these names, else in their order."""
    named = by_stem(images)
    if all(sensor.name in named for sensor in sensors):
        files = [named[sensor.name] for sensor in sensors]
    elif len(images) == len(sensors):
        files = list(images)
    else:
        raise ValueError(
            f"{file}: {len(sensors)} sensors but {len(images)} images in {images[0].parent}, and the sensors' ids are "
            "not their names; expected one image per sensor"
        )
    masks = MaskFinder(file.parent).of_all(files)
    shots = [_shot(*each) for each in zip(sensors, files, masks, strict=True)]
    check_shots(shots, sized=True, constants=reading.advanced.checks)
    return assemble(shots, reading, record)


def _shot(sensor: Sensor, image: Path, mask: MaskFile | None) -> Shot:
    """The intrinsics are for the film; the image may have been made smaller."""
    width, height = image_size(image)
    film = sensor.cameras
    if abs(width * film.height - height * film.width) > max(film.width, film.height):
        raise ValueError(
            f"{sensor.where}: {image.name} has {width}x{height} pixels but the film {film.width}x{film.height}, "
            "another shape; was it cropped or turned?"
        )
    camera = film.resized(height, width)
    matrix, k = camera.world_to_camera[0].numpy(), camera.intrinsics[0].numpy()
    where = f"{sensor.where}: {image.name}"
    if mask is None:
        return Shot(image, image.stem, matrix, k, where)
    return Shot(image, image.stem, matrix, k, where, spare_mask=mask.file, mask_rule=mask.rule)


def _rendered(
    sensors: Sequence[Sensor],
    mesh: Mesh | None,
    light: SphericalHarmonicsLight | None,
    file: Path,
    reading: Reading,
) -> Views:
    """What the sensors see of the mesh, by this project's renderer."""
    if mesh is None:
        raise ValueError(
            f"{file}: expected photographs in {file.parent / 'images'} or a shape of type {' or '.join(SHAPES)} to "
            "render, got neither"
        )
    first = sensors[0].cameras
    for sensor in sensors:
        if (sensor.cameras.height, sensor.cameras.width) != (first.height, first.width):
            raise ValueError(
                f"{sensor.where}: film of {sensor.cameras.width}x{sensor.cameras.height} pixels, the first one's has "
                f"{first.width}x{first.height}; give all the same to have them rendered"
            )
    factor = min(1.0, reading.max_size / max(first.height, first.width))
    cameras = Cameras(
        torch.cat([sensor.cameras.world_to_camera for sensor in sensors]),
        torch.cat([sensor.cameras.intrinsics for sensor in sensors]),
        first.height,
        first.width,
    ).resized(max(1, round(factor * first.height)), max(1, round(factor * first.width)))
    views = render_views(mesh, cameras, light=light or studio_light())
    for sensor, image in zip(sensors, views.images, strict=True):
        where = f"{sensor.where}: rendered from the shapes"
        check_mask(image[..., 3].numpy(), where, reading.advanced.photographs)
    return Views(views.images, cameras, tuple(sensor.name for sensor in sensors))
