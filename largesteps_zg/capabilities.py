"""What is usable on this machine, and why the rest is not."""

from __future__ import annotations

import os
import platform
from importlib.util import find_spec

import torch

from .rasterizer.api import BACKENDS, load_backend
from .run_folder import versions

Row = tuple[str, bool, str]


def capabilities() -> dict[str, list[Row]]:
    """Rows of (name, usable, note) by group: devices, rasterizers, solvers, remeshers, versions."""
    return {
        "devices": [_cpu(), _cuda()],
        "rasterizers": [_rasterizer(name) for name in BACKENDS],
        "solvers": [
            _module("cholespy", "cholespy", "sparse Cholesky, the default"),
            _module("scikit-sparse", "sksparse", "CHOLMOD; needs SuiteSparse: pip install 'scikit-sparse<0.5'"),
        ],
        "remeshing": [
            _module("gpytoolbox", "gpytoolbox", "the default"),
            _module("pymeshlab", "pymeshlab", "pip install pymeshlab (GPL)"),
        ],
        "versions": [(name, True, number) for name, number in versions().items()],
    }


def _cpu() -> Row:
    return "cpu", True, f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"


def _cuda() -> Row:
    if torch.cuda.is_available():
        return "cuda", True, torch.cuda.get_device_name(0)
    if torch.version.cuda is None:
        return "cuda", False, "this PyTorch is built for the CPU only"
    return "cuda", False, "PyTorch finds no CUDA device or driver"


def _rasterizer(name: str) -> Row:
    try:
        load_backend(name)
    except ImportError as error:
        return name, False, " ".join(str(error).split())
    return name, True, "the default, CPU and CUDA" if name == "warp" else "CUDA"


def _module(name: str, module: str, note: str) -> Row:
    return name, find_spec(module) is not None, note
