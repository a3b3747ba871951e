"""Claim: no constant sits on a cliff: half and twice of each leave small scenes nearly as good as its default.

    python benchmarks/constants.py --fields priors.reach,schedule.color_step [--meshes fennec,leaf] [--seeds 3]

For each field (by default all floats and whole numbers that a run uses; hours) it makes a run with half of it and one
with twice. Shares and cosines go half of the way to 0 and to 1. The table has the distances from the truth, in
thousandths of the diagonal. Its first row is the defaults with some seeds: what lies among those is chance.
"""

from __future__ import annotations

import argparse
from dataclasses import fields, replace

import torch

from largesteps_zg.constants import DEFAULTS, Constants
from largesteps_zg.mesh import load_mesh, surface_distances
from largesteps_zg.meshes import path
from largesteps_zg.reconstruct import Settings, reconstruct
from largesteps_zg.reconstruct.starts import choose_start
from largesteps_zg.scenes import Scene, bounding_sphere
from largesteps_zg.scenes.synthetic import scene_from_mesh

GROUPS = ("carving", "mending", "remeshing", "priors", "schedule", "highlights", "gains", "correcting")
SIDE, VIEWS = 112, 16
CLIFF = 1.5


def variants(group: str, name: str) -> list[float]:
    """Half and twice of a number, or half of the way to either end."""
    part = next(part for part in fields(getattr(DEFAULTS, group)) if part.name == name)
    value, low, high = part.default, part.metadata["low"], part.metadata["high"]
    whole = isinstance(value, int)
    ends = (
        (value / 2, 2 * value)
        if high > 1
        else ((low + value) / 2 if low < 0 else value / 2, (value + high) / 2)
    )
    return [max(round(end), int(low)) if whole else end for end in ends]


def distance(scene: Scene, constants: Constants, steps: int, seed: int = 0) -> float:
    """Of a run's mesh from the truth."""
    start = choose_start(scene.train, *bounding_sphere(scene.train), cells=64, constants=constants.carving)
    settings = Settings(steps=steps, views_per_step=4, seed=seed, advanced=constants)
    *_, last = reconstruct(scene.train, settings, start=start.mesh)
    assert scene.mesh is not None
    off = surface_distances(last.run.mesh(), scene.mesh, generator=torch.Generator().manual_seed(0))
    return off.chamfer_permille


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fields", help="group.field, separated by commas")
    parser.add_argument("--meshes", default="fennec,leaf", help="built-in ones, separated by commas")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=3, help="of the defaults")
    arguments = parser.parse_args()
    chosen = (arguments.fields or "").split(",") if arguments.fields else [
        f"{group}.{part.name}"
        for group in GROUPS
        for part in fields(getattr(DEFAULTS, group))
        if isinstance(part.default, (int, float))
    ]  # fmt: skip
    names = arguments.meshes.split(",")
    scenes = [
        scene_from_mesh(load_mesh(path(name)), views=VIEWS, test_views=0, height=SIDE, width=SIDE)
        for name in names
    ]
    print("| constant | value | " + " | ".join(names) + " |\n| --- | ---: |" + " ---: |" * len(names))
    usual = []
    for scene in scenes:
        usual.append([distance(scene, DEFAULTS, arguments.steps, seed) for seed in range(arguments.seeds)])
    print(
        "| defaults | | " + " | ".join(", ".join(f"{x:.2f}" for x in row) for row in usual) + " |", flush=True
    )
    worst = (1.0, "")
    for name in chosen:
        group, field = name.split(".")
        for value in variants(group, field):
            constants = replace(DEFAULTS, **{group: replace(getattr(DEFAULTS, group), **{field: value})})
            found = [distance(scene, constants, arguments.steps) for scene in scenes]
            print(f"| {name} | {value:.4g} | " + " | ".join(f"{x:.2f}" for x in found) + " |", flush=True)
            ratio = max(x / max(row) for x, row in zip(found, usual, strict=True))
            worst = max(worst, (ratio, f"{name} = {value:.4g}"))
    print(f"\nat most {worst[0]:.2f} times as far as the worst seed of the defaults: {worst[1]}")
    assert worst[0] <= CLIFF


if __name__ == "__main__":
    main()
