"""Where a run computes: the name is checked without torch, which looks for the device when a run starts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .._support.values import shown

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda")


def check_device(name: Any) -> str:
    """The name of a device (a `torch.device` has one too), or ValueError."""
    told = name if isinstance(name, str) else str(name) if type(name).__module__ == "torch" else ""
    if not re.fullmatch(r"auto|cpu(:0)?|cuda(:\d+)?", told):
        raise ValueError(f"device: expected auto, cpu or cuda, got {shown(name)}")
    return told


def resolve_device(name: str | torch.device) -> torch.device:
    """The device with this name; "auto" is CUDA where it is usable.

    Raises
    ------
    ValueError
        If there is no such name, or no such device here.
    """
    import torch

    name = check_device(name)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "device: cuda was asked for, but PyTorch finds no usable CUDA device; use --device cpu"
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise ValueError(f"device: expected cuda:0 to cuda:{count - 1}, got {name}; PyTorch finds {count}")
    return device
