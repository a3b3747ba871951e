"""A video's sharpest frames as files, kept beside the cameras: the same video is decoded once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ..._support.atomic import atomic_path
from ...constants import DEFAULTS, Structure
from .sharpest import chosen, coarse, motion, sharpness
from .video import Video, videos_in
from .work import Watch, part_of, unwatched

FRAMES, KEY = "frames", "video.json"
_QUALITY = 95
_LEAST = 3  # as structure from motion needs


@dataclass(frozen=True)
class Frames:
    """Frames of a video.

    Attributes
    ----------
    video : Path
    files : list of Path
        In the order of the video, named by their number in it.
    told : str
        How many of how many, in words.
    notes : tuple of str
        What of the video is not in them.
    """

    video: Path
    files: list[Path]
    told: str
    notes: tuple[str, ...]


def video_of(path: Path) -> Path | None:
    """The video that a path is, or that lies in its folder alone; None where there is none.

    Raises
    ------
    ValueError
        Where a folder holds several.
    """
    if not path.is_dir():
        return path
    found = videos_in(path)
    if len(found) > 1:
        names = ", ".join(file.name for file in found[:3])
        raise ValueError(
            f"{path}: expected one video, got {len(found)} ({names}); give the file of one of them"
        )
    return found[0] if found else None


def frames_of(
    video: Path,
    folder: Path,
    count: int,
    *,
    constants: Structure = DEFAULTS.structure,
    watch: Watch = unwatched,
) -> Frames:
    """The sharpest frame of each of so many stretches of a video, as JPEG files.

    Frames come upright by the video's own rotation, with square pixels, as 8 bits of sRGB: of more bits the lowest are
    dropped, and the curve of HDR is taken for that of sRGB.

    Parameters
    ----------
    video : Path
    folder : Path
        Made if it is not there. The frames are kept in its folder ``frames``, and found there by later calls with the
        same video and count; work that was interrupted goes on there.
    count : int
        >= 3
    constants : Structure, optional
    watch : callable, optional
        Called with the share that is done, 0 to 1, and what is being done.

    Raises
    ------
    ValueError
        No video, one that cannot be decoded, or that has fewer than three frames; one line that names the file.
    ImportError
        Without PyAV.

    Notes
    -----
    The video is decoded twice, to choose and to write. Sharpness is compared at `Structure.examined` pixels.
    """
    opened = Video(video)
    place, key = folder / FRAMES, folder / FRAMES / KEY
    asked = {"video": _digest(video), "count": count, "examined": constants.examined}
    known = _read(key)
    if known.get("asked") != asked:
        for name in known.get("names", []):
            (place / Path(name).name).unlink(missing_ok=True)
        known = {"asked": asked, **_chosen(opened, count, constants, part_of(watch, 0.0, 0.7))}
        place.mkdir(parents=True, exist_ok=True)
        with atomic_path(key) as part:
            part.write_text(json.dumps(known, indent=1), encoding="utf-8")
    _write(opened, place, known["chosen"], part_of(watch, 0.7, 1.0))
    files = [place / name for name in known["names"] if (place / name).is_file()]
    total = f"{known['total']:,} frames of {video.name}"
    told = f"all {total}" if len(files) == known["total"] else f"the sharpest {len(files)} of {total}"
    return Frames(video, files, told, tuple(known["notes"]))


def _chosen(video: Video, count: int, constants: Structure, watch: Watch) -> dict[str, Any]:
    """Which frames, and what there is to say of the video."""
    sharp, moved, times = [], [], []
    before, depth, seconds = None, "", 0.0
    for frame in video.frames():
        if before is None:
            depth, (_, seconds) = frame.depth, video.measures()
        grey = frame.grey(constants.examined)
        small = coarse(grey)
        sharp.append(sharpness(grey))
        moved.append(0.0 if before is None else motion(before, small))
        # Without times of their own frames are evenly spread.
        times.append(float(frame.index) if frame.time is None else frame.time)
        before = small
        share = times[-1] / seconds if seconds else 0.0
        watch(share, f"{frame.index + 1:,} frames of the video looked at")
    if len(sharp) < _LEAST:
        raise ValueError(
            f"{video.path}: expected a video of an object from many places, got {len(sharp)} frames; walk around it"
        )
    flat = ", in which HDR looks flat" if "HDR" in depth else ""
    notes = [f"{depth} of {video.path.name}: made 8 bits of sRGB{flat}"] if depth else []
    if video.fault:
        notes.append(
            f"parts of {video.path.name} that cannot be decoded ({video.fault}); is the file complete?"
        )
    found = chosen(sharp, moved, times, count)
    return {"chosen": found, "names": [_name(i) for i in found], "total": len(sharp), "notes": notes}


def _write(video: Video, place: Path, indices: list[int], watch: Watch) -> None:
    """The frames that are not there yet."""
    missing = {index for index in indices if not (place / _name(index)).is_file()}
    if not missing:
        return
    aspect, _ = video.measures()
    last = max(missing)
    for frame in video.frames():
        if frame.index in missing:
            with atomic_path(place / _name(frame.index)) as part:
                Image.fromarray(frame.pixels(aspect)).save(
                    part, format="JPEG", quality=_QUALITY, subsampling=0
                )
            watch((frame.index + 1) / (last + 1), "frames of the video written")
        if frame.index == last:
            return


def _name(index: int) -> str:
    return f"{index:06}.jpg"


def _read(key: Path) -> dict[str, Any]:
    """What an earlier call has left; {} where it is damaged."""
    try:
        known = json.loads(key.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    whole = isinstance(known, dict) and {"asked", "chosen", "names", "total", "notes"} <= set(known)
    return known if whole else {}


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(2**20):
            digest.update(block)
    return digest.hexdigest()
