"""Names in comments and docstrings of the library are those of today: a reader who looks one up finds it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "largesteps_zg"
DOTTED = re.compile(r"(?<!`)`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)`(?!`)")
PAGE = re.compile(r"\b(?:docs|benchmarks|examples|tests)/[\w/.-]+\.(?:md|py)(?:#[\w-]+)?")
SUFFIXES = {"json", "ply", "png", "obj", "glb", "npy", "py", "md", "txt", "h"}
Places = dict[str, set[str]]


@cache
def places(package: Path) -> Places:
    """What is found in each folder, module and class, under its last name; those of one name taken together."""
    found: Places = {}
    for folder in (package, *(path for path in package.rglob("*") if path.is_dir())):
        found.setdefault(folder.name, set()).update(path.stem for path in folder.iterdir())
    for file in package.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        place = file.parent.name if file.stem == "__init__" else file.stem
        found.setdefault(place, set()).update(names(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                inherited = [name.id for name in node.bases if isinstance(name, ast.Name)]
                found.setdefault(node.name, set()).update(names(node), *(found.get(n, ()) for n in inherited))
    return found


@cache
def others(package: Path) -> set[str]:
    """Packages that the library imports, and one that it only speaks of."""
    found = {"cv2"}
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add((node.module or "").partition(".")[0])
    return found - {package.name}


def names(node: ast.AST) -> Iterator[str]:
    """All that is defined, assigned or imported somewhere in a module or class."""
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef | ast.ClassDef):
            yield part.name
        elif isinstance(part, ast.Name | ast.Attribute) and isinstance(part.ctx, ast.Store):
            yield part.id if isinstance(part, ast.Name) else part.attr
        elif isinstance(part, ast.alias):
            yield part.asname or part.name


def prose(source: str) -> Iterator[str]:
    """Comments and docstrings."""
    yield from re.findall("#.*", source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


def stale(source: str, known: Places, foreign: set[str], root: Path) -> list[str]:
    """Dotted names in backquotes that lead nowhere in the package, and pages and headings that are not there."""
    wrong = []
    for text in prose(source):
        for name in DOTTED.findall(text):
            first, *_ = name.split(".")
            *_, place, last = name.split(".")
            if first not in foreign and last not in SUFFIXES | known.get(place, set()):
                wrong.append(name)
        for page in PAGE.findall(text):
            path, _, heading = page.partition("#")
            lines = (
                (root / path).read_text(encoding="utf-8").splitlines() if (root / path).is_file() else None
            )
            titles = {
                re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in lines or ()
            }
            if lines is None or (heading and heading not in titles):
                wrong.append(page)
    return wrong


@pytest.mark.slow
def test_every_name_and_page_that_a_comment_points_to_is_there():
    known, foreign = places(PACKAGE), others(PACKAGE)
    found = {
        f"{file.relative_to(ROOT)}: {name}"
        for file in sorted(PACKAGE.rglob("*.py"))
        for name in stale(file.read_text(encoding="utf-8"), known, foreign, ROOT)
    }
    assert not found


def test_what_is_gone_is_noticed():
    gone = ["metrics.flipped", "hue.flipped", "Settings.gone", "docs/none.md", "docs/choosing.md#none"]
    there = ["quality.flipped", "Settings.steps", "scipy.optimize", "run.json", "docs/choosing.md"]
    text = "\n".join(name if "/" in name else f"# See `{name}`." for name in gone + there)
    text = "\n".join(f"# {line}" for line in text.splitlines())
    assert stale(text, places(PACKAGE), others(PACKAGE), ROOT) == gone
