"""What pip brings with this package, in millions of bytes, by package.

    python benchmarks/installed.py [PYPROJECT ...]

Reads the dependencies of this or another commit's pyproject.toml and follows them through what is installed here. So
all of them have to be installed, the other commit's too. Files are counted as pip has listed them, compiled modules
included. torch, Warp and what torch needs as well are left out of the sum: nobody who computes here does without them.
"""

from __future__ import annotations

import argparse
import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(wanted: list[str]) -> dict[str, int]:
    """Bytes of some requirements and of all that they require."""
    found: dict[str, int] = {}
    queue = [(Requirement(one), frozenset[str]()) for one in wanted]
    while queue:
        requirement, extras = queue.pop()
        name = canonicalize_name(requirement.name)
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            continue
        if name in found:
            continue
        try:
            there = distribution(name)
        except PackageNotFoundError:
            raise SystemExit(f"{name}: expected it to be installed here; pip install {name}") from None
        paths = (Path(str(there.locate_file(file))) for file in there.files or [])
        found[name] = sum(path.stat().st_size for path in paths if path.is_file())
        queue += [(Requirement(one), frozenset(requirement.extras)) for one in there.requires or []]
    return found


def dependencies(file: Path) -> list[str]:
    """Of a project; Python 3.10 has no reader of TOML."""
    block = re.search(
        r"^dependencies = \[\n(.*?)^\]", file.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert block is not None, file
    return re.findall(r'^ *"([^"]+)"', block[1], re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, default=[Path(__file__).parents[1] / "pyproject.toml"])
    basis = {*closure(["torch"]), *closure(["warp-lang"])} - {"numpy"}
    for file in parser.parse_args().files:
        found = {name: size for name, size in closure(dependencies(file)).items() if name not in basis}
        print(f"{file}: {sum(found.values()) / 1e6:.0f} MB beside torch and Warp")
        for name, size in sorted(found.items(), key=lambda item: -item[1]):
            print(f"{size / 1e6:8.1f}  {name}")


if __name__ == "__main__":
    main()
