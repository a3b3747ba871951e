"""How near the outlines that photographs without masks tell are to the true ones.

Cameras are found, or read where they were found before; no mesh is made. Masks, or the alpha of pictures, are seen
through the photographs' lens, and say how right the outlines are: IoU is what both cover, over what either does.

    python benchmarks/outlines.py PHOTOS --truth MASKS --cameras DIR
    python benchmarks/outlines.py out/hand/fennec-paint/photographs --truth out/hand/fennec-paint/exact/train \
        --focal 700 --cameras out/hand/fennec-paint/run/cameras   # see hand_held.py
    python benchmarks/outlines.py PHOTOS --truth MASKS --cameras DIR --vary out/varied.json   # half and twice of each
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from constants import names, variants
from PIL import Image
from scipy.ndimage import map_coordinates

from largesteps_zg.constants import DEFAULTS, Constants
from largesteps_zg.reconstruct.starts.outlines.find import Outlines, outlines
from largesteps_zg.reconstruct.starts.outlines.silhouettes import known_of
from largesteps_zg.scenes import Reading, Scene, Views, load_scene
from largesteps_zg.scenes.formats.files_beside import images_in
from largesteps_zg.scenes.from_photographs.object import object_ball, support_plane


def true_masks(files: list[Path], views: Views, model: Path, focal: float | None) -> np.ndarray:
    """(B, H, W) bool: masks of photographs, or of pictures with a focal length and no lens, as the views see them."""
    import pycolmap

    read = pycolmap.Reconstruction(model)  # cameras live as long as it
    lenses = {image.name: image.camera for image in read.images.values() if image.has_pose}
    names = sorted(lenses)
    found = np.zeros(views.images.shape[:3], dtype=bool)
    y, x = np.mgrid[: found.shape[1], : found.shape[2]] + 0.5
    for index, name in enumerate(names):
        with Image.open(files[index]) as image:
            bands = image.getbands()
            alpha = np.asarray(
                image.getchannel("A") if "A" in bands else image.convert("L"), dtype=np.float32
            )
        k = np.linalg.inv(views.cameras.intrinsics[index].double().numpy())
        rays = (np.stack([x, y, np.ones_like(x)], axis=-1) @ k.T).reshape(-1, 3)
        height, width = alpha.shape
        if focal is not None:
            at = focal * rays[:, :2] + (width / 2, height / 2)
        else:
            lens = lenses[name]
            at = lens.img_from_cam(rays) * (width / lens.width, height / lens.height)
        seen = map_coordinates(alpha, at.T[::-1] - 0.5, order=1, mode="constant", cval=0.0)
        found[index] = seen.reshape(y.shape) > 127.5
    return found


def draw(folder: Path, views: Views, made: np.ndarray, truth: np.ndarray) -> None:
    """A picture of each photograph: red is missing, blue is too much, the rest of the object is brighter."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, image, mine, true in zip(views.names, views.images.numpy(), made, truth, strict=True):
        picture = image[..., :3] * np.where(mine, 1.0, 0.5)[..., None]
        picture[true & ~mine], picture[mine & ~true] = (255, 0, 0), (0, 120, 255)
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{Path(name).stem}.png")


def told(found: Outlines | None) -> str:
    """What is known about outlines without the truth."""
    if found is None:
        return "colours leave no object"
    return f"{'trusted' if found.trusted else 'NOT trusted'}: {found.told()}"


def changed(pairs: list[str]) -> Constants:
    """Constants with some of Outlining's given as NAME=VALUE."""
    found = {}
    for name, value in (text.split("=") for text in pairs):
        numbers, usual = [float(part) for part in value.split(",")], getattr(DEFAULTS.outlining, name)
        found[name] = tuple(numbers) if isinstance(usual, tuple) else type(usual)(numbers[0])
    return replace(DEFAULTS, outlining=replace(DEFAULTS.outlining, **found))


def found_with(scene: Scene, constants: Constants) -> Outlines | None:
    """The outlines of a scene whose cameras are known."""
    views, points = scene.train, scene.points
    assert points is not None  # of the cameras
    ball = object_ball(views, points, constants.structure)
    return outlines(views, points, ball, support_plane(views, points, ball, constants.structure), constants)


def overlaps(made: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(B,) what both cover of what either does."""
    both, either = ((made & truth).sum(axis=(1, 2)), (made | truth).sum(axis=(1, 2)))
    shares: np.ndarray = both / np.maximum(either, 1)
    return shares


def vary(scene: Scene, truth: np.ndarray, fields: str, results: Path) -> None:
    """IoU with half and twice of each constant; rows are kept in a file, and a second command goes on from there."""
    rows: dict[str, list[float | bool]] = json.loads(results.read_text()) if results.exists() else {}
    wanted = [("defaults", DEFAULTS)]
    for name in names(fields):
        group, field = name.split(".")
        for value in variants(group, field):
            given = replace(getattr(DEFAULTS, group), **{field: value})
            wanted.append((f"{name} = {value}", replace(DEFAULTS, **{group: given})))
    print("| constant | mean IoU | least | trusted |\n| --- | ---: | ---: | --- |")
    for name, constants in wanted:
        if name not in rows:
            found = found_with(scene, constants)
            masks = None if found is None else found.masked(scene.train).images[..., 3].numpy() > 127
            shares = np.zeros(1) if masks is None else overlaps(masks & known_of(scene.train), truth)
            rows[name] = [float(shares.mean()), float(shares.min()), found is not None and found.trusted]
            results.parent.mkdir(parents=True, exist_ok=True)
            results.write_text(json.dumps(rows, indent=1))
        print("| {} | {:.4f} | {:.4f} | {} |".format(name, *rows[name]), flush=True)


def main() -> int:
    """Print a row for each photograph, and their mean."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument(
        "--truth", type=Path, required=True, help="folder of masks, in the photographs' order"
    )
    parser.add_argument("--cameras", type=Path, required=True, help="folder of found cameras, or for them")
    parser.add_argument(
        "--focal", type=float, help="of pictures without a lens, pixels; else they are as photographed"
    )
    parser.add_argument("--pictures", type=Path, help="folder for pictures: red is missing, blue is too much")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a constant of Outlining"
    )
    parser.add_argument("--max-size", type=int, default=800, help="longest side of photographs (default 800)")
    parser.add_argument("--vary", type=Path, metavar="FILE", help="try half and twice of each of --fields")
    parser.add_argument("--fields", default="outlining", help="groups, or group.field, separated by commas")
    options = parser.parse_args()
    scene = load_scene(
        options.photographs,
        reading=Reading(masks="none", hold_out=0, max_size=options.max_size, cameras=options.cameras),
    )
    views = scene.train
    truth = true_masks(images_in(options.truth), views, options.cameras / "sparse" / "0", options.focal)
    truth &= known_of(views)
    if options.vary is not None:
        vary(scene, truth, options.fields, options.vary)
        return 0
    began = time.process_time()
    found = found_with(scene, changed(options.set))
    print("python benchmarks/outlines.py", *sys.argv[1:])
    print(f"{told(found)}; {time.process_time() - began:.0f} s of processor time")
    if found is None:
        return 1
    made = (found.masked(views).images[..., 3].numpy() > 127) & known_of(views)
    print(
        f"{time.process_time() - began:.0f} s with masks of {views.images.shape[2]}x{views.images.shape[1]}"
    )
    overlap = overlaps(made, truth)
    missing, more = ((truth & ~made).sum(axis=(1, 2)), (made & ~truth).sum(axis=(1, 2)))
    print("| photograph | IoU | missing, pixels | too much, pixels |")
    print("| --- | ---: | ---: | ---: |")
    for row in zip(views.names, overlap, missing, more, strict=True):
        print("| {} | {:.4f} | {} | {} |".format(*row))
    print(
        f"| mean; least | {overlap.mean():.4f}; {overlap.min():.4f} | {missing.mean():.0f} | {more.mean():.0f} |"
    )
    if options.pictures is not None:
        draw(options.pictures, views, made, truth)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
