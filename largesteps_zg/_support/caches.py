"""Where compiled kernels and the like are kept; a temporary folder where the home cannot be written."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

WARP, MATPLOTLIB = "WARP_CACHE_PATH", "MPLCONFIGDIR"


def usual_cache() -> Path:
    """The user's folder of caches on this system, as Warp finds it."""
    home = os.path.expanduser("~")
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or Path(home, "AppData", "Local"))
    if sys.platform == "darwin":
        return Path(home, "Library", "Caches")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path(home, ".cache"))


def can_write(folder: Path) -> bool:
    """Whether a file can be made in a folder that is there or can be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{secrets.token_hex(8)}"
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


def use_temporary_cache() -> str | None:
    """Where the usual cache cannot be written, set one for this process and its children, removed when it ends.

    Returns
    -------
    str or None
        What to tell the user.
    """
    if os.environ.get(WARP) or can_write(usual_cache() / "warp"):
        return None
    folder = tempfile.mkdtemp(prefix="largesteps-zg-cache-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[WARP] = folder
    os.environ.setdefault(MATPLOTLIB, str(Path(folder, "matplotlib")))
    return (
        f"{usual_cache()} cannot be written: kernels are compiled for this run alone; {WARP}=DIR keeps them"
    )
