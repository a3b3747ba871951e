"""Pictures of the docs that show results in clay beside held-out photographs: bending, leaves and temple.

python benchmarks/path_traced.py --output out/scenes      # in Blender's environment, see there
largesteps-zg reconstruct out/scenes/fennec-gloss --bending 0 --output out/bumpy
largesteps-zg reconstruct out/scenes/fennec-gloss --output out/smooth
python docs/images/make_clay.py bending.png out/scenes/fennec-gloss --views 4 \
    --meshes out/bumpy/mesh.ply out/smooth/mesh.ply --captions "--bending 0" default
largesteps-zg reconstruct out/scenes/leaves-paint --output out/leaves
python docs/images/make_clay.py leaves.png out/scenes/leaves-paint --views 0 3 \
    --meshes out/leaves/mesh.ply --captions result
largesteps-zg reconstruct TEMPLE --output out/temple      # Middlebury's templeSparseRing
python docs/images/make_clay.py temple.png TEMPLE --views 0 1 --turn 90 270 \
    --meshes out/temple/mesh.ply --captions result
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from largesteps_zg.geometry import vertex_normals
from largesteps_zg.mesh import Mesh, load_mesh
from largesteps_zg.output.pictures.drawing import GAP, WHITE, displayed, write
from largesteps_zg.renderers import render
from largesteps_zg.scenes import load_scene

SIDE, TEXT, MARGIN = 240, 14, 8  # pixels


def in_clay(mesh: Mesh, camera) -> torch.Tensor:
    """(H, W, 4): lit from the camera's upper left."""
    towards = -camera.world_to_camera[0, :3, :3].T @ torch.tensor([0.4, 0.4, 1.0], dtype=torch.float64)
    light = torch.nn.functional.normalize(towards, dim=0).float()
    shade = 0.1 + 0.7 * (vertex_normals(mesh.vertices, mesh.faces) @ light).clamp(min=0)
    return render(mesh.vertices, mesh.faces, shade[:, None].expand(-1, 3), camera.to(dtype=torch.float32))[0]


def around(mask: np.ndarray) -> tuple[slice, slice]:
    """A square that holds a mask, as far as the picture goes."""
    (top, bottom), (left, right) = ((at.min(), at.max()) for at in np.nonzero(mask))
    half = max(bottom - top, right - left) // 2 + MARGIN
    y, x = (top + bottom) // 2, (left + right) // 2
    return slice(max(y - half, 0), y + half), slice(max(x - half, 0), x + half)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", help="name of the picture")
    parser.add_argument("scene")
    parser.add_argument("--views", type=int, nargs="+", default=[0], help="held-out ones; a row each")
    parser.add_argument("--meshes", nargs="+", required=True)
    parser.add_argument("--captions", nargs="+", required=True, help="of the meshes")
    parser.add_argument(
        "--turn", type=int, nargs="+", default=[0], help="degrees, where photographs lie on their side"
    )
    arguments = parser.parse_args()
    views = load_scene(arguments.scene).test
    assert views is not None, "the scene has no held-out views"
    meshes = [load_mesh(path) for path in arguments.meshes]
    captions = ["photograph", *arguments.captions]
    width, height = len(captions) * (SIDE + GAP) - GAP, len(arguments.views) * (SIDE + GAP)
    sheet = Image.new("RGB", (width, height + TEXT), WHITE)
    for row, (view, turn) in enumerate(zip(arguments.views, itertools.cycle(arguments.turn), strict=False)):
        photograph = views.linear(view)[0]
        window = around(photograph[..., 3].numpy() > 0.5)
        panels = [photograph, *(in_clay(mesh, views.cameras[view]) for mesh in meshes)]
        for column, image in enumerate(panels):
            picture = Image.fromarray(displayed(image.clamp(0, 1).numpy()[None])[0][window])
            picture = picture.rotate(turn, expand=True).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(picture, (column * (SIDE + GAP), row * (SIDE + GAP)))
    for column, caption in enumerate(captions):
        write(sheet, (column * (SIDE + GAP) + SIDE / 2, height + TEXT - 5), caption, anchor="ms", size=TEXT)
    quantized = sheet.quantize(128, dither=Image.Dither.NONE)
    quantized.save(Path(__file__).with_name(arguments.output), optimize=True)


if __name__ == "__main__":
    main()
