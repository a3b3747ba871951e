"""A comparison's folder: results, report, meshes. Each file is whole or absent, and up to date after each run."""

from __future__ import annotations

import json
import platform
import re
from pathlib import Path
from typing import Any

import torch

from .._support.atomic import atomic_path, remove_leftovers
from ..mesh.files import load_mesh, save_mesh
from ..output.provenance import versions
from ..reconstruct.gradients.registry import GRADIENTS
from ..renderers.light import SphericalHarmonicsLight
from . import jobs
from .budget import Budget
from .page import write_report
from .records import FINISHED, Result, Target
from .table import names, row_of, typical


class ComparisonFolder:
    """Keeps the runs of a comparison and writes what it leaves behind.

    Parameters
    ----------
    path : Path
        Made with the first run that is kept.
    target : Target
    budget : Budget
    options : dict
        What else decides the runs; "renderer" and "lambda" among them. With target and budget they go into each row,
        and `load` compares them.
    """

    def __init__(self, path: Path, target: Target, budget: Budget, options: dict[str, Any]) -> None:
        self.path, self.target, self.budget = path, target, budget
        self.results, self.report = path / "results.json", path / "report.html"
        self.rows: list[dict[str, Any]] = []
        self.prepared = False
        height, width = target.views.images.shape[1:3]
        self.settings: dict[str, Any] = {
            "target": target.name, "views": len(target.views), "size": [width, height],
            "vertices": len(target.start.vertices), "budget": budget.amount, "unit": budget.unit,
            "light_known": target.light is not None, "colors_known": target.colors_known, **options,
            "up": target.up, "inputs": jobs.digest(target),
        }  # fmt: skip

    def load(self) -> None:
        """Take over the runs that are here.

        Raises
        ------
        ValueError
            If there are none, the file is damaged, or they were made with other options.
        """
        if not self.results.is_file():
            raise ValueError(f"resume: there is no results.json in {self.path}; run without --resume first")
        try:
            rows = json.loads(self.results.read_text(encoding="utf-8"))
            settings = [row["settings"] for row in rows if row["gradient"] and row["state"]]
            for name, value in self.settings.items():
                for theirs in settings:
                    if theirs[name] != value:
                        raise _OtherOptions(f"{name} = {theirs[name]}, now it is {value}")
        except _OtherOptions as error:
            raise ValueError(
                f"resume: the runs were made with {error}; give the same options, or another output folder"
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"resume: {self.results} is not readable; run without --resume") from error
        self.rows = [row for row in rows if row["state"] != FINISHED or self.mesh_file(row).is_file()]

    def mesh_file(self, row: dict[str, Any]) -> Path:
        """Where the mesh of a run is."""
        return self.path / f"{row['gradient']}-{row['seed']}.ply"

    def add(self, result: Result) -> None:
        """Keep a run; it takes the place of an earlier one of that gradient and seed."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not self.prepared:
            mesh = re.compile(rf"({'|'.join(map(re.escape, GRADIENTS))})-\d+\.ply")
            ours = (self.results.name, self.report.name)
            remove_leftovers(self.path, lambda name: name in ours or bool(mesh.fullmatch(name)))
            self.prepared = True
        row = row_of(result, self.settings)
        if result.mesh is not None:
            save_mesh(self.mesh_file(row), self.target.given(result.mesh))
        order = [*GRADIENTS]
        rows = [old for old in self.rows if (old["gradient"], old["seed"]) != (row["gradient"], row["seed"])]
        self.rows = sorted([*rows, row], key=lambda r: (order.index(r["gradient"]), r["seed"]))
        self.write_results()
        self.write_report()

    def write_results(self) -> None:
        """``results.json``: a list of runs, a line for each."""
        lines = ",\n".join(json.dumps(row, allow_nan=False) for row in self.rows)
        with atomic_path(self.results) as part:
            part.write_text(f"[\n{lines}\n]\n", encoding="utf-8")

    def write_report(self) -> None:
        """``report.html``, with the run in the middle of each gradient's seeds as its picture."""
        views = jobs.shown_views(self.target)
        pictures, surfaces = {}, {}
        for name in names(self.rows):
            row = typical(self.rows, name)
            if row is not None:
                light = SphericalHarmonicsLight(torch.tensor(row["light"]))
                mesh = self.target.placed(load_mesh(self.mesh_file(dict(row))))
                pictures[name] = jobs.pictures(self.target, mesh, light, views).numpy()
                surfaces[name] = jobs.surfaces(self.target, mesh, views).numpy()
        write_report(
            self.report, self.rows, title=f"Gradients compared: {self.target.name}", summary=self._summary(),
            notes=_notes(), targets=self.target.views.linear(views).numpy(), pictures=pictures,
            surfaces=surfaces,
        )  # fmt: skip

    def _summary(self) -> str:
        """What was compared."""
        told, seeds = self.settings, len({row["seed"] for row in self.rows})
        unknown = ["shape"]
        unknown += [name for name in ("colors", "light") if not told[f"{name}_known"]]
        width, height = told["size"]
        return (
            f"What is looked for: {' and '.join(unknown).replace('colors', 'colours')} of {told['target']}, from "
            f"{told['views']} views of {width} x {height} pixels and a start of {told['vertices']:,} vertices "
            f"({3 * told['vertices']:,} coordinates). Every gradient gets the same start, parametrization "
            f"(λ = {told['lambda']:g}) and optimiser, with a step size of its own, and a budget of {self.budget}; "
            f"{seeds} seed{'s' * (seeds > 1)}. Estimates call the renderer “{told['renderer']}”, which gives no "
            "derivatives."
        )


class _OtherOptions(ValueError):
    """Runs that cannot be compared with the present ones."""


def _notes() -> list[str]:
    """Machine and versions."""
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA"
    machine = f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads, {cuda}"
    return [f"Made on {machine}.", ", ".join(f"{name} {version}" for name, version in versions().items())]
