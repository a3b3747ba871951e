"""Options of a command from the fields of a dataclass, and back: names, defaults and help stand there, once."""

from __future__ import annotations

import argparse
from dataclasses import Field
from typing import Any, TypeVar

from .._support.options import Option, default_of, options_of

Kind = TypeVar("Kind")


class _Flags(argparse.Action):
    """Names without a value, each of which stands for one."""

    def __init__(self, option_strings: list[str], dest: str, *, flags: dict[str, Any], **words: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **words)
        self.flags = flags

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, name: Any = None
    ) -> None:
        setattr(namespace, self.dest, self.flags[name])

    def format_usage(self) -> str:
        return " | ".join(self.option_strings)


def add_options(parser: argparse.ArgumentParser, kind: type, **defaults: Any) -> None:
    """One option for each field of a dataclass that has one; `defaults` go before those of the fields."""
    for each, told in options_of(kind):
        default, words = defaults.get(each.name, default_of(each)), told.help.replace("%", "%%")
        if told.flags:
            flags = {f"--{name}": value for name, value in told.flags.items()}
            parser.add_argument(
                *flags, dest=each.name, action=_Flags, flags=flags, default=default, help=words
            )
            continue
        parser.add_argument(
            _name(each), dest=each.name, default=default, type=told.parse, metavar=told.metavar,
            help=words + _default(default, told),
        )  # fmt: skip


def given(arguments: argparse.Namespace, kind: type[Kind], **others: Any) -> Kind:
    """The dataclass of what `add_options` was given; `others` are fields without an option."""
    return kind(**{each.name: getattr(arguments, each.name) for each, _ in options_of(kind)}, **others)


def _name(each: Field[Any]) -> str:
    """--views-per-step of views_per_step, --lambda of lambda_."""
    return f"--{each.name.strip('_').replace('_', '-')}"


def _default(default: Any, told: Option) -> str:
    text = "" if default is None else f"{default:g}" if isinstance(default, float) else str(default)
    words = told.default or text
    return f" (default {words})".replace("%", "%%") if words else ""
