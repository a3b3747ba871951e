"""Where everything that was read came from, and what lay there and was not used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

UNUSED = "not used"


@dataclass(frozen=True)
class Note:
    """One thing to know about what was read.

    Attributes
    ----------
    about : str
        "masks", "lens", "split", "model", "images", or "not used".
    text : str
        A phrase that names files and numbers.
    """

    about: str
    text: str

    def __str__(self) -> str:
        return f"{self.about}: {self.text}"


@dataclass
class Record:
    """What a format and the pipeline behind it have to say about one scene, in the order in which they said it."""

    root: Path
    notes: list[Note] = field(default_factory=list)

    def add(self, about: str, text: str) -> None:
        """One more, unless the same was said already."""
        note = Note(about, text)
        if note not in self.notes:
            self.notes.append(note)

    def short(self, path: Path) -> str:
        """A path as it is said: below the scene's folder where it lies there."""
        path = path.absolute()
        root = self.root.absolute()
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def some(names: Sequence[str], most: int = 3) -> str:
    """The first few names, and that there are more."""
    return ", ".join(names[:most]) + ", ..." * (len(names) > most)


def counted(count: int, what: str) -> str:
    """ "1 photograph", "2 photographs"."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def share(count: int, total: int) -> str:
    """How many of the photographs, in words."""
    return f"all {total} photographs" if count == total and total > 1 else f"{count} of {total} photographs"
