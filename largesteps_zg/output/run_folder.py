"""A reconstruction's folder: checkpoint, mesh, numbers and pictures. Each file is whole or absent."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .._support.atomic import atomic_path, remove_leftovers
from .._support.errors import one_line
from .._support.regular_files import read_regular
from ..mesh.file_parts import Attributes
from ..mesh.files import save_mesh
from ..mesh.mesh import Mesh
from ..reconstruct.appearance.exposure import exposed
from ..reconstruct.loop import State
from ..reconstruct.rendering import Rendering
from ..reconstruct.result import Result
from ..scenes.up import up_direction
from ..scenes.views import Scene, Views
from .blended import Blended
from .destination import OF_A_MATERIAL, OF_A_RUN
from .evaluate import held_out_cameras, image_quality, mesh_report
from .export.cameras import save_cameras
from .export.files import save_glb, save_obj
from .export.of_a_run import Exported, exported
from .export.texture_choice import TextureChoice
from .film import Film
from .pictures import figures
from .pictures.bare import bare_images
from .placing import UNIT_UNKNOWN, Placing, Scale, placing
from .provenance import peak_memory_mib
from .report.page import write_run_report
from .report.surface import packed_surface
from .run_checkpoint import RunCheckpoint
from .run_json import json_text, summary
from .seen import residuals, seeing_report, without_unseen
from .timeline import Timeline

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
CHECKPOINT_SECONDS = 30.0


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


class RunFolder:
    """Watches a run through its states and writes what it leaves behind.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    scene : Scene
    options : dict
        What was asked for, for ``run.json``.
    start : RunStart, optional
        Of the start mesh; without notes, texture and attributes by default.
    unseen : {"closed", "open"}
        Whether meshes hold the parts that no photograph sees.
    scale : Scale, optional
        What is known of the scene's unit, for mesh.glb.
    earlier : dict, optional
        What an earlier run's folder kept (`RunCheckpoint.load` gives it): its pictures and its time.

    Attributes
    ----------
    not_written : dict of str to str
        Files that could not be written, as where the disk is full, and why. All others were tried all the same.

    Raises
    ------
    OSError
        If the folder cannot be made or written, at the first step rather than after minutes. Until then nothing
        is made, so that a mistake leaves nothing behind.
    """

    def __init__(
        self,
        path: Path,
        scene: Scene,
        options: dict[str, Any],
        *,
        start: RunStart = RunStart(),
        unseen: str = "closed",
        scale: Scale = UNIT_UNKNOWN,
        earlier: dict[str, Any] | None = None,
    ) -> None:
        self.path, self.scene, self.options, self.start = path, scene, options, start
        self.prepared, self.unseen, self.scale = False, unseen, scale
        self.kept: tuple[State, Result] | None = None
        self.not_written: dict[str, str] = {}
        self.checkpoint, self.film = RunCheckpoint(path, scene, options), Film(scene.train)
        self.timeline = Timeline()
        self.memory = {"load": peak_memory_mib()}
        self.seconds_before = start.seconds
        if earlier is not None:
            self.film.load_state_dict(earlier["film"])
            self.timeline.load_state_dict(earlier["timeline"])
            self.seconds_before += earlier["seconds"]
        self.started = self.saved_at = time.perf_counter()

    def is_complete(self) -> bool:
        """Whether a run that took all its steps also wrote what it leaves behind."""
        try:
            finished = json.loads(read_regular(self.path / "run.json"))["finished"]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return finished is True and all(
            (self.path / name).is_file() for name in ("mesh.ply", "comparison.png")
        )

    def prepare(self) -> None:
        """Make the folder, see that it can be written, and clear away what a killed run left half-written."""
        if self.prepared:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.path):
            self.prepared = True
        remove_leftovers(self.path, OF_A_RUN.__contains__)

    def watch(self, state: State) -> None:
        """Take note of a step; now and then a picture and a checkpoint."""
        self.prepare()
        self.film.watch(state)
        self.timeline.add(state.step, self.seconds(), state.run.stopwatch.seconds)
        if time.perf_counter() - self.saved_at > CHECKPOINT_SECONDS:
            with self._writing():
                self.save_checkpoint(state)
            self.saved_at = time.perf_counter()

    def seconds(self) -> float:
        """Spent on the run so far, earlier parts included."""
        return self.seconds_before + time.perf_counter() - self.started

    def save_checkpoint(self, state: State) -> None:
        """All that a later ``--resume`` needs."""
        folder = {"film": self.film.state_dict(), "seconds": self.seconds()}
        folder["timeline"] = self.timeline.state_dict()
        with state.run.stopwatch("checkpoint"):
            self.checkpoint.save(state.run.state_dict(), folder)
        self.not_written.pop(str(self.checkpoint.file), None)
        self.saved_at = time.perf_counter()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A file that cannot be written is noted; what else fits on the disk is worth having."""
        try:
            yield
        except OSError as error:
            self.not_written[str(error.filename or self.path)] = error.strerror or one_line(error)

    def faults(self) -> str:
        """What could not be written and why, in one line."""
        return "; ".join(f"{file}: {cause}" for file, cause in self.not_written.items())

    def keep(self, state: State, *, resumable: bool = True) -> Result:
        """Write first what must not be lost: the checkpoint and the mesh.

        `resumable` is False after a failure: going on from there would only fail again, so the checkpoint, if there
        is one, stays as it is.
        """
        with self._writing():
            self.path.mkdir(parents=True, exist_ok=True)
            for earlier in ("run.json", "recording.html"):  # about another mesh
                (self.path / earlier).unlink(missing_ok=True)
        if resumable:
            with self._writing():
                self.save_checkpoint(state)
        self.memory["steps"] = peak_memory_mib()
        result = state.run.result()
        with self._writing():
            save_mesh(self.path / "mesh.ply", result.mesh, attributes=self.start.attributes)
        self.kept = state, result
        return result

    def keep_recording(self, record: Callable[[Path], None]) -> None:
        """Have ``recording.html`` written, after `keep` and before `finish`, whose report leads to it."""
        with self._writing():
            record(self.path / "recording.html")

    def finish(self, state: State, *, stopped: str | None = None) -> dict[str, Any]:
        """Write everything: what `keep` does if that is not done, then pictures, then numbers.

        Returns
        -------
        dict
            What ``run.json`` holds; see also `not_written`.
        """
        kept = self.kept
        result = kept[1] if kept and kept[0] is state else self.keep(state)
        rendering, stopwatch = state.run.rendering, state.run.stopwatch
        content = {**summary(result, self.scene, stopped=stopped), "options": self.options}
        content["start"] = list(self.start.notes)
        with stopwatch("evaluate"):
            result, seeing = self._seen(result, rendering)
        self._sample(state)
        with stopwatch("export"):
            made, placed = self._export(result, rendering)
        with stopwatch("evaluate"):
            measured, drawn = self._evaluated(result, rendering)
        measured |= {"views_seeing": seeing, "handed_on": placed.report()}
        self.memory["evaluate"] = peak_memory_mib()
        with stopwatch("pictures"):
            shown = self._shown(result, rendering, drawn)
            self._draw(result, rendering, shown)
        self._sample(state)
        self.memory["pictures"] = peak_memory_mib()
        content |= {
            **measured,
            "exported": made.report(),
            "seconds_by_phase": {name: round(s, 3) for name, s in stopwatch.seconds.items()},
            "seconds": round(self.seconds(), 3),
            "peak_memory_mib": self.memory["pictures"],
            "peak_memory_mib_after": self.memory,
            "timeline": self.timeline.table(),
            "not_written": dict(self.not_written),
        }
        with self._writing():
            self._report(content, made, result, shown)
        finished = content["finished"] and not self.not_written
        content |= {"not_written": dict(self.not_written), "finished": finished}
        with self._writing(), atomic_path(self.path / "run.json") as part:
            part.write_text(json_text(content), encoding="utf-8")
        return content

    def _sample(self, state: State) -> None:
        """After a part of `finish`."""
        self.timeline.add(state.step, self.seconds(), state.run.stopwatch.seconds, always=True)

    def _seen(self, result: Result, rendering: Rendering) -> tuple[Result, dict[str, Any]]:
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
        with self._writing():
            attributes = Attributes({**(start.vertex if start else {}), **added}, start.face if start else {})
            save_mesh(self.path / "mesh.ply", result.mesh, attributes=attributes)
        return result, report

    def _export(self, result: Result, rendering: Rendering) -> tuple[Exported, Placing]:
        """The same mesh for other programs, with a texture and fewer faces where these were asked for; and how."""
        made = exported(result, rendering, self.start.texture)
        material = made.material if isinstance(made.written, Mesh) else None
        with self._writing():
            for left in OF_A_MATERIAL:  # by an earlier run with a texture
                (self.path / left).unlink(missing_ok=True)
            save_obj(self.path / "mesh.obj", made.written, material=material)
        up = up_direction(self.scene, result.settings.advanced.correcting)[0]
        placed = placing(self.scene, result.mesh.vertices, up, self.scale)
        with self._writing():
            save_glb(self.path / "mesh.glb", made.written, up=up, material=material, scale=placed.scale)
        with self._writing():
            seen = replace(result.views, cameras=result.cameras)
            save_cameras(self.path / "cameras.json", seen, up=up, scale=placed.scale)
        return made, placed

    def _evaluated(self, result: Result, rendering: Rendering) -> tuple[dict[str, Any], Views]:
        """How good the mesh and its pictures are, and the views to be drawn: held-out ones, if there are some."""
        measured: dict[str, Any] = {"mesh": mesh_report(result.mesh, self.scene.mesh)}
        test = self.scene.test
        if test is None:
            return measured, self.scene.train
        seen_from = held_out_cameras(result, rendering, test)
        for name, cameras in seen_from.items():
            measured[name] = _quality(rendering, replace(test, cameras=cameras))
        views = replace(test, cameras=seen_from.get("held_out_predicted", test.cameras))
        exposures = result.gains is not None
        if exposures:
            measured["held_out_exposed"] = _quality(rendering, views, exposures=True)
        blended = Blended(result.mesh, result.views, result.cameras, result.gains)
        measured["held_out_blended"] = _quality(rendering, views, exposures=exposures, blended=blended)
        *_, best = seen_from.values()  # the last fit best
        return measured, replace(test, cameras=best)

    def _shown(self, result: Result, rendering: Rendering, views: Views) -> dict[str, Any]:
        """Some views, pictures from there, and the bare surface; linear, premultiplied."""
        count = min(SHOWN, len(views))
        shown = views[[len(views) * i // count for i in range(count)]]
        made = torch.cat([rendering.images(shown.cameras[i]) for i in range(count)])
        if shown.known is not None:  # where nothing was photographed nothing is wrong
            made = made * shown.known.cpu()[..., None]
        bare = bare_images(result.mesh.vertices, result.mesh.faces, shown.cameras)
        taken = {"targets": shown.linear().cpu(), "results": made, "surfaces": bare}
        return {**{name: images.numpy() for name, images in taken.items()}, "names": shown.names}

    def _draw(self, result: Result, rendering: Rendering, shown: dict[str, Any]) -> None:
        """Write the pictures: some views beside their photographs, the loss, the way to the last shape."""
        with self._writing():
            figures.save_comparison(self.path / "comparison.png", **shown)
        with self._writing():
            events = {event.step: event.name for event in result.events}
            figures.save_loss_curve(self.path / "loss.png", result.losses, events=events)
        film, target = self.film.until(rendering, result.steps), self.scene.train.linear(self.film.shown)
        with self._writing():
            film.save_animation(self.path / "progression.gif", target.cpu()[0])
        with self._writing():
            film.save_strip(self.path / "progression.png", target.cpu()[0])

    def _report(self, content: dict[str, Any], made: Exported, result: Result, shown: dict[str, Any]) -> None:
        """All of it as one page."""
        up = up_direction(self.scene, result.settings.advanced.correcting)[0]
        packed = packed_surface(made.full, up=up, camera=self.film.viewpoint, material=made.material)
        links = [(name, what) for name, what in LINKED.items() if (self.path / name).is_file()]
        write_run_report(self.path / "report.html", content, surface=packed, links=links, **shown)


def _quality(
    rendering: Rendering, views: Views, *, exposures: bool = False, blended: Blended | None = None
) -> dict[str, float]:
    """How well the result shows views, with their own exposures or not; rendered one at a time: splits are large."""

    def shown(index: int) -> Tensor:
        camera = views.cameras[index]
        image = rendering.images(camera)[0]
        image = image if blended is None else blended.over(image, camera)
        return exposed(image, views.linear(index)[0]) if exposures else image

    return image_quality(map(shown, range(len(views))), views)
