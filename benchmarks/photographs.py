"""Claim: that photographs have to agree brings meshes of real things much nearer to the truth, and others no farther.

    python benchmarks/photographs.py SCENE [SCENE ...] [--steps N] [--variants patches,...] [--damage none,...]

Variants: `patches` is the default; `masks` starts from what the masks alone show; `plain` compares no photographs at
all.

Each scene is reconstructed from its training photographs, with the other settings as they are by default. A scene with
a true mesh is measured to that (Chamfer, thousandths of the diagonal); any other to points triangulated from all of
its photographs, or to --points FILE (`.npz` with `xyz`), in the scene's unit: median, and within which distance 90 %
lie. Then flipped and self-intersecting triangles, handles, held-out PSNR in sRGB, the share of windows in which
neighbours foretold photographs better, and seconds of processor time.

Damages: `exposure` up to half a stop up or down for each photograph; `masks`, a tenth of them with a bite or a spill of
a fifth of their width; `cameras` shifted by half a per cent of their distance; `noise` of 5 %; `wrong`, a tenth of the
photographs replaced by mirrored ones of other cameras. Held-out photographs stay as they are.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from largesteps_zg.cameras.alignment import similarity
from largesteps_zg.constants import DEFAULTS
from largesteps_zg.evaluation.evaluate import points_to_mesh
from largesteps_zg.evaluation.reference import read_reference
from largesteps_zg.evaluation.triangulation import triangulated_points
from largesteps_zg.geometry.connectivity import topology
from largesteps_zg.mesh import surface_distances
from largesteps_zg.mesh.mesh import Mesh
from largesteps_zg.output.evaluate import image_quality, mesh_report
from largesteps_zg.reconstruct import Reconstruction, Result, Settings, bundled
from largesteps_zg.reconstruct.starts import choose_start
from largesteps_zg.scenes import Scene, Views, bounding_sphere, load_scene

# Settings, and whether the start may compare photographs.
VARIANTS = {"patches": ({}, True), "masks": ({}, False), "plain": ({"patches": "off"}, False)}


def exposure(views: Views, lots: torch.Generator) -> Views:
    """Brighter or darker by up to half a stop, in linear light; sRGB is near a power of 2.2."""
    gains = 2.0 ** ((torch.rand(len(views), 1, 1, 1, generator=lots) - 0.5) / 2.2)
    images = views.images.clone()
    images[..., :3] = (images[..., :3] * gains).clamp(0, 255).round().byte()
    return replace(views, images=images)


def masks(views: Views, lots: torch.Generator) -> Views:
    """Bites and spills, in turn, on outlines of a tenth of the masks."""
    images, rows = views.images.clone(), torch.arange(views.images.shape[1])[:, None]
    columns = torch.arange(views.images.shape[2])
    for turn, i in enumerate(_tenth(views, lots)):
        inside = images[i, ..., 3] > 127
        outline = (inside & ~inside.roll(1, 1)).nonzero()
        row, column = outline[int(torch.randint(len(outline), (), generator=lots))]
        radius = 0.1 * float(inside.any(0).sum())
        round_ = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
        images[i, ..., 3][round_] = 255 * (turn % 2)
    return replace(views, images=images)


def cameras(views: Views, lots: torch.Generator) -> Views:
    """Shifted by half a per cent of the distance to the object, in any direction."""
    matrices = views.cameras.world_to_camera.clone()
    center, _ = bounding_sphere(views)
    shift = torch.nn.functional.normalize(torch.randn(len(views), 3, generator=lots), dim=1).to(matrices)
    distance = (views.cameras.centers - center.to(matrices)).norm(dim=1, keepdim=True)
    matrices[:, :3, 3] += 0.005 * distance * shift
    return replace(views, cameras=views.cameras.unchecked(matrices, views.cameras.intrinsics))


def noise(views: Views, lots: torch.Generator) -> Views:
    """Of 5 % of white."""
    images = views.images.clone()
    added = 0.05 * 255 * torch.randn(images[..., :3].shape, generator=lots)
    images[..., :3] = (images[..., :3] + added).clamp(0, 255).round().byte()
    return replace(views, images=images)


def wrong(views: Views, lots: torch.Generator) -> Views:
    """A tenth show something else: what another camera saw, mirrored."""
    images, taken = views.images.clone(), _tenth(views, lots)
    for i in taken:
        images[i] = views.images[(i + len(views) // 2) % len(views)].flip(1)
    return replace(views, images=images)


def _tenth(views: Views, lots: torch.Generator) -> list[int]:
    found: list[int] = torch.randperm(len(views), generator=lots)[: max(1, round(len(views) / 10))].tolist()
    return found


DAMAGES: dict[str, Callable[[Views, torch.Generator], Views]] = {
    "none": lambda views, _: views, "exposure": exposure, "masks": masks, "cameras": cameras, "noise": noise,
    "wrong": wrong,
}  # fmt: skip


def distance(result: Result, scene: Scene, points: np.ndarray | None) -> str:
    """To the truth, as far as it is known, after the motion that brings cameras that were moved onto the true ones."""
    mesh = result.mesh
    if result.corrected:
        found, true = (c.to(dtype=torch.float64) for c in (result.cameras, scene.train.cameras))
        turn, scale, shift = similarity(found, true)
        mesh = Mesh(scale * mesh.vertices.double() @ turn.T + shift, mesh.faces)
    if scene.mesh is not None:
        return f"{surface_distances(mesh, scene.mesh).chamfer_permille:.2f} ‰"
    assert points is not None
    found = np.sort(points_to_mesh(points, mesh))
    return f"{found[len(found) // 2]:.3g}, {found[int(0.9 * len(found))]:.3g}"


def row(
    scene: Scene, views: Views, points: np.ndarray | None, compared: bool, **settings: object
) -> list[str]:
    """Everything about one run."""
    before = time.process_time()
    bundle = bundled(views)
    placed = views if bundle is None else replace(views, cameras=bundle.cameras)
    center, radius = bounding_sphere(placed)
    start = choose_start(placed, center, radius, patches=DEFAULTS.patches if compared else None)
    run = Reconstruction(views, Settings(**settings), start=start.mesh, bundle=bundle)  # type: ignore[arg-type]
    while run.step < run.steps:
        run.advance()
    seconds, result = time.process_time() - before, run.result()
    report, handles = mesh_report(result.mesh, None), topology(result.mesh.faces).genus
    held_out = "-"
    if scene.test is not None:
        shots = (run.images(scene.test.cameras[[i]])[0] for i in range(len(scene.test)))
        held_out = f"{image_quality(shots, scene.test)['psnr_srgb_db']:.1f} dB"
    vote = (
        "-"
        if result.patches is None or result.patches["foretold"] is None
        else f"{result.patches['foretold']:.2f}"
    )
    return [
        start.kind, distance(result, scene, points), f"{report['flipped_faces']}",
        f"{report['self_intersecting_faces']} of {len(result.mesh.faces)}", f"{handles}", held_out, vote,
        f"{seconds:.0f}",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", nargs="+", type=Path)
    parser.add_argument("--steps", type=int, default=Settings.steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variants", default="patches,plain")
    parser.add_argument("--damage", default="none", help=", ".join(DAMAGES))
    parser.add_argument("--points", help="reference points, for one scene")
    given = parser.parse_args()
    print(
        "| scene | damage | run | start | distance | flipped | self-int. | handles | held out | vote | CPU s |"
    )
    print("| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for path in given.scenes:
        scene = load_scene(path)
        points = read_reference(given.points).points if given.points else None
        if scene.mesh is None and points is None:
            points = triangulated_points(scene.train).xyz
            if len(points) == 0:
                raise SystemExit(f"{path}: no true mesh, and no points could be triangulated; give --points")
        for damage in given.damage.split(","):
            views = DAMAGES[damage](scene.train, torch.Generator().manual_seed(given.seed))
            for variant in given.variants.split(","):
                settings, compared = VARIANTS[variant]
                found = row(scene, views, points, compared, steps=given.steps, seed=given.seed, **settings)
                print(f"| {path.name} | {damage} | {variant} | {' | '.join(found)} |", flush=True)


if __name__ == "__main__":
    main()
