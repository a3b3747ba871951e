"""From photographs with their cameras to Views: one canvas, one mask each, no distortion, only the object's part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..._support.threads import in_threads
from ...cameras.model import check_cameras
from ...constants import Photographs
from ...images.files import bit_depth, image_header, in_turn, read_image, read_mask
from ...images.headers import Header
from ...images.masks import on_object
from ..provenance import UNUSED, Record, counted, share, some
from ..reading import NO_MASKS, Reading
from ..shots import Shot
from ..views import Views
from .agreement import consistent, without_pits
from .finding import with_masks
from .left_over import tell_left_over
from .lenses import undistorted
from .mask_files import MaskFile, MaskFinder
from .masking import check_mask
from .matting import matted
from .photo import Photo, views_of
from .turned import put_right

# Until it is known where the object is, photographs are kept at this times the largest size, or at what lets all of
# them together have so many pixels.
_SPARE = 4
_PIXELS = 2**28


def assemble(shots: Sequence[Shot], reading: Reading, record: Record | None = None) -> Views:
    """Views on one canvas: photographs read, undistorted, masked, cut to the object, made smaller and padded.

    Parameters
    ----------
    shots : sequence of Shot
        At least one; photographs may differ in size and camera.
    reading : Reading
        Masks, background and largest size.
    record : Record, optional
        Told where the masks came from, which lenses were undone, and what lies in the folders and is not used.

    Returns
    -------
    Views
        In the order of `shots`, cameras in float64. Photographs lie in the top left corner of the canvas, which is
        as large as the largest of them; `known` is None where they fill it all.

    Raises
    ------
    ValueError
        No photograph, a camera that is no rotation, a damaged file, a mask of another size than its image, an image
        without any mask, a mask that is empty or covers everything; in one line that names the file.

    Notes
    -----
    A mask is, in this order, the file in `reading.masks`, the file that the scene names, alpha, a file found beside the
    image, what differs from the background, or what a network finds, where there is one. Each photograph becomes
    smaller by a factor of its own, after it was cut to the object; so the object fills `reading.max_size` where the
    photograph has that many pixels of it.
    """
    if not shots:
        raise ValueError("scene: expected at least one photograph, got none")
    _check_cameras(shots)
    spare = (_PIXELS / len(shots) * 4 / 3) ** 0.5  # the longer side of 4 x 3
    limit = int(min(max(spare, reading.max_size), _SPARE * reading.max_size))
    record = record or Record(shots[0].image.parent)
    depth = _depth(shots, record)
    given, constants = _given_masks(shots, reading), reading.advanced.photographs
    jobs = list(zip(shots, given, strict=True))
    masks = reading.masks if isinstance(reading.masks, str) else ""
    photos = in_threads(
        lambda job: _read_at_most(*job, depth=depth, size=limit, constants=constants, masks=masks), jobs
    )
    _check_masks_are_their_own(photos)
    photos = with_masks(photos, reading, record)
    _tell(record, photos)
    photos = put_right(record, photos, reading.advanced)
    photos = in_threads(lambda photo: _without_lens(photo, constants.least_left), photos)
    if any(photo.guessed for photo in photos):
        photos = _agreed(photos, constants)
    photos = _cut_to_object(photos, reading.max_size, constants)
    return views_of(in_threads(lambda photo: photo.at_most(reading.max_size), photos))


def _check_cameras(shots: Sequence[Shot]) -> None:
    """Before any pixels are read."""
    for shot in shots:
        matrix, k = (torch.from_numpy(array)[None] for array in (shot.world_to_camera, shot.intrinsics))
        try:
            check_cameras(matrix, k, height=1, width=1)
        except ValueError as error:
            raise ValueError(f"{shot.where}: {str(error).removeprefix('cameras[0]: ')}") from None


def _depth(shots: Sequence[Shot], record: Record) -> int:
    """Bits that white fills in files of 16 bits a channel, by the brightest value of all; and what headers say."""
    headers: list[Header] = in_threads(lambda shot: image_header(shot.image), shots)
    turned = [
        shot.name for shot, header in zip(shots, headers, strict=True) if header.orientation not in (0, 1)
    ]
    if turned:
        record.add(
            UNUSED,
            f"EXIF orientation of {share(len(turned), len(shots))} ({some(turned)}): pixels are read as they are "
            "stored, as by the programs that calibrate",
        )
    several = [shot.name for shot, header in zip(shots, headers, strict=True) if header.several]
    _tell_several(record, several, share(len(several), len(shots)))
    profiles = Counter(header.profile for header in headers if header.profile)
    for profile, count in profiles.items():
        record.add(
            UNUSED,
            f"colour profile {profile} of {share(count, len(shots))}: colours are read as those of sRGB",
        )
    deep = [shot for shot, header in zip(shots, headers, strict=True) if header.deep]
    depth = max(in_threads(lambda shot: bit_depth(shot.image), deep), default=16)
    if depth < 16:
        record.add(
            "images",
            f"{depth} bits in the 16 of {share(len(deep), len(shots))}: no value is above {2**depth - 1:,}, "
            "which is taken for white",
        )
    return depth


def _tell_several(record: Record, names: Sequence[str], whose: str) -> None:
    """A note of files that hold more than one picture."""
    if names:
        record.add(
            UNUSED,
            f"more pictures than the first in the files of {whose} ({some(names)}): frames of an animation, pages, "
            "or what a telephone adds",
        )


def _given_masks(shots: Sequence[Shot], reading: Reading) -> list[MaskFile | None]:
    """The masks of the folder that the user named; None for each where none was named."""
    if not isinstance(reading.masks, Path):
        return [None] * len(shots)
    if not reading.masks.is_dir():
        raise FileNotFoundError(f"{reading.masks}: no such folder; expected one mask for each image in it")
    finder = MaskFinder(reading.masks.parent)
    images = [shot.image for shot in shots]
    found = finder.in_folder(reading.masks, images, [Path(shot.name).parent for shot in shots])
    if None in found:
        image = images[found.index(None)]
        raise FileNotFoundError(
            f"{reading.masks}: no mask for {image}; looked for {image.stem}.png, {image.name}.png, "
            f"{image.stem}_mask.png, {image.stem}.mask.png and {image.name}.mask.png"
        )
    return found


def _read_at_most(
    shot: Shot, given: MaskFile | None, *, depth: int, size: int, constants: Photographs, masks: str
) -> Photo:
    """A photograph of at most so many pixels along its longest side, with its mask, if files are to tell one."""
    with in_turn(shot.image):
        if not masks:
            return _read(shot, given, depth, constants).at_most(size)
        pixels, _ = read_image(shot.image, depth=depth)
        pixels[..., 3] = 255
        rule = "none, the object is what the cameras look at"
        source = NO_MASKS if masks == NO_MASKS else "bare"
        return Photo(shot, pixels, shot.intrinsics, source, rule=rule).at_most(size)


def _read(shot: Shot, given: MaskFile | None, depth: int, constants: Photographs) -> Photo:
    """Pixels, with the mask as alpha where there is one."""
    pixels, has_alpha = read_image(shot.image, depth=depth)
    # An alpha channel that is opaque everywhere was only added by a program that saves nothing else.
    opaque = bool(pixels[..., 3].min() == 255)
    file: Path | None
    if given is not None:
        file, rule = given.file, f"--masks, {given.rule}"
    else:
        file, rule = shot.mask or (shot.spare_mask if opaque else None), shot.mask_rule or "a file"
    if file is not None:
        mask = read_mask(file)
        if mask.shape != pixels.shape[:2]:
            sizes = (
                f"{mask.shape[1]}x{mask.shape[0]} pixels, expected the {pixels.shape[1]}x{pixels.shape[0]}"
            )
            raise ValueError(
                f"{file}: mask has {sizes} of its image {shot.image}; resize it, or make it anew"
            )
        pixels[..., 3] = mask
    source = "file" if file is not None else "alpha" if not opaque else "opaque" if has_alpha else "bare"
    if source in ("file", "alpha"):
        check_mask(pixels[..., 3], file or shot.image, constants)
    return Photo(shot, pixels, shot.intrinsics, source, mask=file, rule=rule if source == "file" else source)


def _tell(record: Record, photos: Sequence[Photo]) -> None:
    """Where the masks came from, which lenses there are, and what is left over."""
    total = len(photos)
    for about, kinds in (
        ("masks", [photo.rule for photo in photos]),
        ("lens", [photo.shot.lens_name or "a lens" for photo in photos if photo.shot.lens is not None]),
    ):
        for kind, count in Counter(kinds).items():
            record.add(about, f"{kind}{' undone' if about == 'lens' else ''}, in {share(count, total)}")
    shots = [photo.shot for photo in photos]
    if all(shot.lens is None for shot in shots):
        record.add("lens", "none that distorts")
    used = [photo.mask for photo in photos if photo.mask is not None]
    masks = list(dict.fromkeys(used))
    headers = in_threads(image_header, masks)
    several = [file.name for file, header in zip(masks, headers, strict=True) if header.several]
    _tell_several(record, several, counted(len(several), "mask"))
    found = {shot.spare_mask or shot.mask: shot.mask_rule for shot in shots}
    spare = {file: rule for file, rule in found.items() if file is not None and file not in used}
    named = any(photo.rule.startswith("--masks") for photo in photos)
    for rule, count in Counter(spare.values()).items():
        first = "--masks goes" if named else "alpha goes"
        record.add(UNUSED, f"{rule}: {counted(count, 'mask')}, because {first} before")
    tell_left_over(record, shots, [*used, *spare])


def _check_masks_are_their_own(photos: Sequence[Photo]) -> None:
    """ValueError where one file was found beside two photographs; a scene that names one for both means it."""
    owners: dict[Path, Path] = {}
    for photo in photos:
        if photo.mask is None or photo.mask == photo.shot.mask:
            continue
        owner = owners.setdefault(photo.mask, photo.shot.image)
        if owner != photo.shot.image:
            raise ValueError(
                f"{photo.mask}: found as the mask of {owner} and of {photo.shot.image} alike; give each its own, in "
                "folders like the images'"
            )


def _without_lens(photo: Photo, least_left: float) -> Photo:
    """The ideal image, where the lens distorts."""
    if photo.shot.lens is None:
        return photo
    scale = photo.intrinsics[[0, 1], [0, 1]] / photo.shot.intrinsics[[0, 1], [0, 1]]
    try:
        pixels, intrinsics, known = undistorted(photo.pixels, photo.shot.lens, photo.intrinsics, scale)
    except ValueError as error:
        raise ValueError(f"{photo.shot.where}: {error}") from None
    if pixels[..., 0].size < least_left * photo.pixels[..., 0].size:
        raise ValueError(
            f"{photo.shot.where}: {pixels.shape[1]}x{pixels.shape[0]} pixels would be left of {photo.pixels.shape[1]}x"
            f"{photo.pixels.shape[0]} without distortion; check the coefficients"
        )
    if not on_object(pixels[..., 3]).any():
        raise ValueError(
            f"{photo.shot.where}: the object is beyond the border of the undistorted image; check the coefficients"
        )
    return replace(photo, pixels=pixels, intrinsics=intrinsics, known=None if known.all() else known)


def _agreed(photos: list[Photo], constants: Photographs) -> list[Photo]:
    """Masks that were guessed, soft, without what other views deny: stray things, and holes that are none."""
    views = without_pits(consistent(views_of(photos), constants), constants)
    agreed = []
    for photo, image in zip(photos, views.images.numpy(), strict=True):
        height, width = photo.pixels.shape[:2]
        cut = image[:height, :width]
        pixels = matted(cut, constants) if photo.guessed else photo.pixels
        agreed.append(replace(photo, pixels=pixels))
    return agreed


def _cut_to_object(photos: list[Photo], max_size: int, constants: Photographs) -> list[Photo]:
    """The masks' surroundings alone, where that saves enough."""
    longest = max(max(photo.pixels.shape) for photo in photos)
    small = longest <= constants.small or all(photo.source == "alpha" for photo in photos)
    if longest <= max_size and small:
        return photos  # few pixels, or cut out by whoever made the masks
    # Each (2, 2): first and last column, first and last row.
    windows = [_window(photo, constants.margin) for photo in photos]
    factors = [min(1.0, max_size / (window[:, 1] - window[:, 0]).max()) for window in windows]
    # The canvas is as large as the largest window; what it holds of the others' surroundings costs nothing.
    canvas = np.max([f * (w[:, 1] - w[:, 0]) for f, w in zip(factors, windows, strict=True)], axis=0)
    cut = []
    for photo, window, factor in zip(photos, windows, factors, strict=True):
        limit = np.array(photo.pixels.shape[1::-1])
        size = np.minimum(np.floor(canvas / factor + 1e-6).astype(int), limit)
        low = np.clip((window.sum(axis=1) - size + 1) // 2, 0, limit - size)
        cut.append(photo.cut(*(int(end) for end in (*low, *(low + size)))))
    before, after = (sum(photo.pixels.size for photo in some) for some in (photos, cut))
    return cut if after <= (1 - constants.saving) * before else photos


def _window(photo: Photo, share: float) -> np.ndarray:
    """Columns and rows, (2, 2), of the mask's bounding box and a margin, within the photograph."""
    mask = on_object(photo.pixels[..., 3])
    ends = []
    for axis, limit in ((0, mask.shape[1]), (1, mask.shape[0])):  # columns, rows
        at = np.flatnonzero(mask.any(axis=axis))
        low, high = (int(at[0]), int(at[-1]) + 1) if len(at) else (0, limit)
        margin = round(share * (high - low)) + 1
        ends.append((max(0, low - margin), min(limit, high + margin)))
    return np.array(ends)
