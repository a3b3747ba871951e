"""Claim: held-out pixels tell gains of exposure from what only looks like them; all true ones are kept.

    python benchmarks/exposures.py [--shapes mug,knot] [--kinds gains,ramp] [SCENE ...]     # four minutes, one core

Built-in meshes in 24 views of 112², each as it is and changed in five ways. Gains of 12 %, and gains of 3 % under noise
of 3 %, are exposures. Light that falls off across each image, a mirrored picture of surroundings, and noise are not. A
run stops where it decides. The table has the gains' size, and the share of the loss that goes when each half of a
photograph gets the gain that its other half asks for. Gains are kept where it is above 0, and they are not too small.
SCENE, a scene of your own, is taken as it is.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch
from torch import Tensor

from largesteps_zg.constants import DEFAULTS
from largesteps_zg.geometry import vertex_normals
from largesteps_zg.images import linear_to_srgb
from largesteps_zg.mesh import Mesh, load_mesh
from largesteps_zg.meshes import names, path
from largesteps_zg.reconstruct import Reconstruction, Settings
from largesteps_zg.reconstruct.appearance.exposure import crossed
from largesteps_zg.reconstruct.appearance.gloss import Gloss
from largesteps_zg.renderers.rasterized import render, shade
from largesteps_zg.scenes import Views, load_scene
from largesteps_zg.scenes.synthetic import CLAY, bounding_ball, scene_from_mesh, studio_light

SIDE, VIEWS, STEPS = 112, 24, 160
KINDS = {"plain": False, "gains": True, "small gains": True, "ramp": False, "gloss": False, "noise": False}


def glossy(mesh: Mesh, views: Views, generator: torch.Generator) -> Tensor:
    """(B, H, W, 3): the mesh with a mirrored picture of random surroundings."""
    center, radius = bounding_ball(mesh)
    vertices = (mesh.vertices - center) / radius
    cameras = views.cameras.transformed(1 / radius, center.double()).to(dtype=torch.float32)
    gloss, normals = Gloss(always=True), vertex_normals(vertices, mesh.faces)
    albedo = torch.full_like(vertices, CLAY) if mesh.colors is None else mesh.colors.to(vertices)
    matt = shade(vertices, mesh.faces, albedo, studio_light())
    with torch.no_grad():
        gloss.strength.fill_(0.12)
        gloss.levels[2].copy_(1.2 * torch.randn(gloss.levels[2].shape, generator=generator))
        pictures = [
            render(vertices, mesh.faces, matt + gloss(vertices, mesh.faces, normals, camera)[0], camera)
            for camera in (cameras[i] for i in range(len(cameras)))
        ]
    return torch.cat(pictures)[..., :3].clamp(max=1.0)


def changed(name: str, kind: str) -> Views:
    """Views of a built-in mesh."""
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    scene = scene_from_mesh(load_mesh(path(name)), views=VIEWS, test_views=0, height=SIDE, width=SIDE)
    views, mesh = scene.train, scene.mesh
    assert mesh is not None
    alpha, light = views.images[..., 3:].float() / 255, views.linear()[..., :3]
    if kind == "gloss":
        light = glossy(mesh, views, generator)
    if kind in ("gains", "small gains"):
        size = 0.12 if kind == "gains" else 0.03
        light = light * (size * torch.randn(VIEWS, 1, 1, 3, generator=generator)).exp()
    if kind == "ramp":
        slopes = 0.25 * torch.randn(VIEWS, 1, 1, 2, generator=generator)
        line = torch.linspace(-1, 1, SIDE)
        light = light * (1 + slopes[..., :1] * line[:, None] + slopes[..., 1:] * line[:, None, None]).clamp(
            min=0.2
        )
    if kind in ("small gains", "noise"):
        light = (light + 0.03 * alpha * torch.randn(light.shape, generator=generator)).clamp(min=0)
    straight = torch.where(alpha > 0, light / alpha.clamp(min=1e-6), 0.0).clamp(0, 1)
    images = views.images.clone()
    images[..., :3] = (255 * linear_to_srgb(straight)).round().to(torch.uint8)
    return replace(views, images=images)


def judged(views: Views, steps: int) -> tuple[float, float, bool]:
    """The gains' size where they are judged, the share of the loss that goes, and whether they were kept."""
    run = Reconstruction(views, Settings(steps=steps))
    exposure = run.fit.appearance.exposure
    assert exposure is not None
    judge, found = exposure.judge, []

    def watched(images: Tensor, batch, difference) -> None:
        without = images.clone()
        without[..., :3] *= (-exposure.log_gains.detach()[batch.index]).exp()[:, None, None]
        losses = (difference.loss(pictures, batch) for pictures in (crossed(without, batch.targets), without))
        with_gains, without_gains = map(float, losses)
        found.append(float(exposure.log_gains.detach().square().mean().sqrt()))
        found.append(1 - with_gains / without_gains)
        judge(images, batch, difference)

    exposure.judge = watched  # type: ignore[method-assign]
    while not found:
        run.advance()
    return found[0], found[1], not exposure.trial.dropped


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", nargs="*", metavar="SCENE")
    parser.add_argument("--shapes", default=",".join(names()), help="built-in meshes, separated by commas")
    parser.add_argument("--kinds", default=",".join(KINDS), help="separated by commas")
    arguments = parser.parse_args()
    print("| scene | | size | loss that goes | |\n| --- | --- | ---: | ---: | --- |")
    for scene in arguments.scenes:
        size, share, kept = judged(load_scene(scene).train, 2 * STEPS)
        print(
            f"| {scene} | | {size:.3f} | {100 * share:+.1f} % | {'kept' if kept else 'dropped'} |", flush=True
        )
    missed, wrong = 0, 0
    for name in filter(None, arguments.shapes.split(",")):
        for kind in arguments.kinds.split(","):
            size, share, kept = judged(changed(name, kind), STEPS)
            missed, wrong = missed + (KINDS[kind] and not kept), wrong + (kept and not KINDS[kind])
            told = "kept" if kept else "dropped"
            print(f"| {name} | {kind} | {size:.3f} | {100 * share:+.1f} % | {told} |", flush=True)
    print(f"\n{missed} true gains were missed; {wrong} were kept that are none ({DEFAULTS.gains})")
    assert missed == 0


if __name__ == "__main__":
    main()
