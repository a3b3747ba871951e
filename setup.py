"""What pyproject.toml cannot say: addresses, which depend on the repository that a release is built in.

The release workflow sets REPOSITORY_URL to the address of its own repository. Without it a build has no addresses, and
the links of its README stay relative.
"""

import os
import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).resolve().parent
PAGES = {"Documentation": "docs/README.md", "Changelog": "CHANGELOG.md", "Benchmarks": "benchmarks/README.md"}


def readme(address: str, version: str) -> str:
    """The README, whose relative links lead to the files of this version: a package index has no files beside it."""
    text = (HERE / "README.md").read_text(encoding="utf-8")
    if not address:
        return text
    files, raw = f"{address}/blob/v{version}/", f"{address}/raw/v{version}/"
    text = re.sub(r"(!\[[^\]]*\]\()(?!https?:|#)", rf"\g<1>{raw}", text)
    return re.sub(r"((?<!!)\[[^\]]*\]\()(?!https?:|#)", rf"\g<1>{files}", text)


def urls(address: str) -> dict[str, str]:
    """The addresses that a package index shows."""
    if not address:
        return {}
    pages = {name: f"{address}/blob/main/{page}" for name, page in PAGES.items()}
    return {"Repository": address, "Issues": f"{address}/issues", **pages}


def main() -> None:
    """Hand them over; everything else is in pyproject.toml."""
    address = os.environ.get("REPOSITORY_URL", "").rstrip("/")
    version = re.search(r'__version__ = "(.+)"', (HERE / "largesteps_zg/_version.py").read_text())[1]
    setup(
        long_description=readme(address, version),
        long_description_content_type="text/markdown",
        project_urls=urls(address),
    )


if __name__ == "__main__":
    main()
