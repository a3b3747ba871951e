"""Files by the name that a record gives them: also where suffix, case or Unicode form differs.

Programs change names on the way: a photograph is saved anew as PNG with its background removed, Windows makes .JPG of
.jpg, a Mac writes an accented letter as two characters (NFD), and its archives carry that elsewhere.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote

from ...images.files import NEEDS_CONVERSION, SUFFIXES
from ..provenance import Record, share, some


def key(name: str) -> str:
    """The same for names that differ in case or Unicode form alone."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class Lookup:
    """Finds files by name, and remembers where a file's name is not the one that was asked for."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, list[Path]]] = {}
        self.differing: list[tuple[str, Path]] = []
        self.moved: list[tuple[str, Path]] = []

    def find(self, folder: Path, name: str) -> Path | None:
        """The image of that name, with its own suffix, without one, or with another; None where nothing fits.

        `name` may hold folders, with `/` or, as some programs write it, with a backslash. Of several that fit, the one
        of the name's own suffix goes first; if that leaves more than one, none is taken. Of a path that leads out of
        the folder and to no file, as on another machine, the end counts, as much of it as leads to a file in the
        folder. Names with `%20` and the like are undone where there is no such file.
        """
        found = self._find(folder, name)
        parts = PureWindowsPath(name).parts  # both kinds of separators
        elsewhere = PureWindowsPath(name).drive or name.startswith(("/", "\\")) or ".." in parts
        if found is None and "%" in name:  # as in a URL
            found = self._find(folder, unquote(name))
            if found is not None:
                self.differing.append((name, found))
        if found is not None or not elsewhere:
            return found
        for start in range(1, len(parts)):
            found = self._find(folder, "/".join(parts[start:]))
            if found is not None:
                self.moved.append((name, found))
                break
        return found

    def _find(self, folder: Path, name: str) -> Path | None:
        name = name if os.sep == "\\" or (folder / name).is_file() else name.replace("\\", "/")
        for ending in ("", *SUFFIXES):
            file = folder / f"{name}{ending}"
            if file.is_file() and file.suffix.lower() not in NEEDS_CONVERSION:
                return file
        found = self._alike(folder, name)
        if found is None:
            return folder / name if (folder / name).is_file() else None
        if found != folder / f"{name}{found.suffix}":  # a suffix that was left out is no difference
            self.differing.append((name, found))
        return found

    def _alike(self, folder: Path, name: str) -> Path | None:
        pure = PurePosixPath(name)
        place = self._place(folder, pure.parts[:-1])
        if place is None:
            return None
        files = self._files(place)
        whole = [file for file in files.get(key(pure.name), []) if file.suffix.lower() in SUFFIXES]
        whole = [file for file in whole if file.suffix.lower() not in NEEDS_CONVERSION]
        stems = [pure.name] + [pure.stem] * (pure.suffix.lower() in SUFFIXES)
        other = [file for stem in stems for suffix in SUFFIXES for file in files.get(key(stem + suffix), [])]
        readable = [file for file in other if file.suffix.lower() not in NEEDS_CONVERSION]
        found = next((files for files in (whole, readable, other) if files), [])
        return found[0] if len(set(found)) == 1 else None

    def _place(self, folder: Path, parts: Iterable[str]) -> Path | None:
        """The folder below `folder`, whose names may differ in the same ways."""
        for part in parts:
            if (folder / part).is_dir():
                folder = folder / part
                continue
            alike = [found for found in self._files(folder).get(key(part), []) if found.is_dir()]
            if len(alike) != 1:
                return None
            folder = alike[0]
        return folder

    def _files(self, folder: Path) -> dict[str, list[Path]]:
        """What is in a folder, by key; listed once."""
        if folder not in self._folders:
            entries: dict[str, list[Path]] = {}
            for file in sorted(folder.iterdir()) if folder.is_dir() else []:
                entries.setdefault(key(file.name), []).append(file)
            self._folders[folder] = entries
        return self._folders[folder]

    def hint(self, folder: Path, name: str) -> str:
        """What lies there under nearly that name, to end a message with; "" where nothing does."""
        pure = PurePosixPath(name.replace("\\", "/"))
        place = self._place(folder, pure.parts[:-1])
        if place is None:
            return f"; there is no folder {folder / pure.parent}"
        stems = {key(pure.name), key(pure.stem)}
        alike = [
            file.name for files in self._files(place).values() for file in files if key(file.stem) in stems
        ]
        return f"; {some(alike)} {'lies' if len(alike) == 1 else 'lie'} there" if alike else ""

    def tell(self, record: Record, total: int) -> None:
        """Notes, where names differ."""
        if self.moved:
            said, found = self.moved[0]
            record.add(
                "images",
                f"paths of another place in {share(len(self.moved), total)}: {record.short(found)} is read "
                f"for {said}",
            )
        if self.differing:
            said, found = self.differing[0]
            record.add(
                "images",
                f"suffix, case or Unicode form of the name differs from the record in "
                f"{share(len(self.differing), total)}: {record.short(found)} is read for {said}",
            )
