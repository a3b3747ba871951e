"""Which start a run chooses, how far it is from the truth, and what the choice costs.

    python benchmarks/start_chosen.py SCENE...      # scenes with a true mesh; half a minute each

The time is of one thread; a first run on a machine compiles kernels in it. The carved hull is measured even where a run
takes a sphere or the hull: it is what the depths of photographs make of the masks' hull.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path

import torch

from largesteps_zg.mesh import Mesh, surface_distances
from largesteps_zg.reconstruct.starts import choose_start, depths_start, visual_hull
from largesteps_zg.scenes import bounding_sphere, load_scene


def chamfer(mesh: Mesh, truth: Mesh) -> float:
    """In thousandths of the diagonal."""
    return surface_distances(mesh, truth, samples=50_000).chamfer_permille


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenes", nargs="+", type=Path)
    scenes = parser.parse_args().scenes
    torch.set_num_threads(1)
    print(f"$ {shlex.join(['python', *sys.argv])}\n")
    print(
        "| scene | start | Chamfer ‰ | carved by depths ‰ | hull ‰ | seconds |\n|---|---|---:|---:|---:|---:|"
    )
    for path in scenes:
        scene = load_scene(path)
        if scene.mesh is None:
            raise SystemExit(f"{path}: expected a scene with a true mesh, got none")
        where = scene.train, *bounding_sphere(scene.train)
        began = time.process_time()
        start = choose_start(*where)
        seconds = time.process_time() - began
        try:
            carved = f"{chamfer(depths_start(*where), scene.mesh):.2f}"
        except ValueError:
            carved = "none"
        hull = chamfer(visual_hull(*where), scene.mesh)
        row = [
            path.name,
            start.kind,
            f"{chamfer(start.mesh, scene.mesh):.2f}",
            carved,
            f"{hull:.2f}",
            f"{seconds:.1f}",
        ]
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
