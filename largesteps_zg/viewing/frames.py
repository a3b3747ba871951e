"""Surfaces to look at, and what of a run was kept of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..geometry.normals import vertex_normals
from ..images.color import srgb_to_linear
from ..mesh.mesh import Mesh
from ..output.export.glb import glb_bytes
from ..output.export.material import Material
from ..output.pictures.drawing import nice_ceiling

CLAY, UNKNOWN = (176, 172, 166), (150, 170, 190)
KINDS, ERROR = ("Colours", "Bare", "Wires", "Normals"), "Error"


@dataclass(frozen=True)
class Mark:
    """Numbers at the vertices of a surface that can be shown as its colours.

    Attributes
    ----------
    values : (V,) float
        At least 0; NaN where there is none.
    top : float
        What the last of the colours stands for, and all above.
    told : str
        What the numbers are.
    """

    values: NDArray[np.floating]
    top: float
    told: str

    def colors(self, ramp: Callable[[NDArray], NDArray]) -> NDArray[np.floating]:
        """(V, 3) linear, of a function from numbers in [0, 1] to colours (..., 3) uint8."""
        known = np.isfinite(self.values)
        shown = ramp(np.where(known, self.values, 0.0) / self.top)
        return _linear(np.where(known[:, None], shown, np.array(UNKNOWN)))


@dataclass(frozen=True)
class Surface:
    """A mesh in the coordinates of a view, on the CPU.

    Attributes
    ----------
    vertices : (V, 3) float32
    faces : (F, 3) int64
    colors : (V, 3) float32 or None
        Linear.
    marks : dict of str to Mark
        By their names in the list of what can be shown.
    material : Material, optional
        The same everywhere; the colours are base colours then.
    step : int
        Of the run, where it is from one.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int64]
    colors: NDArray[np.float32] | None = None
    marks: dict[str, Mark] = field(default_factory=dict)
    step: int = 0
    material: Material | None = None

    @classmethod
    def of(cls, mesh: Mesh, **more: Any) -> Surface:
        """The same mesh."""
        colors = None if mesh.colors is None else mesh.colors.detach().float().cpu().numpy()
        return cls(mesh.vertices.detach().float().cpu().numpy(), mesh.faces.cpu().numpy(), colors, **more)


class Kept:
    """Surfaces of a run from its beginning to now, evenly spread over its steps: not all, but no more than `most`.

    Parameters
    ----------
    most : int
        Where there would be more, every other one is dropped, and so is every other one that comes.
    """

    def __init__(self, most: int = 48) -> None:
        self.most, self.every, self._count = most, 1, 0
        self.surfaces: list[Surface] = []

    def add(self, surface: Surface) -> bool:
        """Keep one more, or not; whether it was."""
        self._count += 1
        if (self._count - 1) % self.every:
            return False
        self.surfaces.append(surface)
        if len(self.surfaces) > self.most:
            self.surfaces, self.every = self.surfaces[::2], 2 * self.every
        return True


def draw(scene: Any, name: str, surface: Surface, kind: str, ramp: Callable[[NDArray], NDArray]) -> Any:
    """Show a surface in a scene of viser, in place of what has that name.

    Parameters
    ----------
    scene : viser.SceneApi
    name : str
    surface : Surface
    kind : str
        One of `KINDS`, or of the surface's marks.
    ramp : function
        From numbers to colours (..., 3) uint8.
    """
    if kind in ("Bare", "Wires") or (kind == "Colours" and surface.colors is None):
        wires = kind == "Wires"
        return scene.add_mesh_simple(
            name, surface.vertices, surface.faces, color=(40, 70, 110) if wires else CLAY, wireframe=wires,
            flat_shading=not wires, side="double",
        )  # fmt: skip
    vertices, faces = torch.from_numpy(surface.vertices), torch.from_numpy(surface.faces)
    normals = vertex_normals(vertices, faces).numpy()
    if kind == "Normals":
        colors: NDArray[Any] = 0.5 + 0.5 * normals
    elif kind in surface.marks:
        colors = surface.marks[kind].colors(ramp)
    else:
        colors = np.full_like(normals, 0.5) if surface.colors is None else surface.colors
    parts = {"POSITION": surface.vertices, "NORMAL": normals, "COLOR_0": colors}
    material = surface.material if kind == "Colours" else None
    return scene.add_glb(name, glb_bytes(parts, surface.faces, material=material))


def _linear(srgb: NDArray[Any]) -> NDArray[np.floating]:
    """Of bytes."""
    linear: NDArray[np.floating] = srgb_to_linear(torch.from_numpy(srgb / 255.0)).numpy()
    return linear


def error_mark(residual: NDArray[np.floating]) -> Mark:
    """How wrong pictures are where photographs see the vertices; see `output.seen.residuals`."""
    known = residual[np.isfinite(residual)]
    # Not the maximum: outlines are always a pixel or two off.
    top = nice_ceiling(float(np.quantile(known, 0.95)) if len(known) else 0.0)
    return Mark(residual, top, "mean absolute difference to the photographs, sRGB and alpha, of 1")
