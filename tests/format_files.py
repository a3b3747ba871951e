"""One small scene, written in every format by its own formulas: three known points seen by seven cameras.

Point 0 is drawn as a disc in the red channel, 1 in the green, 2 in the blue one, each where the projection, worked out
here by hand, puts it. A reader is right where the cameras that it gives project the points onto the discs.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from largesteps_zg.scenes import Views

MIDDLE = np.array([10.0, -20.0, 5.0])
POINTS = np.array([[0.55, 0.1, -0.2], [-0.3, 0.5, 0.35], [-0.2, -0.45, 0.1]]) + MIDDLE
WIDTH, HEIGHT, COUNT = 56, 44, 7
DISC = 4.0  # pixels


@dataclass(frozen=True)
class Truth:
    """A camera: x = R X + t, right, down, forward; u = f x / z + cx with the first pixel's centre at (0.5, 0.5)."""

    rotation: np.ndarray
    translation: np.ndarray
    focal: float
    cx: float
    cy: float

    @property
    def k(self) -> np.ndarray:
        return np.array([[self.focal, 0, self.cx], [0, self.focal, self.cy], [0, 0, 1.0]])

    @property
    def center(self) -> np.ndarray:
        return -self.rotation.T @ self.translation

    def pixel(self, point: np.ndarray) -> np.ndarray:
        x, y, z = self.rotation @ point + self.translation
        return np.array([self.focal * x / z + self.cx, self.focal * y / z + self.cy])

    def matrix(self) -> np.ndarray:
        return np.vstack([np.column_stack([self.rotation, self.translation]), [0, 0, 0, 1]])


def truths(*, same_lens: bool = False) -> list[Truth]:
    """Cameras all around, none upright, each with its own focal length and principal point unless told otherwise."""
    found = []
    for i in range(COUNT):
        angle, height = 2 * math.pi * i / COUNT, 1.4 * math.sin(2.1 * i)
        eye = MIDDLE + np.array([3.2 * math.cos(angle), 3.2 * math.sin(angle), height])
        forward = (MIDDLE - eye) / np.linalg.norm(MIDDLE - eye)
        right = np.cross(forward, [0.2, -0.1, 1.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward])
        lens = (
            (52.0, WIDTH / 2, HEIGHT / 2)
            if same_lens
            else (52.0 + i, WIDTH / 2 + 1.5 - 0.4 * i, HEIGHT / 2 + 0.7)
        )
        found.append(Truth(rotation, -rotation @ eye, *lens))
    return found


def draw(truth: Truth) -> np.ndarray:
    """(H, W, 4) uint8: the coverage of each disc in its channel; alpha where any of them is."""
    v, u = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    pixels = np.zeros((HEIGHT, WIDTH, 4), dtype=np.uint8)
    for channel, point in enumerate(POINTS):
        x, y = truth.pixel(point)
        coverage = np.clip(DISC + 0.5 - np.hypot(u - x, v - y), 0, 1)
        pixels[..., channel] = np.round(255 * coverage)
    pixels[..., 3] = 255 * (pixels[..., :3].max(axis=-1) > 0)
    return pixels


def save(file: Path, pixels: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


def worst_miss(views: Views) -> float:
    """Largest distance in pixels between where the cameras project the points and where the discs are drawn."""
    pixels, depth = views.cameras.project(torch.from_numpy(POINTS))
    assert bool((depth > 0).all())
    # Premultiplied and linear, which is what resampling averages, and so leaves the discs' centres where they are.
    images = views.linear().numpy().astype(np.float64)
    v, u = np.mgrid[: images.shape[1], : images.shape[2]] + 0.5
    misses = []
    for image, projected in zip(images, pixels.numpy(), strict=True):
        for channel in range(3):
            weight = image[..., channel]
            drawn = np.array([(weight * u).sum(), (weight * v).sum()]) / weight.sum()
            misses.append(float(np.linalg.norm(projected[channel] - drawn)))
    return max(misses)


# --- one function per format -----------------------------------------------------------------------------------------


def write_idr(folder: Path, *, masks: bool = True) -> Path:
    """world_mat = c K [R t] with c of either sign, pixels counted from the first one's centre; DTU's names of files."""
    arrays = {}
    for i, truth in enumerate(truths()):
        k = truth.k - [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]
        world_mat = np.eye(4)
        world_mat[:3] = (2.0 - 3.0 * (i % 2)) * k @ truth.matrix()[:3]
        scale_mat = np.diag([0.9, 0.9, 0.9, 1.0])
        scale_mat[:3, 3] = MIDDLE
        arrays[f"world_mat_{i}"] = world_mat.astype(np.float32)
        arrays[f"scale_mat_{i}"] = scale_mat
        arrays[f"camera_mat_{i}"] = np.eye(4)
        pixels = draw(truth)
        save(folder / "image" / f"{i:06d}.png", pixels[..., :3] if masks else pixels)
        if masks:
            save(folder / "mask" / f"{i:03d}.png", pixels[..., [3, 3, 3]])
    np.savez(folder / "cameras_sphere.npz", **arrays)
    return folder


def write_mvsnet(folder: Path, *, images: str = "images") -> Path:
    for i, truth in enumerate(truths()):
        extrinsic = "\n".join(" ".join(f"{x:.9f}" for x in row) for row in truth.matrix())
        intrinsic = "\n".join(" ".join(f"{x:.6f}" for x in row) for row in truth.k)
        file = folder / "cams" / f"{i:08d}_cam.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"extrinsic\n{extrinsic}\n\nintrinsic\n{intrinsic}\n\n2.0 0.01 192 4.5\n")
        save(folder / images / f"{i:08d}.png", draw(truth))
    (folder / "cams" / "pair.txt").write_text("7\n0\n1 1 100.0\n")
    return folder


def write_middlebury(folder: Path) -> Path:
    lines = [str(COUNT)]
    for i, truth in enumerate(truths()):
        values = [*truth.k.ravel(), *truth.rotation.ravel(), *truth.translation]
        lines.append(f"dots{i:04d}.png " + " ".join(f"{x:.12f}" for x in values))
        save(folder / f"dots{i:04d}.png", draw(truth))
    (folder / "dots_par.txt").write_text("\n".join(lines) + "\n")
    return folder


def mitsuba_sensor(truth: Truth, transform: str) -> str:
    """Field of view across the width; the offset moves the film, so that the principal point goes the other way."""
    fov = math.degrees(2 * math.atan(WIDTH / 2 / truth.focal))
    offsets = 0.5 - truth.cx / WIDTH, 0.5 - truth.cy / HEIGHT
    return f"""
    <sensor type="perspective">
        <float name="fov" value="{fov:.12f}"/>
        <float name="principal_point_offset_x" value="{offsets[0]:.12f}"/>
        <float name="principal_point_offset_y" value="{offsets[1]:.12f}"/>
        <transform name="to_world">{transform}</transform>
        <film type="hdrfilm">
            <integer name="width" value="$resx"/><integer name="height" value="$resy"/>
        </film>
    </sensor>"""


def mitsuba_scene(body: str) -> str:
    return f"""<?xml version="1.0" encoding="utf-8"?>
<scene version="2.1.0">
    <default name="resx" value="{WIDTH}"/>
    <default name="resy" value="{HEIGHT}"/>
    <integrator type="path"/>{body}
</scene>
"""


def as_matrix(truth: Truth) -> str:
    """Columns left, up, forward, centre."""
    right, down, forward = truth.rotation
    to_world = np.column_stack([-right, -down, forward, truth.center])
    rows = " ".join(f"{x:.12f}" for x in np.vstack([to_world, [0, 0, 0, 1]]).ravel())
    return f'<matrix value="{rows}"/>'


def write_mitsuba(folder: Path, *, transform: Callable[[Truth], str] = as_matrix) -> Path:
    body = "".join(mitsuba_sensor(truth, transform(truth)) for truth in truths())
    for i, truth in enumerate(truths()):
        save(folder / "images" / f"{i}.png", draw(truth))
    (folder / "scene.xml").write_text(mitsuba_scene(body))
    return folder


def write_colmap(folder: Path) -> Path:
    """Text: cameras.txt with PINHOLE cameras, images.txt with quaternions w x y z."""
    cameras, images = [], []
    for i, truth in enumerate(truths(), start=1):
        lens = f"{truth.focal} {truth.focal} {truth.cx} {truth.cy}"
        cameras.append(f"{i} PINHOLE {WIDTH} {HEIGHT} {lens}")
        pose = " ".join(f"{x:.12f}" for x in [*_quaternion(truth.rotation), *truth.translation])
        images.append(f"{i} {pose} {i} dots{i}.png\n")  # and an empty line: no points
        save(folder / "images" / f"dots{i}.png", draw(truth))
    model = folder / "sparse" / "0"
    model.mkdir(parents=True)
    (model / "cameras.txt").write_text("\n".join(cameras) + "\n")
    (model / "images.txt").write_text("\n".join(images) + "\n")
    (model / "points3D.txt").write_text("")
    return folder


def _quaternion(rotation: np.ndarray) -> np.ndarray:
    """The eigenvector of the matrix that turns a quaternion by it and back (Horn 1987): of any rotation."""
    (a, b, c), (d, e, f), (g, h, i) = rotation
    matrix = [
        [a + e + i, h - f, c - g, d - b],
        [0, a - e - i, b + d, c + g],
        [0, 0, e - a - i, f + h],
        [0, 0, 0, i - a - e],
    ]
    return np.linalg.eigh(np.array(matrix).T)[1][:, -1]


def write_colmap_binary(folder: Path) -> Path:
    """cameras.bin and images.bin, byte by byte; PINHOLE is model 1."""
    write_colmap(folder)
    model = folder / "sparse" / "0"
    cameras, images = struct.pack("<Q", COUNT), struct.pack("<Q", COUNT)
    for i, truth in enumerate(truths(), start=1):
        cameras += struct.pack("<iiQQ4d", i, 1, WIDTH, HEIGHT, truth.focal, truth.focal, truth.cx, truth.cy)
        pose = struct.pack("<7d", *_quaternion(truth.rotation), *truth.translation)
        images += struct.pack("<I", i) + pose + struct.pack("<I", i) + f"dots{i}.png".encode() + bytes(9)
    for name, content in (("cameras", cameras), ("images", images), ("points3D", bytes(8))):
        (model / f"{name}.txt").unlink()
        (model / f"{name}.bin").write_bytes(content)
    return folder


def write_transforms(folder: Path) -> Path:
    """Camera-to-world: columns right, up, backward, centre."""
    frames = []
    for i, truth in enumerate(truths()):
        right, down, forward = truth.rotation
        matrix = np.vstack([np.column_stack([right, -down, -forward, truth.center]), [0, 0, 0, 1]])
        lens = {"fl_x": truth.focal, "cx": truth.cx, "cy": truth.cy, "w": WIDTH, "h": HEIGHT}
        frames.append({"file_path": f"images/{i}.png", "transform_matrix": matrix.tolist(), **lens})
        save(folder / "images" / f"{i}.png", draw(truth))
    (folder / "transforms.json").write_text(json.dumps({"frames": frames}))
    return folder
