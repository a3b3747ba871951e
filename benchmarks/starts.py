"""Claim: the start that a run chooses is nowhere much worse than the other one: a sphere inside, or the masks' hull.

    python benchmarks/starts.py [--shapes "pebble;disc, 0.1"] [--steps 600]        # about twenty minutes, one core

Sixteen shapes without handles: built-in meshes, the same pressed flat, discs, rods and a bumpy ball. For each the table
has the radius of the largest sphere inside the masks, in radii of the object, and how far the result is from the truth
after a short run from either start. A run takes the sphere where that radius is at least `Carving.sheet`.
"""

from __future__ import annotations

import argparse

import torch

from largesteps_zg.constants import DEFAULTS
from largesteps_zg.mesh import Mesh, icosphere, load_mesh, surface_distances
from largesteps_zg.meshes import path
from largesteps_zg.reconstruct import Settings, reconstruct
from largesteps_zg.reconstruct.starts import starting_sphere, visual_hull
from largesteps_zg.scenes import bounding_sphere
from largesteps_zg.scenes.carving.inscribed import inscribed_sphere
from largesteps_zg.scenes.synthetic import scene_from_mesh

MUCH = 1.5
SIDE, VIEWS = 128, 24


def pressed(mesh: Mesh, *factors: float) -> Mesh:
    """Scaled along x, y and z."""
    return Mesh(mesh.vertices * mesh.vertices.new_tensor(factors), mesh.faces, mesh.colors)


def bumpy() -> Mesh:
    """A ball with waves on it."""
    ball = icosphere(5)
    return Mesh(ball.vertices * (1 + 0.15 * torch.sin(7 * ball.vertices).prod(1, keepdim=True)), ball.faces)


def shapes() -> dict[str, Mesh]:
    """By name."""
    fennec, leaf, pebble, urchin = (load_mesh(path(name)) for name in ("fennec", "leaf", "pebble", "urchin"))
    ball = icosphere(5)
    return {
        "fennec": fennec, "leaf": leaf, "pebble": pebble, "urchin": urchin, "bumpy ball": bumpy(),
        "fennec, half as wide": pressed(fennec, 1, 1, 0.5), "fennec, a quarter": pressed(fennec, 1, 1, 0.25),
        "pebble, half as high": pressed(pebble, 1, 0.5, 1), "pebble, a quarter": pressed(pebble, 1, 0.25, 1),
        "urchin, half as high": pressed(urchin, 1, 0.5, 1), "urchin, a quarter": pressed(urchin, 1, 0.25, 1),
        "disc, 0.2": pressed(ball, 1, 0.2, 1), "disc, 0.1": pressed(ball, 1, 0.1, 1),
        "disc, 0.05": pressed(ball, 1, 0.05, 1),
        "rod, 0.2": pressed(ball, 0.2, 1, 0.2), "rod, 0.1": pressed(ball, 0.1, 1, 0.1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", help="some of them, separated by semicolons")
    parser.add_argument("--steps", type=int, default=600)
    arguments = parser.parse_args()
    chosen = shapes()
    if arguments.shapes:
        chosen = {name: chosen[name] for name in arguments.shapes.split(";")}
    print(
        "| shape | sphere inside | from the sphere | from the hull | chosen |\n| --- | ---: | ---: | ---: | --- |"
    )
    worst = 0.0
    for name, mesh in chosen.items():
        scene = scene_from_mesh(mesh, views=VIEWS, test_views=0, height=SIDE, width=SIDE)
        assert scene.mesh is not None
        ball = bounding_sphere(scene.train)
        inside = inscribed_sphere(scene.train, *ball)[1] / ball[1]
        found = {}
        for kind, make in (("sphere", starting_sphere), ("hull", visual_hull)):
            settings = Settings(
                steps=arguments.steps, gloss="off", exposure="off", patches="off", refine_cameras="off"
            )
            *_, last = reconstruct(scene.train, settings, start=make(scene.train, *ball))
            off = surface_distances(last.run.mesh(), scene.mesh, generator=torch.Generator().manual_seed(0))
            found[kind] = off.chamfer_permille
        taken = "sphere" if inside >= DEFAULTS.carving.sheet else "hull"
        worst = max(worst, found[taken] / min(found.values()))
        print(
            f"| {name} | {inside:.3f} | {found['sphere']:.2f} | {found['hull']:.2f} | {taken} |", flush=True
        )
    print(f"\nthe chosen start is at most {worst:.2f} times as far from the truth as the better one")
    assert worst <= MUCH


if __name__ == "__main__":
    main()
