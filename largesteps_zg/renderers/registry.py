"""The renderers without derivatives by name, and how to name your own."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from .._support.values import shown
from .black_box import BlackBox
from .function import FunctionRenderer
from .hard import HardRasterizer
from .opengl import OpenGL

RENDERERS: dict[str, Callable[[], BlackBox]] = {
    "rasterizer": HardRasterizer,
    "antialiased": partial(HardRasterizer, antialias=True),
    "opengl": OpenGL,
}


def load_renderer(name: str) -> BlackBox:
    """A renderer by name, or from a file or a module of yours.

    Parameters
    ----------
    name : str
        A name in `RENDERERS`; ``FILE.py:NAME``; or ``package.module:NAME``. What is called NAME there is a function as
        `FunctionRenderer` takes it (linear colours), a `BlackBox`, or a class of those that needs no arguments.

    Returns
    -------
    BlackBox
        Can be pickled, also where it comes from a file: other processes load that again.

    Raises
    ------
    ValueError
        No such name, here or there, or it cannot be called.
    OSError
        No such file.
    ImportError
        The file or the module cannot be imported; says at which line and why.

    Examples
    --------
    >>> load_renderer("rasterizer").antialias
    False
    """
    if check_name(name) in RENDERERS:
        return RENDERERS[name]()
    place, _, attribute = name.rpartition(":")
    found = find(place, attribute)
    if isinstance(found, type) and issubclass(found, BlackBox):
        found = found()
    if isinstance(found, BlackBox):
        return found
    return FunctionRenderer(FileFunction(place, attribute, found) if place.endswith(".py") else found)


def check_name(name: Any) -> str:
    """The name, where it can be one of a renderer, or ValueError."""
    place, _, attribute = name.rpartition(":") if isinstance(name, str) else ("", "", "")
    if place and attribute:
        return str(name)
    if not isinstance(name, str) or name not in RENDERERS:
        known = ", ".join(RENDERERS)
        raise ValueError(
            f"renderer: expected {known}, FILE.py:NAME or package.module:NAME, got {shown(name)}"
        )
    return name


class FileFunction:
    """A function from a file, which another process finds by the file and not by a module's name."""

    def __init__(self, place: str, name: str, function: Callable[..., Any]) -> None:
        self.place, self.name, self.function = str(Path(place).resolve()), name, function
        self.__qualname__ = f"{name} in {place}"

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.place, self.name)


def _again(place: str, name: str) -> FileFunction:
    return FileFunction(place, name, find(place, name))


def find(place: str, name: str) -> Any:
    """What is called `name` in a file or module; something that can be called."""
    module = _from_file(Path(place)) if place.endswith(".py") else _from_name(place)
    if not hasattr(module, name):
        own = [
            k
            for k, v in vars(module).items()
            if callable(v) and getattr(v, "__module__", "") == module.__name__
        ]
        raise ValueError(f"{place}: expected a function {name!r}, found {', '.join(own) or 'no function'}")
    found = getattr(module, name)
    if not callable(found):
        raise ValueError(f"{place}: expected {name!r} to be a function, got {type(found).__name__}")
    return found


def _from_name(place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(error.name + ".")):
            cure = "is it installed? for a file write FILE.py:NAME"
            raise ImportError(f"renderer: no module named {error.name}; {cure}") from error
        raise ImportError(f"{place}: {_where(error, None)}") from error
    except Exception as error:
        raise ImportError(f"{place}: {_where(error, None)}") from error


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected FILE.py:NAME")
    path = path.resolve()
    name = f"largesteps_zg_renderer_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Registered before it runs, as dataclasses and pickle need it; what lies beside the file can be imported by it.
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ImportError(f"{path}: {_where(error, path)}") from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def _where(error: Exception, path: Path | None) -> str:
    """The error, with the line of the file that it comes from."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: SyntaxError: {error.msg}"
    lines = [f for f in traceback.extract_tb(error.__traceback__) if path is None or f.filename == str(path)]
    if not lines:
        return text
    last = lines[-1]
    return f"line {last.lineno}: {text}" if path else f"{Path(last.filename).name} line {last.lineno}: {text}"
