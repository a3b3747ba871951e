"""One GLB, and the OBJ beside it, seen by three programs in the same light: ours, Blender's Cycles, three.js.

Without --files the surface is made here: a bumpy ball of 20,480 faces with stripes, decimated to 400 faces, so that its
bumps are in the normal map alone; it is a coat of paint, with metal in two of eight sectors, and polished at its top.
The light is that of three lamps, then that of an environment map, a sky with three soft lamps. Cycles traces it to the
eye without bounces, and lamps without shadows, so that all three compute the same integral; three.js blurs the
environment beforehand, and ours takes each of its texels for a lamp.

Claim, tested: where all three see the surface, they differ from the mean of the three by less than 0.03 of white (sRGB)
in the mean of the pixels. So does the OBJ in Cycles, which reads its normal map from an OpenEXR file.

    python3.11 -m venv blender && blender/bin/pip install bpy==4.5.15      # Blender as a module; 300 MB
    npm install --prefix out three@0.170.0                                 # and a Chromium
    python benchmarks/materials.py --blender blender/bin/python --three out/node_modules/three --output out/materials
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
import trimesh
from PIL import Image

from largesteps_zg.cameras import look_at
from largesteps_zg.geometry import weld
from largesteps_zg.images import linear_to_srgb
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.output.export import TexturedMesh, render_lit, save_glb, save_obj, with_fewer_faces
from largesteps_zg.output.export.exr import exr_bytes
from largesteps_zg.output.export.material import Material

SIZE, FOV, DISTANCE = 320, 30.0, 4.2  # pixels, degrees, radii
ACROSS = 96  # texels of the environment map
EYE = (0.5, 0.35, 0.8)  # directions in glTF's axes, y up
LAMPS = (
    ((0.3, 0.9, 0.6), (2.6, 2.5, 2.3)),
    ((-0.9, 0.2, 0.4), (0.5, 0.7, 1.1)),
    ((0.9, -0.3, -0.2), (0.9, 0.6, 0.4)),
)

CYCLES = """
import bpy, json, sys
from mathutils import Vector
told = json.loads(sys.argv[1])
def turned(v): return Vector((v[0], -v[2], v[1]))
bpy.ops.wm.read_factory_settings(use_empty=True)
if told["file"].endswith(".glb"): bpy.ops.import_scene.gltf(filepath=told["file"])
else:
    bpy.ops.wm.obj_import(filepath=told["file"], forward_axis="NEGATIVE_Z", up_axis="Y")
    for image in bpy.data.images:  # its importer takes these two for sRGB
        if "roughness" in image.name or "metalness" in image.name: image.colorspace_settings.name = "Non-Color"
scene = bpy.context.scene
world = bpy.data.worlds.new("black"); world.use_nodes = True; scene.world = world
behind = world.node_tree.nodes["Background"].inputs
behind["Strength"].default_value = 1.0 if "sky" in told else 0.0
if "sky" in told:
    around = world.node_tree.nodes.new("ShaderNodeTexEnvironment")
    around.image = bpy.data.images.load(told["sky"])
    world.node_tree.links.new(around.outputs["Color"], behind["Color"])
for towards, color in told["lamps"]:
    lamp = bpy.data.lights.new("lamp", "SUN")
    lamp.energy, lamp.color, lamp.angle, lamp.use_shadow = 1.0, color, 0.0, False
    held = bpy.data.objects.new("lamp", lamp); scene.collection.objects.link(held)
    held.rotation_euler = turned(towards).to_track_quat("Z", "Y").to_euler()
camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera")); scene.collection.objects.link(camera)
camera.data.angle = told["fov"]; camera.location = turned(told["eye"]) + turned(told["middle"])
camera.rotation_euler = turned(told["eye"]).to_track_quat("Z", "Y").to_euler()
scene.camera = camera
scene.render.resolution_x = scene.render.resolution_y = told["size"]
scene.render.film_transparent = True
scene.render.engine = "CYCLES"
scene.cycles.device, scene.cycles.samples, scene.cycles.max_bounces = "CPU", told["samples"], 0
scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
scene.render.threads_mode, scene.render.threads = "FIXED", 1
scene.view_settings.view_transform = "Standard"
scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
scene.render.filepath = told["picture"]
bpy.ops.render.render(write_still=True)
"""

PAGE = """<!doctype html><script type="importmap">{"imports": {"three": "%(three)s/build/three.module.js"}}</script>
<script type="module">
import * as THREE from "three";
import { GLTFLoader } from "%(three)s/examples/jsm/loaders/GLTFLoader.js";
const told = %(told)s, bytes = Uint8Array.from(atob("%(glb)s"), c => c.charCodeAt(0)).buffer;
const renderer = new THREE.WebGLRenderer({ antialias: true, alpha: true, preserveDrawingBuffer: true });
renderer.setSize(told.size, told.size); renderer.toneMapping = THREE.NoToneMapping;
const scene = new THREE.Scene(), camera = new THREE.PerspectiveCamera(told.fov * 180 / Math.PI, 1, 0.01, 100);
const middle = new THREE.Vector3(...told.middle);
camera.position.copy(new THREE.Vector3(...told.eye).add(middle)); camera.lookAt(middle);
if (told.sky) {
  const half = Uint16Array.from(told.texels, THREE.DataUtils.toHalfFloat);
  const sky = new THREE.DataTexture(half, told.across, told.across / 2, THREE.RGBAFormat, THREE.HalfFloatType);
  sky.mapping = THREE.EquirectangularReflectionMapping;
  sky.minFilter = sky.magFilter = THREE.LinearFilter; sky.needsUpdate = true;
  scene.environment = new THREE.PMREMGenerator(renderer).fromEquirectangular(sky).texture;
}
for (const [towards, color] of told.lamps) {
  const lamp = new THREE.DirectionalLight(new THREE.Color(...color), 1);
  lamp.position.set(...towards); scene.add(lamp);
}
new GLTFLoader().parse(bytes, "", made => {
  scene.add(made.scene);
  renderer.render(scene, camera);
  window.picture = renderer.domElement.toDataURL("image/png");
});
</script>"""


def sky(directions: np.ndarray) -> np.ndarray:
    """(..., 3) linear radiance from directions (..., 3), y up: bluish from above, and each lamp a soft spot."""
    found = (0.3 + 0.2 * directions[..., 1:2]) * np.array([0.8, 0.95, 1.2])
    for towards, color in LAMPS:
        cosine = directions @ (np.array(towards) / np.linalg.norm(towards))
        found = found + 8.0 * np.exp((cosine[..., None] - 1) / 0.02) * np.array(color)
    return found


def sky_texels() -> tuple[np.ndarray, np.ndarray]:
    """Directions (H, W, 3), and solid angles (H, W), of a map whose row 0 looks up and whose middle looks along x.

    From there u grows towards z.
    """
    row, column = np.meshgrid(
        (np.arange(ACROSS // 2) + 0.5) / ACROSS * 2 * math.pi,
        (np.arange(ACROSS) + 0.5 - ACROSS / 2) / ACROSS * 2 * math.pi,
        indexing="ij",
    )
    directions = np.stack([np.sin(row) * np.cos(column), np.cos(row), np.sin(row) * np.sin(column)], axis=-1)
    return directions, np.sin(row) * (2 * math.pi / ACROSS) ** 2


def made_surface() -> TexturedMesh:
    """The bumpy ball, z up, with its detail in a normal map, and roughness and metalness that change over it."""
    ball = icosphere(5, dtype=torch.float64)
    x, y, z = ball.vertices.T
    bumps = 1 + 0.02 * torch.sin(14 * x) * torch.sin(14 * y) * torch.sin(14 * z)
    stripes = (torch.sin(9 * (x + z)) > 0).double()[:, None]
    colors = stripes * torch.tensor([0.7, 0.25, 0.08]) + (1 - stripes) * torch.tensor([0.1, 0.35, 0.5])
    textured = with_fewer_faces(
        Mesh(bumps[:, None] * ball.vertices, ball.faces, colors), 400, size=512
    ).surface
    material = textured.material
    assert material is not None
    side = len(textured.image)
    flat = TexturedMesh(textured.mesh, textured.uv, textured.faces_uv, textured.image)
    places = texel_points(flat)  # (H, W, 3)
    sector = torch.atan2(places[..., 1], places[..., 0]) / math.pi * 4
    metal = 255 * ((sector.floor() % 4) == 2)
    rough = 255 * (0.55 - 0.3 * (places[..., 2] / places.norm(dim=-1).clamp(min=1e-9)))
    assert rough.shape == (side, side)
    full = Material(rough.round().to(torch.uint8), metal.to(torch.uint8), 1.5, material.normals)
    return TexturedMesh(textured.mesh, textured.uv, textured.faces_uv, textured.image, full)


def texel_points(textured: TexturedMesh) -> torch.Tensor:
    """(H, W, 3) the point of the surface that is nearest to each texel in the image."""
    from largesteps_zg.output.export.atlas import chart_fragments, filled
    from largesteps_zg.rasterizer import interpolate

    side = len(textured.image)
    place = torch.stack([side * textured.uv[:, 0], side * (1 - textured.uv[:, 1])], dim=1).float()
    atlas = chart_fragments(place, textured.faces_uv, side)
    known = torch.zeros(side * side, dtype=torch.bool)
    points = torch.zeros(side * side, 3)
    known[atlas.pixels.long()] = True
    points[atlas.pixels.long()] = interpolate(
        textured.mesh.vertices[textured.owners].float().contiguous(), atlas
    )
    return filled(points.view(side, side, 3), known.view(side, side))


def read(file: Path) -> TexturedMesh:
    """A GLB as trimesh reads it, in its own axes; a vertex for each place in the image, seams closed again."""
    (part,) = trimesh.load_scene(file, process=False).dump()
    found = part.visual.material
    vertices, faces = torch.tensor(part.vertices), torch.tensor(part.faces)
    vertices, welded, _ = weld(vertices, faces)

    def pixels(image: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.array(image.convert("RGB")))

    rough = pixels(found.metallicRoughnessTexture) if found.metallicRoughnessTexture else None
    one = torch.full((1, 1), round(255 * (1.0 if found.roughnessFactor is None else found.roughnessFactor)))
    normals = None if found.normalTexture is None else pixels(found.normalTexture)
    tree = json.loads(file.read_bytes()[20 : 20 + int.from_bytes(file.read_bytes()[12:16], "little")])
    index = tree["materials"][0].get("extensions", {}).get("KHR_materials_ior", {}).get("ior", 1.5)
    maps = (one, 0 * one) if rough is None else (rough[..., 1], rough[..., 2])
    material = Material(*(layer.to(torch.uint8) for layer in maps), index, normals)
    image = pixels(found.baseColorTexture)
    return TexturedMesh(Mesh(vertices, welded), torch.tensor(part.visual.uv), faces, image, material)


def ours(textured: TexturedMesh, told: dict) -> np.ndarray:
    """(H, W, 4) sRGB, straight alpha."""
    eye, middle = (torch.tensor(told[name]) for name in ("eye", "middle"))
    camera = look_at(
        (eye + middle)[None], middle, (0.0, 1.0, 0.0), fov_y_degrees=FOV, height=SIZE, width=SIZE
    )
    towards, irradiance = (torch.tensor([lamp[i] for lamp in told["lamps"]]) for i in (0, 1))
    if "sky" in told:
        directions, angles = sky_texels()
        towards = torch.from_numpy(directions.reshape(-1, 3)).float()
        irradiance = torch.from_numpy((sky(directions) * angles[..., None]).reshape(-1, 3)).float()
    image = render_lit(textured, camera, towards, irradiance)[0].double()
    color = linear_to_srgb((image[..., :3] / image[..., 3:].clamp(min=1e-6)).clamp(0, 1))
    return torch.cat([color, image[..., 3:]], dim=-1).numpy()


def blenders(python: str, file: Path, told: dict, picture: Path) -> np.ndarray:
    """The same by Cycles."""
    samples = 512 if "sky" in told else 32
    content = json.dumps(
        {
            **told,
            "texels": None,
            "file": str(file.resolve()),
            "picture": str(picture.resolve()),
            "samples": samples,
        }
    )
    subprocess.run([python, "-c", CYCLES, content], check=True, stdout=subprocess.DEVNULL)
    return np.asarray(Image.open(picture).convert("RGBA")) / 255


def browsers(three: Path, file: Path, told: dict, folder: Path) -> np.ndarray:
    """The same by three.js in a browser without a window."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from browser import browsing

    page = folder / "page.html"
    glb = base64.b64encode(file.read_bytes()).decode()
    page.write_text(PAGE % {"three": three.resolve().as_uri(), "told": json.dumps(told), "glb": glb})
    with browsing(folder) as shown:
        shown.open(page.resolve().as_uri())
        shown.until("window.picture !== undefined")
        data = shown.run("window.picture").split(",", 1)[1]
    (folder / "three.png").write_bytes(base64.b64decode(data))
    return np.asarray(Image.open(folder / "three.png").convert("RGBA")) / 255


def main() -> None:
    """Make the pictures, print how far they are apart, and test it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--files", type=Path, help="a folder with mesh.glb and mesh.obj, as a run leaves behind"
    )
    parser.add_argument("--blender", required=True, help="a Python that has bpy")
    parser.add_argument("--three", type=Path, required=True, help="folder of the package three")
    parser.add_argument("--output", type=Path, default=Path("out/materials"))
    options = parser.parse_args()
    print(f"command: {shlex.join(['python', *sys.argv])}")
    options.output.mkdir(parents=True, exist_ok=True)
    files = options.files or options.output
    if options.files is None:
        surface = made_surface()
        save_glb(files / "mesh.glb", surface)
        turned = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=torch.float64)  # as the GLB stands
        upright = Mesh(surface.mesh.vertices @ turned.T, surface.mesh.faces)
        save_obj(
            files / "mesh.obj",
            TexturedMesh(upright, surface.uv, surface.faces_uv, surface.image, surface.material),
        )
    textured = read(files / "mesh.glb")
    low, high = textured.mesh.vertices.amin(0), textured.mesh.vertices.amax(0)
    radius, eye = 0.5 * float((high - low).max()), np.array(EYE) / np.linalg.norm(EYE)
    told = {
        "eye": (DISTANCE * radius * eye).tolist(), "middle": (0.5 * (low + high)).tolist(), "size": SIZE,
        "fov": math.radians(FOV),
        "lamps": [[(np.array(to) / np.linalg.norm(to)).tolist(), list(color)] for to, color in LAMPS],
    }  # fmt: skip
    options.output.joinpath("sky.exr").write_bytes(exr_bytes(sky(sky_texels()[0])))
    texels = np.concatenate(
        [sky(sky_texels()[0])[::-1], np.ones((ACROSS // 2, ACROSS, 1))], axis=-1
    )  # row 0 below
    around = {"lamps": [], "sky": str((options.output / "sky.exr").resolve()), "across": ACROSS}
    around["texels"] = texels.ravel().round(4).tolist()
    rows = [compared(options, files, textured, light) for light in (told, told | around)]
    whole = np.concatenate([row for row, _ in rows], axis=0)
    Image.fromarray(whole).save(options.output / "side_by_side.png")
    print(options.output / "side_by_side.png")
    worst = max(apart for _, apart in rows)
    assert worst < 0.03, f"they differ by {worst:.3f}"


def compared(
    options: argparse.Namespace, files: Path, textured: TexturedMesh, told: dict
) -> tuple[np.ndarray, float]:
    """Pictures in one light side by side (H, W, 3) uint8, and how far the worst is off; both are printed."""
    pictures = {
        "ours": ours(textured, told),
        "Cycles": blenders(options.blender, files / "mesh.glb", told, options.output / "cycles.png"),
        "three.js": browsers(options.three, files / "mesh.glb", told, options.output),
    }
    if options.files is None:  # a run's OBJ stands in the scene's axes
        pictures["Cycles, OBJ"] = blenders(
            options.blender, files / "mesh.obj", told, options.output / "obj.png"
        )
    inside = np.min([image[..., 3] for image in pictures.values()], axis=0) > 0.99
    mean = np.mean([image[inside, :3] for image in list(pictures.values())[:3]], axis=0)
    light = "an environment map" if "sky" in told else "lamps"
    print(f"{light}, {inside.sum():,} pixels; difference from the mean of the first three, of white in sRGB:")
    worst = 0.0
    for name, image in pictures.items():
        apart = np.abs(image[inside, :3] - mean)
        worst = max(worst, apart.mean())
        print(
            f"  {name:12} mean {apart.mean():.4f}, of 99 % of the values {np.quantile(apart, 0.99):.4f} and less"
        )
    white = [image[..., :3] * image[..., 3:] + 1 - image[..., 3:] for image in pictures.values()]
    return (255 * np.concatenate(white, axis=1)).round().astype(np.uint8), worst


if __name__ == "__main__":
    main()
