"""Checks annotations at run time; conftest.py hands it to jaxtyping for every module of the library.

A run calls a function thousands of times with arguments of the same kinds, and checks took two thirds of its time. So
in each test a call is checked if none before it had arguments of these types and shapes, and some of the others are.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any

import numpy as np
from beartype import BeartypeConf, beartype
from jaxtyping import jaxtyped
from torch import Tensor

EVERY = 50  # of a function's calls in a test this many-th is checked, whatever its arguments

# An int where a float is asked for is right, as type checkers have it (PEP 484).
typechecker = beartype(conf=BeartypeConf(is_pep484_tower=True))
tests_begun = 0


def begin_test() -> None:
    """Count calls anew."""
    global tests_begun
    tests_begun += 1


def jaxtyped_at_times(of: Any = None, *, typechecker: Any) -> Any:
    """`jaxtyping.jaxtyped`, a decorator of functions and classes, whose checks of frequent calls are left out."""
    if of is None:
        return functools.partial(jaxtyped_at_times, typechecker=typechecker)
    if inspect.isclass(of):
        plain = of.__init__
        made = jaxtyped(of, typechecker=typechecker)
        if made.__init__ is not plain:  # a dataclass
            checked = made.__init__
            made.__init__ = _at_times(plain, lambda: checked)
        return made
    if inspect.isfunction(of):  # most are never called: to make the checks of all takes seconds
        return _at_times(of, lambda: jaxtyped(of, typechecker=typechecker))
    return jaxtyped(of, typechecker=typechecker)


def _kind(value: Any) -> Any:
    """What an annotation asks of a value, as far as it can be told at once."""
    if isinstance(value, tuple | list):  # parts are not looked into: there are lists in lists without end
        return type(value), len(value), *map(_kind_of_one, value[:4])
    return _kind_of_one(value)


def _kind_of_one(value: Any) -> Any:
    of_numbers = isinstance(value, Tensor | np.ndarray)
    return (type(value), value.dtype, value.shape) if of_numbers else type(value)


class _Calls:
    """Those of a function in the present test."""

    def __init__(self) -> None:
        self.test, self.count, self.kinds = 0, 0, set[Any]()

    def to_check(self, kind: Any) -> bool:
        if self.test != tests_begun:
            self.test, self.count = tests_begun, 0
            self.kinds.clear()
        self.count += 1
        if kind in self.kinds and self.count % EVERY:
            return False
        self.kinds.add(kind)
        return True


_calls: dict[CodeType, _Calls] = {}


def _at_times(plain: Callable[..., Any], make: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """A function, or what is made of it, which does the same."""
    checked: Callable[..., Any] | None = None

    @functools.wraps(plain)
    def called(*arguments: Any, **named: Any) -> Any:
        nonlocal checked
        # One made within a function is another in each of its calls, and its check would be made in each.
        calls = _calls.setdefault(plain.__code__, _Calls())
        if not calls.to_check((*map(_kind, arguments), *named, *map(_kind, named.values()))):
            return plain(*arguments, **named)
        checked = make() if checked is None else checked
        return checked(*arguments, **named)

    return called
