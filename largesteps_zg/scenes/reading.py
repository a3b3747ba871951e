"""What a user asks for when a scene is read. Needs no torch."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

from .._support.options import NO_OPTION, option
from .._support.values import check_count, shown
from ..constants import DEFAULTS, Constants

MAX_SIZE = 800
SMALLEST = 16
NO_MASKS, NETWORK = "none", "rembg"
FRAMES = 60


def background_of(text: str) -> str | tuple[int, ...]:
    """A colour from a text such as 0,0,0; any other text as it is."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        return text


@dataclass(frozen=True)
class Reading:
    """How to read a scene.

    Attributes
    ----------
    masks : Path, "none", "rembg" or None
        A folder of masks that go before all others, named as their images; or no masks at all: every pixel of a
        photograph may be object then, and what lies there is found by other means; or masks that a segmentation network
        makes, whatever others there are. By default a network comes last, where files and background tell none, if
        `mask_model` names one or rembg has downloaded one.
    mask_model : Path, optional
        The network's ONNX file, of the kinds U2-Net, IS-Net and BiRefNet. Without it, rembg downloads one for "rembg".
    background : "auto", "none" or (R, G, B)
        Where images have neither alpha nor masks: find a background of one colour by itself, refuse such images, or
        take this colour, 0 to 255.
    max_size : int
        Longest side in pixels; larger photographs are made smaller. >= 16.
    hold_out : int
        Where the scene has no views to test with, every so many-th one becomes one; 0 for none.
    frames : int
        Of a video, the sharpest frame of each of so many stretches is taken. >= 3.
    cameras : Path, optional
        The folder for the cameras of photographs that have none, which are found from the photographs then, and are
        found there by later runs. Without it they are forgotten.
    watch : callable, optional
        Told how far that is: the share that is done, and a text.
    advanced : Constants
        Its `photographs`, `structure` and `checks`.
    """

    masks: Path | str | None = field(
        default=None,
        metadata=option(
            "folder of masks, named as their images; none: the object is what stands where the cameras look; or rembg: "
            "by a network",
            "DIR|none|rembg",
            str,
        ),
    )
    background: str | tuple[int, int, int] = field(
        default="auto",
        metadata=option(
            "what images without masks show around the object; auto: one colour, found at their borders",
            "auto|none|R,G,B",
            background_of,
        ),
    )
    max_size: int = field(
        default=MAX_SIZE, metadata=option("longest side; larger images are made smaller", "N", int)
    )
    hold_out: int = field(
        default=8,
        metadata=option("test with every N-th view where the scene has no test split; 0 for none", "N", int),
    )
    cameras: Path | None = field(
        default=None,
        metadata=option(
            "folder for the cameras of photographs that have none",
            "DIR",
            Path,
            default="cameras beside the result",
        ),
    )
    mask_model: Path | None = field(
        default=None,
        metadata=option(
            "network that finds the object where nothing else tells masks (U2-Net, IS-Net or BiRefNet, ONNX)",
            "FILE",
            Path,
            default="what rembg has downloaded",
        ),
    )
    frames: int = field(
        default=FRAMES,
        metadata=option("of a video, take so many frames, the sharpest of each stretch", "N", int),
    )
    watch: Callable[[float, str], None] | None = field(default=None, metadata=NO_OPTION)
    advanced: Constants = field(default=DEFAULTS, metadata=NO_OPTION)

    def __post_init__(self) -> None:
        checked = {
            "masks": self.masks if self.masks in (None, NO_MASKS, NETWORK) else _folder("masks", self.masks),
            "mask_model": self.mask_model if self.mask_model is None else _model(self.mask_model),
            "cameras": self.cameras if self.cameras is None else _folder("cameras", self.cameras),
            "background": check_background(self.background),
            "max_size": check_count("max size", self.max_size, least=SMALLEST, cure=f"{MAX_SIZE} is usual"),
            "hold_out": check_count("hold out", self.hold_out, least=0),
            "frames": check_count("frames", self.frames, least=3, cure=f"{FRAMES} is usual"),
        }
        if checked["hold_out"] == 1:
            raise ValueError(
                "hold out: expected 0, or 2 and more, got 1, which leaves no view to reconstruct from"
            )
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if not isinstance(self.advanced, Constants):
            raise ValueError(f"advanced: expected Constants(...), got {self.advanced!r}")


def _folder(name: str, given: Any) -> Path:
    if not isinstance(given, (str, os.PathLike)):
        raise ValueError(f"{name}: expected a folder, got {shown(given)}")
    return Path(given)


def _model(given: Any) -> Path:
    if not isinstance(given, (str, os.PathLike)):
        raise ValueError(f"mask model: expected a file, got {shown(given)}")
    if not Path(given).is_file():  # said before minutes are spent on cameras
        raise FileNotFoundError(f"mask model: {given}: no such file; expected a network as ONNX")
    return Path(given)


def check_background(value: Any) -> str | tuple[int, ...]:
    """A word, or a colour of three numbers, or ValueError."""
    given = value.tolist() if hasattr(value, "tolist") else value  # an array
    if isinstance(given, str) and given in ("auto", "none"):
        return str(given)
    if isinstance(given, str) or not isinstance(given, (list, tuple)):
        raise ValueError(f"background: expected auto, none or R,G,B such as 0,0,0, got {shown(value)}")
    numbers = [float(part) for part in given if isinstance(part, Real) and not isinstance(part, bool)]
    if not len(given) == len(numbers) == 3 or not all(0 <= part <= 255 for part in numbers):
        raise ValueError(f"background: expected three numbers from 0 to 255, got {shown(value)}")
    return tuple(given)
