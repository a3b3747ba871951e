"""Text files of numbers: read whole, and every number a finite one, or one line that says what stands in its place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..._support.regular_files import LARGEST_TEXT, read_regular, text_of
from .fields import kind

LARGEST = 1e12  # far above any pixel or coordinate, far below where squares overflow


def read_text(path: Path) -> str:
    """The text of a regular file; ValueError where it is none, or no text."""
    return text_of(read_regular(path, largest=LARGEST_TEXT), path).replace("\r\n", "\n").replace("\r", "\n")


def numbers(words: Sequence[str], count: int, where: str, what: str) -> np.ndarray:
    """So many finite numbers as (count,) float64, by ValueError; `where` begins the message."""
    if len(words) != count:
        raise ValueError(f"{where}: expected {count} numbers for {what}, got {len(words)}; is it complete?")
    return np.array([_number(word, where, what) for word in words])


def _number(word: str, where: str, what: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST:  # also where it is no number
        raise ValueError(f"{where}: expected a number for {what}, got {kind(word)}")
    return value


def is_number(word: str) -> bool:
    """Whether a word of a text stands for a number."""
    try:
        float(word)
    except ValueError:
        return False
    return True
