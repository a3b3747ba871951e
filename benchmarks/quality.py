"""Are a commit's reconstructions as good as those of another? The same scenes, seeds and measures for both.

    python benchmarks/quality.py SCENE [SCENE ...] --program OTHER/.venv/bin/largesteps-zg --output out/before
    python benchmarks/quality.py SCENE [SCENE ...] --output out/after

Runs the command line of any commit (by default this one's), as a user does, and measures `mesh.ply` with this commit's
measures: Chamfer distance to the true surface in thousandths of its diagonal, self-intersecting, flipped and
degenerate faces; held-out PSNR in sRGB as the run itself reports it; seconds of processor time. A cell has the median,
and then all seeds. A run that is finished in --output is measured, not made anew. Of a run that fails the last line is
printed, and it is left out.
"""

from __future__ import annotations

import argparse
import json
import resource
import shlex
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from largesteps_zg.mesh import degenerate_faces, flipped_faces, load_mesh, surface_distances
from largesteps_zg.mesh.intersections import self_intersections
from largesteps_zg.scenes import load_scene

COLUMNS: dict[str, Callable[[float], str]] = {
    "Chamfer ‰": lambda value: f"{value:.3g}",
    "wrong faces": lambda value: f"{value:.0f}",
    "held out": lambda value: f"{value:.1f} dB",
    "CPU s": lambda value: f"{value:.0f}",
}


def run(program: Path, scene: Path, folder: Path, seed: int, options: list[str]) -> bool:
    """Reconstruct; whether that went well."""
    if (folder / "quality.json").exists():
        return True
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = [program, "reconstruct", scene, "--output", folder, "--seed", str(seed), "--quiet", *options]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    made = subprocess.run(command, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if made.returncode:
        print(
            f"{scene.name}, seed {seed}: {(made.stderr.strip() or 'no message').splitlines()[-1]}",
            file=sys.stderr,
        )
        return False
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    (folder / "quality.json").write_text(json.dumps({"CPU s": seconds}))
    return True


def measured(scene: Path, folder: Path) -> dict[str, float]:
    """The row of one run; the measures are taken once."""
    kept = folder / "quality.json"
    row: dict[str, float] = json.loads(kept.read_text())
    if "wrong faces" in row:
        return row
    mesh, truth = load_mesh(folder / "mesh.ply"), load_scene(scene).mesh
    if truth is not None:
        found = surface_distances(mesh, truth, generator=torch.Generator().manual_seed(0))
        row["Chamfer ‰"] = found.chamfer_permille
    held_out = json.loads((folder / "run.json").read_text()).get("held_out")
    if held_out:
        row["held out"] = held_out["psnr_srgb_db"]
    vertices, faces = mesh.vertices.double(), mesh.faces
    crossed = int(self_intersections(vertices, faces).sum())
    row["wrong faces"] = crossed + flipped_faces(vertices, faces) + degenerate_faces(vertices, faces)
    kept.write_text(json.dumps(row))
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenes", nargs="+", type=Path)
    parser.add_argument("--program", type=Path, default=Path(sys.executable).with_name("largesteps-zg"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="of a run; by default as many as the program takes")
    parser.add_argument("--options", default="", help="others of the command line, in one string")
    parser.add_argument(
        "--output", type=Path, required=True, help="folder that receives a folder for each run"
    )
    given = parser.parse_args()
    options = shlex.split(given.options) + (["--steps", str(given.steps)] if given.steps else [])
    print("| scene | " + " | ".join(COLUMNS) + " |\n| --- |" + " ---: |" * len(COLUMNS))
    for scene in given.scenes:
        folders = [given.output / f"{scene.name}-{seed}" for seed in range(given.seeds)]
        done = [run(given.program, scene, folder, seed, options) for seed, folder in enumerate(folders)]
        rows = [measured(scene, folder) for folder, good in zip(folders, done, strict=True) if good]
        cells = []
        for name, shown in COLUMNS.items():
            values = [row[name] for row in rows if name in row]
            every = ", ".join(map(shown, values))
            cells.append(f"{shown(statistics.median(values))} ({every})" if values else "-")
        print(f"| {scene.name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
