"""A scene or a finished run in the browser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from ..mesh.mesh import Mesh
from ..output.export.material import Material
from ..reconstruct.frame import Frame
from ..scenes.carving.bounds import bounding_sphere
from ..scenes.up import up_direction
from ..scenes.views import Scene
from .frames import Mark, Surface
from .points import sparse_points
from .stage import Photographs, Stage


def show(
    server: Any,
    scene: Scene | None,
    mesh: Mesh | None,
    *,
    hull: Mesh | None = None,
    marks: dict[str, Mark] | None = None,
    material: Material | None = None,
) -> Stage:
    """Show a scene, a result, or both.

    Parameters
    ----------
    server : viser.ViserServer
        See `open_server`.
    scene : Scene, optional
        Its training views and, of COLMAP, its sparse points.
    mesh : Mesh, optional
        In the scene's coordinates; the scene's true mesh by default, where it has one.
    hull : Mesh, optional
        Of the masks.
    marks : dict of str to Mark, optional
        Of the mesh's vertices.
    material : Material, optional
        Of the mesh, the same everywhere.

    Raises
    ------
    ValueError
        If there is neither scene nor mesh, or masks and cameras contradict each other.
    """
    if scene is None and mesh is None:
        raise ValueError("view: expected a scene or a mesh, got neither")
    frame = _frame(scene, mesh)
    up = torch.tensor([0.0, 0.0, 1.0]) if scene is None else up_direction(scene)[0]
    photographs = None
    if scene is not None:
        photographs = Photographs(scene.train, frame.normalized(scene.train.cameras))
    stage = Stage(server, up=up, photographs=photographs)
    if scene is not None and scene.path is not None and scene.format == "colmap":
        found = sparse_points(scene.path if scene.path.is_dir() else scene.path.parent)
        if found is not None:
            stage.add_points("points", frame.inside(torch.from_numpy(found[0])).numpy(), found[1])
    if hull is not None:
        stage.add_surface("hull", Surface.of(replace(hull, vertices=frame.inside(hull.vertices))))
    shown = mesh if mesh is not None or scene is None else scene.mesh
    if shown is not None:
        placed = replace(shown, vertices=frame.inside(shown.vertices))
        stage.show(Surface.of(placed, marks=marks or {}, material=material))
    return stage


def _frame(scene: Scene | None, mesh: Mesh | None) -> Frame:
    """The ball that becomes the unit sphere: the object's."""
    if mesh is None:
        assert scene is not None
        center, radius = bounding_sphere(scene.train)
        return Frame(center, radius, torch.device("cpu"))
    return Frame.around(mesh.vertices)
