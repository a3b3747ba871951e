"""Photographs as a person takes them, path-traced: an object of known shape on a cloth in a room, and nothing else.

Blender's Cycles makes 60 pictures of 800 x 600 by a camera carried round the object twice, at two heights, never
quite steady. A lens bends them, their exposure changes by up to a third of a stop, every seventh is shaken, and JPEG
keeps them, without cameras or masks (`photographs/`). The same pictures without all that, with alpha and exact cameras,
are `exact/` beside them, with the true surface as mesh.ply.

Claim, tested by --compare: the mesh from photographs alone is at most 1.5 times as far from what the cameras see of the
true surface as the mesh from exact cameras and alpha. Distances are means of both ways, in thousandths of the true
bounding box's diagonal; the mesh from photographs is brought onto the truth by its cameras' centres.

    python3.11 -m venv blender && blender/bin/pip install bpy==4.5.15 pillow scipy
    blender/bin/python benchmarks/hand_held.py --output out/hand --threads 2  # half an hour a scene
    for scene in fennec-paint fennec-gloss fennec-clay; do
        largesteps-zg reconstruct out/hand/$scene/exact --output out/hand/$scene/exact-run
        largesteps-zg reconstruct out/hand/$scene/photographs --output out/hand/$scene/run
    done
    python benchmarks/hand_held.py --output out/hand --compare
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from path_traced import (
    MATERIALS,
    MESHES,
    add_camera,
    add_lamp,
    add_object,
    add_sky,
    bpy,
    fill_ramp,
    linear,
    set_up_cycles,
    silence,
)
from PIL import Image

SCENES = ("fennec-paint", "fennec-gloss", "fennec-clay")
WIDTH, HEIGHT, FOCAL = 800, 600, 700.0  # pixels: 60 degrees across, as a telephone's
# Of x (1 + k1 r^2 + k2 r^4): corners move by 3 % of their distance from the middle.
DISTORTION = -0.09, 0.03
WIDER = 1.2  # the camera sees that much more before the lens bends it
SHAKEN = 7  # every seventh photograph
QUALITY = 92  # of JPEG
LIMIT = 1.5


def carried(count: int, seed: int = 7) -> np.ndarray:
    """Camera-to-world (count, 4, 4), y up and z backward: two rounds, with an unsteady hand, z of the world up."""
    random = np.random.default_rng(seed)
    matrices = np.tile(np.eye(4), (count, 1, 1))
    for number, matrix in enumerate(matrices):
        around = 2 * math.pi * (2 * number / count) + random.normal(0, 0.03)
        rise = math.radians((18, 42)[2 * number >= count]) + random.normal(0, 0.04)
        away = 2.7 * math.exp(random.normal(0, 0.04))
        place = away * np.array(
            [math.cos(around) * math.cos(rise), math.sin(around) * math.cos(rise), math.sin(rise)]
        )
        back = place - random.normal(0, 0.08, 3)
        back /= np.linalg.norm(back)
        right = np.cross([0.0, 0.0, 1.0], back)
        right /= np.linalg.norm(right)
        roll = random.normal(0, 0.04)
        up = np.cross(back, right)
        turned = math.cos(roll) * right + math.sin(roll) * up
        matrix[:3] = np.stack([turned, np.cross(back, turned), back, place], axis=1)
    return matrices


# The room


def printed(name: str, colors: tuple[str, ...], scale: float) -> Any:
    """A matt material with patches of colours and, in them, a fine grain."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    nodes, links = made.node_tree.nodes, made.node_tree.links
    nodes.clear()
    place, cells, grain = (nodes.new(f"ShaderNode{kind}") for kind in ("TexCoord", "TexVoronoi", "TexNoise"))
    ramp, mix, shader = (nodes.new(f"ShaderNode{kind}") for kind in ("ValToRGB", "Mix", "BsdfDiffuse"))
    cells.inputs["Scale"].default_value, grain.inputs["Scale"].default_value = scale, 14 * scale
    ramp.color_ramp.interpolation = "CONSTANT"
    fill_ramp(ramp.color_ramp, [(i / len(colors), linear(color)) for i, color in enumerate(colors)])
    mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
    mix.inputs["Factor"].default_value = 0.6
    for node in (cells, grain):
        links.new(place.outputs["Object"], node.inputs["Vector"])
    links.new(cells.outputs["Color"], ramp.inputs["Fac"])
    links.new(ramp.outputs["Color"], mix.inputs[6])
    links.new(grain.outputs["Fac"], mix.inputs[7])
    links.new(mix.outputs[2], shader.inputs["Color"])
    links.new(shader.outputs[0], nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
    return made


def add_room(floor: float) -> None:
    """A table with a printed cloth that lies in soft folds, and four walls with posters."""
    cloth = printed("cloth", ("#d9c7a3", "#355070", "#b56576", "#eaeaea", "#6d597a"), 5.0)
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=160, y_subdivisions=160, size=5, location=(0, 0, floor))
    sheet = bpy.context.object
    for vertex in sheet.data.vertices:
        x, y, _ = vertex.co
        vertex.co.z = (
            min(0.0, -0.02 + 0.02 * math.sin(3 * x + 2 * math.sin(2 * y))) if math.hypot(x, y) > 0.9 else 0
        )
    sheet.data.materials.append(cloth)
    walls = printed("walls", ("#cfd2cd", "#b9b7a7", "#a5a58d", "#8d99ae", "#f2e9e4"), 0.9)
    for turn in range(4):
        angle = turn * math.pi / 2
        bpy.ops.mesh.primitive_plane_add(
            size=14,
            location=(7 * math.cos(angle), 7 * math.sin(angle), 3),
            rotation=(math.pi / 2, 0, angle + math.pi / 2),
        )
        bpy.context.object.data.materials.append(walls)
    bpy.ops.mesh.primitive_plane_add(size=14, location=(0, 0, floor - 2))
    bpy.context.object.data.materials.append(printed("floor", ("#7f5539", "#9c6644", "#b08968"), 1.5))


# The lens, the hand and the file


def bent(picture: np.ndarray) -> np.ndarray:
    """What the lens makes of a wider picture (H, W, C): (HEIGHT, WIDTH, C), bilinear."""
    from scipy.ndimage import map_coordinates

    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    seen = np.stack([(x - WIDTH / 2) / FOCAL, (y - HEIGHT / 2) / FOCAL])
    straight = seen.copy()
    for _ in range(20):  # the inverse of x (1 + k1 r^2 + k2 r^4), by fixed point
        r = np.square(straight).sum(0)
        straight = seen / (1 + DISTORTION[0] * r + DISTORTION[1] * r * r)
    rows = straight[1] * FOCAL + picture.shape[0] / 2 - 0.5
    columns = straight[0] * FOCAL + picture.shape[1] / 2 - 0.5
    return np.stack(
        [
            map_coordinates(channel, (rows, columns), order=1, mode="nearest")
            for channel in np.moveaxis(picture, 2, 0)
        ],
        axis=2,
    )


def shaken(picture: np.ndarray, angle: float, pixels: int = 4) -> np.ndarray:
    """The mean of a picture along a short way."""
    from scipy.ndimage import shift

    ways = np.linspace(-pixels / 2, pixels / 2, 2 * pixels)
    moved = [
        shift(picture, (w * math.sin(angle), w * math.cos(angle), 0), order=1, mode="nearest") for w in ways
    ]
    return np.mean(moved, axis=0)


def decoded(picture: np.ndarray) -> np.ndarray:
    """Linear light of sRGB in [0, 1]."""
    return np.where(picture <= 0.04045, picture / 12.92, ((picture + 0.055) / 1.055) ** 2.4)


def encoded(light: np.ndarray) -> np.ndarray:
    """8-bit sRGB of linear light."""
    light = light.clip(0, 1)
    return np.rint(
        255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    ).astype(np.uint8)


def write_capture(folder: Path, options: argparse.Namespace) -> None:
    """Render one scene. Its cameras are written last, so an unfinished folder is no scene."""
    shape, material = folder.name.split("-")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    add_object(shape, material)
    solid = bpy.context.object
    floor = min(vertex.co.z for vertex in solid.data.vertices)
    exact = folder / "exact"
    for made in (exact / "train", folder / "photographs"):
        made.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.ply_export(
        filepath=str(exact / "mesh.ply"), forward_axis="Y", up_axis="Z", export_normals=False, export_uv=False,
        export_colors="NONE", export_triangulated_mesh=True,
    )  # fmt: skip
    add_room(floor - 1e-3)
    add_sky()
    add_lamp((3.2, -2.4, 5.0), 350.0, (1.0, 0.93, 0.82))
    add_lamp((-4.0, 1.5, 3.0), 120.0, (0.75, 0.87, 1.0))
    wide, high = round(WIDER * WIDTH), round(WIDER * HEIGHT)
    camera = add_camera(wide)
    scene = bpy.context.scene
    scene.render.resolution_y = high
    camera.data.sensor_fit = "HORIZONTAL"
    camera.data.angle = 2 * math.atan(wide / 2 / FOCAL)
    set_up_cycles(options.samples, options.threads)
    scene.cycles.use_denoising, scene.cycles.max_bounces = True, 3
    scene.render.film_transparent = False
    others = [thing for thing in bpy.data.objects if thing.type == "MESH" and thing != solid]
    random = np.random.default_rng(3)
    left, top = (wide - WIDTH) // 2, (high - HEIGHT) // 2
    frames = []
    for number, matrix in enumerate(carried(options.views)):
        camera.matrix_world = matrix.T.tolist()
        raw = folder / "picture.png"
        scene.render.filepath = str(raw)
        pictures = []
        for alone in (False, True):  # in its room; then its outline, by a few paths
            for thing in others:
                thing.hide_render = alone
            scene.render.film_transparent, scene.cycles.use_denoising = alone, not alone
            scene.cycles.samples = 8 if alone else options.samples
            bpy.ops.render.render(write_still=True)
            with Image.open(raw) as image:
                pictures.append(np.asarray(image.convert("RGBA"), dtype=np.float64) / 255)
        picture = pictures[0][..., :3]
        inside = np.concatenate([pictures[0][..., :3], pictures[1][..., 3:]], axis=2)
        inside = inside[top : top + HEIGHT, left : left + WIDTH]
        Image.fromarray(np.rint(255 * inside).astype(np.uint8)).save(exact / "train" / f"r_{number:03d}.png")
        light = bent(decoded(picture)) * 2 ** random.uniform(-1 / 3, 1 / 3)
        angle = random.uniform(0, math.pi)
        if number % SHAKEN == SHAKEN - 1:
            light = shaken(light, angle)
        Image.fromarray(encoded(light)).save(
            folder / "photographs" / f"IMG_{number:04d}.jpg", quality=QUALITY
        )
        frames.append({"file_path": f"./train/r_{number:03d}", "transform_matrix": matrix.tolist()})
        raw.unlink()
    content = {"camera_angle_x": 2 * math.atan(WIDTH / 2 / FOCAL), "frames": frames}
    (exact / "transforms_train.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


# The comparison


def shown(mesh: Any, views: Any, count: int = 40_000) -> Any:
    """Points drawn evenly from what at least two cameras see of a mesh."""
    import torch

    from largesteps_zg.mesh.distances import sample_surface
    from largesteps_zg.output.seen import views_seeing

    seen = views_seeing(mesh, views, views.cameras) >= 2
    faces = mesh.faces[seen[mesh.faces.long()].all(dim=1)]
    return sample_surface(mesh.vertices.double(), faces, count, generator=torch.Generator().manual_seed(0))[0]


def distance(mesh: Any, truth: Any, views: Any) -> float:
    """Mean of both ways between what is seen of two meshes, in thousandths of the second one's diagonal."""
    from largesteps_zg.mesh.closest import closest_points

    ways = [
        closest_points(shown(a, views), b.vertices.double(), b.faces).distances.mean()
        for a, b in ((mesh, truth), (truth, mesh))
    ]
    diagonal = (truth.vertices.amax(0) - truth.vertices.amin(0)).norm()
    return float(1000 * sum(ways) / 2 / diagonal)


def compare(folder: Path) -> tuple[float, float, float, int]:
    """Distances from exact cameras and from photographs alone; centres' error in % of the distance; how many placed."""
    import torch
    from photographs_alone import found_cameras, over

    from largesteps_zg.mesh import Mesh, load_mesh
    from largesteps_zg.scenes import Reading, load_scene

    scene = load_scene(folder / "exact", reading=Reading(hold_out=0, max_size=400))
    assert scene.mesh is not None
    poses = found_cameras(folder / "run" / "cameras" / "sparse" / "0")
    names = sorted(poses)
    centers = np.stack([-poses[name][:3, :3].T @ poses[name][:3, 3] for name in names])
    wanted = scene.train.cameras.centers.double().numpy()[[int(name.split("_")[1]) for name in names]]
    turn, moved = over(centers, wanted)
    scale = np.ptp(moved, axis=0).sum() / np.ptp(centers @ turn.T, axis=0).sum()
    mesh = load_mesh(folder / "run" / "mesh.ply")
    placed = scale * (mesh.vertices.double().numpy() - centers.mean(axis=0)) @ turn.T + wanted.mean(axis=0)
    alone = Mesh(torch.from_numpy(placed).to(mesh.vertices), mesh.faces)
    off = 100 * np.median(np.linalg.norm(moved - wanted, axis=1) / np.linalg.norm(wanted, axis=1))
    some = scene.train[::4]
    exact = distance(load_mesh(folder / "exact-run" / "mesh.ply"), scene.mesh, some)
    return exact, distance(alone, scene.mesh, some), float(off), len(names)


def table(folders: list[Path]) -> bool:
    """Print a row of each scene that has both runs; whether the claim holds in all."""
    print("python benchmarks/hand_held.py", *sys.argv[1:])
    print("| scene | placed | centres off | exact cameras, alpha: ‰ | photographs alone: ‰ | ratio |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    ratios = []
    for folder in folders:
        exact, alone, off, placed = compare(folder)
        ratios.append(alone / exact)
        print(f"| {folder.name} | {placed} | {off:.3f} % | {exact:.3f} | {alone:.3f} | {alone / exact:.2f} |")
    return bool(ratios) and max(ratios) <= LIMIT


def main() -> int:
    """Render missing scenes, or compare runs of existing ones."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    shapes = sorted(file.stem for file in MESHES.glob("*.ply"))
    known = [f"{shape}-{material}" for shape in shapes for material in MATERIALS]
    parser.add_argument(
        "scenes", nargs="*", default=SCENES, metavar="SHAPE-MATERIAL", help="such as fennec-paint"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder that receives a folder per scene")
    parser.add_argument("--compare", action="store_true", help="render nothing; compare runs that are there")
    parser.add_argument("--views", type=int, default=60, help="photographs (default 60)")
    parser.add_argument(
        "--samples", type=int, default=4, help="light paths per pixel, before denoising (default 4)"
    )
    parser.add_argument("--threads", type=int, default=1, help="of the renderer (default 1)")
    options = parser.parse_args()
    unknown = [name for name in options.scenes if name not in known]
    if unknown:
        parser.error(f"scene: expected SHAPE-MATERIAL such as fennec-gloss, got {unknown[0]!r}")
    folders = [options.output / name for name in options.scenes]
    if options.compare:
        holds = table([folder for folder in folders if (folder / "run" / "mesh.ply").exists()])
        print("the claim holds" if holds else "THE CLAIM DOES NOT HOLD")
        return 0 if holds else 1
    if bpy is None:
        parser.error("bpy: not installed; see the head of this file, or use --compare")
    for folder in folders:
        if not (folder / "exact" / "transforms_train.json").exists():
            with silence():
                write_capture(folder, options)
            print(f"{folder.name}: {options.views} photographs", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
