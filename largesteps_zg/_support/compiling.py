"""Who is told that kernels are compiled, which takes seconds and happens once on a machine: by default nobody."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

_listening: list[Callable[[str], object]] = []


@contextlib.contextmanager
def telling(hear: Callable[[str], object]) -> Iterator[None]:
    """Inside, `hear` gets "compiling" and a word for what, before each module of kernels that no cache has."""
    _listening.append(hear)
    try:
        yield
    finally:
        _listening.remove(hear)


def tell(module: str) -> None:
    """Tell who came last of a module, by its name."""
    if _listening:
        words = module.removeprefix("largesteps_zg.").split(".")
        _listening[-1](f"compiling {'.'.join(word for word in words if not word.startswith('float'))}")
