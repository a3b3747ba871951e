"""Lines of numbers in text files of meshes: which one is wrong, and what may have made it so."""

from __future__ import annotations

import re
from collections.abc import Sequence

_COMMA = re.compile(r"[0-9],[0-9]")
_CORNER = re.compile(r"[-+]?[0-9]+(?:/[-+]?[0-9]*){0,2}")
# Lines of an OBJ that hold more than digits, or fewer than three coordinates.
_SUSPECT = re.compile(
    r"^(?:v[tn]?[ \t][-+0-9.eE \t]*[^-+0-9.eE \t\n]|f[ \t][-0-9/ \t]*[^-0-9/ \t\n]|v(?:[ \t]+\S+){0,2}[ \t]*$)",
    re.MULTILINE,
)
_LEAST = {"v": 3, "vn": 3, "vt": 1}


def cure_for(text: str) -> str:
    """What to do about a text that is no number."""
    return "is that a decimal comma? Write points" if _COMMA.search(text) else "is it damaged?"


def check_numbers(where: str, words: Sequence[str], count: int, *, whole: bool = False) -> None:
    """ValueError unless the first words are so many numbers; `where` begins the message."""
    if not (len(words) >= count and all(_is_number(word, whole) for word in words[:count])):
        line, kind = " ".join(words)[:60], "whole number" if whole else "number"
        wanted = f"a {kind}" if count == 1 else f"{count} {kind}s"
        raise ValueError(f"{where}: expected {wanted}, got {line!r}; {cure_for(line)}")


def _is_number(word: str, whole: bool) -> bool:
    try:
        (int if whole else float)(word)
    except ValueError:
        return False
    return word.isascii() and "_" not in word  # Python's own


def check_obj(text: str) -> None:
    """ValueError that names the first line of an OBJ whose coordinates or corners are no numbers."""
    number, place = 1, 0
    for suspect in _SUSPECT.finditer(text):
        number += text.count("\n", place, suspect.start())
        place = suspect.start()
        end = text.find("\n", place)
        line = text[place : len(text) if end < 0 else end]
        kind, *words = (word for word in re.split(r"[ \t]+", line) if word)
        if kind in _LEAST:
            check_numbers(f"line {number} ({kind})", words, max(_LEAST[kind], len(words)))
        elif kind == "f" and not all(_CORNER.fullmatch(word) for word in words):
            got = " ".join(words)[:60]
            raise ValueError(
                f"line {number} (f): expected a face of whole numbers, got {got!r}; is it damaged?"
            )
