"""A reconstruction's folder: checkpoint, mesh, numbers and pictures. Each file is whole or absent."""

from __future__ import annotations

import json
import math
import platform
import re
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .._support.atomic import atomic_path, remove_leftovers
from .._support.errors import one_line
from .._version import __version__
from ..mesh.file_parts import Attributes
from ..mesh.files import save_mesh
from ..mesh.mesh import Mesh
from ..reconstruct.loop import Reconstruction, State
from ..scenes.up import up_direction
from ..scenes.views import Scene, Views
from . import checkpoint
from .destination import OF_A_RUN
from .evaluate import image_quality, mesh_report
from .export.bake_run import bake_run
from .export.files import save_glb, save_obj
from .export.texture_choice import TextureChoice
from .export.textured import TexturedMesh
from .held_out import exposed, held_out_cameras
from .pictures import figures as report

PACKAGES = ("torch", "warp-lang", "cholespy", "gpytoolbox", "trimesh", "pycolmap", "xatlas", "numpy", "scipy")
FRAMES = 24  # of the animation
SHOWN = 3  # views in the comparison
CHECKPOINT_SECONDS = 30.0
CHECKPOINT_LAYOUT = 4  # counted up where an older checkpoint could not be gone on from


class RunFolder:
    """Watches a run through its states and writes what it leaves behind.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    scene : Scene
    options : dict
        What was asked for, for ``run.json``.

    Attributes
    ----------
    notes : dict
        What the caller wants run.json to say beside.
    texture : TextureChoice
        What mesh.obj and mesh.glb get; colours at the vertices unless the caller sets another.
    attributes : Attributes, optional
        Of the start mesh, for mesh.ply, where its vertices and faces stay as they are.
    not_written : dict of str to str
        Files that could not be written, as where the disk is full, and why. All others were tried all the same.

    Raises
    ------
    OSError
        If the folder cannot be made or written, at the first step rather than after minutes. Until then nothing
        is made, so that a mistake leaves nothing behind.
    """

    def __init__(self, path: Path, scene: Scene, options: dict[str, Any]) -> None:
        self.path, self.scene, self.options = path, scene, options
        self.test = scene.test
        self.notes: dict[str, Any] = {"start": []}
        self.texture = TextureChoice()
        self.attributes: Attributes | None = None
        self.prepared = False
        self.kept: State | None = None
        self.not_written: dict[str, str] = {}
        self.losses: list[float] = []
        self.events: dict[int, str] = {}
        self.frames: list[Tensor] = []
        self.frame_steps: list[int] = []
        self.started = time.perf_counter()
        self.seconds_before = 0.0
        self.memory = {"load": peak_memory_mib()}
        self.saved_at = time.perf_counter()
        # The view that shows most of the object.
        self.shown = int((scene.train.images[..., 3] > 127).sum((1, 2)).argmax())
        self.viewpoint = scene.train.cameras[self.shown]

    @property
    def checkpoint_file(self) -> Path:
        """Where the state is kept from which a run goes on."""
        return self.path / "checkpoint.pt"

    def load_checkpoint(self) -> dict[str, Any]:
        """What an earlier run left here; its losses and pictures are taken over.

        Raises
        ------
        ValueError
            If there is none, or it is damaged.
        """
        file = self.checkpoint_file
        if not file.is_file():
            raise ValueError(f"resume: there is no checkpoint in {self.path}; run without --resume first")
        try:
            state = checkpoint.load(file)
            self._check_checkpoint(state)
        except ValueError as error:
            raise ValueError(f"resume: {one_line(error)}; run without --resume") from error
        run, folder, inputs = state["run"], state["folder"], state["inputs"]
        for name, value in self._inputs().items():
            if inputs.get(name) != value:
                raise ValueError(
                    f"resume: the run was started with --{name} {inputs.get(name)}, now it is {value}; "
                    "give the same options, or another output folder"
                )
        if state["images"] != self._fingerprint:
            raise ValueError(
                f"resume: the run in {self.path} was started on other images or masks than {_named(self.scene)} has; "
                "give the same scene, or another output folder"
            )
        self.losses = list(folder["losses"])
        self.events = dict(folder["events"])
        self.frames, self.frame_steps = list(folder["frames"]), list(folder["frame_steps"])
        self.seconds_before = folder["seconds"]
        checked: dict[str, Any] = run
        return checked

    def _check_checkpoint(self, state: dict[str, Any]) -> None:
        """ValueError where a checkpoint has no place for what this version looks for; the run itself looks at "run"."""
        try:
            folder, step = state["folder"], state["run"]["step"]
            sound = (
                state["layout"] == CHECKPOINT_LAYOUT
                and isinstance(state["images"], int)
                and isinstance(state["inputs"], dict)
                and len(folder["losses"]) == step
                and all(isinstance(loss, float) for loss in folder["losses"])
                and all(
                    isinstance(at, int) and isinstance(event, str) for at, event in folder["events"].items()
                )
                and len(folder["frames"]) == len(folder["frame_steps"])
                and all(frame.dtype == torch.uint8 and frame.dim() == 3 for frame in folder["frames"])
                and all(isinstance(at, int) and 0 < at <= step for at in folder["frame_steps"])
                and folder["seconds"] >= 0
            )
        except (LookupError, TypeError, AttributeError):
            sound = False
        if not sound:
            raise ValueError(f"{self.checkpoint_file} is not a readable checkpoint of this version")

    def _inputs(self) -> dict[str, str | None]:
        """Names of the files that decide the result beside the scene, without folders: those may have been moved."""
        given = {name: self.options.get(name) for name in ("init", "light")}
        return {name: None if file is None else Path(file).name for name, file in given.items()}

    @cached_property
    def _fingerprint(self) -> int:
        """Of the photographs with their masks, wherever they lie."""
        return zlib.crc32(self.scene.train.images.cpu().contiguous().numpy().data)

    def is_complete(self) -> bool:
        """Whether a run that took all its steps also wrote what it leaves behind."""
        try:
            finished = json.loads((self.path / "run.json").read_text())["finished"]
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
        self.losses.append(state.loss)
        if state.event:
            self.events[state.step - 1] = state.event
        if state.step in _frame_steps(state.steps):
            with state.run.stopwatch("pictures"):
                self.frames.append(_to_bytes(state.run.images(self.viewpoint)[0]))
                self.frame_steps.append(state.step)
        if time.perf_counter() - self.saved_at > CHECKPOINT_SECONDS:
            with self._writing():
                self.save_checkpoint(state)
            self.saved_at = time.perf_counter()

    def seconds(self) -> float:
        """Spent on the run so far, earlier parts included."""
        return self.seconds_before + time.perf_counter() - self.started

    def save_checkpoint(self, state: State) -> None:
        """All that a later ``--resume`` needs."""
        folder = {
            "losses": self.losses, "events": self.events, "frames": self.frames,
            "frame_steps": self.frame_steps, "seconds": self.seconds(),
        }  # fmt: skip
        with state.run.stopwatch("checkpoint"):
            self.path.mkdir(parents=True, exist_ok=True)  # somebody may have cleared it away
            state_dict = {"run": state.run.state_dict(), "folder": folder, "inputs": self._inputs()}
            checkpoint.save(
                self.checkpoint_file,
                {"layout": CHECKPOINT_LAYOUT, "images": self._fingerprint, **state_dict},
            )
        self.not_written.pop(str(self.checkpoint_file), None)
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

    def keep(self, state: State, *, resumable: bool = True) -> None:
        """Write first what must not be lost: the checkpoint and the mesh.

        `resumable` is False after a failure: going on from there would only fail again, so the checkpoint, if there
        is one, stays as it is.
        """
        with self._writing():
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / "run.json").unlink(missing_ok=True)  # an earlier run's, about another mesh
        if resumable:
            with self._writing():
                self.save_checkpoint(state)
        self.memory["steps"] = peak_memory_mib()
        self.mesh = state.run.mesh()
        with self._writing():
            save_mesh(self.path / "mesh.ply", self.mesh, attributes=self.attributes)
        self.kept = state

    def finish(self, state: State, *, stopped: str | None = None, resumable: bool = True) -> dict[str, Any]:
        """Write everything: what `keep` does if that is not done, then pictures, then numbers.

        Returns
        -------
        dict
            What ``run.json`` holds; see also `not_written`.
        """
        if self.kept is not state:
            self.keep(state, resumable=resumable)
        run, mesh = state.run, self.mesh
        result = self._summary(state, stopped)
        with run.stopwatch("export"):
            self._export(mesh, run)
        with run.stopwatch("evaluate"):
            result |= self._evaluated(run, mesh)
        self.memory["evaluate"] = peak_memory_mib()
        with run.stopwatch("pictures"):
            self._draw(state)
        self.memory["pictures"] = peak_memory_mib()
        result["seconds_by_phase"] = {name: round(s, 3) for name, s in run.stopwatch.seconds.items()}
        result["seconds"] = round(self.seconds(), 3)
        result["peak_memory_mib"] = self.memory["pictures"]
        result["peak_memory_mib_after"] = self.memory
        result["not_written"] = dict(self.not_written)
        result["finished"] = result["finished"] and not self.not_written
        with self._writing(), atomic_path(self.path / "run.json") as part:
            part.write_text(_json(result), encoding="utf-8")
        return result

    def _evaluated(self, run: Reconstruction, mesh: Mesh) -> dict[str, Any]:
        """How good the mesh is, and how well held-out views are met."""
        scene = self.scene
        result: dict[str, Any] = {"mesh": mesh_report(mesh, scene.mesh)}
        if scene.test is None:
            return result
        # Of these cameras the last fit best, and pictures are drawn from them.
        seen_from = held_out_cameras(run, scene.test)
        for name, cameras in seen_from.items():
            self.test = replace(scene.test, cameras=cameras)
            result[name] = _quality(run, self.test)
        if run.fit.appearance.has_exposures:
            cameras = seen_from.get("held_out_predicted", scene.test.cameras)
            views = replace(scene.test, cameras=cameras)
            result["held_out_exposed"] = _quality(run, views, exposures=True)
        return result

    def _export(self, mesh: Mesh, run: Reconstruction) -> None:
        """The same mesh for other programs, with a texture where one was asked for."""
        surface: Mesh | TexturedMesh = mesh
        if self.texture.wanted:
            layout = None if self.texture.layout is None else self.texture.layout.indexed(mesh.faces)
            surface = bake_run(run, mesh, size=self.texture.size, layout=layout)
        with self._writing():
            for left in ("mesh.mtl", "mesh.png"):  # by an earlier run with a texture
                (self.path / left).unlink(missing_ok=True)
            save_obj(self.path / "mesh.obj", surface)
        with self._writing():
            save_glb(self.path / "mesh.glb", surface, up=up_direction(self.scene)[0])

    def _summary(self, state: State, stopped: str | None) -> dict[str, Any]:
        run = state.run
        on_cuda = run.device.type == "cuda"
        return {
            "finished": state.step == state.steps and stopped is None,
            "stopped": stopped,
            "steps": state.step,
            "options": self.options,
            "settings": asdict(run.settings),
            "seed": run.settings.seed,
            "device": torch.cuda.get_device_name(run.device)
            if on_cuda
            else f"cpu ({torch.get_num_threads()} threads)",
            "backend": run.backend,
            "versions": versions(),
            "scene": {
                "path": None if self.scene.path is None else str(self.scene.path),
                "format": self.scene.format,
                "notes": list(self.scene.notes),
                "provenance": [asdict(note) for note in self.scene.provenance],
                "views": len(self.scene.train),
                "size": list(self.scene.train.images.shape[1:3]),
                "center": run.center.tolist(),
                "radius": run.radius,
            },
            **self.notes,
            "appearance": run.fit.appearance.report(),
            "brightness": run.fit.brightness,
            "cameras": run.camera_report(),
            "cameras_off_pixels": run.fit.corrections and run.fit.corrections.found,
            "remeshed": sorted(step for step, event in self.events.items() if event == "remeshed"),
            "not_remeshed": sorted(step for step, event in self.events.items() if event != "remeshed"),
            "not_remeshed_because": {
                str(step): event.removeprefix("not remeshed").removeprefix(": ")
                for step, event in sorted(self.events.items())
                if event != "remeshed"
            },
            "peak_cuda_memory_mib": round(torch.cuda.max_memory_allocated(run.device) / 2**20)
            if on_cuda
            else None,
            "loss": [float(f"{loss:.6g}") for loss in self.losses],
        }

    def _draw(self, state: State) -> None:
        run, scene = state.run, self.scene
        views = self.test if self.test is not None else scene.train
        chosen = [len(views) * i // min(SHOWN, len(views)) for i in range(min(SHOWN, len(views)))]
        shown = views[chosen]
        made = run.images(shown.cameras)
        with self._writing():
            report.save_comparison(
                self.path / "comparison.png", shown.linear().cpu().numpy(), made.numpy(), names=shown.names
            )
        with self._writing():
            # A word at the curve; the reason is in run.json.
            events = {step: event.partition(":")[0] for step, event in self.events.items()}
            report.save_loss_curve(self.path / "loss.png", self.losses, events=events)
        frames, steps = list(self.frames), list(self.frame_steps)
        if not steps or steps[-1] != state.step:
            frames.append(_to_bytes(run.images(self.viewpoint)[0]))
            steps.append(state.step)
        pictures = [frame.float().div(255).square().numpy() for frame in frames]
        target = scene.train.linear(self.shown).cpu().numpy()[0]
        labels = [f"step {step}" for step in steps]
        with self._writing():
            report.save_progression(self.path / "progression.gif", pictures, target=target, labels=labels)
        few = sorted({round(i * (len(pictures) - 1) / 5) for i in range(6)})
        with self._writing():
            report.save_filmstrip(
                self.path / "progression.png",
                [pictures[i] for i in few],
                target=target,
                labels=[labels[i] for i in few],
            )


def _quality(run: Reconstruction, views: Views, *, exposures: bool = False) -> dict[str, float]:
    """How well the result shows views, with their own exposures or not; rendered one at a time: splits are large."""

    def shown(index: int) -> Tensor:
        image = run.images(views.cameras[index])[0]
        return exposed(image, views.linear(index)[0]) if exposures else image

    return image_quality(map(shown, range(len(views))), views)


def versions() -> dict[str, str]:
    """Of this package, Python and what the result depends on."""
    found = {"largesteps_zg": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _named(scene: Scene) -> str:
    return "the built-in scene" if scene.path is None else str(scene.path)


def _json(content: dict[str, Any]) -> str:
    """Standard JSON, which knows no NaN or infinity: null; a list of numbers takes one line."""
    text = json.dumps(_standard(content), indent=2, allow_nan=False, default=str)
    return re.sub(r'\[\n[^\[\]{}"]*\]', lambda found: " ".join(found[0].split()), text) + "\n"


def _standard(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _standard(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_standard(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def peak_memory_mib() -> int | None:
    """Largest resident set of this process so far; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux, bytes on macOS
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))


def _frame_steps(steps: int) -> set[int]:
    """Steps of the animation's frames: close together first, when most happens."""
    return {max(1, round(steps * (i / (FRAMES - 1)) ** 2)) for i in range(FRAMES)}


def _to_bytes(image: Tensor) -> Tensor:
    """8 bits a channel by a square root, which keeps the dark steps apart; `_draw` squares."""
    return (255 * image.clamp(0.0, 1.0).sqrt()).round().to(torch.uint8)
