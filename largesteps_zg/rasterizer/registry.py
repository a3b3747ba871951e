"""The rasterizer's backends by name."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from .._support.values import check_choice

BACKENDS = {"warp": ".warp_backend", "nvdiffrast": ".nvdiffrast_backend"}
CHOICES = ("auto", *BACKENDS)


def check_backend(name: Any) -> str:
    """The name, or ValueError."""
    return check_choice("backend", name, CHOICES)


def load_backend(name: str) -> ModuleType:
    """The adapter of a backend, imported on first use; ``auto`` is Warp, which runs everywhere.

    Raises
    ------
    ValueError
        If there is no backend of that name.
    ImportError
        If it is not installed; the message says how to.
    """
    name = check_backend(name)
    return importlib.import_module(BACKENDS["warp" if name == "auto" else name], __package__)
