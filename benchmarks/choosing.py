"""What lambda, step size, remeshing, views per step and solver do to a reconstruction.

A run goes from a sphere to a built-in mesh. It sees 24 rendered views of 192 x 192 pixels, light and colours unknown,
and takes 600 steps. Every table changes one setting and leaves the others at their defaults.

Claim: the default step size, remeshing and number of views have a Chamfer distance within a half of the best at
equal steps, without flipped faces; with remeshing, the default lambda has normals within 0.05 of the best. (A smaller
lambda can have a smaller Chamfer distance here, with sheets folded inside: measurements/choosing.md has the tables.)

    python benchmarks/choosing.py                             # all tables
    python benchmarks/choosing.py --table step-size --mesh pebble
    python benchmarks/choosing.py --steps 100 --size 96       # seconds, to see that it works; the claim may fail
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from largesteps_zg import meshes
from largesteps_zg.mesh import Mesh, flipped_faces, icosphere, load_mesh, surface_distances
from largesteps_zg.parameterize import LargeSteps
from largesteps_zg.reconstruct import Settings, reconstruct
from largesteps_zg.reconstruct.gradients import Rasterized
from largesteps_zg.reconstruct.starts import starting_sphere
from largesteps_zg.reconstruct.starts.sphere import START_LEVEL
from largesteps_zg.scenes import Scene, bounding_sphere
from largesteps_zg.scenes.synthetic import scene_from_mesh

LAMBDAS = (1.0, 2.0, 5.0, 19.0, 50.0, 200.0)
STEP_SIZES = (0.01, 0.03, 0.1, 0.3, 1.0)
VIEWS = (1, 2, 4, 8, 16)
DEFAULT = Settings()
CLOSE = 1.5  # three orders of the views alone differ by a factor of 1.4


@dataclass(frozen=True)
class Result:
    """A reconstruction, measured: Chamfer distance in thousandths of the diagonal, F-score at 0.5 % of it.

    Normals: mean cosine to the true ones. Well below the others it tells of sheets that are folded inside, where no
    image shows them and the Chamfer distance hardly does.
    """

    chamfer: float
    f_score: float
    normals: float
    flipped: int
    vertices: int
    seconds: float

    def __str__(self) -> str:
        cells = f"{self.chamfer:.2f} | {self.f_score:.3f} | {self.normals:.3f} | {self.flipped}"
        return f"{cells} | {self.vertices:,} | {self.seconds:.0f} s"


HEADINGS = ("Chamfer ‰", "F-score", "normals", "flipped", "vertices", "time")


def reconstruction(scene: Scene, settings: Settings, *, level: int = START_LEVEL) -> Result:
    """From a sphere of 10 * 4^level + 2 vertices; one seed, one run; `table_noise` tells how far to trust it."""
    start = starting_sphere(scene.train, *bounding_sphere(scene.train), level=level)
    begin = time.perf_counter()
    *_, last = reconstruct(scene.train, settings, start=start)
    seconds = time.perf_counter() - begin
    mesh: Mesh = last.run.mesh()
    assert scene.mesh is not None
    found = surface_distances(mesh, scene.mesh, samples=30_000)
    flips = flipped_faces(mesh.vertices, mesh.faces)
    counts = flips, len(mesh.vertices)
    return Result(found.chamfer_permille, found.f_score, found.normal_consistency, *counts, seconds)


def print_header(*columns: str) -> None:
    """The first two lines of a table; the first column is on the left, numbers are on the right."""
    print(f"| {' | '.join(columns)} |\n| --- |{' ---: |' * (len(columns) - 1)}")


def check(name: str, default: Result, others: list[Result]) -> list[str]:
    """What of the claim does not hold in a table."""
    best = min(other.chamfer for other in others)
    faults = []
    if default.chamfer > CLOSE * best:
        faults.append(
            f"{name}: the default has a Chamfer distance of {default.chamfer:.2f}, the best {best:.2f}"
        )
    if default.flipped:
        faults.append(f"{name}: {default.flipped} flipped faces with the default")
    return faults


def table_noise(scene: Scene, steps: int) -> list[str]:
    """The same run with other orders of the views: differences below this are chance."""
    print_header("seed", *HEADINGS)
    results = [reconstruction(scene, Settings(steps=steps, seed=seed)) for seed in range(3)]
    for seed, result in enumerate(results):
        print(f"| {seed} | {result} |", flush=True)
    chamfers = [result.chamfer for result in results]
    print(f"\nmedian {statistics.median(chamfers):.2f}, from {min(chamfers):.2f} to {max(chamfers):.2f}")
    return []


def table_lambda(scene: Scene, steps: int) -> list[str]:
    """Smoothing at two tessellations that stay, and with remeshing."""
    print_header("mesh", "lambda", *HEADINGS)
    for name, level, remesh in (("sphere", 4, "off"), ("sphere", 5, "off"), ("remeshed", 4, "auto")):
        results = {}
        for lambda_ in LAMBDAS:
            settings = Settings(steps=steps, lambda_=lambda_, remesh=remesh)
            results[lambda_] = reconstruction(scene, settings, level=level)
            print(f"| {name} | {lambda_:g} | {results[lambda_]} |", flush=True)
    default, best = results[Rasterized.lambda_].normals, max(result.normals for result in results.values())
    return [f"lambda: normals {default:.3f}, the best {best:.3f}"] if default < best - 0.05 else []


def table_step_size(scene: Scene, steps: int) -> list[str]:
    """The first step size; all of them fall to 3 % of it."""
    print_header("step size", *HEADINGS)
    results = {}
    for step_size in STEP_SIZES:
        results[step_size] = reconstruction(scene, Settings(steps=steps, step_size=step_size))
        print(f"| {step_size:g} | {results[step_size]} |", flush=True)
    return check("step size", results[DEFAULT.step_size], [*results.values()])


def table_remesh(scene: Scene, steps: int) -> list[str]:
    """When to remesh, and whether."""
    print_header("remeshing", *HEADINGS)
    cases: dict[str, tuple[str | tuple[int, ...], int]] = {
        "off, 642 vertices": ("off", 3),
        "off, 2,562": ("off", 4),
        "off, 10,242": ("off", 5),
        "once, early": ((steps // 10,), 4),
        "once, late": ((steps * 8 // 10,), 4),
        "auto": ("auto", 4),
    }
    results = {}
    for name, (remesh, level) in cases.items():
        results[name] = reconstruction(scene, Settings(steps=steps, remesh=remesh), level=level)
        print(f"| {name} | {results[name]} |", flush=True)
    return check("remeshing", results["auto"], [*results.values()])


def table_views(scene: Scene, steps: int) -> list[str]:
    """More views in a step, or more steps."""
    print_header("views per step", "steps", *HEADINGS)
    chosen: dict[str, dict[int, Result]] = {"steps": {}, "renders": {}}
    for equal, results in chosen.items():
        for count in VIEWS:
            taken = steps if equal == "steps" else steps * DEFAULT.views_per_step // count
            if taken <= 4 * steps:  # the seconds would all go to the rest
                results[count] = reconstruction(scene, Settings(steps=taken, views_per_step=count))
                print(f"| {count} | {taken} | {results[count]} |", flush=True)
    results = chosen["steps"]
    return check("views", results[DEFAULT.views_per_step], [*results.values()])


def table_solver(scene: Scene, steps: int) -> list[str]:
    """One solve forward and one backward, latent moving a little each time, as in a run."""
    del scene, steps
    print_header("vertices", "lambda", "factor ms", "Cholesky ms", "conjugate gradients ms")
    generator = torch.Generator().manual_seed(0)
    for level in (4, 5, 6):
        ball = icosphere(level)
        for lambda_ in (19.0, 200.0):
            times = {}
            for solver in ("cholesky", "cg"):
                begin = time.perf_counter()
                shape = LargeSteps(ball.faces, ball.vertices, lambda_, solver=solver)
                made = time.perf_counter() - begin
                latent = shape.to_differential(ball.vertices).requires_grad_()
                laps = []
                for _ in range(20):
                    pull = torch.randn(ball.vertices.shape, generator=generator)
                    begin = time.perf_counter()
                    shape.from_differential(latent).backward(pull)
                    laps.append(time.perf_counter() - begin)
                    with torch.no_grad():
                        latent.add_(pull, alpha=1e-3)
                times[solver] = made, statistics.median(laps)
            (factor, direct), (_, iterated) = times["cholesky"], times["cg"]
            cells = f"{1e3 * factor:.0f} | {1e3 * direct:.1f} | {1e3 * iterated:.1f}"
            print(f"| {len(ball.vertices):,} | {lambda_:g} | {cells} |", flush=True)
    return []


TABLES: dict[str, Callable[[Scene, int], list[str]]] = {
    "noise": table_noise,
    "lambda": table_lambda,
    "step-size": table_step_size,
    "remesh": table_remesh,
    "views": table_views,
    "solver": table_solver,
}


def main() -> None:
    """Measure, print the tables, check the claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--table", choices=TABLES, action="append", help="one of them; all by default")
    parser.add_argument(
        "--mesh", choices=meshes.names(), default="fennec", help="the target (default fennec)"
    )
    parser.add_argument("--steps", type=int, default=600, help="of each run (default 600)")
    parser.add_argument("--size", type=int, default=192, help="of the images in pixels (default 192)")
    arguments = parser.parse_args()
    side = arguments.size
    scene = scene_from_mesh(
        load_mesh(meshes.path(arguments.mesh)), views=24, test_views=0, height=side, width=side
    )
    print(f"command: {shlex.join(['python', *sys.argv])}")
    print(f"{arguments.mesh}, {arguments.steps} steps, {side} x {side}; {torch.get_num_threads()} threads")
    faults = []
    for name in arguments.table or TABLES:
        print(f"\n## {name}\n", flush=True)
        faults += TABLES[name](scene, arguments.steps)
    if faults:
        sys.exit("\nthe claim does not hold:\n" + "\n".join(faults))


if __name__ == "__main__":
    main()
