"""The site's pages: Markdown of this repository, gathered in one folder, with links that lead to their places there.

The files themselves stay as a code host shows them: their links lead to files of the repository. `gather` copies
them to the folder that Sphinx reads, and turns each link into one to the page, the gallery's page of an example, or a
copy of the file.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Pages outside docs/, and where they are in the site.
ELSEWHERE = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "largesteps_zg/meshes/README.md": "project/meshes.md",
    "benchmarks/README.md": "benchmarks/scripts.md",
}
# Pages that the site has in another form.
INSTEAD = {"README.md": "index.md", "docs/README.md": "index.md", "examples/README.md": "gallery/index",
           "docs/lessons/README.rst": "lessons/index"}  # fmt: skip
PROGRAM = re.compile(r"(examples|docs/lessons)/(\d\w+)\.py")
# Two programs that do the same, one elsewhere and one here.
PAIR = re.compile(
    r"^(In [^\n]+:)\n\n(```\w*\n(?:(?!^```).)*^```)\n\n(Here:)\n\n(```\w*\n(?:(?!^```).)*^```)$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"(?<=\]\()([^)\s#]+)(#[^)\s]*)?(?=\))")


def contents(*pages: str, caption: str = "", hidden: bool = True) -> str:
    """The directive that puts pages into the site's tree; `*` stands for all pages of a folder."""
    options = [":hidden:"] * hidden + [f":caption: {caption}"] * bool(caption)
    options += [":glob:"] * any("*" in page for page in pages)
    return "\n".join(["\n```{toctree}", *options, *pages, "```\n"])


# What a page gets in the site, where a code host would show it as code.
TAILS = {
    "index.md": contents("start", "howto/index", "lessons/index", "gallery/index", caption="Begin")
    + contents("concepts", "choosing", "looks-wrong", "conventions", "estimators", "renderers", "rasterizer",
               "evaluate", caption="Understand")
    + contents("reference/index", "command-line", "commands", "formats/README", "blender", "constants",
               "benchmarks", "papers/index", caption="Look up")
    + contents("largesteps", "coming-from-nvdiffrast", "coming-from-pytorch3d", "coming-from-mitsuba",
               "coming-from-nerfstudio", caption="Coming from")
    + contents("project/contributing", "project/meshes", "project/changelog", caption="Project"),
    "benchmarks.md": contents("benchmarks/*", hidden=False),
    "papers/index.md": contents("*"),
    "formats/README.md": contents("*"),
    "howto/index.md": contents("photographs", "colmap", "nerfstudio", "nerf-synthetic", "neus", "mvsnet",
                               "middlebury", "mitsuba", "own-mesh"),
}  # fmt: skip


def places(root: Path = ROOT) -> dict[str, str]:
    """Of each Markdown page of the repository that the site has: its path there, and its path in the site."""
    found = {}
    for page in sorted((root / "docs").rglob("*.md")):
        name = page.relative_to(root).as_posix()
        if name not in INSTEAD:
            found[name] = page.relative_to(root / "docs").as_posix()
    for page in sorted((root / "benchmarks" / "measurements").glob("*.md")):
        found[page.relative_to(root).as_posix()] = f"benchmarks/{page.name}"
    for page in sorted((root / "examples" / "papers").rglob("README.md")):
        folder = page.parent.name
        found[page.relative_to(root).as_posix()] = f"papers/{'index' if folder == 'papers' else folder}.md"
    return found | ELSEWHERE


def relinked(text: str, name: str, known: dict[str, str], files: Path) -> str:
    """A page's text with the links of its place in the site; files that are no pages are copied to `files`."""
    here = Path(known[name]).parent

    def place(match: re.Match[str]) -> str:
        link, anchor = match[1], match[2] or ""
        if "://" in link or link.startswith("mailto:"):
            return match[0]
        target = Path(os.path.normpath(Path(name).parent / link)).as_posix()
        if (ROOT / target / "README.md").is_file():
            target += "/README.md"
        if target in known:
            there = known[target]
        elif target in INSTEAD:
            there, anchor = INSTEAD[target], ""
        elif found := PROGRAM.fullmatch(target):
            there = f"{'gallery' if found[1] == 'examples' else 'lessons'}/{found[2]}"
        elif target.startswith("docs/") and target.endswith(".png"):
            there = target.removeprefix("docs/")
        else:
            there = f"files/{target}" + (".txt" if (ROOT / target).is_dir() else "")
            copy_or_list(ROOT / target, files / there)
        return Path(os.path.relpath(there, here)).as_posix() + anchor

    fenced = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if part.startswith("```") else LINK.sub(place, part) for part in fenced)


def beside(text: str) -> str:
    """A page whose pairs of programs stand side by side; it gives up its list of headings for the room."""
    columns = "``````{container} beside\n" + 2 * "`````{container}\n%s\n\n%s\n`````\n" + "``````"
    found, count = PAIR.subn(lambda match: columns % match.groups(), text)
    return f"---\nhide-toc: true\n---\n\n{found}" if count else text


def copy_or_list(source: Path, copy: Path) -> None:
    """A copy of a file; of a folder, the names of its files."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        names = sorted(path.relative_to(source).as_posix() for path in source.rglob("*.[!p]*"))
        copy.write_text("\n".join(names) + "\n", encoding="utf-8")
    else:
        shutil.copyfile(source, copy)


def write(path: Path, text: str) -> None:
    """Only what has changed, so that Sphinx reads only that anew."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def program(source: str) -> str:
    """An example as the gallery wants it: its first line underlined, its command as code."""
    title, rest = source.split("\n", 1)
    underline = "=" * len(title.removeprefix('"""'))
    return f"{title}\n{underline}\n{rest}".replace(
        "\n    python examples/", "\n::\n\n    python examples/", 1
    )


def commands() -> str:
    """The page of the command line: what each command says of itself."""
    from largesteps_zg.cli.program import COMMANDS, _parser

    os.environ["COLUMNS"] = "88"
    made = next(action for action in _parser()._actions if hasattr(action, "choices") and action.choices)
    parts = [f"## {name}\n\n```\n{made.choices[name].format_help()}```\n" for name in COMMANDS]
    return "# Options of the commands\n\nWhat `largesteps-zg COMMAND --help` prints.\n\n" + "\n".join(parts)


def gather(app) -> None:
    """All pages and programs in the folder `pages` of Sphinx's working files, which becomes the one that it reads."""
    folder = Path(app.doctreedir) / "pages"
    known = places()
    texts = {"commands.md": commands()}
    for name, there in known.items():
        text = relinked((ROOT / name).read_text(encoding="utf-8"), name, known, folder)
        texts[there] = beside(text) + TAILS.get(there, "")
    texts["programs/README.rst"] = (ROOT / "docs" / "building" / "gallery.rst").read_text(encoding="utf-8")
    for path in sorted((ROOT / "examples").glob("[0-9]*.py")):
        texts[f"programs/{path.name}"] = program(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "docs" / "lessons").glob("*.[pr][ys]*")):
        texts[f"lesson-programs/{path.name}"] = path.read_text(encoding="utf-8")
    for name, text in texts.items():
        write(folder / name, text)
    for old in [*folder.rglob("*.md"), *folder.glob("*programs/*.py")]:
        if old.relative_to(folder).as_posix() not in texts and "files" not in old.parts:
            old.unlink()
    for picture in (ROOT / "docs").rglob("*.png"):
        copy_or_list(picture, folder / picture.relative_to(ROOT / "docs"))
    app.srcdir = type(app.srcdir)(folder)
