"""Frames of a video, decoded by PyAV: upright, with square pixels, as they are shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..._support.regular_files import check_regular

SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")
# Containers, and no playlists, which name other files and addresses.
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": "mov,mp4,matroska,webm,avi"}
_BT709, _BT601, _BT2020, _UNNAMED = 1, 5, 9, (2, 3)  # matrices as FFmpeg numbers them
_SWSCALE = {_BT709: 1, _BT2020: 9}  # the same for its converter, in which all others are BT.601
_HDR = {16: "PQ", 18: "HLG"}


def videos_in(folder: Path) -> list[Path]:
    """The videos of a folder by name; [] where there is no folder."""
    if not folder.is_dir():
        return []
    found = (file for file in folder.iterdir() if not file.name.startswith("."))
    return sorted(file for file in found if is_video(file))


def is_video(path: Path) -> bool:
    """Whether the name of a file is that of a video."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


@dataclass(frozen=True)
class Frame:
    """A decoded frame.

    Attributes
    ----------
    index : int
        In the video, from 0.
    time : float or None
        Seconds from the video's start.
    """

    index: int
    time: float | None
    _frame: Any

    def grey(self, longest: int) -> np.ndarray:
        """(H, W) uint8 brightness of at most so many pixels along the longer side; neither upright nor square."""
        width, height = self._frame.width, self._frame.height
        factor = min(1.0, longest / max(width, height))
        made = self._frame.reformat(
            max(round(factor * width), 1), max(round(factor * height), 1), "gray", interpolation="AREA"
        )
        pixels: np.ndarray = made.to_ndarray()
        return pixels

    def pixels(self, aspect: float) -> np.ndarray:
        """(H, W, 3) uint8 colours, upright; `aspect` is a stored pixel's width by its height."""
        frame, space = self._frame, self._frame.colorspace
        if space in _UNNAMED:  # as players take it: HD is BT.709
            space = _BT709 if frame.height >= 720 else _BT601
        width = max(round(frame.width * aspect), 1)
        made = frame.reformat(width, frame.height, "rgb24", src_colorspace=_SWSCALE.get(space, _BT601))
        # FFmpeg's angle is that by which the stored frame is turned counterclockwise to be upright, as NumPy's.
        return np.ascontiguousarray(np.rot90(made.to_ndarray(), round(frame.rotation / 90)))

    @property
    def depth(self) -> str:
        """What of its colours 8 bits of sRGB cannot hold, in words; "" where there is nothing."""
        bits = max(part.bits for part in self._frame.format.components)
        curve = _HDR.get(int(self._frame.color_trc), "")
        words = [f"{bits} bits a channel"] * (bits > 8) + [f"HDR ({curve})"] * bool(curve)
        return ", ".join(words)


@dataclass
class Video:
    """A file whose frames can be gone through, as often as they are asked for.

    Attributes
    ----------
    path : Path
    fault : str
        The first thing that could not be decoded in the last walk through the frames, "" where all could.

    Raises
    ------
    ImportError
        Without PyAV.
    """

    path: Path
    fault: str = ""

    def __post_init__(self) -> None:
        self._av = _av()
        check_regular(self.path)

    def frames(self) -> Iterator[Frame]:
        """All frames that can be decoded, in the order in which they are shown.

        Raises
        ------
        ValueError
            No video, or not one frame of it can be decoded; one line that names the file.
        """
        self.fault, count = "", 0
        try:
            with self._opened() as container:
                for packet in container.demux(_stream(container)):
                    for frame in self._decoded(packet):
                        yield Frame(count, frame.time, frame)
                        count += 1
        except (self._av.FFmpegError, _NoVideoError) as error:
            self._note(error)
        if not count:
            why = f" ({self.fault})" if self.fault else ""
            raise ValueError(
                f"{self.path}: no frame of the video can be decoded{why}; is the file complete? MP4 with H.264 works"
            )

    def _decoded(self, packet: Any) -> list[Any]:
        """The frames that a packet completes; none where it is damaged."""
        try:
            return list(packet.decode())
        except self._av.FFmpegError as error:
            self._note(error)
            return []

    def _note(self, error: Exception) -> None:
        self.fault = self.fault or getattr(error, "strerror", None) or str(error)

    def measures(self) -> tuple[float, float]:
        """A stored pixel's width by its height, and seconds from the first frame to the last; 0 where not known."""
        with self._opened() as container:
            stream = _stream(container)
            shape = stream.sample_aspect_ratio
            seconds = (container.duration or 0) / self._av.time_base
        return float(shape) if shape else 1.0, seconds

    def _opened(self) -> Any:
        return self._av.open(str(self.path), options=_OPTIONS)


class _NoVideoError(Exception):
    """Sound alone."""


def _stream(container: Any) -> Any:
    if not container.streams.video:
        raise _NoVideoError("there is no picture in it")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = torch.get_num_threads()
    return stream


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise ImportError(
            'video: its frames are read by PyAV, which is not installed; run: pip install "largesteps_zg[video]", or '
            "give a folder of frames"
        ) from error
    return av
