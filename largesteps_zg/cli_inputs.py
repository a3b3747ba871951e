"""What the commands of the command line take: texts to values, names to meshes, lights and scenes."""

from __future__ import annotations

import argparse
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .lighting import SphericalHarmonicsLight
    from .mesh import Mesh
    from .scenes import Scene

DEFAULT_MESH = "fennec"
MAX_SIDE = 8192  # pixels


def remesh_steps(text: str) -> str | tuple[int, ...]:
    """When to remesh."""
    if text in ("auto", "off"):
        return text
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected auto, off or steps such as 100,300, got {text!r}"
        ) from None


def seed_number(text: str) -> int:
    """A number that generators take."""
    try:
        seed = int(text)
    except ValueError:
        seed = -1
    if not 0 <= seed < 2**63:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to 2^63 - 1, got {text!r}")
    return seed


def image_size(text: str) -> tuple[int, int]:
    """(height, width) in pixels."""
    try:
        sides = [int(part) for part in text.lower().split("x")]
        width, height = sides * 2 if len(sides) == 1 else sides
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected 256 or 320x240, got {text!r}") from None
    if min(width, height) < 8 or max(width, height) > MAX_SIDE:
        raise argparse.ArgumentTypeError(f"expected 8 to {MAX_SIDE} pixels, got {text!r}")
    return height, width


def light_named(name: str | None) -> SphericalHarmonicsLight | None:
    """A light from an environment map, or None."""
    from .lighting import load_light

    if name is None:
        return None
    try:
        return load_light(name)
    except ValueError as error:
        raise ValueError(f"{error}" if name in str(error) else f"light: {name}: {error}") from error


def mesh_named(name: str) -> Mesh | None:
    """The mesh to start from, or None for the sphere."""
    from .mesh import check_start_mesh, load_mesh

    if name == "sphere":
        return None
    mesh = load_mesh(name)
    check_start_mesh(mesh.vertices, mesh.faces, name=name)
    return mesh


def scene_named(name: str | None) -> Scene:
    """A scene from a folder, or the built-in one."""
    from .scenes import load_scene

    if name is not None:
        return load_scene(name)
    from .mesh import load_mesh
    from .scenes.synthetic import scene_from_mesh

    return scene_from_mesh(load_mesh(built_in_meshes().path(DEFAULT_MESH)))


def built_in_meshes() -> ModuleType:
    """The module of the meshes of this project."""
    # Its folder is at the project's top level and joins the package when that is installed.
    return import_module("largesteps_zg.meshes")
