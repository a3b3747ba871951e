"""The file from which a run goes on: whole, and with a sum over its content."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .._support.atomic import atomic_path
from .._support.regular_files import check_regular

SUM = "sum"


def save(path: Path, content: dict[str, Any]) -> None:
    """Write nested dicts, lists and tensors with the sum over them.

    Raises
    ------
    OSError
        It names `path` and the cause.
    """
    content = _unshared(content, set())
    content[SUM] = digest(content)
    with atomic_path(path) as part:
        try:
            torch.save(content, part)
        except RuntimeError:
            # PyTorch's own writer says neither file nor cause; plain writing fails with both. What is held is given
            # back whatever happens, for Python 3.12.1 dies where it is collected.
            buffer = io.BytesIO()
            torch.save(content, buffer)
            with buffer.getbuffer() as held:
                part.write_bytes(held)
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
        size = _bounded(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        found = content.pop(SUM)
        same = found == digest(content, most=size)
    except Exception as error:  # a damaged file leads its reader to nearly any
        raise ValueError(f"{path} is not a readable checkpoint of this version") from error
    if not same:
        raise ValueError(
            f"{path} is damaged, it is not a readable checkpoint: its sum is another than its content's"
        )
    return content


def _bounded(path: Path) -> int:
    """The size of a file that unpacks to no more; ValueError where it is none."""
    check_regular(path)
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    # PyTorch itself compresses nothing.
    if (
        any(part.compress_type != zipfile.ZIP_STORED for part in parts)
        or sum(p.file_size for p in parts) > size
    ):
        raise ValueError("expected parts that are not compressed, and together no larger than the file")
    return size


def _unshared(value: Any, seen: set[int]) -> Any:
    """Nested dicts, lists and tensors of which no two share memory, so that a file is as large as what it holds."""
    if isinstance(value, Tensor):
        plain = value.detach().cpu().contiguous()
        storage = plain.untyped_storage()
        whole = storage.nbytes() == plain.numel() * plain.element_size() and storage.data_ptr() not in seen
        seen.add(storage.data_ptr())
        return plain if whole else plain.clone()
    if isinstance(value, dict):
        return {key: _unshared(entry, seen) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_unshared(entry, seen) for entry in value)
    return value


def digest(content: Any, *, most: int | None = None) -> str:
    """A sum over nested dicts, lists, tensors and plain values; ValueError beyond so many bytes and entries."""
    found, count = hashlib.sha256(), 0

    def add(value: Any) -> None:
        nonlocal count
        # A few bytes of a file may show one number a million times, or name one list or text again and again.
        length = value.numel() * value.element_size() if isinstance(value, Tensor) else 0
        count += 1 + (len(value) if isinstance(value, (str, bytes)) else length)
        if most is not None and count > most:
            raise ValueError(f"expected at most {most:,} bytes and entries")
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
