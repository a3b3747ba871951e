"""Checks annotations at run time; conftest.py hands it to jaxtyping for every module of the library.

A run calls a function thousands of times with arguments of the same kinds, and checks took half of its time. So in
each test the first calls of every function are checked, and some of those that follow.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype
from jaxtyping import jaxtyped

FIRST, EVERY = 20, 50  # calls of a function in a test: all of the first, then every so many-th

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


def _at_times(plain: Callable[..., Any], make: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """A function, or what is made of it, which does the same."""
    test = calls = 0
    checked: Callable[..., Any] | None = None

    @functools.wraps(plain)
    def called(*arguments: Any, **named: Any) -> Any:
        nonlocal test, calls, checked
        test, calls = tests_begun, calls + 1 if test == tests_begun else 1
        if calls > FIRST and calls % EVERY:
            return plain(*arguments, **named)
        checked = make() if checked is None else checked
        return checked(*arguments, **named)

    return called
