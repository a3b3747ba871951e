"""The cameras of photographs, from nothing but the photographs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...constants import DEFAULTS, Structure
from ..pycolmap_quietly import quiet_pycolmap
from .collection import Photograph, collection, faults_of
from .contradictions import without_contradictions
from .database import SPARSE, names_in, prepared
from .failures import check_matches, check_models, check_photographs, check_span
from .features import extract
from .mapping import mapped, match, settled, written
from .pairs import pairs_to_match
from .still import drop_still, forget_still_matches, forget_still_points, still_by_matches
from .turned import turned
from .work import Watch, part_of, unwatched


@dataclass(frozen=True)
class FoundCameras:
    """What structure from motion made of photographs.

    Attributes
    ----------
    model : Path
        A folder with a model of COLMAP.
    photographs : list of Photograph
        All of them, in the order that was given, but for copies and what cannot be read.
    placed, unplaced : tuple of str
        Names of photographs with a camera in the model, and without one though they can be read.
    copies : tuple of str
        Names of files that are the same as others.
    unreadable : tuple of str
        Why files are no photographs, a line for each.
    error : float
        Mean reprojection error of the model's points, pixels.
    points : int
        How many the model has.
    still : float
        Share of the features that stand still in most photographs, and were not used.
    reused : bool
        Whether the model was there already.
    """

    model: Path
    photographs: list[Photograph]
    placed: tuple[str, ...]
    unplaced: tuple[str, ...]
    copies: tuple[str, ...]
    unreadable: tuple[str, ...]
    error: float
    points: int
    still: float
    reused: bool


def cameras_from_photographs(
    files: Sequence[Path],
    root: Path,
    folder: str | os.PathLike[str],
    *,
    constants: Structure = DEFAULTS.structure,
    watch: Watch = unwatched,
) -> FoundCameras:
    """Find the cameras of photographs of one thing, by structure from motion on the CPU.

    SIFT features, but for those that stand still in the photographs; matches of all pairs, or of likely pairs where
    there are many; COLMAP's incremental mapping, and an adjustment in which wrong matches count little. Photographs of
    one size whose EXIF data name the same camera and focal length share a lens, with a focal length, which starts from
    that of the EXIF data, and a radial distortion. Its principal point is the middle of the photographs: of an object
    alone they tell it too weakly, and a wrong one only turns all cameras alike. An object may turn before a camera that
    stands still; then one place of the camera and an angle for each photograph are found.

    Parameters
    ----------
    files : sequence of Path
        Photographs, in the order in which they were taken if possible.
    root : Path
        The folder that they all lie in, directly or deeper.
    folder : Path
        Made if it is not there. Keeps ``database.db`` and the model in ``sparse/0``, both COLMAP's. Work that was
        interrupted goes on there, and is used as it is where the same photographs are given again.
    constants : Structure, optional
    watch : callable, optional
        Called with the share that is done, 0 to 1, and what is being done.

    Raises
    ------
    ValueError
        If cameras cannot be found; one line that says what to photograph.
    OSError
        If the folder cannot be written.

    Notes
    -----
    The same photographs give the same cameras, but for rounding in the libraries. The world's axes and its unit are
    any: photographs do not tell them.

    References
    ----------
    Schoenberger, Frahm: Structure-from-Motion Revisited. CVPR 2016.
    """
    place = Path(folder)
    photographs = collection(files, root)
    check_photographs(photographs, root)
    photographs = _different(photographs)
    place.mkdir(parents=True, exist_ok=True)
    with quiet_pycolmap() as pycolmap:
        file = prepared(place, photographs, constants, pycolmap)
        model = place / SPARSE / "0"
        reused = (model / "images.bin").is_file()
        if not reused:
            model.parent.mkdir(exist_ok=True)
            written(_model(file, photographs, root, constants, watch, pycolmap), model)
        return _told(
            model, photographs, files, root, drop_still(file, photographs, constants), reused, pycolmap
        )


def _different(photographs: list[Photograph]) -> list[Photograph]:
    """Without copies: of the same files, that of the shortest name stays."""
    shortest = {each.digest: each for each in sorted(photographs, key=lambda each: -len(each.name))}
    return [photograph for photograph in photographs if shortest[photograph.digest] is photograph]


def _model(
    file: Path, photographs: list[Photograph], root: Path, constants: Structure, watch: Watch, pycolmap: Any
) -> Any:
    """The model of most photographs."""
    count = len(photographs)
    extract(file, photographs, constants, part_of(watch, 0.0, 0.35), pycolmap)
    still = drop_still(file, photographs, constants)
    pairs = pairs_to_match(file, count, constants, pycolmap)
    match(file, names_in(photographs), pairs, constants, part_of(watch, 0.35, 0.65), pycolmap)
    if count > constants.few:  # a room at rest looks like itself, whatever turns in it
        rests = still_by_matches(file, photographs, constants, pycolmap)
        pairs = sorted({*pairs, *pairs_to_match(file, count, constants, pycolmap, without=rests)})
        match(file, names_in(photographs), pairs, constants, part_of(watch, 0.65, 0.7), pycolmap)
    forget_still_matches(file, photographs, pairs, constants, pycolmap)
    check_matches(file, photographs, still, constants, pycolmap)
    placing = part_of(watch, 0.7, 0.95)
    models = mapped(file, root, count, placing, pycolmap)
    check_models(file, models, photographs, still, pycolmap)
    model = without_contradictions(file, models[0], photographs, root, constants, placing, pycolmap)
    for image in model.images.values():
        image.name = photographs[image.image_id - 1].name
    forget_still_points(model, photographs, constants)
    settled(model, part_of(watch, 0.95, 1.0), pycolmap, constants)
    turned(model, constants, pycolmap)
    check_span(model, photographs, constants)
    return model


def _told(
    model: Path,
    photographs: list[Photograph],
    files: Sequence[Path],
    root: Path,
    still: float,
    reused: bool,
    pycolmap: Any,
) -> FoundCameras:
    read = pycolmap.Reconstruction(model)
    posed = {image.name for image in read.images.values() if image.has_pose}
    placed = [photograph for photograph in photographs if photograph.name in posed]
    faults = faults_of(sorted({*files} - {photograph.file for photograph in placed}))
    rest = {*files} - {photograph.file for photograph in photographs}
    return FoundCameras(
        model,
        photographs,
        tuple(photograph.name for photograph in placed),
        tuple(each.name for each in photographs if each.name not in posed and each.file not in faults),
        tuple(file.relative_to(root).as_posix() for file in sorted(rest) if file not in faults),
        tuple(faults.values()),
        float(read.compute_mean_reprojection_error()),
        int(read.num_points3D()),
        still,
        reused,
    )
