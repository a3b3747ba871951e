"""The file from which a run goes on: whole, and with a sum over its content."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .._support.atomic import atomic_path

SUM = "sum"


def save(path: Path, content: dict[str, Any]) -> None:
    """Write nested dicts, lists and tensors with the sum over them.

    Raises
    ------
    OSError
        It names `path` and the cause.
    """
    content = {**content, SUM: digest(content)}
    with atomic_path(path) as part:
        try:
            torch.save(content, part)
        except RuntimeError:
            # PyTorch's own writer says neither file nor cause; plain writing fails with both.
            buffer = io.BytesIO()
            torch.save(content, buffer)
            part.write_bytes(buffer.getbuffer())
        with open(part, "rb+") as file:
            os.fsync(file.fileno())  # the rename must not reach the disk before the content does


def load(path: Path) -> dict[str, Any]:
    """What `save` was given.

    Raises
    ------
    ValueError
        If the file is damaged. PyTorch does not see that: it compares no sums.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        found = content.pop(SUM)
    except Exception as error:  # a damaged file leads its reader to nearly any
        raise ValueError(f"{path} is not a readable checkpoint of this version") from error
    if found != digest(content):
        raise ValueError(
            f"{path} is damaged, it is not a readable checkpoint: its sum is another than its content's"
        )
    return content


def digest(content: Any) -> str:
    """A sum over nested dicts, lists, tensors and plain values."""
    found = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, Tensor):
            found.update(f"{value.dtype}{tuple(value.shape)}".encode())
            plain = value.detach().cpu().contiguous()
            found.update(plain.reshape(-1).view(torch.uint8).numpy().data)
        elif isinstance(value, dict):
            found.update(f"dict{len(value)}".encode())
            for key, entry in value.items():
                add(key)
                add(entry)
        elif isinstance(value, (list, tuple)):
            found.update(f"list{len(value)}".encode())
            for entry in value:
                add(entry)
        else:
            found.update(f"{type(value).__name__} {value!r};".encode())

    add(content)
    return found.hexdigest()
