"""The files that a run leaves behind beside its checkpoint: meshes, pictures and a page."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..mesh.file_parts import Attributes
from ..mesh.files import save_mesh
from ..mesh.mesh import Mesh
from ..reconstruct.rendering import Rendering
from ..reconstruct.result import Result
from ..scenes.up import up_direction
from ..scenes.views import Scene, Views
from .destination import OF_A_MATERIAL
from .export.cameras import save_cameras
from .export.files import save_glb, save_obj
from .export.of_a_run import Exported, exported
from .export.texture_choice import TextureChoice
from .film import Film
from .not_written import NotWritten
from .pictures import figures
from .pictures.bare import bare_images
from .pictures.reduced import reduced, reduced_cameras
from .placing import Placing, Scale, placing
from .report.page import write_run_report
from .report.surface import packed_surface
from .seen import residuals, seeing_report, without_unseen

SHOWN = 3  # views in the comparison
LINKED = {
    "mesh.ply": "the mesh in the scene's coordinates, with views_seeing and residual at its vertices",
    "mesh.glb": "the surface upright, with its material, for viewers and Blender",
    "mesh.obj": "the same in the scene's coordinates, for modelling programs",
    "progression.gif": "the way there, as a film",
    "recording.html": "the way there, to turn while it plays",
    "cameras.json": "the cameras as corrected, for Blender's add-on",
    "run.json": "all numbers and settings",
}  # from the report, which lies beside them


@dataclass(frozen=True)
class RunStart:
    """What a run's folder has to know of the mesh that the run starts from.

    Attributes
    ----------
    notes : tuple of str
        What ``run.json`` says of it.
    texture : TextureChoice
        What mesh.obj and mesh.glb get; colours at the vertices by default.
    attributes : Attributes, optional
        Of the start mesh, for mesh.ply, where its vertices and faces stay as they are.
    seconds : float
        What it took to make it, which counts as the run's.
    """

    notes: tuple[str, ...] = ()
    texture: TextureChoice = field(default_factory=TextureChoice)
    attributes: Attributes | None = None
    seconds: float = 0.0


PLAIN_START = RunStart()


@dataclass(frozen=True)
class RunFiles:
    """Writes a run's files, each whole or absent, and notes those that could not be written.

    Attributes
    ----------
    path : Path
    scene : Scene
    start : RunStart
    unseen : {"closed", "open"}
        Whether meshes hold the parts that no photograph sees.
    scale : Scale
        What is known of the scene's unit, for mesh.glb.
    film : Film
        Of the run so far.
    not_written : NotWritten
    """

    path: Path
    scene: Scene
    start: RunStart
    unseen: str
    scale: Scale
    film: Film
    not_written: NotWritten

    def seen(self, result: Result, rendering: Rendering) -> tuple[Result, dict[str, Any]]:
        """With mesh.ply as it stays: each vertex with the photographs that see it and with the error there."""

        def image(i: int) -> Tensor:
            made, gains = rendering.images(result.cameras[i])[0], result.gains
            return (
                made if gains is None else torch.cat([made[..., :3] * gains[i].cpu(), made[..., 3:]], dim=-1)
            )

        counts, residual = residuals(result.mesh, result.views, result.cameras, image)
        report, start = seeing_report(counts, len(result.views)), self.start.attributes
        if self.unseen == "open":
            mesh, used = without_unseen(result.mesh, counts)
            counts, residual = counts[used], residual[used]
            result, start = replace(result, mesh=mesh), None
        added = {"views_seeing": counts.int().numpy(), "residual": residual.nan_to_num(0.0).numpy()}
        with self.not_written.noting():
            attributes = Attributes({**(start.vertex if start else {}), **added}, start.face if start else {})
            save_mesh(self.path / "mesh.ply", result.mesh, attributes=attributes)
        return result, report

    def export(self, result: Result, rendering: Rendering) -> tuple[Exported, Placing]:
        """The same mesh for other programs, with a texture and fewer faces where these were asked for; and how."""
        made = exported(result, rendering, self.start.texture)
        material = made.material if isinstance(made.written, Mesh) else None
        with self.not_written.noting():
            for left in OF_A_MATERIAL:  # by an earlier run with a texture
                (self.path / left).unlink(missing_ok=True)
            save_obj(self.path / "mesh.obj", made.written, material=material)
        up = up_direction(self.scene, result.settings.advanced.correcting)[0]
        placed = placing(self.scene, result.mesh.vertices, up, self.scale)
        with self.not_written.noting():
            save_glb(self.path / "mesh.glb", made.written, up=up, material=material, scale=placed.scale)
        with self.not_written.noting():
            seen = replace(result.views, cameras=result.cameras)
            save_cameras(self.path / "cameras.json", seen, up=up, scale=placed.scale)
        return made, placed

    def draw(self, result: Result, rendering: Rendering, shown: dict[str, Any]) -> None:
        """Write the pictures: some views beside their photographs, the loss, the way to the last shape."""
        with self.not_written.noting():
            figures.save_comparison(self.path / "comparison.png", **shown)
        with self.not_written.noting():
            events = {event.step: event.name for event in result.events}
            figures.save_loss_curve(self.path / "loss.png", result.losses, events=events)
        film = self.film.until(rendering, result.steps)
        target = reduced(self.scene.train.linear(self.film.shown).cpu())[0]
        with self.not_written.noting():
            film.save_animation(self.path / "progression.gif", target)
        with self.not_written.noting():
            film.save_strip(self.path / "progression.png", target)

    def report(self, content: dict[str, Any], made: Exported, result: Result, shown: dict[str, Any]) -> None:
        """All of it as one page."""
        up = up_direction(self.scene, result.settings.advanced.correcting)[0]
        packed = packed_surface(made.full, up=up, camera=self.film.viewpoint, material=made.material)
        links = [(name, what) for name, what in LINKED.items() if (self.path / name).is_file()]
        write_run_report(self.path / "report.html", content, surface=packed, links=links, **shown)


def shown_views(result: Result, rendering: Rendering, views: Views) -> dict[str, Any]:
    """Some views, pictures from there, and the bare surface; linear, premultiplied."""
    count = min(SHOWN, len(views))
    shown = views[[len(views) * i // count for i in range(count)]]
    cameras = reduced_cameras(shown.cameras)
    made = torch.cat([rendering.images(cameras[i]) for i in range(count)])
    if shown.known is not None:  # where nothing was photographed nothing is wrong
        made = made * reduced(shown.known.cpu()[..., None].float())
    targets = torch.cat([reduced(shown.linear(i).cpu()) for i in range(count)])
    bare = bare_images(result.mesh.vertices, result.mesh.faces, cameras)
    taken = {"targets": targets, "results": made, "surfaces": bare}
    return {**{name: images.numpy() for name, images in taken.items()}, "names": shown.names}
