"""A reconstruction's folder: checkpoint, mesh, numbers and pictures. Each file is whole or absent."""

from __future__ import annotations

import json
import os
import pickle
import platform
import sys
import tempfile
import time
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from . import report
from ._version import __version__
from .atomic import atomic_path
from .evaluate import image_quality, mesh_report
from .mesh import save_mesh
from .reconstruct import State
from .scenes import Scene

PACKAGES = ("torch", "warp-lang", "cholespy", "gpytoolbox", "trimesh", "numpy", "scipy")
FRAMES = 24  # of the animation
SHOWN = 3  # views in the comparison
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

    Raises
    ------
    OSError
        If the folder cannot be made or written, before any work is done.
    """

    def __init__(self, path: Path, scene: Scene, options: dict[str, Any]) -> None:
        self.path, self.scene, self.options = path, scene, options
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):  # fails now rather than after minutes
            pass
        self.losses: list[float] = []
        self.events: dict[int, str] = {}
        self.frames: list[Tensor] = []
        self.frame_steps: list[int] = []
        self.started = time.perf_counter()
        self.seconds_before = 0.0
        self.saved_at = time.perf_counter()
        self.viewpoint = scene.train.cameras[0]

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
            state = torch.load(file, map_location="cpu", weights_only=True)
            folder = state["folder"]
        except (RuntimeError, EOFError, KeyError, pickle.UnpicklingError, ValueError) as error:
            raise ValueError(f"resume: {file} is not a readable checkpoint; run without --resume") from error
        self.losses = list(folder["losses"])
        self.events = dict(folder["events"])
        self.frames, self.frame_steps = list(folder["frames"]), list(folder["frame_steps"])
        self.seconds_before = folder["seconds"]
        return state["run"]

    def watch(self, state: State) -> None:
        """Take note of a step; now and then a picture and a checkpoint."""
        self.losses.append(state.loss)
        if state.event:
            self.events[state.step - 1] = state.event
        if state.step in _frame_steps(state.steps):
            with state.run.stopwatch("pictures"):
                self.frames.append(_to_bytes(state.run.images(self.viewpoint)[0]))
                self.frame_steps.append(state.step)
        if time.perf_counter() - self.saved_at > CHECKPOINT_SECONDS:
            self.save_checkpoint(state)

    def seconds(self) -> float:
        """Spent on the run so far, earlier parts included."""
        return self.seconds_before + time.perf_counter() - self.started

    def save_checkpoint(self, state: State) -> None:
        """All that a later ``--resume`` needs."""
        folder = {
            "losses": self.losses, "events": self.events, "frames": self.frames,
            "frame_steps": self.frame_steps, "seconds": self.seconds(),
        }  # fmt: skip
        with state.run.stopwatch("checkpoint"), atomic_path(self.checkpoint_file) as part:
            torch.save({"run": state.run.state_dict(), "folder": folder}, part)
        self.saved_at = time.perf_counter()

    def finish(self, state: State, *, stopped: str | None = None) -> dict[str, Any]:
        """Write everything: mesh first, then numbers, then pictures. Returns what ``run.json`` holds."""
        self.save_checkpoint(state)
        run, scene = state.run, self.scene
        mesh = run.mesh()
        save_mesh(self.path / "mesh.ply", mesh)
        result = self._summary(state, stopped)
        with run.stopwatch("evaluate"):
            result["mesh"] = mesh_report(mesh, scene.mesh)
            if scene.test is not None:
                result["held_out"] = image_quality(run.images(scene.test.cameras), scene.test)
        with run.stopwatch("pictures"):
            self._draw(state)
        result["seconds_by_phase"] = {name: round(s, 3) for name, s in run.stopwatch.seconds.items()}
        result["seconds"] = round(self.seconds(), 3)
        with atomic_path(self.path / "run.json") as part:
            part.write_text(json.dumps(result, indent=2, default=str) + "\n")
        return result

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
            "device": torch.cuda.get_device_name(run.device) if on_cuda else f"cpu ({torch.get_num_threads()} threads)",
            "backend": run.backend,
            "versions": versions(),
            "scene": {
                "path": None if self.scene.path is None else str(self.scene.path),
                "format": self.scene.format,
                "views": len(self.scene.train),
                "size": list(self.scene.train.images.shape[1:3]),
                "center": run.center.tolist(),
                "radius": run.radius,
            },
            "remeshed": sorted(self.events),
            "peak_memory_mib": _peak_memory_mib(),
            "peak_cuda_memory_mib": round(torch.cuda.max_memory_allocated(run.device) / 2**20) if on_cuda else None,
            "loss": [float(f"{loss:.6g}") for loss in self.losses],
        }

    def _draw(self, state: State) -> None:
        run, scene = state.run, self.scene
        views = scene.test if scene.test is not None else scene.train
        chosen = [len(views) * i // min(SHOWN, len(views)) for i in range(min(SHOWN, len(views)))]
        shown = views[chosen]
        made = run.images(shown.cameras)
        report.save_comparison(
            self.path / "comparison.png", shown.linear().cpu().numpy(), made.numpy(), names=shown.names
        )
        report.save_loss_curve(self.path / "loss.png", self.losses, events=self.events)
        frames, steps = list(self.frames), list(self.frame_steps)
        if not steps or steps[-1] != state.step:
            frames.append(_to_bytes(run.images(self.viewpoint)[0]))
            steps.append(state.step)
        pictures = [frame.float().div(255).square().numpy() for frame in frames]
        target = scene.train.linear(0).cpu().numpy()[0]
        labels = [f"step {step}" for step in steps]
        report.save_progression(self.path / "progression.gif", pictures, target=target, labels=labels)
        few = sorted({round(i * (len(pictures) - 1) / 5) for i in range(6)})
        report.save_filmstrip(
            self.path / "progression.png", [pictures[i] for i in few], target=target, labels=[labels[i] for i in few]
        )


def versions() -> dict[str, str]:
    """Of this package, Python and what the result depends on."""
    found = {"largesteps_zg": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def writable_folder(path: str | os.PathLike[str]) -> Path:
    """The folder to write to.

    Raises
    ------
    ValueError
        If it is a file, or lies where nothing can be made.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"output: expected a folder, {folder} is a file; choose another name")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"output: cannot make the folder {folder} ({error.strerror})") from error
    if not os.access(folder, os.W_OK):
        raise ValueError(f"output: cannot write to {folder}; choose another folder")
    return folder


def _peak_memory_mib() -> int | None:
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

