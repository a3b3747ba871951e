"""Photographs or a video without cameras, which are found from the photographs themselves.

    scene/
      a.jpg b.jpg ...               or in images/ or input/; named in the order in which they were taken, if possible
      masks/a.png                   where there are any

    a.mp4                           or a folder that holds it and no photographs

The cameras become a model of COLMAP in `Reading.cameras`. Where there are neither masks nor a background of one colour,
every pixel of a photograph may be object.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...cameras.turning import see_an_axis_alike
from ...cameras.upright import up_of_cameras
from ..carving.bounds import bounding_sphere
from ..carving.cones import cones_of
from ..from_photographs.collection import Photograph
from ..from_photographs.find import FoundCameras, cameras_from_photographs
from ..from_photographs.frames import FRAMES, frames_of, video_of
from ..from_photographs.video import is_video, videos_in
from ..from_photographs.work import Watch, part_of, unwatched
from ..photographs.assemble import assemble
from ..photographs.finding import AT_BORDERS, NoMaskError
from ..photographs.mask_files import MaskFinder
from ..provenance import UNUSED, Record, counted, some
from ..pycolmap_quietly import quiet_pycolmap
from ..reading import NO_MASKS, Reading
from ..shots import Shot
from ..views import Scene, Views
from .colmap import shots_of
from .files_beside import images_in

LOOKS_FOR = "photographs in the folder itself, images or input, or a video"

_FOLDERS = ("", "images", "input")
# What row 0 and column 0 of a stored photograph are when it is looked at, by its EXIF orientation, as the camera's own
# right and down: signs and axes of what is stored.
_SHOWN = {3: ((0, -1), (1, -1)), 6: ((1, -1), (0, 1)), 8: ((1, 1), (0, -1))}


def recognises(path: Path) -> bool:
    """Whether it is a video, or a folder that holds photographs or videos."""
    return is_video(path) or bool(_files(path)[1]) or bool(videos_in(path))


def load(path: Path, reading: Reading = Reading()) -> Scene:  # noqa: B008
    """Find the cameras and read the scene; see `scenes.load_scene` for what is raised."""
    record = Record(path)
    with _folder(reading) as folder:
        root, files, watch = _photographs(path, folder, reading, record)
        found = cameras_from_photographs(
            files, root, folder, constants=reading.advanced.structure, watch=watch
        )
        _tell(record, found, kept=reading.cameras is not None)
        shots = shots_of(found.model, root, record, reading)
        points = _points(found.model)
        masks = MaskFinder(_home(path, root)).of_all([shot.image for shot in shots])
        shots = [
            shot if mask is None else replace(shot, spare_mask=mask.file, mask_rule=mask.rule)
            for shot, mask in zip(shots, masks, strict=True)
        ]
        views, spare, reading = _views(shots, reading, record)
    if reading.masks != NO_MASKS:
        _check_outlines(path, views)
    return Scene(
        path=path, format="photographs", train=views, up=_up(views, found.photographs), points=points,
        masked=reading.masks != NO_MASKS, spare=spare, provenance=tuple(record.notes),
    )  # fmt: skip


def _photographs(
    path: Path, folder: Path, reading: Reading, record: Record
) -> tuple[Path, list[Path], Watch]:
    """The folder of the photographs, these, and who is told of what is left to do."""
    watch = reading.watch or unwatched
    root, files = _files(path)
    videos = videos_in(path)
    if files:
        if videos:
            record.add(UNUSED, f"{some([file.name for file in videos])}: photographs go before a video")
        return root, files, watch
    video = video_of(path)
    if video is None:
        raise FileNotFoundError(f"{path}: expected {LOOKS_FOR}, found none")
    made = frames_of(
        video, folder, reading.frames, constants=reading.advanced.structure, watch=part_of(watch, 0.0, 0.3)
    )
    record.add("images", f"{made.told} (--frames {reading.frames})")
    for note in made.notes:
        record.add(UNUSED, note)
    return folder / FRAMES, made.files, part_of(watch, 0.3, 1.0)


def _home(path: Path, root: Path) -> Path:
    """The folder around photographs in which masks are looked for."""
    if not path.is_dir():
        return path.parent  # of a video
    return root.parent if path in root.parents else path


def _views(shots: list[Shot], reading: Reading, record: Record) -> tuple[Views, Views | None, Reading]:
    """The views, others with masks that are in doubt, and how they were read.

    They are read without masks where nothing tells any, unless that was forbidden, or where the background's colour may
    not be all that is around the object.
    """
    told, spare = list(record.notes), None
    why = ""
    try:
        views = assemble(shots, reading, record)
        if not any(AT_BORDERS in note.text for note in record.notes[len(told) :]):
            return views, None, reading
        if _reaches_across(views):
            why = "what differs from it reaches across most photographs, so it is no object"
        elif see_an_axis_alike(views.cameras, reading.advanced.structure):
            why, spare = (
                "the object turned before a camera at rest, so what stays where it is tells more",
                views,
            )
        else:
            return views, None, reading
    except NoMaskError:
        if reading.background == "none":
            raise
    record.notes[:] = told
    reading = replace(reading, masks=NO_MASKS)
    views = assemble(shots, reading, record)
    if why:
        record.add(UNUSED, f"the background's colour: {why}")
    return views, spare, reading


def _reaches_across(views: Views) -> bool:
    """Whether most masks reach from one border of the photograph to the other, as walls and tables do."""
    inside = [cone.distance > 0 for cone in cones_of(views)]
    across = [(m[:, 0].any() and m[:, -1].any()) or (m[0].any() and m[-1].any()) for m in inside]
    return 2 * int(sum(across)) > len(across)


def _check_outlines(path: Path, views: Views) -> None:
    """ValueError where the masks and the cameras that were found have no solid in common."""
    try:
        bounding_sphere(views)
    except ValueError as error:
        raise ValueError(
            f"{path}: the object's outlines do not fit the cameras that were found ({error}). If you walked all around "
            "it: what mirrors or is transparent shows what is around it, so dust it with chalk or powder; what moves "
            "and wrong masks mislead, too"
        ) from None


def _files(path: Path) -> tuple[Path, list[Path]]:
    """The folder of the photographs, and these; none where a path is no folder."""
    if path.is_dir():
        for name in _FOLDERS:
            files = images_in(path / name)
            if files:
                return path / name, files
    return path, []


@contextmanager
def _folder(reading: Reading) -> Iterator[Path]:
    """Where the cameras are kept; for as long as they are read, if nowhere."""
    if reading.cameras is not None:
        yield reading.cameras
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _tell(record: Record, found: FoundCameras, *, kept: bool) -> None:
    """How many have cameras, and who has none."""
    total = len(found.photographs)
    place = f"; {found.model} opens in COLMAP" if kept else ""
    record.add(
        "cameras",
        f"found from the photographs{' by an earlier run' if found.reused else ''}: {len(found.placed)} of {total} "
        f"placed, {found.points:,} points, off by {found.error:.2g} pixels in the mean{place}",
    )
    if round(100 * found.still):
        record.add(
            UNUSED,
            f"{found.still:.0%} of the features, which stand still in most photographs: a background behind an object "
            "that turns, or a text on every photograph",
        )
    if found.unreadable:
        many = f"{len(found.unreadable)} files, of which the first is " * (len(found.unreadable) > 1)
        record.add(UNUSED, many + found.unreadable[0])
    if found.copies:
        record.add(UNUSED, f"copies of other photographs ({some(found.copies, 12)})")
    if found.unplaced:
        record.add(
            UNUSED,
            f"{counted(len(found.unplaced), 'photograph')} that could not be placed ({some(found.unplaced, 12)}): "
            "blurred, showing too little of what the others show, or contradicting them, as where things that look "
            "alike are taken for one another; take some between them and the others",
        )


def _points(model: Path) -> Tensor:
    with quiet_pycolmap() as pycolmap:
        points = pycolmap.Reconstruction(model).points3D.values()
        return torch.from_numpy(np.array([point.xyz for point in points], dtype=np.float64).reshape(-1, 3))


def _up(views: Views, photographs: Sequence[Photograph]) -> Tensor | None:
    """Up as the photographs are looked at; None where they are stored as they are looked at."""
    known = {photograph.name: photograph.orientation for photograph in photographs}
    known |= {Path(name).with_suffix("").as_posix(): turned for name, turned in known.items()}
    turned = [known.get(name, 1) for name in views.names]
    if not any(each in _SHOWN for each in turned):
        return None
    matrices = views.cameras.world_to_camera.double().clone()
    for matrix, each in zip(matrices, turned, strict=True):
        if each in _SHOWN:
            (right, sign), (down, other) = _SHOWN[each]
            stored = matrix[:3].clone()
            matrix[0], matrix[1] = sign * stored[right], other * stored[down]
    return up_of_cameras(views.cameras.unchecked(matrices, views.cameras.intrinsics))
