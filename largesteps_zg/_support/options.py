"""How a field of a dataclass is given on a command line: words of its help, and how its text becomes a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Option:
    """The option of a field.

    Attributes
    ----------
    help : str
        What it is, without its default.
    metavar : str
        What stands for the value.
    parse : callable
        From text to what the field takes. What it cannot read it may hand on as text: the dataclass says what it
        expects.
    default : str
        How the help names the default, where its own text does not say it.
    flags : mapping
        Of names without a value, each with the value that it stands for. By default there is one name with a value,
        which is the field's.
    """

    help: str
    metavar: str | None = None
    parse: Callable[[str], Any] = str
    default: str = ""
    flags: Mapping[str, Any] = field(default_factory=dict)


_KEY = "option"
NO_OPTION: dict[str, Any] = {_KEY: None}  # metadata of a field that only Python sets


def option(
    help: str,
    metavar: str | None = None,
    parse: Callable[[str], Any] = str,
    *,
    default: str = "",
    flags: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Metadata of a field; see `Option`."""
    return {_KEY: Option(help, metavar, parse, default, flags or {})}


def options_of(kind: type) -> Iterator[tuple[Field[Any], Option]]:
    """Fields of a dataclass that have an option, in their order.

    Raises
    ------
    TypeError
        If a field says neither which option it has nor that it has none.
    """
    for each in fields(kind):
        if _KEY not in each.metadata:
            raise TypeError(
                f"{kind.__name__}.{each.name}: metadata says nothing of an option; NO_OPTION for none"
            )
        if each.metadata[_KEY] is not None:
            yield each, each.metadata[_KEY]


def default_of(each: Field[Any]) -> Any:
    """The default of a field, which has to have one."""
    return each.default_factory() if each.default_factory is not MISSING else each.default
