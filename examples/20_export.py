"""20. The result for other programs: a texture, OBJ with MTL and PNG, GLB; read again and compared with photographs.

A coarse mesh is quick to find and easy to work with, but its vertices are too few for eyes and a nose. A texture holds
what they cannot: `bake_run` gathers it from the photographs, with the light taken out. The files are read by trimesh,
which knows nothing of this project; then the light is put back, for a comparison with photographs that were held out.

    python examples/20_export.py

You should see both files alike, and nearer to the photographs than colours at the vertices by 1 dB or more; photograph,
GLB and difference side by side in out/examples/20_export.png.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
import trimesh

from largesteps_zg import Mesh, load_mesh, meshes
from largesteps_zg.geometry import weld
from largesteps_zg.output.evaluate import image_quality
from largesteps_zg.output.export import TexturedMesh, render_textured, save_glb, save_obj
from largesteps_zg.output.export.bake_run import bake_run
from largesteps_zg.output.pictures import save_comparison
from largesteps_zg.reconstruct import Settings, reconstruct
from largesteps_zg.reconstruct.starts import visual_hull
from largesteps_zg.renderers import render
from largesteps_zg.scenes import bounding_sphere
from largesteps_zg.scenes.synthetic import scene_from_mesh

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)


def read(file: Path) -> TexturedMesh:
    """A file as another program reads it: a vertex for each place in the image, both sides of a seam apart."""
    part = trimesh.load(file, force="mesh", process=False)
    material = part.visual.material
    image = material.image if file.suffix == ".obj" else material.baseColorTexture
    vertices, faces = torch.tensor(part.vertices), torch.tensor(part.faces)
    if file.suffix == ".glb":  # there y is up, here z
        vertices = vertices[:, [0, 2, 1]] * torch.tensor([1, -1, 1])
    vertices, welded, _ = weld(vertices, faces)  # the seams closed again
    pixels = torch.from_numpy(np.array(image.convert("RGB")))
    return TexturedMesh(Mesh(vertices, welded), torch.tensor(part.visual.uv), faces, pixels)


scene = scene_from_mesh(load_mesh(meshes.path("fennec")), views=20, test_views=3, height=128, width=128)
start = visual_hull(scene.train, *bounding_sphere(scene.train), cells=64, vertices=1500)
*_, state = reconstruct(scene.train, Settings(steps=150, remesh="off", views_per_step=4), start=start)
run, photographs = state.run, scene.test
textured = bake_run(run.result(), run.rendering)

mesh, side, after = textured.mesh, len(textured.image), []
lit = mesh.colors * run.rendering.shading(mesh.vertices, mesh.faces, photographs.cameras)[0]
images = render(mesh.vertices, mesh.faces, lit.to(mesh.vertices), photographs.cameras)
before = image_quality(images, photographs)["psnr_db"]
with tempfile.TemporaryDirectory() as folder:
    for file, save in (Path(folder) / "fennec.obj", save_obj), (Path(folder) / "fennec.glb", save_glb):
        save(file, textured)
        images = render_textured(read(file), photographs.cameras, run.rendering.shading)
        after.append(image_quality(images, photographs)["psnr_db"])

print(f"{len(mesh.vertices)} vertices with a colour each: {before:.2f} dB")
print(f"{side} x {side} texels: {after[0]:.2f} dB as OBJ, {after[1]:.2f} dB as GLB")
print(f"the texture is worth {min(after) - before:.1f} dB")
save_comparison(output / "20_export.png", photographs.linear(), images, names=photographs.names)
print(output / "20_export.png")
assert min(after) > before + 1 and max(after) - min(after) < 0.05
