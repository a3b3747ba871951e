"""The gallery: `examples/*.py` and the lessons are run, and the pictures that they write are shown."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

# Where the programs write; a picture that was shown is taken away.
_FOLDER = Path(tempfile.gettempdir()) / f"largesteps_zg-gallery-{Path(__file__).stat().st_ino}"
_NOTEBOOK = '# Needs: pip install "largesteps_zg[view]" matplotlib\n%matplotlib inline'


def settings() -> dict[str, Any]:
    """For sphinx-gallery; functions by name, because its settings are pickled."""
    return {
        "examples_dirs": ["programs", "lesson-programs"],
        "gallery_dirs": ["gallery", "lessons"],
        "filename_pattern": r"\.py$",
        "within_subsection_order": "FileNameSortKey",
        "image_scrapers": ("building.pictures.written_pictures", "matplotlib"),
        "reset_argv": "building.pictures.arguments",
        "reset_modules": ("matplotlib", "building.pictures.as_new"),
        "capture_repr": (),
        "abort_on_example_error": False,
        "download_all_examples": False,
        "show_signature": False,
        "write_computation_times": False,
        "inspect_global_variables": False,
        "first_notebook_cell": _NOTEBOOK,
        "thumbnail_size": (480, 336),
        "log_level": {"backreference_missing": "info"},
    }


def arguments(gallery: dict[str, Any], script: dict[str, Any]) -> list[str]:
    """Of a program: where its pictures go, if it asks."""
    takes = "--output" in Path(script["src_file"]).read_text(encoding="utf-8")
    return ["--output", str(_FOLDER)] if takes else []


def written_pictures(block: Any, variables: dict[str, Any], gallery: dict[str, Any], **options: Any) -> str:
    """The pictures that a program has written, in the order of their names; not what it drew them from once more."""
    import matplotlib.pyplot as plt
    from sphinx_gallery.scrapers import figure_rst

    paths = variables["image_path_iterator"]
    shown = []
    for picture in sorted(_FOLDER.glob("*.png")):
        path = next(paths)
        shutil.move(picture, path)
        shown.append(path)
        plt.close("all")
    shutil.rmtree(_FOLDER, ignore_errors=True)
    return figure_rst(shown, gallery["src_dir"])


def as_new(gallery: dict[str, Any], program: str) -> None:
    """Each program finds torch as it would in a process of its own."""
    import torch

    torch.set_default_dtype(torch.float32)
    torch.manual_seed(0)
