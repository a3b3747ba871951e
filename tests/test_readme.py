"""What the README, and the pages that it was once part of, show runs as it stands there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from largesteps_zg.mesh import load_mesh, surface_distances
from largesteps_zg.mesh.shapes import icosphere
from largesteps_zg.scenes import save_scene
from largesteps_zg.scenes.synthetic import scene_from_mesh

ROOT = Path(__file__).resolve().parents[1]
README, COMMANDS, ESTIMATORS = (
    (ROOT / page).read_text(encoding="utf-8")
    for page in ("README.md", "docs/command-line.md", "docs/estimators.md")
)


def printed_by_snippet(page: str, folder: Path) -> str:
    """What the first program of a page prints, run in a folder."""
    script = folder / "snippet.py"
    script.write_text(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0], encoding="utf-8")
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=folder, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""  # also no list of leaks when Python ends
    return run.stdout


@pytest.mark.slow
def test_the_readmes_snippet_finds_its_target(tmp_path: Path) -> None:
    assert float(printed_by_snippet(README, tmp_path)) < 0.02  # from 0.11


@pytest.mark.slow
def test_the_estimators_snippet_gets_home_without_a_derivative(tmp_path: Path) -> None:
    assert ast.literal_eval(printed_by_snippet(ESTIMATORS, tmp_path)) == pytest.approx([3.14, 2.71], abs=0.05)


@pytest.mark.slow
def test_the_loop_goes_from_a_folder_to_a_mesh(tmp_path: Path) -> None:
    ball = icosphere(3)
    save_scene(tmp_path / "SCENE", scene_from_mesh(ball, views=6, test_views=0, height=48, width=48))
    assert "step 200 of 300: loss 0." in printed_by_snippet(COMMANDS, tmp_path)
    found = load_mesh(tmp_path / "mesh.ply")
    assert surface_distances(found, ball, samples=2_000).chamfer_permille < 10


def test_the_readme_is_short_before_it_scrolls() -> None:
    """Title, paragraph, picture and commands come first; the program ends within a screen of sixty lines."""
    lines = README.splitlines()
    first = {
        start: next(i for i, line in enumerate(lines) if line.startswith(start))
        for start in ("# ", "![", "```")
    }
    assert first["# "] == 0 and first["!["] < first["```"] < 20
    fences = [i for i, line in enumerate(lines) if line == "```"]
    assert fences[2] < 40


def test_pictures_are_there_and_small() -> None:
    pictures = [ROOT / link for link in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)]
    assert pictures and sum(picture.stat().st_size for picture in pictures) < 1.5e6


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"^largesteps-zg (\w+)", README + COMMANDS, re.MULTILINE)))
)
def test_commands_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    from largesteps_zg.cli.main import main

    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert f"largesteps-zg {command}" in capsys.readouterr().out
