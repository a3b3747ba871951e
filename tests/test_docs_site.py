"""The documentation site as it is built: no warnings, no dead link, every public name once, and pages that look right.

`SITE` may name a site that was built; else one is built here, without running the gallery's programs.
"""

from __future__ import annotations

import ast
import html.parser
import json
import os
import subprocess
import sys
import urllib.parse
from collections import Counter
from pathlib import Path

import pytest
from browser import CHROMIUM, browsing
from test_public_names import public_names

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted((ROOT / "docs" / "lessons").glob("*.py"))
sys.path.append(str(ROOT / "docs"))
from building import pages, reference  # noqa: E402

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if "SITE" in os.environ:
        return Path(os.environ["SITE"]).resolve()
    for package in ("sphinx", "myst_parser", "furo", "sphinx_gallery"):
        pytest.importorskip(package, reason='the site needs pip install -e ".[docs]"')
    folder = tmp_path_factory.mktemp("site")
    options = ["-q", "-W", "--keep-going", "-D", "plot_gallery=0", "-d", str(folder / "work")]
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "docs", str(folder / "html")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-3000:]
    return folder / "html"


class Links(html.parser.HTMLParser):
    """What a page leads to or loads, and the places in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.leads: list[str] = []
        self.places: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("href", "src") and value:
                self.leads.append(value)
            if name == "id" and value:
                self.places.append(value)


def dead(site: Path) -> list[str]:
    """Links inside the site that lead nowhere, and whatever a page would load from elsewhere."""
    known = {page: Links(page) for page in site.rglob("*.html")}
    wrong = []
    for page, links in known.items():
        for link in links.leads:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else page
            anchor = urllib.parse.unquote(parts.fragment)
            if not target.exists() or (anchor and target in known and anchor not in known[target].places):
                wrong.append(f"{page.relative_to(site)}: {link}")
    return wrong


@pytest.mark.slow
def test_links_inside_lead_somewhere(site: Path) -> None:
    assert len(list(site.rglob("*.html"))) > 80
    assert dead(site) == []


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a id="x" href="b.html#y"></a><a href="#x"></a><img src="c.png">')
    (tmp_path / "b.html").write_text('<a href="a.html#x"></a>')
    assert dead(tmp_path) == ["a.html: b.html#y", "a.html: c.png"]


@pytest.mark.slow
def test_every_public_name_is_in_the_reference_once(site: Path) -> None:
    found = Counter(
        place for page in (site / "reference").glob("*.html") for place in Links(page).places if "." in place
    )
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (site / "reference").glob("*.html")}
    for name in public_names():
        if "__" not in name:
            alias = f">{name}</span></code> is" in texts[name.rpartition(".")[0]]
            assert found[name] + alias == 1, name


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_and_its_notebook_is_the_same(lesson: Path, site: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "MPLBACKEND": "Agg"}
    ran = subprocess.run(
        [sys.executable, lesson], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0 and "Warning" not in ran.stderr, ran.stderr[-2000:]
    (notebook,) = site.rglob(f"{lesson.stem}.ipynb")
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert code[0].startswith("# Needs") and all(
        "%" not in line[:1] for c in code[1:] for line in c.split("\n")
    )
    ours = ast.parse(lesson.read_text(encoding="utf-8"))
    assert ast.dump(ast.Module(ours.body[1:], [])) == ast.dump(ast.parse("\n".join(code[1:])))


LOOKS = {"light": (1200, False), "dark": (1200, True), "phone": (390, False)}


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("look", LOOKS)
def test_the_front_page_in_a_browser(look: str, site: Path, tmp_path: Path) -> None:
    width, dark = LOOKS[look]
    with browsing(tmp_path) as page:
        page.open((site / "index.html").as_uri(), width=width, dark=dark)
        ground = page.run("getComputedStyle(document.body).backgroundColor")
        brightness = sum(int(word) for word in ground.strip("rgba()").split(",")[:3])
        assert brightness < 150 if dark else brightness > 600
        assert bool(page.picture().mean() < 128) is dark
        assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.run("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        assert page.run("document.querySelector('.content img').getBoundingClientRect().width > 250")
        page.run(
            "[...document.querySelectorAll('.content a')].find(a => a.textContent == 'five minutes').click()"
        )
        page.until(
            "document.readyState === 'complete' && document.querySelector('h1')?.textContent.includes('Five')"
        )
        assert [address for address in page.requests if not address.startswith("file:")] == []
        assert page.errors == []


def test_links_of_a_page_are_those_of_its_place_in_the_site(tmp_path: Path) -> None:
    text = """[a](../README.md#x) [b](formats/README.md#masks) [c](../benchmarks/measurements/choosing.md)
[d](../examples/21_nvdiffrast.py) [e](../setup.py) [f](https://x.y/z.md) [g](../examples) [h](images/temple.png)
```
[i](../README.md)
```
"""
    expected = """[a](index.md) [b](formats/README.md#masks) [c](benchmarks/choosing.md)
[d](gallery/21_nvdiffrast) [e](files/setup.py) [f](https://x.y/z.md) [g](gallery/index) [h](images/temple.png)
```
[i](../README.md)
```
"""
    assert pages.relinked(text, "docs/choosing.md", pages.places(), tmp_path) == expected
    assert (tmp_path / "files/setup.py").read_bytes() == (ROOT / "setup.py").read_bytes()


def test_programs_that_do_the_same_stand_side_by_side() -> None:
    here = "```python\na = 1\n```"
    lone = f"# A\n\nIn B:\n\n{here}\n\nText.\n\nHere:\n\n{here}\n"
    assert pages.beside(lone) == lone
    paired = f"# A\n\nIn B:\n\n{here}\n\nHere:\n\n{here}\n\nText.\n"
    cell = "`````{container}\n%s\n\n" + here + "\n`````\n"
    columns = "``````{container} beside\n" + cell % "In B:" + cell % "Here:" + "``````"
    assert pages.beside(paired) == f"---\nhide-toc: true\n---\n\n# A\n\n{columns}\n\nText.\n"
    names = ("pytorch3d", "mitsuba", "nerfstudio", "nvdiffrast")
    texts = [(ROOT / "docs" / f"coming-from-{name}.md").read_text(encoding="utf-8") for name in names]
    assert all("{container} beside" in pages.beside(text) for text in texts)


def test_a_docstring_is_made_ready_for_its_page() -> None:
    lines = """What it is [1]_.

Attributes
----------
height, width : int
    In pixels,
    both.
gradient, seed
    Which run.

References
----------
.. [1] A. Author, "A paper", and a
    second line.
.. [2] B. Author.""".split("\n")
    reference.tidied(None, "class", "Name", None, None, lines)
    assert (
        "\n".join(lines).strip()
        == """What it is [1].

Attributes
----------
height : int
    In pixels,
    both.
width : int
    In pixels,
    both.
gradient
    Which run.
seed
    Which run.

References
----------
* [1] A. Author, "A paper", and a
  second line.
* [2] B. Author."""
    )


def test_a_name_leads_to_the_innermost_room() -> None:
    names = ["largesteps_zg.Mesh", "largesteps_zg.mesh.Mesh", "largesteps_zg.mesh.icosphere"]
    home = reference.homes(names)
    assert [home[name] for name in names] == ["largesteps_zg.mesh.Mesh", *names[1:]]


def test_plots_read_numbers() -> None:
    plots = pytest.importorskip("building.plots", reason='the site needs pip install -e ".[docs]"')
    assert plots.numbers("2,562 vertices") == [2562.0]
    assert plots.numbers("2.94, 2.84, 2.67") == [2.94, 2.84, 2.67]
