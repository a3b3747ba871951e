"""18. Photographs: a COLMAP folder, read, described, drawn, and checked against the true shape.

A folder as COLMAP leaves it: JPEG photographs before a plain wall, cameras as text, no masks; the reader tells the
object from the wall by colour. Look at what was read before you reconstruct: `largesteps-zg info FOLDER` prints these
lines and draws this picture. Where the shape is known, one number says whether cameras and masks are right.

    python examples/18_photographs.py

You should see the true shape's outlines within half a pixel of the masks', but not with a focal length 3 % too long,
and the picture in out/examples/18_photographs.png.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from largesteps_zg import Cameras, Mesh, load_mesh, meshes
from largesteps_zg.output.pictures import save_overview
from largesteps_zg.reconstruct.starts import choose_start
from largesteps_zg.renderers import render
from largesteps_zg.scenes import Views, bounding_sphere, load_scene
from largesteps_zg.scenes.describe import describe
from largesteps_zg.scenes.synthetic import scene_from_mesh

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out/examples"))
output = parser.parse_args().output
output.mkdir(parents=True, exist_ok=True)


def write_colmap(folder: Path, views: Views) -> None:
    """images/*.jpg, and the cameras in sparse/0 as text: QW QX QY QZ TX TY TZ, world to camera."""
    (folder / "images").mkdir()
    (folder / "sparse/0").mkdir(parents=True)
    k, wall, lines = views.cameras.intrinsics[0], torch.tensor([70, 110, 160]), []
    for i, (name, image) in enumerate(zip(views.names, views.images, strict=True)):
        pose = views.cameras.world_to_camera[i].numpy()
        x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
        numbers = " ".join(f"{value:.12f}" for value in (w, x, y, z, *pose[:3, 3]))
        lines += [f"{i + 1} {numbers} 1 {name}.jpg", ""]  # the empty line is for points that the image shows
        photograph = wall + image[..., 3:] / 255 * (image[..., :3] - wall)
        Image.fromarray(photograph.byte().numpy()).save(folder / f"images/{name}.jpg", quality=95)
    lens = f"{views.cameras.width} {views.cameras.height} {k[0, 0]} {k[1, 1]} {k[0, 2]} {k[1, 2]}"
    for name, rows in ("cameras", [f"1 PINHOLE {lens}"]), ("images", lines), ("points3D", []):
        (folder / f"sparse/0/{name}.txt").write_text("".join(f"{row}\n" for row in rows))


def outlines_apart(mesh: Mesh, views: Views, cameras: Cameras) -> float:
    """How far the mesh's outlines lie from the masks' in pixels: the area between them over their length."""
    masks, cameras = views.images[..., 3] / 255, cameras.to(dtype=torch.float32)
    seen = render(mesh.vertices, mesh.faces, torch.ones_like(mesh.vertices), cameras)[..., 3]
    slope = torch.stack([s[:, 1:-1, 1:-1] for s in torch.gradient(masks, dim=(1, 2))]).norm(dim=0)
    return ((seen - masks).abs().sum() / slope.sum()).item()


made = scene_from_mesh(load_mesh(meshes.path("fennec")), views=16, test_views=0, height=192, width=256)
with tempfile.TemporaryDirectory() as folder:
    write_colmap(Path(folder), made.train)
    scene = load_scene(folder)
start = choose_start(scene.train, *bounding_sphere(scene.train))
print(*describe(scene), f"start     {start.kind}: {start.reason}", sep="\n")
save_overview(output / "18_photographs.png", scene, start.mesh)
print(output / "18_photographs.png")
read = scene.train.cameras
longer = replace(read, intrinsics=read.intrinsics * torch.tensor([1.03, 1.03, 1.0]))
right, wrong = (outlines_apart(made.mesh, scene.train, cameras) for cameras in (read, longer))
print(f"outlines {right:.2f} pixels apart, with a focal length 3 % too long {wrong:.2f}")
assert right < 0.5 < wrong
