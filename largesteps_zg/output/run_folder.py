"""A reconstruction's folder: checkpoint, mesh, numbers and pictures. Each file is whole or absent."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .._support.atomic import atomic_path, remove_leftovers
from .._support.regular_files import read_regular
from ..mesh.files import save_mesh
from ..reconstruct.loop import State
from ..reconstruct.result import Result
from ..scenes.views import Scene
from .destination import OF_A_RUN
from .evaluate import evaluated
from .film import Film
from .not_written import NotWritten
from .placing import UNIT_UNKNOWN, Scale
from .provenance import peak_memory_mib
from .run_checkpoint import RunCheckpoint
from .run_files import PLAIN_START, RunFiles, RunStart, shown_views
from .run_json import json_text, summary
from .timeline import Timeline

CHECKPOINT_SECONDS = 30.0


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
        start: RunStart = PLAIN_START,
        unseen: str = "closed",
        scale: Scale = UNIT_UNKNOWN,
        earlier: dict[str, Any] | None = None,
    ) -> None:
        self.path, self.scene, self.options, self.prepared = path, scene, options, False
        self.kept: tuple[State, Result] | None = None
        self.not_written = NotWritten(path)
        self.checkpoint, self.film = RunCheckpoint(path, scene, options), Film(scene.train)
        self.files = RunFiles(path, scene, start, unseen, scale, self.film, self.not_written)
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
            with self.not_written.noting():
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

    def keep(self, state: State, *, resumable: bool = True) -> Result:
        """Write first what must not be lost: the checkpoint and the mesh.

        `resumable` is False after a failure: going on from there would only fail again, so the checkpoint, if there
        is one, stays as it is.
        """
        with self.not_written.noting():
            self.path.mkdir(parents=True, exist_ok=True)
            for earlier in ("run.json", "recording.html"):  # about another mesh
                (self.path / earlier).unlink(missing_ok=True)
        if resumable:
            with self.not_written.noting():
                self.save_checkpoint(state)
        self.memory["steps"] = peak_memory_mib()
        result = state.run.result()
        with self.not_written.noting():
            save_mesh(self.path / "mesh.ply", result.mesh, attributes=self.files.start.attributes)
        self.kept = state, result
        return result

    def keep_recording(self, record: Callable[[Path], None]) -> None:
        """Have ``recording.html`` written, after `keep` and before `finish`, whose report leads to it."""
        with self.not_written.noting():
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
        content["start"] = list(self.files.start.notes)
        with stopwatch("evaluate"):
            result, seeing = self.files.seen(result, rendering)
        self._sample(state)
        with stopwatch("export"):
            made, placed = self.files.export(result, rendering)
        with stopwatch("evaluate"):
            measured, drawn = evaluated(result, rendering, self.scene)
        measured |= {"views_seeing": seeing, "handed_on": placed.report()}
        self.memory["evaluate"] = peak_memory_mib()
        with stopwatch("pictures"):
            shown = shown_views(result, rendering, drawn)
            self.files.draw(result, rendering, shown)
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
        with self.not_written.noting():
            self.files.report(content, made, result, shown)
        finished = content["finished"] and not self.not_written
        content |= {"not_written": dict(self.not_written), "finished": finished}
        with self.not_written.noting(), atomic_path(self.path / "run.json") as part:
            part.write_text(json_text(content), encoding="utf-8")
        return content

    def _sample(self, state: State) -> None:
        """After a part of `finish`."""
        self.timeline.add(state.step, self.seconds(), state.run.stopwatch.seconds, always=True)
