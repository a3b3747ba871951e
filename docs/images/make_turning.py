"""The picture of the README that moves: a sphere becomes the fennec, in colours and bare, while one walks around it.

python docs/images/make_turning.py      # a reconstruction with default settings; three minutes on one core
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from PIL import Image

from largesteps_zg.cameras import Cameras, look_at
from largesteps_zg.mesh import load_mesh
from largesteps_zg.meshes import path
from largesteps_zg.output.pictures.bare import bare_images
from largesteps_zg.output.pictures.drawing import displayed
from largesteps_zg.reconstruct import State, reconstruct
from largesteps_zg.scenes import bounding_sphere
from largesteps_zg.scenes.synthetic import scene_from_mesh

GROWING, RESTING = 60, 30  # frames: while the run goes on, and of its result
MILLISECONDS = 90  # a frame
SIDE = 256  # pixels


def around(middle: torch.Tensor, radius: float, frame: int) -> Cameras:
    """The camera of a frame: once around the object in all frames."""
    turn = 2 * math.pi * frame / (GROWING + RESTING) - 0.6
    towards = torch.tensor([math.cos(turn), math.sin(turn), 0.25]).double()
    eye = middle.double() + 3.3 * radius * towards
    return look_at(eye[None], middle.double(), fov_y_degrees=35.0, height=SIDE, width=SIDE)


def side_by_side(state: State, camera: Cameras) -> Image.Image:
    """In colours, and bare."""
    rendering = state.run.rendering
    colored = rendering.images(camera)[0].detach().cpu().float()
    bare = bare_images(*rendering.shape(), camera)[0]
    return Image.fromarray(displayed(torch.cat([colored, bare], dim=1).numpy()))


def main() -> None:
    """Reconstruct, and write the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("turning.webp"))
    output = parser.parse_args().output
    scene = scene_from_mesh(load_mesh(path("fennec")))
    middle, radius = bounding_sphere(scene.train)
    frames: list[Image.Image] = []
    for state in reconstruct(scene.train):
        # Most happens at first.
        while len(frames) < GROWING and state.step >= max(
            1, state.steps * (len(frames) / (GROWING - 1)) ** 2.5
        ):
            frames.append(side_by_side(state, around(middle, radius, len(frames))))
    for frame in range(GROWING, GROWING + RESTING):
        frames.append(side_by_side(state, around(middle, radius, frame)))
    options = {"save_all": True, "append_images": frames[1:], "duration": MILLISECONDS, "loop": 0}
    frames[0].save(output, quality=70, method=6, **options)
    print(f"{output}: {len(frames)} frames, {output.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
