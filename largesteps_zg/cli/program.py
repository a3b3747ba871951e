"""The commands: a thin shell over the library."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from .._support.errors import OutputError
from .._version import __version__
from .faults import FAILED, answer, inputs

COMMANDS = ("reconstruct", "render", "compare", "evaluate", "info", "view", "blender")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line and not the usage as well."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        """The parent's passes over a full disk in silence."""
        if message:
            (sys.stderr if file is None else file).write(message)


def run(argv: Sequence[str] | None = None) -> int:
    """Run a command, as `main` describes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no degree sign is no reason to stop
    debug = False
    try:
        arguments = _arguments(argv)
        debug = arguments.debug
        status = _run(arguments)
        _flush()
        return status
    except BrokenPipeError:  # whoever read, as `head` does, has seen enough
        _silence()
        return FAILED
    except (Exception, KeyboardInterrupt) as error:
        status = answer(error, debug=debug)
        with contextlib.suppress(OSError):
            _flush()
        return status


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The words' meaning; ends the program after --help and --version, whose text has to arrive as well."""
    try:
        return _parser().parse_args(argv)
    except SystemExit:
        _flush()
        raise


def _run(arguments: argparse.Namespace) -> int:
    """The command, after what it needs of the machine."""
    from .._support.caches import use_temporary_cache

    with inputs():
        _check_here()
    if told := use_temporary_cache():
        print(f"largesteps-zg: {told}", file=sys.stderr)
    status: int = arguments.command(arguments)
    return status


def _check_here() -> None:
    """One line where the current folder is gone: libraries that PyTorch loads end the process there."""
    try:
        os.getcwd()
    except OSError as error:
        raise OSError(error.errno, "it was removed; change to another", "the current folder") from None


def _flush() -> None:
    """What was printed has to arrive: an error of the disk shows only now."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _silence()
        raise OutputError(error.errno, error.strerror, "standard output") from None


def _silence() -> None:
    """Python flushes standard output once more as it ends, and would say what is known already."""
    with contextlib.suppress(OSError, ValueError):  # not a file, in a notebook
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="largesteps-zg", description="Reconstruct meshes from multi-view images.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    for name in COMMANDS:
        import_module(f".{name}", __package__).add_parser(commands)
    for command in commands.choices.values():
        command.add_argument("--debug", action="store_true", help="show where in the program an error arose")
    return parser
