"""Claim: no constant sits on a cliff: half and twice of each leave small scenes nearly as good as its default.

    python benchmarks/constants.py --results out/constants.json [--fields priors,schedule.color_step] [--gloss SCENE]

Where twice is out of its range, and for a cosine, a number goes half of the way to the end instead. Runs are of 150
steps and of 12 views of 96². `KINDS` says on which of them the constants of a group are tried:

* `clay`, the built-in fennec, and `leaf`, an open sheet, of known cameras;
* `paint`, an egg with painted patches, photographs of different exposures, and cameras that are off;
* `gloss`, a scene from `path_traced.py`, where one is given, and `lobe`, the roughness that is found there;
* `pixels` and `whole`, the fennec by per-pixel gradients and by ZeroGrads;
* `masks`, the egg before a dark background with noise, from which masks are found;
* `texture`, the egg's run, once, and its texture;
* `hollow`, a painted mug's hull, once asked for its cavity, without a run.

A number is the distance from the truth (Chamfer, thousandths of the diagonal); of masks the share of pixels that are
wrong, of textures the root mean square error of the albedo, and of lobes the error of GGX's roughness, in thousandths.
"=" stands for the same to the last bit, and "-" where nothing reads the constant. Chance is the spread of some seeds of
the defaults. A result within three standard deviations of their mean is called the same; one beyond is called better or
worse.

Rows are kept in the file of --results, and a second command goes on from there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from cameras_off import disturbed
from masks import photographs, with_alpha

from largesteps_zg.cameras.alignment import similarity
from largesteps_zg.constants import DEFAULTS, Constants
from largesteps_zg.constants.group import Group
from largesteps_zg.geometry.half_edges import mean_edge_length
from largesteps_zg.images import linear_to_srgb, srgb_to_linear
from largesteps_zg.mesh import Mesh, icosphere, load_mesh, surface_distances
from largesteps_zg.mesh.closest import closest_points
from largesteps_zg.meshes import path
from largesteps_zg.output.export.bake_run import bake_run
from largesteps_zg.reconstruct import Reconstruction, Settings
from largesteps_zg.reconstruct.batch import Batch
from largesteps_zg.reconstruct.starts import choose_start
from largesteps_zg.reconstruct.topology.stage import changed
from largesteps_zg.scenes import Reading, Scene, Views, bounding_sphere, load_scene, save_scene
from largesteps_zg.scenes.synthetic import scene_from_mesh

SIDE, VIEWS, STEPS = 96, 12, 150
NOISE = 3.0  # of the sensor, levels of sRGB
ROUGHNESS = 0.3  # of `path_traced.py`
SAME = 3.0  # standard deviations of the seeds
PLAIN = {"refine_cameras": "off", "patches": "off"}
SETTINGS: dict[str, dict[str, Any]] = {
    "clay": PLAIN,
    "leaf": PLAIN,
    "paint": {},
    "gloss": PLAIN,
    "lobe": PLAIN | {"gloss": "on"},
    "pixels": {"gradients": "per-pixel"},
    "whole": {"gradients": "zerograds"},
    "masks": {},
    "texture": {},
    "hollow": {},
}
BODIES, PHOTOGRAPHED = ("clay", "leaf"), ("paint",)
KINDS = {
    "photographs": ("masks",), "carving": BODIES, "mending": BODIES, "remeshing": BODIES, "priors": BODIES,
    "schedule": ("clay", "paint"), "patches": PHOTOGRAPHED, "gains": PHOTOGRAPHED,
    "matching": PHOTOGRAPHED, "correcting": PHOTOGRAPHED,
    "highlights": ("gloss", "lobe"), "hue": ("paint", "gloss"),
    "estimates": ("pixels", "whole"), "texture": ("texture",),
    "topology": ("hollow",),
}  # fmt: skip


def albedo(points: torch.Tensor) -> torch.Tensor:
    """(N, 3): patches of colours with rather sharp borders, anywhere in space."""
    turns = torch.tensor([[5.0, 1.0, 2.0], [-2.0, 6.0, 1.0], [1.0, -3.0, 7.0]])
    return 0.5 + 0.4 * torch.tanh(4 * torch.sin(points @ turns.T + torch.tensor([0.0, 1.0, 2.0])))


@cache
def egg() -> Scene:
    """Painted."""
    ball = icosphere(5)
    points = ball.vertices * torch.tensor([0.8, 1.0, 0.65]) * (1 + 0.2 * ball.vertices[:, 1:2])
    mesh = Mesh(points, ball.faces, albedo(points))
    return scene_from_mesh(mesh, views=VIEWS, test_views=0, height=SIDE, width=SIDE, up="z")


def photographed(views: Views) -> Views:
    """With exposures that differ by some per cent, and cameras off by a third of a degree."""
    gains = (0.08 * torch.randn(len(views), 1, 1, 1, generator=torch.Generator().manual_seed(0))).exp()
    images = views.images.clone()
    light = (srgb_to_linear(images[..., :3] / 255) * gains).clamp(0, 1)
    images[..., :3] = (255 * linear_to_srgb(light)).round().byte()
    cameras = disturbed(views.cameras, torch.zeros(3, dtype=torch.float64), degrees=0.3, percent=0.5, seed=0)
    return replace(views, images=images, cameras=cameras)


@cache
def scene_of(kind: str, gloss: Path | None) -> Scene:
    """The scene that one kind of run sees."""
    if kind in ("gloss", "lobe"):
        assert gloss is not None
        return load_scene(gloss, reading=Reading(max_size=SIDE))
    if kind in ("paint", "texture"):
        return replace(egg(), train=photographed(egg().train))
    mesh = load_mesh(path("leaf" if kind == "leaf" else "fennec"))
    return scene_from_mesh(mesh, views=VIEWS, test_views=0, height=SIDE, width=SIDE)


def wrong_pixels(constants: Constants, seed: int) -> float:
    """Of masks that are found before a dark background, in thousandths of the pixels of the true ones."""
    views = egg().train
    exact, lots = views.images[..., 3], torch.Generator().manual_seed(seed)
    still = photographs(views, (14, 15, 17), 0.0).float()
    bright = (still + NOISE * torch.randn(still.shape, generator=lots)).round().clamp(0, 255).byte()
    opaque = torch.full_like(exact, 255)
    with tempfile.TemporaryDirectory() as folder:
        save_scene(folder, Scene(None, "transforms", with_alpha(views, opaque, bright)))
        found = load_scene(folder, reading=Reading(hold_out=0, advanced=constants)).train
    masks, truth = found.images[..., 3].float(), exact.float()
    return 1000 * float((masks - truth).abs().sum() / truth.sum())


@cache
def painted_mug() -> tuple[Scene, Mesh]:
    """A mug with painted patches, and the hull that its masks leave: filled up to the brim."""
    mug = load_mesh(path("mug"))
    painted = Mesh(mug.vertices, mug.faces, albedo(mug.vertices))
    scene = scene_from_mesh(painted, views=VIEWS, test_views=0, height=SIDE, width=SIDE)
    return scene, choose_start(scene.train, *bounding_sphere(scene.train), cells=64, patches=None).mesh


def hollowed(constants: Constants, seed: int) -> float:
    """How far the hull is from the mug after it was asked for another topology, with noise in the photographs."""
    scene, start = painted_mug()
    assert scene.mesh is not None
    light = scene.train.linear()
    noise = torch.randn(light[..., :3].shape, generator=torch.Generator().manual_seed(seed)) * NOISE / 255
    light[..., :3] = (light[..., :3] + noise * light[..., 3:]).clamp(0, 1)
    seen = Batch(scene.train.cameras.to(dtype=torch.float32), light, torch.arange(len(light)))
    edge = float(mean_edge_length(start.vertices, start.faces))
    change = changed(start.vertices.float(), start.faces, seen, cell=edge, constants=constants)
    generator = torch.Generator().manual_seed(0)
    found = start if change is None else change.mesh
    return surface_distances(found, scene.mesh, generator=generator).chamfer_permille


def finished(scene: Scene, constants: Constants, seed: int, **settings: Any) -> Reconstruction:
    """A run, to its end."""
    start = choose_start(scene.train, *bounding_sphere(scene.train), cells=64, constants=constants.carving)
    given = Settings(steps=STEPS, views_per_step=4, seed=seed, advanced=constants, **settings)
    run = Reconstruction(scene.train, given, start=start.mesh)
    while run.step < STEPS:
        run.advance()
    return run


@cache
def textured_run(seed: int) -> tuple[Reconstruction, Any]:
    """The one run whose texture is made again and again."""
    run = finished(scene_of("texture", None), DEFAULTS, seed)
    return run, run.result()


def wrong_albedo(constants: Constants, seed: int) -> float:
    """Of a texture, after the best gain of each channel: light and albedo are known up to one."""
    run, result = textured_run(seed)
    found = replace(result, settings=replace(result.settings, advanced=constants))
    mesh = bake_run(found, run.rendering).mesh
    truth = egg().mesh
    assert mesh.colors is not None and truth is not None
    at = aligned(run, mesh)
    there = closest_points(at.vertices.double(), truth.vertices.double(), truth.faces)
    corners = truth.vertices[truth.faces[there.faces]]
    true = albedo((corners * there.weights[..., None].float()).sum(1))
    colors = mesh.colors.float()
    gain = (true * colors).sum(0) / colors.square().sum(0)
    return 1000 * float((gain * colors - true).square().mean().sqrt())


def aligned(run: Reconstruction, mesh: Mesh) -> Mesh:
    """Moved as its cameras have to be moved to lie where the true ones do."""
    found = run.result().cameras.to(dtype=torch.float64)
    turn, scale, shift = similarity(found, egg().train.cameras.to(dtype=torch.float64))
    return Mesh(scale * mesh.vertices.double() @ turn.T + shift, mesh.faces, mesh.colors)


def measured(kind: str, constants: Constants, seed: int, gloss: Path | None) -> float:
    """How wrong the result is; not a number where the run fails or something is refused."""
    try:
        if kind == "masks":
            return wrong_pixels(constants, seed)
        if kind == "texture":
            return wrong_albedo(constants, seed)
        if kind == "hollow":
            return hollowed(constants, seed)
        scene = scene_of(kind, gloss)
        run = finished(scene, constants, seed, **SETTINGS[kind])
        if kind == "lobe":
            return 1000 * abs(run.result().gloss["roughness"] - ROUGHNESS)
        assert scene.mesh is not None
        mesh = aligned(run, run.mesh()) if kind == "paint" else run.mesh()
        generator = torch.Generator().manual_seed(0)
        return surface_distances(mesh, scene.mesh, generator=generator).chamfer_permille
    except (ValueError, RuntimeError) as error:
        print(f"{kind}: {error}", file=sys.stderr)
        return math.nan


@contextlib.contextmanager
def watched() -> Iterator[set[str]]:
    """The constants that something reads meanwhile, as group.field."""
    groups = {type(getattr(DEFAULTS, part.name)): part.name for part in fields(Constants)}
    named = {kind: {part.name for part in fields(kind)} for kind in groups}
    found: set[str] = set()

    def read(self: Group, name: str) -> Any:
        if name in named[type(self)]:
            found.add(f"{groups[type(self)]}.{name}")
        return object.__getattribute__(self, name)

    Group.__getattribute__ = read  # type: ignore[method-assign]
    try:
        yield found
    finally:
        del Group.__getattribute__


def variants(group: str, name: str) -> list[Any]:
    """Half and twice of a number, or of all in a tuple; at most half of the way to an end of its range."""
    part = next(part for part in fields(getattr(DEFAULTS, group)) if part.name == name)
    low, high = part.metadata["low"], part.metadata["high"]

    def end(value: Any, up: bool) -> Any:
        if isinstance(value, tuple):
            return tuple(end(part, up) for part in value)
        doubled = low >= 0 and 2 * value <= high
        other = (2 * value if doubled else (value + high) / 2) if up else (value + min(low, 0.0)) / 2
        return max(round(other), int(low)) if isinstance(value, int) else max(other, low)

    return [new for new in (end(part.default, False), end(part.default, True)) if new != part.default]


def names(chosen: str | None) -> list[str]:
    """group.field of what was asked for."""
    every = [
        f"{of.name}.{part.name}" for of in fields(Constants) for part in fields(getattr(DEFAULTS, of.name))
    ]
    wanted = chosen.split(",") if chosen else [of.name for of in fields(Constants) if of.name in KINDS]
    return [name for name in every if name in wanted or name.split(".")[0] in wanted]


MARKS = {"=": "=", "same": "", "better": " +", "worse": " !", "refused": " refused"}


def table(rows: dict[str, Any], kinds: list[str], chosen: list[str]) -> str:
    """The rows, each with the worst that it says; better is said where nothing is worse."""
    seeds = {kind: rows["defaults"][kind]["found"] for kind in kinds}
    shown = [", ".join(f"{x:.3g}" for x in seeds[kind]) for kind in kinds]
    lines = [["constant", "value", *kinds, "so"], ["---", "---", *["---:"] * len(kinds), "---"]]
    lines.append(["defaults", "", *shown, ""])
    for name in chosen:
        for value, found in rows.get(name, {}).items():
            cells, words = [], set()
            for kind in kinds:
                word = verdict(found[kind], seeds[kind]) if kind in found else "-"
                words.add(word)
                cells.append(word if word in "-=" else f"{found[kind]:.3g}{MARKS[word]}")
            so = next(word for word in ("refused", "worse", "better", "same", "=", "-") if word in words)
            lines.append([name, value, *cells, so])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def verdict(found: float, seeds: list[float]) -> str:
    """=, same, better, worse or refused."""
    if math.isnan(found):
        return "refused"
    if found == seeds[0]:
        return "="
    middle, spread = statistics.mean(seeds), statistics.stdev(seeds)
    return "same" if abs(found - middle) <= SAME * spread else "better" if found < middle else "worse"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--fields", help="groups, or group.field, separated by commas (default: all but checks)"
    )
    parser.add_argument("--seeds", type=int, default=5, help="of the defaults")
    parser.add_argument("--results", type=Path, required=True, help="JSON file with the rows, to go on from")
    parser.add_argument("--gloss", type=Path, help="a glossy scene with its true mesh, see path_traced.py")
    given = parser.parse_args()
    rows: dict[str, Any] = (
        json.loads(given.results.read_text()) if given.results.exists() else {"defaults": {}}
    )
    chosen = names(given.fields)
    wanted = {
        name: [k for k in KINDS[name.split(".")[0]] if k not in ("gloss", "lobe") or given.gloss]
        for name in chosen
    }
    kinds = [kind for kind in SETTINGS if any(kind in some for some in wanted.values())]

    def keep() -> None:
        given.results.parent.mkdir(parents=True, exist_ok=True)
        given.results.write_text(json.dumps(rows, indent=1))

    for kind in kinds:
        if kind not in rows["defaults"]:
            with watched() as read:
                found = [measured(kind, DEFAULTS, 0, given.gloss)]
            found += [measured(kind, DEFAULTS, seed, given.gloss) for seed in range(1, given.seeds)]
            rows["defaults"][kind] = {"found": found, "read": sorted(read)}
            keep()
    for name in chosen:
        group, field = name.split(".")
        for value in variants(group, field):
            row = rows.setdefault(name, {}).setdefault(str(value), {})
            for kind in wanted[name]:
                if kind not in row and name in rows["defaults"][kind]["read"]:
                    other = replace(DEFAULTS, **{group: replace(getattr(DEFAULTS, group), **{field: value})})
                    row[kind] = measured(kind, other, 0, given.gloss)
                    keep()
    print(table(rows, kinds, chosen))


if __name__ == "__main__":
    main()
