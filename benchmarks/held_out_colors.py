"""Where held-out decibels are lost: colours at vertices, a texture, photographs taken nearby, all over the same mesh.

    python benchmarks/held_out_colors.py SCENE MESH

Colours are those of the photographs, light included, so none of the three has a model of light. From vertices to the
texture: what resolution is worth. From the texture to nearby photographs: what changes from photograph to photograph,
as shadows and gloss do. Each is compared as given, and exposed as the other half of the held-out photograph asks for.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from largesteps_zg.mesh import load_mesh
from largesteps_zg.output.blended import Blended
from largesteps_zg.output.evaluate import image_quality
from largesteps_zg.output.export.bake import bake, render_textured
from largesteps_zg.reconstruct.appearance.exposure import exposed
from largesteps_zg.reconstruct.frame import Frame
from largesteps_zg.renderers.rasterized import render
from largesteps_zg.scenes import load_scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("mesh", type=Path)
    given = parser.parse_args()
    scene, mesh = load_scene(given.scene), load_mesh(given.mesh)
    views, test = scene.train, scene.test
    if test is None:
        raise SystemExit(f"{given.scene}: no views are held out")
    textured, blended = bake(mesh, views), Blended(mesh, views, views.cameras)
    frame, colors = Frame.around(mesh.vertices), textured.mesh.colors
    assert colors is not None
    vertices = frame.inside(mesh.vertices).float()

    def by_vertices(i: int) -> Tensor:
        camera = frame.normalized(test.cameras[i]).to(dtype=vertices.dtype)
        return render(vertices, mesh.faces, colors.float(), camera)[0]

    def by_texture(i: int) -> Tensor:
        return render_textured(textured, test.cameras[i])[0]

    def by_neighbors(i: int) -> Tensor:
        return blended.over(by_texture(i), test.cameras[i])

    found: dict[str, Callable[[int], Tensor]] = {
        "vertices": by_vertices, f"texture, {textured.image.shape[0]}²": by_texture, "nearby photographs": by_neighbors,
    }  # fmt: skip
    print("| colours | as given | exposed |\n| --- | ---: | ---: |")
    for name, shown in found.items():
        images = [shown(i) for i in range(len(test))]
        own = [exposed(image, test.linear(i)[0]) for i, image in enumerate(images)]
        ratios = [image_quality(of, test)["psnr_srgb_db"] for of in (images, own)]
        print(f"| {name} | {ratios[0]:.1f} dB | {ratios[1]:.1f} dB |", flush=True)


if __name__ == "__main__":
    main()
