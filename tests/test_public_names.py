"""Names that users import are a promise: the stored list says which there are, and a name that goes is noticed here.

`python tests/test_public_names.py` writes the list anew, for a change that means to change it.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "largesteps_zg"
STORED = Path(__file__).with_name("public_names.txt")
MODULES = ("parameterize", "optimize")  # drop-in names that are files
FACES = (PACKAGE / "nvdiffrast" / "torch.py",)


def reexported(face: Path) -> set[str]:
    """Names that a package's face hands on: `from .model import Cameras as Cameras`."""
    body = ast.walk(ast.parse(face.read_text(encoding="utf-8")))
    lists = [node.names for node in body if isinstance(node, ast.ImportFrom) and node.level]
    return {name.name for names in lists for name in names if name.asname == name.name}


def public_names() -> list[str]:
    """Of all rooms, as users import them."""
    found = set()
    for face in [*PACKAGE.rglob("__init__.py"), *FACES]:
        place = face.parent if face.name == "__init__.py" else face.with_suffix("")
        room = ".".join(place.relative_to(PACKAGE.parent).parts)
        found |= {f"{room}.{name}" for name in reexported(face)}
    for module in MODULES:
        for node in ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                found.add(f"largesteps_zg.{module}.{node.name}")
    return sorted(found)


def test_no_name_goes_or_comes_unnoticed() -> None:
    assert public_names() == STORED.read_text(encoding="utf-8").split()


@pytest.mark.parametrize("name", public_names())
def test_each_can_be_imported(name: str) -> None:
    room, _, last = name.rpartition(".")
    assert getattr(importlib.import_module(room), last) is not None


def test_names_of_the_published_package_are_among_them() -> None:
    """The surface of largesteps 0.2.2, which clients import."""
    published = {
        "geometry": ("compute_matrix", "laplacian_uniform", "laplacian_cot"),
        "parameterize": ("to_differential", "from_differential"),
        "optimize": ("AdamUniform",),
        "solvers": ("CholeskySolver", "ConjugateGradientSolver", "DifferentiableSolve", "Solver", "solve"),
    }
    for module, names in published.items():
        for name in names:
            assert hasattr(importlib.import_module(f"largesteps_zg.{module}"), name), f"{module}.{name}"


if __name__ == "__main__":
    STORED.write_text("\n".join(public_names()) + "\n", encoding="utf-8")
