"""Links in the project's pages lead to files, and their anchors to headings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/**/*.md", "examples/*.md", "largesteps_zg/**/*.md")
    for page in ROOT.glob(pattern)
)
MODULES = sorted((ROOT / "largesteps_zg").rglob("*.py"))


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as GitHub makes them: small letters, no punctuation, hyphens for spaces."""
    headings, fenced = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        fenced ^= line.startswith("```")
        if not fenced and re.match(r"#+ ", line):
            headings.append(line.lstrip("#").strip())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_nowhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return not target.exists() or bool(anchor and anchor not in anchors(target))


def test_anchors_are_made_as_on_github(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Which λ, and why?\n```\n# no heading\n```\n### `half-a` pixel\n", encoding="utf-8")
    assert anchors(page) == {"which-λ-and-why", "half-a-pixel"}
    assert leads_nowhere(page, "other.md") and leads_nowhere(page, "#no-heading")
    assert not leads_nowhere(page, "#half-a-pixel")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and leads_nowhere(page, link)] == []


def test_pages_that_the_code_names_exist() -> None:
    named = {
        (module.name, link)
        for module in MODULES
        for link in re.findall(r"\b((?:docs|benchmarks)/[\w/.-]+\.md(?:#[\w-]+)?)", module.read_text("utf-8"))
    }
    assert named
    assert [(name, link) for name, link in named if leads_nowhere(ROOT / "README.md", link)] == []


def test_scripts_that_the_pages_name_exist() -> None:
    named = {
        (page.name, script)
        for page in PAGES
        for script in re.findall(
            r"\b((?:benchmarks|examples|docs)/[\w/]+\.py)\b", page.read_text(encoding="utf-8")
        )
    }
    assert named
    assert [(name, script) for name, script in named if not (ROOT / script).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_modules_that_the_pages_name_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":  # tells of names that are gone
        return
    text = page.read_text(encoding="utf-8")
    files = re.findall(r"`([\w/]+\.py)`", text)
    assert [name for name in files if not [*ROOT.glob(f"[!.]*/**/{name}"), *ROOT.glob(name)]] == []


@pytest.mark.parametrize(
    "page", sorted((ROOT / "benchmarks" / "measurements").glob("*.md")), ids=lambda page: page.stem
)
def test_measurements_have_a_command_dates_and_commits(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.search(r"^    (?:\S+/)?(?:python|largesteps-zg) ", text, re.MULTILINE)
    sections = re.split(r"^#+ ", text, flags=re.MULTILINE)
    tables = [section for section in sections if re.search(r"^\|[ -]*-", section, re.MULTILINE)]
    assert tables
    undated = [
        section.splitlines()[0]
        for section in tables
        if not re.search(r"\b20\d\d-\d\d-\d\d\b", section) or not re.search(r"\b[0-9a-f]{7}\b", section)
    ]
    assert undated == []
