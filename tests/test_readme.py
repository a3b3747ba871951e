"""What the README shows runs as it stands there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def printed_by_snippet(number: int, folder: Path) -> str:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 2
    script = folder / "snippet.py"
    script.write_text(blocks[number], encoding="utf-8")
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""  # also no list of leaks when Python ends
    return run.stdout


@pytest.mark.slow
def test_the_first_snippet_finds_its_target(tmp_path: Path) -> None:
    assert float(printed_by_snippet(0, tmp_path)) < 0.02  # from 0.11


@pytest.mark.slow
def test_the_second_snippet_gets_home_without_a_derivative(tmp_path: Path) -> None:
    assert ast.literal_eval(printed_by_snippet(1, tmp_path)) == pytest.approx([3.14, 2.71], abs=0.05)


def test_links_lead_to_files() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("command", re.findall(r"^largesteps-zg (\w+)", README, re.MULTILINE))
def test_commands_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    from largesteps_zg.cli.main import main

    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert f"largesteps-zg {command}" in capsys.readouterr().out
