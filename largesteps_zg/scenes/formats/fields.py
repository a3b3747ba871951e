"""Typed fields of a JSON file: a number that is a number, or one line that says what stands in its place."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..._support.kinds import kind as kind
from ..._support.regular_files import LARGEST_TEXT, NoTextError, names_a_file, read_regular, text_of


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; a ValueError with file and line where there is none."""
    data = read_regular(path, largest=LARGEST_TEXT)
    try:
        content = json.loads(text_of(data, path, encoding=json.detect_encoding(data)))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}: line {error.lineno}: not valid JSON ({error.msg}); is the file complete?"
        ) from None
    except NoTextError:
        raise
    except (RecursionError, ValueError) as error:  # ValueError: an integer of more than 4300 digits
        raise ValueError(f"{path}: not readable as JSON ({str(error).splitlines()[0]})") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a JSON object with a list 'frames', got {kind(content)}")
    return content


def number(fields: Mapping[str, Any], key: str, where: str, *, positive: bool = False) -> float:
    """A finite number, by ValueError; `where` begins the message."""
    value = fields[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{where}: expected a number for {key}, got {kind(value)}")
    try:
        value = float(value)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value) or (positive and value <= 0):
        raise ValueError(
            f"{where}: expected a finite number{' > 0' if positive else ''} for {key}, got {value:g}"
        )
    return value


def text(fields: Mapping[str, Any], key: str, where: str) -> str:
    """A string that can be a file's name."""
    value = fields.get(key)
    if not isinstance(value, str) or not names_a_file(value):
        raise ValueError(f"{where}: expected a file name for {key}, got {kind(value)}")
    return value


def matrix(fields: Mapping[str, Any], key: str, where: str) -> list[list[float]]:
    """A 4x4 matrix of numbers; a 3x4 one gets the row 0 0 0 1."""
    rows = fields.get(key)
    shape = [len(row) if isinstance(row, list) else 0 for row in rows] if isinstance(rows, list) else []
    if not isinstance(rows, list) or shape not in ([4] * 3, [4] * 4):
        raise ValueError(f"{where}: expected a 4x4 matrix for {key}, got {kind(rows)}")
    numbers = [[number({key: entry}, key, where) for entry in row] for row in rows]
    numbers += [[0.0, 0.0, 0.0, 1.0]] * (4 - len(numbers))
    if max(abs(a - b) for a, b in zip(numbers[3], (0.0, 0.0, 0.0, 1.0), strict=True)) > 1e-6:
        raise ValueError(
            f"{where}: expected 0 0 0 1 as the last row of {key}, got {numbers[3]}; is it transposed?"
        )
    return numbers
