"""The reference: a page for each room with the docstrings of its public names, each name once.

`tests/public_names.txt` lists the names. A name that means the same object as another (`largesteps_zg.Cameras`) gets a
line that leads to the room's own.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from .pages import ROOT
from .pages import write as write_page

NAMES = ROOT / "tests" / "public_names.txt"


def public_names() -> list[str]:
    """As the test of public names stores them, without those that only say who wrote the package."""
    return [name for name in NAMES.read_text(encoding="utf-8").split() if ".__" not in name]


def looked_up(name: str) -> Any:
    """The object of a name."""
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


def homes(names: list[str]) -> dict[str, str]:
    """Of each name the name where its object is documented: itself, or the one in the innermost room."""
    same = defaultdict(list)
    for name in names:
        same[id(looked_up(name))].append(name)
    return {
        name: max(group, key=lambda n: (n.count("."), n.rpartition(".")[2] == last_of(group)))
        for group in same.values()
        for name in group
    }


def last_of(group: list[str]) -> str:
    """What an object calls itself."""
    return getattr(looked_up(group[0]), "__name__", "")


def kind(thing: Any) -> str:
    """In the words of Sphinx's directives."""
    return "class" if inspect.isclass(thing) else "function" if callable(thing) else "data"


def entry(name: str, home: str) -> str:
    """A name's part of its page."""
    thing = looked_up(name)
    if name != home:
        return f"* ``{name}`` is :py:obj:`{home}`\n"
    if kind(thing) == "data":
        keys = ", ".join(f"``{key}``" for key in thing) if isinstance(thing, dict) else f"``{thing!r}``"
        return f".. py:data:: {name.rpartition('.')[2]}\n\n   {type(thing).__name__}: {keys}\n"
    members = "   :members:\n" if kind(thing) == "class" else ""
    return f".. auto{kind(thing)}:: {name}\n{members}"


def note_aliases(app: Any, doctree: Any) -> None:
    """Other names of a room's objects lead to the same place, from other sites' links, too."""
    room = app.env.docname.removeprefix("reference/")
    domain = app.env.domains.python_domain
    names = public_names() if app.env.docname.startswith("reference/") else []
    for name, home in homes(names).items():
        if name != home and home.rpartition(".")[0] == room:
            domain.note_object(name, kind(looked_up(name)), home, aliased=True)


def tidied(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """A docstring as napoleon understands it.

    Numbered references become a list, because a page has many docstrings and each has a [1]. Attributes that share a
    line (`height, width : int`) get one each.
    """
    found: list[str] = []
    within = False
    for line in [*lines, ""]:
        if mark := re.match(r"\.\. \[(\w+)\] (.*)", line):
            within, line = True, f"* [{mark[1]}] {mark[2]}"
        elif within:
            within = line.startswith(" ")
            line = f"  {line.strip()}" if within else line
        found.append(re.sub(r"\[(\w+)\]_", r"[\1]", line))
    text = "\n".join(found)
    head, attributes, rest = text.partition("Attributes\n----------\n")
    shared = re.compile(r"^(\w+), ([\w, ]+)((?: : .*)?\n(?:    .*\n|\n(?=    ))*)", re.MULTILINE)
    while attributes and shared.search(rest):
        rest = shared.sub(r"\1\3\2\3", rest, count=1)
    lines[:] = (head + attributes + rest).split("\n")


def write(folder: Path) -> None:
    """An index and a page for each room."""
    names = public_names()
    home = homes(names)
    rooms: dict[str, list[str]] = defaultdict(list)
    for name in names:
        rooms[name.rpartition(".")[0]].append(name)
    lines = [
        "Reference",
        "=========",
        "",
        "From the docstrings: units, shapes, ranges, defaults, sources.",
        "",
    ]
    for room in sorted(rooms):
        summary = (importlib.import_module(room).__doc__ or "").strip().split("\n")[0].rstrip(".:")
        lines.append(f"* :doc:`{room}`: {summary}")
        title = f"{room}\n{'=' * len(room)}\n\n"
        parts = [f".. py:module:: {room}\n   :no-index:\n\n.. currentmodule:: {room}\n\n{summary}.\n"]
        parts += [entry(name, home[name]) for name in rooms[room]]
        write_page(folder / f"{room}.rst", title + "\n".join(parts))
    short = [f"   {room.removeprefix('largesteps_zg.')} <{room}>" for room in sorted(rooms)]
    lines += ["", ".. toctree::", "   :hidden:", "", *short]
    write_page(folder / "index.rst", "\n".join(lines) + "\n")
