"""COLMAP models, text and binary, beside the photographs that they were made from.

    scene/
      images/left/a.jpg ...           named as in the model; only those that COLMAP placed are read
      sparse/0/cameras.bin images.bin     or .txt; or in sparse/, colmap/sparse/0/, dense/0/sparse/, the folder itself
      masks/left/a.png                or a.jpg.png, as COLMAP itself names masks

Poses are world-to-camera, x right, y down, z forward; the first pixel's centre is (0.5, 0.5). All lenses that COLMAP
knows are undone, except panoramas. The model's own folder (sparse/0) is a scene too.
"""

from __future__ import annotations

import math
import re
import struct
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..._support.regular_files import names_a_file
from ...images.files import image_size
from ..photographs.assemble import assemble
from ..photographs.lookup import Lookup
from ..photographs.mask_files import MaskFinder
from ..provenance import UNUSED, Record, counted
from ..pycolmap_quietly import quiet_pycolmap
from ..reading import Reading
from ..sanity import check_shots
from ..shots import Lens, Shot
from ..views import Scene
from .colmap_copy import check_cameras, essentials
from .colmap_text import image_lines
from .files_beside import folders_in

LOOKS_FOR = "cameras.bin and images.bin (or .txt) in sparse/0, sparse or the folder itself"

# The last but one: Gaussian splatting's, of photographs as they were taken. N: a workspace for each part of the model.
_PLACES = (
    *("sparse", "colmap/sparse", "dense/sparse", "dense/N/sparse"),
    *("colmap/text", "distorted/sparse", ""),
)


def recognises(path: Path) -> bool:
    """Whether the folder, or one that a model is usually in, holds a model; or the path is a file of one."""
    path = _folder(path)
    return any(_suffix(part) for place in _PLACES for part in _parts(path, place))


def load(path: Path, reading: Reading = Reading()) -> Scene:  # noqa: B008
    """Read the scene in a folder; see `scenes.load_scene` for what is raised."""
    path = _folder(path)
    models = _models(path)
    if not models:
        raise FileNotFoundError(f"{path}: expected {LOOKS_FOR}, found neither")
    record = Record(path)
    models = _with_images(path, models)
    shots = _shots(path, models[0], record, reading)
    _tell_models(models, record)
    views = assemble(shots, reading, record)
    return Scene(path=path, format="colmap", train=views, provenance=tuple(record.notes))


def shots_of(model: Path, root: Path, record: Record, reading: Reading) -> list[Shot]:
    """The shots of a model, whose images lie in a folder that is known; raises as `load`."""
    return _shots(root, model, record, reading, root)


def _folder(path: Path) -> Path:
    """The scene's or the model's, also where a file of the model is named."""
    return path.parent if path.is_file() and path.stem in ("cameras", "images") else path


def _models(path: Path) -> list[Path]:
    """The folders of models, the one to take first: of several parts (sparse/0, sparse/1) that with most images."""
    found: dict[Path, None] = {}
    for place in _PLACES:
        inside = _parts(path, place)
        # Parts have numbers; others (sparse/aligned) are copies of them.
        numbered = [part for part in inside if part.name.isdecimal() or part == path / place]
        for parts in (numbered, inside):
            models = [part for part in parts if _suffix(part) and part not in found]
            found.update(dict.fromkeys(sorted(models, key=_count, reverse=True)))
    return list(found)


def _with_images(path: Path, models: list[Path]) -> list[Path]:
    """The same, the dense workspace first where the images of the model that goes before are elsewhere.

    COLMAP's automatic reconstruction puts copies of the images, undistorted, into each dense/N/images alone.
    """
    dense = [model for model in models if "dense" in model.relative_to(path).parts]
    if not dense or models[0] in dense or _image_folder(path, models[0], sorted(_read(models[0])[0])):
        return models
    return [*dense, *(model for model in models if model not in dense)]


def _parts(path: Path, place: str) -> list[Path]:
    """A place that a model may be in, and the folders in it where these may be parts of one."""
    if "N" in place:
        above, _, below = place.partition("/N/")
        return [part / below for part in _by_number(folders_in(path / above)) if part.name.isdecimal()]
    folder = path / place
    return [folder, *_by_number(folders_in(folder) if place or path.name == "sparse" else [])]


def _by_number(folders: list[Path]) -> list[Path]:
    """Those whose names are numbers first, 2 before 10."""
    return sorted(folders, key=lambda folder: (0, int(folder.name)) if folder.name.isdecimal() else (1, 0))


def _count(model: Path) -> int:
    """How many images a model says to have; 0 where it cannot be told."""
    suffix = _suffix(model)
    file = model / f"images{suffix}"
    if suffix == ".bin":
        with file.open("rb") as opened:
            start = opened.read(8)
        return int(struct.unpack("<Q", start)[0]) if len(start) == 8 else 0
    try:
        return len(image_lines(file))
    except ValueError:
        return 0


def _tell_models(models: list[Path], record: Record) -> None:
    """A note of the model that was taken, and of those that were not."""
    taken = models[0]
    said = record.short(taken)
    record.add("model", f"{'the folder itself' if said == '.' else said}, {counted(_count(taken), 'image')}")
    if (taken / "images.txt").is_file() and _suffix(taken) == ".bin":
        record.add(UNUSED, f"{said}/images.txt and cameras.txt, because the binary files go before")
    for model in models[1:]:
        record.add(
            UNUSED, f"model {record.short(model)}, {counted(_count(model), 'image')}: one model is taken"
        )


def _suffix(folder: Path) -> str:
    """.bin, .txt, or nothing where there is no model."""
    kinds = (kind for kind in (".bin", ".txt") if (folder / f"images{kind}").is_file())
    return next((kind for kind in kinds if (folder / f"cameras{kind}").is_file()), "")


def _shots(path: Path, model: Path, record: Record, reading: Reading, root: Path | None = None) -> list[Shot]:
    """One for each image that has a pose, in the order of their names; `root` is the images' folder, where known."""
    poses, cameras = _read(model)
    where = f"{model / 'images'}{_suffix(model)}"
    if not poses:
        raise ValueError(f"{where}: no image has a pose; did the reconstruction succeed?")
    names = sorted(poses)
    lookup = Lookup()
    root = root or _image_folder(path, model, names)
    if root is None:
        raise FileNotFoundError(
            f"{path}: images of the model not found; looked for {names[0]} in {path / 'images'} and {path}"
            + lookup.hint(path / "images", names[0])
        )
    stems = [PurePosixPath(name).with_suffix("").as_posix() for name in names]
    unique = len(set(stems)) == len(stems)
    images = []
    for name in names:
        image = lookup.find(root, name)
        if image is None:
            raise FileNotFoundError(
                f"{where}: image {name} of the model not found; looked for {root / name}{lookup.hint(root, name)}"
            )
        images.append(image)
    lookup.tell(record, len(names))
    shots = []
    for name, stem, image, mask in zip(
        names, stems, images, MaskFinder(root.parent).of_all(images), strict=True
    ):
        matrix, camera_id = poses[name]
        intrinsics, lens = _camera(cameras[camera_id], image, f"{where}: {name}")
        shots.append(
            Shot(
                image,
                stem if unique else name,
                matrix,
                intrinsics,
                f"{where}: {name}",
                lens,
                spare_mask=None if mask is None else mask.file,
                mask_rule="" if mask is None else mask.rule,
                lens_name="" if lens is None else str(cameras[camera_id].model_name),
            )
        )
    check_shots(shots, sized=True, constants=reading.advanced.checks)
    return shots


def _image_folder(path: Path, model: Path, names: list[str]) -> Path | None:
    """The folder that the names of the images start in, the nearest of the model's; None where there is none."""
    lookup = Lookup()
    above = list(dict.fromkeys([*(model, *model.parents)[:4], path]))
    # Gaussian splatting has the photographs in `input`, and in `images` those without distortion under the same names.
    kinds = ("input", "images") if model.parent.parent.name == "distorted" else ("images", "input")
    folders = [folder / kind for kind in kinds for folder in above] + above
    return next((folder for folder in folders if any(lookup.find(folder, name) for name in names[:3])), None)


def _camera(camera: Any, image: Path, where: str) -> tuple[np.ndarray, Lens | None]:
    """K and lens for the image as it is on disk, which may be smaller than the one that was calibrated."""
    if camera.is_spherical():
        raise ValueError(
            f"{where}: camera model {camera.model_name} is a panorama, which no pinhole camera can show; "
            "cut it into perspective images"
        )
    width, height = image_size(image)
    if (width, height) != (camera.width, camera.height):
        if abs(width * camera.height - height * camera.width) > max(camera.width, camera.height):
            turned = (
                "was it turned (EXIF orientation)" if (height, width) == (camera.width, camera.height) else ""
            )
            raise ValueError(
                f"{where}: image has {width}x{height} pixels but its camera says {camera.width}x{camera.height}, "
                f"another shape; {turned or 'was it cropped'}?"
            )
        camera = type(camera)(camera.todict())
        camera.rescale(width, height)
    intrinsics = np.array(camera.calibration_matrix(), dtype=np.float64)

    def lens(points: np.ndarray) -> np.ndarray:
        homogeneous = np.concatenate([points, np.ones_like(points[:, :1])], axis=1)
        return np.asarray(camera.img_from_cam(homogeneous))

    return intrinsics, None if _is_pinhole(lens, intrinsics, width, height) else lens


def _is_pinhole(lens: Lens, intrinsics: np.ndarray, width: int, height: int) -> bool:
    """Whether a camera shows what a pinhole would. Its coefficients don't tell: fisheyes bend without any."""
    pixels = np.stack(np.meshgrid([0.0, width / 3, width], [0.0, height / 3, height]), axis=-1).reshape(-1, 2)
    homogeneous = np.concatenate([pixels, np.ones_like(pixels[:, :1])], axis=1)
    rays = np.linalg.solve(intrinsics, homogeneous.T).T
    return bool(
        np.allclose(lens(rays[:, :2] / rays[:, 2:]), pixels, rtol=1e-9, atol=1e-9 * max(width, height))
    )


def _read(model: Path) -> tuple[dict[str, tuple[np.ndarray, int]], dict[int, Any]]:
    """Names -> world-to-camera (4, 4) and the camera's number; numbers -> cameras."""
    suffix = _suffix(model)
    with quiet_pycolmap() as pycolmap, essentials(model, suffix, pycolmap) as (copy, names):
        if suffix == ".bin":
            check_cameras(Path(copy, "cameras.bin"), model / "cameras.bin", pycolmap)
        try:
            reconstruction = pycolmap.Reconstruction(copy)
            cameras = {int(number): camera for number, camera in reconstruction.cameras.items()}
            posed = [
                (_file_name(names.get(image.name, image.name)), image.cam_from_world(), int(image.camera_id))
                for image in reconstruction.images.values()
                if image.has_pose and image.camera_id in cameras
            ]
        except Exception as error:
            # ValueError, IndexError, RuntimeError, MemoryError, UnicodeDecodeError, ...: whatever C++ came across.
            reason = _reason(error)
            raise ValueError(
                f"{model}: not readable as a COLMAP model ({reason}); are cameras{suffix} and images{suffix} complete?"
            ) from error
    poses: dict[str, tuple[np.ndarray, int]] = {}
    for name, pose, camera_id in posed:
        where = f"{model / 'images'}{suffix}: {name}"
        if name in poses:
            raise ValueError(f"{where}: two images have this name; keep one of them")
        poses[name] = (_matrix(pose, pycolmap, where), camera_id)
    return poses, cameras


def _matrix(pose: Any, pycolmap: Any, where: str) -> np.ndarray:
    """(4, 4) world to camera. Older versions of COLMAP wrote quaternions of any length, and all normalise them."""
    quaternion = pose.rotation.quat
    length = math.hypot(*quaternion)  # of numbers of any size, where NumPy's norm overflows
    # COLMAP divides by the root of a sum of squares, which is 0 or infinite outside these.
    smallest, largest = math.sqrt(sys.float_info.min), math.sqrt(sys.float_info.max)
    if not smallest < length < largest:
        raise ValueError(f"{where}: expected a unit quaternion, got {quaternion.tolist()}")
    matrix = np.eye(4)
    matrix[:3, :3] = pycolmap.Rotation3d(quaternion / length).matrix()
    matrix[:3, 3] = pose.translation
    return matrix


def _reason(error: Exception) -> str:
    """A few words of a message from C++, which may begin with the place in its source."""
    words = " ".join(re.sub(r"^\[[^]]*\] ", "", str(error)).split()) or "a line is not as COLMAP writes it"
    # Where there are no rigs, COLMAP makes one of each camera.
    return words.replace("Rig with ID", "camera")[:120]


def _file_name(name: str) -> str:
    if not names_a_file(name):
        raise ValueError(f"image name {name[:60]!r}, which no file can have")
    return name
