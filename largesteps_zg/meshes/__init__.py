"""Target meshes of this project's own making; `make_meshes.py` makes them, README.md describes them."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).resolve().parent


def names() -> tuple[str, ...]:
    """Names of the meshes, in alphabetical order.

    Examples
    --------
    >>> "fennec" in names()
    True
    """
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.ply")))


def path(name: str) -> Path:
    """The PLY file of a mesh.

    Raises
    ------
    ValueError
        There is no mesh of this name; the message lists those that there are.
    """
    if name not in names():
        raise ValueError(f"mesh: expected one of {', '.join(names())}, got {name!r}")
    return _FOLDER / f"{name}.ply"
