"""The house: each room imports only from those above it, and nothing at the root is without a room."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "largesteps_zg"
ROOMS = (
    "_version", "_support", "constants", "geometry", "solvers", "parameterize", "optimize", "learning", "images",
    "mesh", "cameras", "rasterizer", "nvdiffrast", "renderers", "estimators", "scenes", "reconstruct", "output",
    "evaluation", "comparison", "viewing", "blender", "cli",
)  # fmt: skip
BESIDE = {"__init__", "__main__", "meshes"}  # the face, the door, and data


def imported(file: Path) -> set[str]:
    """Rooms that a module of the package imports from, wherever in it."""
    here = file.relative_to(PACKAGE).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {
                name.name.split(".")[1] for name in node.names if name.name.startswith("largesteps_zg.")
            }
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                place = [*here[: len(here) - node.level + 1], *(node.module or "").split(".")]
            elif (node.module or "").split(".")[0] == "largesteps_zg":
                place = (node.module or "").split(".")[1:]
            else:
                continue
            place = [part for part in place if part]
            found |= {place[0]} if place else {name.name for name in node.names}
    return found


def violations(package: Path) -> list[str]:
    """Imports of rooms that lie below."""
    wrong = []
    for file in sorted(package.rglob("*.py")):
        room = file.relative_to(package).with_suffix("").parts[0]
        if room not in BESIDE:
            above = ROOMS[: ROOMS.index(room) + 1]
            wrong += [
                f"{file.relative_to(package)} imports {name}" for name in imported(file) - {*above, *BESIDE}
            ]
    return wrong


@pytest.mark.slow
def test_rooms_import_only_from_those_above_them() -> None:
    assert violations(PACKAGE) == []


def test_every_module_at_the_root_is_a_room() -> None:
    found = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert found == {*ROOMS, *BESIDE}


@pytest.mark.parametrize(
    "line", ["from ..output import run_folder", "import largesteps_zg.cli.main", "from .. import scenes"]
)
def test_an_import_from_below_is_found(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    (tmp_path / "mesh").mkdir()
    (tmp_path / "mesh" / "model.py").write_text(
        f"from ..geometry import edges\n\n\ndef late():\n    {line}\n"
    )
    assert len(violations(tmp_path)) == 1
