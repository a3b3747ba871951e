"""What is usable on this machine, and why the rest is not."""

from __future__ import annotations

import importlib
import os
import platform

import torch

from ..output.provenance import versions
from ..rasterizer.registry import BACKENDS, load_backend
from ..renderers.opengl import OpenGL

Row = tuple[str, bool | None, str]


def capabilities() -> dict[str, list[Row]]:
    """Rows of (name, usable, note) by group: devices, rasterizers, other renderers, solvers, remeshers; and versions,
    which are neither.

    What is usable is found out by importing it: a package can be there and still not load.
    """
    return {
        "devices": [_cpu(), _cuda()],
        "rasterizers": [_rasterizer(name) for name in BACKENDS],
        "renderers": [_opengl()],
        "solvers": [
            _module("cholespy", "cholespy", "sparse Cholesky, the default", "pip install cholespy"),
            _module(
                "scikit-sparse",
                "sksparse.cholmod",
                "sparse Cholesky",
                "install SuiteSparse's headers (Debian: libsuitesparse-dev), then pip install scikit-sparse",
            ),
        ],
        "remeshing": [
            ("adaptive", True, "built in, the default"),
            _module(
                "gpytoolbox", "gpytoolbox", "where that fails; caps NumPy and SciPy", "pip install gpytoolbox"
            ),
            _module("pymeshlab", "pymeshlab", "where both fail; GPL", "pip install pymeshlab (GPL)"),
        ],
        "versions": [(name, None, number) for name, number in versions().items()],
    }


def _cpu() -> Row:
    note = f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    return "cpu", True, note if torch.cuda.is_available() else f"the default here; {note}"


def _cuda() -> Row:
    if torch.cuda.is_available():
        return "cuda", True, f"the default here; {torch.cuda.get_device_name(0)}"
    if torch.version.cuda is None:
        return "cuda", False, "this PyTorch is built for the CPU only"
    return "cuda", False, "PyTorch finds no CUDA device or driver"


def rasterizer_fault(name: str, device: torch.device) -> str | None:
    """Why a rasterizer cannot be used on a device; None where it can.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    try:
        backend = load_backend(name)
        if name == "nvdiffrast":  # its adapter loads everywhere, and what it adapts does not
            backend.nvdiffrast_module(device)
    except ImportError as error:
        return " ".join(str(error).split()).removeprefix(f"backend: {name} ")
    return None


def _rasterizer(name: str) -> Row:
    if name == "warp":
        fault = rasterizer_fault(name, torch.device("cpu"))
        return name, fault is None, fault or "the default, CPU and CUDA"
    fault = rasterizer_fault(name, torch.device("cuda"))
    if fault is None and not torch.cuda.is_available():
        fault = "needs a CUDA device"
    return name, fault is None, fault or "CUDA"


def _opengl() -> Row:
    """Found out by making a context: the package, the loader and a driver can be missing, each by itself."""
    try:
        with OpenGL() as renderer:
            return "opengl", True, f"without derivatives; {renderer.device}"
    except (ImportError, RuntimeError) as error:
        fault = " ".join(str(error).split()).removeprefix("renderer: ").removeprefix("opengl ")
        return "opengl", False, fault


def _module(name: str, module: str, note: str, remedy: str) -> Row:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError:
        return name, False, f"not installed; {remedy}"
    except Exception as error:  # a binary that does not fit raises whatever it likes
        return name, False, f"installed, but it does not load: {' '.join(str(error).split())}"
    return name, True, note
