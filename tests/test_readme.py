"""What the README shows runs as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_snippet_finds_its_target(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 1
    script = tmp_path / "snippet.py"
    script.write_text(blocks[0], encoding="utf-8")
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""  # also no list of leaks when Python ends
    assert float(run.stdout) < 0.02  # from 0.11


def test_links_lead_to_files() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("command", re.findall(r"^largesteps-zg (\w+)", README, re.MULTILINE))
def test_commands_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    from largesteps_zg.cli import main

    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert f"largesteps-zg {command}" in capsys.readouterr().out
