"""Which edge lengths to remesh to: a schedule, curvature, or how much a region still moves.

Two ways are published. Large Steps makes edges of one length, shorter ones at given steps. Palfinger (Continuous
Remeshing for Inverse Rendering, 2022) lets edges grow where vertices move steadily and shrink where they only tremble.
A step of Large Steps needs a matrix factored for its triangles, so the script applies Palfinger's rule at ten
remeshings instead of at every step. The speed is the mean of the last moves over their root mean square. As it goes
from 0 to 1, lengths are multiplied by 1/2 to 3/2. They stay between the first and the last length of the default
schedule.

Claim: no rule is better by more than a tenth than the default, which is one length from the size of a pixel.

    python benchmarks/moving_edges.py SCENE [--steps 1500] [--max-vertices N]
"""

from __future__ import annotations

import argparse
import sys
import time

import torch

from largesteps_zg.constants import DEFAULTS
from largesteps_zg.mesh import surface_distances
from largesteps_zg.mesh.remeshing import within_budget
from largesteps_zg.reconstruct import Reconstruction, Settings, State
from largesteps_zg.reconstruct.starts import choose_start
from largesteps_zg.scenes import Scene, bounding_sphere, load_scene

TIMES = 10  # remeshings, between the first and the last of the default schedule
MEMORY = 0.9  # of the mean of moves, for each step
BETTER = 1.1


class MovingEdges(Reconstruction):
    """Remeshes by how much each region still moves."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        first, *_, last = self.remeshings
        self.longest, self.shortest = first.edge_length, last.edge_length
        at = self.settings.advanced.schedule.remesh_at
        share = (at[-1] - at[0]) / (TIMES - 1)
        self.when = {int(self.steps * (at[0] + i * share)) for i in range(TIMES)}
        self.remeshings = ()
        self._start_afresh()

    def _start_afresh(self) -> None:
        self.mean, self.square = (
            torch.zeros_like(self.fit.shape.latent),
            torch.zeros(len(self.fit.shape.latent), 1),
        )

    def advance(self, progress: float | None = None) -> State:
        """Remesh where it is time, take a step, and remember how vertices moved."""
        if self.step in self.when:
            self._remesh()
        before = self.fit.surface()[0].detach()
        state = super().advance(progress)
        move = self.fit.surface()[0].detach() - before
        self.mean = MEMORY * self.mean + (1 - MEMORY) * move
        self.square = MEMORY * self.square + (1 - MEMORY) * move.square().sum(1, keepdim=True)
        return state

    def _remesh(self) -> None:
        vertices, faces = self.fit.surface()[0].detach(), self.fit.faces
        speed = self.mean.norm(dim=1) / self.square[:, 0].sqrt().clamp_min(1e-12)
        if self.step == min(self.when):
            lengths = torch.full_like(speed, self.longest)
        else:
            a, b = vertices[faces[:, [0, 1, 2]]], vertices[faces[:, [1, 2, 0]]]
            around = torch.bincount(faces.reshape(-1), minlength=len(speed))
            now = (
                torch.zeros_like(speed).index_add_(0, faces.reshape(-1), (a - b).norm(dim=2).reshape(-1))
                / around
            )
            lengths = (now * (0.5 + speed)).clamp(self.shortest, self.longest)
        lengths = within_budget(lengths, vertices, faces, self.max_vertices)
        print(
            f"  step {self.step}: speed {float(speed.median()):.2f}, {len(vertices)} vertices",
            file=sys.stderr,
        )
        self.fit.remesh_to(lengths, planned=float(lengths.median()))
        self._start_afresh()


def measured(
    scene: Scene, name: str, settings: Settings, kind: type[Reconstruction] = Reconstruction
) -> float:
    """Print a row; the Chamfer distance in thousandths of the diagonal."""
    assert scene.mesh is not None, "the scene has no true mesh"
    start = choose_start(scene.train, *bounding_sphere(scene.train)).mesh
    run, begin = kind(scene.train, settings, start=start), time.perf_counter()
    while run.step < run.steps:
        run.advance()
    seconds, mesh = time.perf_counter() - begin, run.mesh()
    found = surface_distances(mesh, scene.mesh, generator=torch.Generator().manual_seed(0))
    print(
        f"| {name} | {len(mesh.vertices):,} | {found.chamfer_permille:.3f} | {found.normal_consistency:.3f} "
        f"| {seconds:.0f} s |",
        flush=True,
    )
    return found.chamfer_permille


def main() -> int:
    """0 if the claim holds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scene")
    parser.add_argument("--steps", type=int, default=DEFAULTS.schedule.steps)
    parser.add_argument("--max-vertices", type=int, default=Settings().max_vertices)
    arguments = parser.parse_args()
    scene = load_scene(arguments.scene)

    def settings(remesh: str | tuple[int, ...]) -> Settings:
        return Settings(steps=arguments.steps, max_vertices=arguments.max_vertices, remesh=remesh)

    print("| edges | vertices | Chamfer ‰ | normals | time |\n| --- |" + " ---: |" * 4)
    default = measured(scene, "from the size of a pixel, `auto`", settings("auto"))
    halved = tuple(int(share * arguments.steps) for share in (0.2, 0.4, 0.6))
    others = [
        measured(scene, "shorter at given steps, Large Steps", settings(halved)),
        measured(scene, "by curvature, `adaptive`", settings("adaptive")),
        measured(scene, "by motion, Palfinger", settings("auto"), MovingEdges),
    ]
    return 0 if min(others) * BETTER > default else 1


if __name__ == "__main__":
    sys.exit(main())
