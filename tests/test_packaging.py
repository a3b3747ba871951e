"""What is shipped is what is here: the package list, versions, the quick import, the checks in conftest."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from jaxtyping import Float, TypeCheckError
from torch import Tensor
from typechecker import begin_test, jaxtyped_at_times, typechecker

import largesteps_zg

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("warp", "matplotlib", "trimesh", "gpytoolbox", "pymeshlab", "sksparse")


def listed(section: str, text: str) -> set[str]:
    """Strings of a list in pyproject.toml; a TOML reader comes only with Python 3.11."""
    found = re.search(rf"^{section} = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert found, section
    return set(re.findall(r'^\s*"([^"]+)"', found[1], re.MULTILINE))


def test_every_folder_with_modules_is_a_package() -> None:
    """The build finds packages by their `__init__.py`; modules beside none would not be shipped."""
    folders = {file.parent for file in (ROOT / "largesteps_zg").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_the_version_is_the_same_everywhere() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (\S+)$", citation, re.MULTILINE)[1] == largesteps_zg.__version__  # type: ignore[index]


def test_the_changelog_has_notes_of_this_version() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", changes, re.MULTILINE)
    assert sections[0] == ("Unreleased", "")
    assert sections[1][0] == largesteps_zg.__version__ and sections[1][1]


def built_at(address: str | None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What setup.py hands over in a repository of an address."""
    given: dict[str, Any] = {}
    fake = SimpleNamespace(setup=lambda **options: given.update(options))
    monkeypatch.setitem(sys.modules, "setuptools", fake)  # type: ignore[arg-type]
    if address is None:
        monkeypatch.delenv("REPOSITORY_URL", raising=False)
    else:
        monkeypatch.setenv("REPOSITORY_URL", address)
    runpy.run_path(str(ROOT / "setup.py"), run_name="__main__")
    return given


def test_without_an_address_the_readme_is_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    given = built_at(None, monkeypatch)
    assert given["project_urls"] == {}
    assert given["long_description"] == (ROOT / "README.md").read_text(encoding="utf-8")


def test_links_of_a_release_lead_to_files_of_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    given = built_at("https://example.org/a/b/", monkeypatch)
    at, version = "https://example.org/a/b", largesteps_zg.__version__
    assert given["project_urls"]["Issues"] == f"{at}/issues"
    targets = re.findall(r"(!?)\[[^\]]*\]\(([^)\s]+)\)", given["long_description"])
    assert targets and all("://" in target for _, target in targets)
    files = [
        target.removeprefix(at) for _, target in [*targets, *given["project_urls"].items()] if at in target
    ]
    for file in files:
        path = re.sub(rf"^/(blob|raw)/(v{re.escape(version)}|main)/", "", file).partition("#")[0]
        assert file in ("", "/issues") or (ROOT / path).exists(), file
    assert all(f"/raw/v{version}/" in target for image, target in targets if image)


def test_constraints_cover_the_dependencies_and_name_exact_versions() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    names = {re.match(r"[\w-]+", line)[0] for line in listed("dependencies", project)}  # type: ignore[index]
    assert "torch" in names
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0] for line in lines if re.match(r"[\w.-]+==[\w.]+(;|$)", line)}
    assert names <= pinned
    assert len(pinned) == len([line for line in lines if not line.startswith("#")])


def test_importing_the_package_leaves_heavy_ones_alone() -> None:
    code = f"import sys, largesteps_zg; print([name for name in {HEAVY} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert run.stdout.strip() == "[]"


def test_target_meshes_are_importable_and_have_files() -> None:
    meshes = pytest.importorskip("largesteps_zg.meshes", reason="largesteps_zg is not installed")
    assert list(Path(meshes.__file__).parent.glob("*.ply"))


def test_shapes_are_checked_in_tests() -> None:
    from largesteps_zg.geometry import laplacian_uniform

    with pytest.raises(TypeCheckError):
        laplacian_uniform(torch.zeros(4, 3), "not faces")  # type: ignore[arg-type]


@jaxtyped_at_times(typechecker=typechecker)
def length(row: Float[Tensor, " N"]) -> int:
    return len(row)


def test_of_calls_with_the_same_kinds_of_arguments_some_are_checked() -> None:
    refused = []
    for call in range(1, 121):
        try:
            assert length(torch.zeros(3, 4)) == 3
        except TypeCheckError:
            refused.append(call)
    assert refused == [1, 50, 100]
    with pytest.raises(TypeCheckError):
        length(torch.zeros(3, 5))
    begin_test()
    with pytest.raises(TypeCheckError):
        length(torch.zeros(3, 4))


def test_functions_made_within_one_are_checked_as_one() -> None:
    made = []

    def check(of: Any, *, typechecker: Any) -> Any:
        made.append(of)
        return of

    for _ in range(9):

        def twice(x: int) -> int:
            return 2 * x

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("typechecker.jaxtyped", check)
            assert jaxtyped_at_times(twice, typechecker=typechecker)(3) == 6
    assert len(made) == 1


def test_shapes_are_not_checked_where_a_test_says_so(unchecked: None) -> None:
    from largesteps_zg.geometry import edge_lengths

    edges = torch.tensor([[0, 1]])
    assert edge_lengths(torch.tensor([[0.0, 0.0], [3.0, 4.0]]), edges) == 5  # two dimensions do as well


def test_the_readme_names_the_command_that_ci_runs() -> None:
    """.ci/run takes its command out of the README; this fails here first, and says what is missing."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- test command -->\n+```\w*\n(.*?)```", readme, re.DOTALL)
    assert found, "README.md: no code block after <!-- test command -->"
    assert "constraints.txt" in found[1]
    assert "pytest" in found[1]


def test_the_readme_says_nothing_that_pip_would_not_do() -> None:
    """Every extra that the README installs exists."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = project.split("[project.optional-dependencies]")[1].split("\n[")[0]
    extras = set(re.findall(r"^(\w+) = ", section, re.MULTILINE))
    wanted = {name for names in re.findall(r"-e? ?\"?\.\[([\w,]+)\]", readme) for name in names.split(",")}
    assert wanted <= extras
