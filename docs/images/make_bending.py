"""The picture in docs/choosing.md of what `--bending` does to a glossy scene: a photograph, and results in clay.

python benchmarks/path_traced.py --output out/scenes      # in Blender's environment, see there
largesteps-zg reconstruct out/scenes/fennec-gloss --bending 0 --output out/bumpy
largesteps-zg reconstruct out/scenes/fennec-gloss --output out/smooth
python docs/images/make_bending.py out/scenes/fennec-gloss out/bumpy/mesh.ply out/smooth/mesh.ply
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from PIL import Image

from largesteps_zg.drawing import GAP, WHITE, displayed, write
from largesteps_zg.geometry import vertex_normals
from largesteps_zg.mesh import Mesh, load_mesh
from largesteps_zg.renderers import render
from largesteps_zg.scenes import load_scene

SIDE, TEXT = 240, 14  # pixels


def in_clay(mesh: Mesh, camera) -> torch.Tensor:
    """(H, W, 4): lit from the camera's upper left."""
    towards = -camera.world_to_camera[0, :3, :3].T @ torch.tensor([0.4, 0.4, 1.0], dtype=torch.float64)
    light = torch.nn.functional.normalize(towards, dim=0).float()
    shade = 0.1 + 0.7 * (vertex_normals(mesh.vertices, mesh.faces) @ light).clamp(min=0)
    return render(mesh.vertices, mesh.faces, shade[:, None].expand(-1, 3), camera.to(dtype=torch.float32))[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene")
    parser.add_argument("meshes", nargs=2, metavar="MESH", help="without bending, and with it")
    parser.add_argument("--view", type=int, default=4)
    arguments = parser.parse_args()
    views = load_scene(arguments.scene).test
    assert views is not None, "the scene has no held-out views"
    camera = views.cameras[arguments.view]
    panels = [views.linear(arguments.view)[0]]
    panels += [in_clay(load_mesh(path), camera) for path in arguments.meshes]
    sheet = Image.new("RGB", (3 * (SIDE + GAP) - GAP, SIDE + TEXT + GAP), WHITE)
    for column, (image, caption) in enumerate(
        zip(panels, ("photograph", "--bending 0", "default"), strict=True)
    ):
        picture = Image.fromarray(displayed(image.clamp(0, 1).numpy()[None])[0])
        sheet.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (column * (SIDE + GAP), 0))
        write(sheet, (column * (SIDE + GAP) + SIDE / 2, SIDE + TEXT + 3), caption, anchor="ms", size=TEXT)
    sheet.quantize(128, dither=Image.Dither.NONE).save(Path(__file__).with_name("bending.png"), optimize=True)


if __name__ == "__main__":
    main()
