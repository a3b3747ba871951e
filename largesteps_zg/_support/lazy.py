"""A package's face whose names are looked up when they are used (PEP 562), so that the package need not load them."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing's own takes milliseconds, in which Ctrl-C would end a command with a traceback
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


def face(
    package: str, names: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    names : mapping
        The names that each of its modules gives. Type checkers read the same names under ``TYPE_CHECKING``.

    Returns
    -------
    getattr, dir : callable
        To be bound to ``__getattr__`` and ``__dir__``. A module of the package can be reached by its name too, as if it
        had been imported with the package.
    """
    home = {name: module for module, given in names.items() for name in given}

    def look_up(name: str) -> Any:
        from importlib import import_module
        from importlib.util import find_spec

        if name in home:
            value = getattr(import_module(f".{home[name]}", package), name)
            setattr(sys.modules[package], name, value)
            return value
        if name == "__all__":
            return list(home)
        if not name.startswith("_") and find_spec(f"{package}.{name}") is not None:
            return import_module(f".{name}", package)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home})

    return look_up, listed
