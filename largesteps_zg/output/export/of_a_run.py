"""What a run writes for other programs: its surface, with texture, material and fewer faces where these are wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...mesh.mesh import Mesh
from ...reconstruct.rendering import Rendering
from ...reconstruct.result import Result
from .bake_run import bake_run
from .fewer_faces import FewerFaces, with_fewer_faces
from .glossy import glossy
from .material import Material
from .texture_choice import TextureChoice
from .textured import TexturedMesh


@dataclass(frozen=True)
class Exported:
    """A run's surface for other programs.

    Attributes
    ----------
    full : Mesh or TexturedMesh
        With all faces.
    material : Material or None
        Of a surface that is not matt.
    fewer : FewerFaces or None
        Where fewer faces were asked for: what is written then.
    """

    full: Mesh | TexturedMesh
    material: Material | None
    fewer: FewerFaces | None

    @property
    def written(self) -> Mesh | TexturedMesh:
        """What mesh.obj and mesh.glb hold."""
        return self.full if self.fewer is None else self.fewer.surface

    def report(self) -> dict[str, Any]:
        """For ``run.json``."""
        found: dict[str, Any] = {"fewer_faces": self.fewer and self.fewer.report(), "material": None}
        if self.material is not None:
            found["material"] = {
                "roughness": round(float(self.material.roughness.double().mean()) / 255, 3),
                "metalness": round(float(self.material.metalness.double().mean()) / 255, 3),
                "index": round(self.material.index, 3),
            }
        return found


def exported(result: Result, rendering: Rendering, texture: TextureChoice) -> Exported:
    """The surface of a run as its texture was chosen.

    Raises
    ------
    ValueError, ImportError
        As `bake_run` and `with_fewer_faces`.
    """
    surface: Mesh | TexturedMesh = result.mesh
    material = fewer = None
    if texture.wanted:
        layout = None if texture.layout is None else texture.layout.indexed(result.mesh.faces)
        surface = bake_run(result, rendering, size=texture.size, layout=layout)
    if result.gloss is not None:
        surface, material = glossy(surface, result.gloss, result.settings.advanced.highlights)
    if texture.faces is not None:
        constants = result.settings.advanced
        fewer = with_fewer_faces(surface, texture.faces, size=texture.size, constants=constants)
    return Exported(surface, material, fewer)
