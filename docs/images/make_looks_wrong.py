"""The pictures of docs/looks-wrong.md: each fault made on purpose.

    python docs/images/make_looks_wrong.py [NAME ...]

A few minutes on two cores; a name of `PICTURES` makes that one alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from largesteps_zg.cameras import Cameras
from largesteps_zg.geometry import vertex_normals
from largesteps_zg.images import linear_to_srgb
from largesteps_zg.mesh import Mesh, load_mesh
from largesteps_zg.output.export import bake, render_textured
from largesteps_zg.output.pictures.camera_map import draw_map
from largesteps_zg.output.pictures.drawing import GAP, WHITE, error_colors, write
from largesteps_zg.output.pictures.overview import _panel
from largesteps_zg.reconstruct import Settings, reconstruct
from largesteps_zg.scenes import Scene, Views, bounding_sphere
from largesteps_zg.scenes.synthetic import render_views, scene_from_mesh, studio_light

FOLDER = Path(__file__).resolve().parent
MESHES = FOLDER.parents[1] / "largesteps_zg" / "meshes"
SIDE, TEXT = 170, 14  # pixels
STEPS = 400
SHOWN = 10  # a view of the fennec's side
Panel = tuple[Image.Image, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *PICTURES], help="pictures to make; all by default")
    torch.set_num_threads(1)
    for name in parser.parse_args().names or PICTURES:
        panels = PICTURES[name]()
        sheet = Image.new("RGB", (len(panels) * (SIDE + GAP) - GAP, SIDE + TEXT + GAP), WHITE)
        for column, (picture, caption) in enumerate(panels):
            sheet.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (column * (SIDE + GAP), 0))
            write(sheet, (column * (SIDE + GAP) + SIDE / 2, SIDE + TEXT + 3), caption, anchor="ms", size=TEXT)
        sheet = sheet.quantize(128, dither=Image.Dither.NONE)
        sheet.save(FOLDER / f"wrong-{name}.png", optimize=True)
        print(f"wrong-{name}.png")


def fennec(size: int = 160, views: int = 24) -> Scene:
    mesh = load_mesh(MESHES / "fennec.ply")
    return scene_from_mesh(mesh, views=views, test_views=0, height=size, width=size)


def result(scene: Scene, **settings: object) -> Mesh:
    """What a short run makes of a scene."""
    *_, state = reconstruct(scene.train, Settings(steps=STEPS, **settings))  # type: ignore[arg-type]
    return state.run.mesh()


def shape(mesh: Mesh, scene: Scene, index: int) -> Image.Image:
    """The surface without its colours, as a view sees it."""
    camera = scene.train.cameras[index].resized(2 * SIDE, 2 * SIDE)
    clay = Mesh(mesh.vertices.float(), mesh.faces, torch.full(mesh.vertices.shape, 0.45))
    return over_white(render_views(clay, camera, light=studio_light()).images[0])


def seen_from(scene: Scene, direction: tuple[float, float, float]) -> int:
    """The view that looks at the object most nearly from a direction."""
    toward = torch.nn.functional.normalize(torch.tensor(direction, dtype=torch.float64), dim=0)
    return int((-scene.train.cameras.forward @ toward).argmax())


def photo(scene: Scene, index: int) -> Image.Image:
    return over_white(scene.train.images[index])


def over_white(pixels: torch.Tensor) -> Image.Image:
    """(H, W, 4) uint8, straight alpha."""
    image = Image.fromarray(pixels.numpy())
    white = Image.new("RGBA", image.size, (*WHITE, 255))
    return Image.alpha_composite(white, image).convert("RGB")


def overlaid(views: Views, index: int, start: Mesh | None, sphere: tuple | None) -> Image.Image:
    return _panel(views[[index]], sphere, start)


def with_cameras(scene: Scene, cameras: Cameras) -> Scene:
    return replace(scene, train=Views(scene.train.images, cameras, scene.train.names))


def wrong_axes() -> list[Panel]:
    """OpenGL's camera axes taken for OpenCV's: the cameras look outwards."""
    scene = fennec()
    cameras = scene.train.cameras
    flip = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))
    turned = Cameras(flip @ cameras.world_to_camera, cameras.intrinsics, cameras.height, cameras.width)
    up, sphere = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64), bounding_sphere(scene.train)
    maps = [
        draw_map(group, None, around, up, [], side=False, size=SIDE)
        for group, around in ((turned, None), (cameras, sphere))
    ]
    return [(maps[0], "wrong: they look away"), (maps[1], "right")]


def inverse() -> list[Panel]:
    """World-to-camera taken for camera-to-world."""
    scene = fennec()
    cameras = scene.train.cameras
    taken = Cameras(
        torch.linalg.inv(cameras.world_to_camera), cameras.intrinsics, cameras.height, cameras.width
    )
    up, sphere = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64), bounding_sphere(scene.train)
    maps = [
        draw_map(group, None, around, up, [], side=False, size=SIDE)
        for group, around in ((taken, None), (cameras, sphere))
    ]
    return [(maps[0], "wrong: they look one way"), (maps[1], "right")]


def sphere_off() -> list[Panel]:
    """Intrinsics of larger images: the true mesh drawn over the photographs misses them."""
    scene = fennec()
    cameras, sphere = scene.train.cameras, bounding_sphere(scene.train)
    larger = cameras.intrinsics * torch.tensor([[1.3], [1.3], [1.0]], dtype=torch.float64)
    wrong = with_cameras(scene, Cameras(cameras.world_to_camera, larger, cameras.height, cameras.width)).train
    assert scene.mesh is not None
    return [
        (overlaid(wrong, SHOWN, scene.mesh, sphere), "wrong"),
        (overlaid(wrong, 5, scene.mesh, sphere), "another view"),
        (overlaid(scene.train, 5, scene.mesh, sphere), "right"),
    ]


def half_pixel() -> list[Panel]:
    """The true mesh against photographs whose principal points are half a pixel off."""
    scene = fennec()
    cameras, mesh = scene.train.cameras, scene.mesh
    assert mesh is not None
    shift = torch.zeros(3, 3, dtype=torch.float64)
    shift[:2, 2] = 0.5
    panels = [(photo(scene, SHOWN), "photograph")]
    for offset, caption in ((shift, "error, half a pixel off"), (0 * shift, "error, right")):
        moved = Cameras(cameras.world_to_camera, cameras.intrinsics + offset, cameras.height, cameras.width)
        made = render_views(mesh, moved[SHOWN], light=studio_light()).images[0]
        apart = (made.float() - scene.train.images[SHOWN].float()).abs().mean(dim=-1).numpy() / 255
        colors = error_colors(apart / 0.15)
        colors[(made[..., 3] == 0) & (scene.train.images[SHOWN][..., 3] == 0)] = 255
        panels.append((Image.fromarray(np.ascontiguousarray(colors)), caption))
    return panels


def mirrored() -> list[Panel]:
    """Photographs flipped left to right, cameras not."""
    scene = fennec()
    views = Views(scene.train.images.flip(2), scene.train.cameras, scene.train.names)
    try:
        made = result(replace(scene, train=views))
    except ValueError as error:
        raise SystemExit(f"mirrored: {error}") from error
    return [
        (photo(scene, SHOWN), "photograph"),
        (shape(made, scene, SHOWN), "images flipped"),
        *_right(scene, SHOWN),
    ]


def masks_inverted() -> list[Panel]:
    """The masks of two views of 24 inverted."""
    scene = fennec()
    images = scene.train.images.clone()
    for index in (3, 11):
        images[index, ..., 3] = 255 - images[index, ..., 3]
        images[index, 0, 0, 3] = 0
    broken = replace(scene, train=Views(images, scene.train.cameras, scene.train.names))
    inverted = images[3].clone()
    inverted[..., :3] = 120
    return [
        (over_white(inverted), "a mask, inverted"),
        (shape(result(broken), scene, SHOWN), "two of 24 inverted"),
        *_right(scene, SHOWN),
    ]


def poses() -> list[Panel]:
    """Camera poses that are off by two degrees."""
    scene = fennec()
    generator = torch.Generator().manual_seed(0)
    turns = torch.deg2rad(torch.tensor(2.0)) * torch.randn(len(scene.train), 3, generator=generator).double()
    skew = torch.zeros(len(turns), 3, 3, dtype=torch.float64)
    for (row, column), axis in {(2, 1): 0, (0, 2): 1, (1, 0): 2}.items():
        skew[:, row, column], skew[:, column, row] = turns[:, axis], -turns[:, axis]
    # Turned about the object: cameras stay on it, as those of a calibration that is a little wrong do.
    off = scene.train.cameras.world_to_camera.clone()
    off[:, :3, :3] = off[:, :3, :3] @ torch.linalg.matrix_exp(skew)
    cameras = Cameras(off, scene.train.cameras.intrinsics, 160, 160)
    wrong = with_cameras(scene, cameras)
    return [
        (photo(scene, SHOWN), "photograph"),
        (shape(result(wrong, refine_cameras="off"), scene, SHOWN), "poses 2° off, kept"),
        (shape(result(wrong), scene, SHOWN), "corrected"),
    ]


def light() -> list[Panel]:
    """Colours without the light that is on the photographs, and with it."""
    scene = fennec()
    index, studio = seen_from(scene, (0.5, -0.8, -0.5)), studio_light()
    assert scene.mesh is not None

    def lit(vertices: torch.Tensor, faces: torch.Tensor, cameras: Cameras) -> torch.Tensor:
        return studio(vertex_normals(vertices, faces))[None].expand(len(cameras), -1, -1)

    camera = scene.train.cameras[index].resized(2 * SIDE, 2 * SIDE)
    panels = [(photo(scene, index), "photograph")]
    for shading, caption in ((None, "colours, light baked in"), (lit, "colours, right")):
        image = render_textured(bake(scene.mesh, scene.train, shading), camera)[0].clamp(0, 1)
        straight = linear_to_srgb(image[..., :3] / image[..., 3:].clamp(min=1e-4)).clamp(0, 1)
        panels.append((over_white((255 * torch.cat([straight, image[..., 3:]], -1)).round().byte()), caption))
    return panels


def topology() -> list[Panel]:
    """A sphere has no handle, and grows none."""
    from largesteps_zg.reconstruct.starts import visual_hull

    mesh = load_mesh(MESHES / "mug.ply")
    scene = scene_from_mesh(Mesh(mesh.vertices, mesh.faces), views=24, test_views=0, height=160, width=160)
    index = 5
    sphere = bounding_sphere(scene.train)
    *_, state = reconstruct(scene.train, Settings(steps=STEPS), start=visual_hull(scene.train, *sphere))
    return [
        (photo(scene, index), "photograph"),
        (shape(result(scene), scene, index), "from a sphere"),
        (shape(state.run.mesh(), scene, index), "from the hull"),
    ]


def step_size() -> list[Panel]:
    """Ten times the default."""
    scene = fennec()
    return [
        (photo(scene, SHOWN), "photograph"),
        (shape(result(scene, step_size=1.5), scene, SHOWN), "step size x 15"),
        *_right(scene, SHOWN),
    ]


def few_views() -> list[Panel]:
    """Views from one side only: nothing says how the other looks."""
    scene = fennec()
    front = [i for i in range(len(scene.train)) if float(scene.train.cameras.centers[i, 1]) < -2.0]
    made = result(replace(scene, train=scene.train[front]))
    behind = int(scene.train.cameras.centers[:, 1].argmax())
    return [
        (shape(made, scene, front[0]), f"a view of {len(front)}, all in front"),
        (shape(made, scene, behind), "from behind"),
        (photo(scene, behind), "as it should be"),
    ]


_made: dict[int, Mesh] = {}


def _right(scene: Scene, index: int) -> list[Panel]:
    """The result without the fault; made once."""
    key = len(scene.train)
    if key not in _made:
        _made[key] = result(scene)
    return [(shape(_made[key], scene, index), "right")]


PICTURES: dict[str, Callable[[], list[Panel]]] = {
    "axes": wrong_axes,
    "inverse": inverse,
    "intrinsics": sphere_off,
    "half-pixel": half_pixel,
    "mirrored": mirrored,
    "masks": masks_inverted,
    "poses": poses,
    "light": light,
    "topology": topology,
    "step-size": step_size,
    "one-side": few_views,
}

if __name__ == "__main__":
    main()
