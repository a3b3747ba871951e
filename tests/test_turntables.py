"""An object that turns before a camera at rest, on a plain disc: what casts a shadow is told from the shadow."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from photograph_files import noise
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates
from test_outlines import BALL, cloth, figure, joined, ring

from largesteps_zg.reconstruct.starts import unmasked as carving
from largesteps_zg.reconstruct.starts.outlines.find import outlines
from largesteps_zg.reconstruct.starts.unmasked import unmasked
from largesteps_zg.renderers.rasterized import render
from largesteps_zg.scenes import Scene, Views


def on_a_plain_disc(light: float, count: int = 24) -> tuple[Scene, np.ndarray]:
    """A painted figure on a disc of almost the wall's colour, with the shadow of a lamp at rest; and its masks."""
    cameras, parts, generator = ring(count, 150, 200, (2.2,)), figure(), np.random.default_rng(0)
    solid = joined(parts, [np.zeros((len(part.vertices), 3)) for part in parts])
    vertices = solid.vertices.double().numpy()
    paint = np.where(noise(2 * vertices + 7, 1)[:, :1] > 0.5, [[0.1, 0.45, 0.4]], [[0.7, 0.3, 0.05]])
    sheet = cloth(1.6, 97)
    floor = sheet.vertices.double().numpy()
    images, masks = [], []
    for index, center in enumerate(cameras.centers.double().numpy()):
        angle = np.arctan2(center[0], center[2]) + 0.9  # the lamp stands beside the camera
        fallen = vertices - vertices[:, 1:2] * np.array([np.sin(angle), 1.0, np.cos(angle)])
        cells = np.histogram2d(fallen[:, 0], fallen[:, 2], bins=80, range=[[-4, 4], [-4, 4]])[0] > 0
        at = (floor[:, [0, 2]].T + 4) * 10 - 0.5
        shade = 1 - 0.6 * map_coordinates(gaussian_filter(cells.astype(float), 1.0), at, order=1)
        disc = np.hypot(floor[:, 0], floor[:, 2]) < 1.2
        whole = joined(
            [sheet, solid], [(light * np.where(disc, 0.9, 1.0) * shade)[:, None] + np.zeros(3), paint]
        )
        camera = cameras[index].to(dtype=torch.float32)
        seen = render(whole.vertices, whole.faces, whole.colors, camera)[0].numpy()
        glow = seen[..., :3] + (1 - seen[..., 3:]) * light
        pixels = 255 * glow.clip(0, 1) ** (1 / 2.2) + generator.normal(0, 1.5, (150, 200, 3))
        file = io.BytesIO()
        Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=92)
        with Image.open(file) as photograph:
            images.append(np.asarray(photograph.convert("RGBA")))
        masks.append(render(solid.vertices, solid.faces, solid.colors + 1, camera)[0, ..., 3].numpy() > 0.5)
    views = Views(
        torch.from_numpy(np.stack(images)).byte(), cameras, tuple(f"{i:03}" for i in range(count)), ball=BALL
    )
    return Scene(None, "photographs", views, masked=False, points=solid.vertices[::40].double()), np.stack(
        masks
    )


@pytest.mark.slow
@pytest.mark.parametrize("light", [0.8, 0.01])
def test_a_shadow_that_turns_the_other_way_is_no_object(light: float) -> None:
    scene, masks = on_a_plain_disc(light)
    assert scene.points is not None
    found = outlines(scene.train, scene.points, BALL, None)
    assert found is not None and found.trusted
    made = found.masked(scene.train).images[..., 3].numpy() > 127
    overlap = (made & masks).sum(axis=(1, 2)) / (made | masks).sum(axis=(1, 2))
    assert overlap.mean() > 0.9 and overlap.min() > 0.88


def test_masks_by_the_background_are_for_where_colours_tell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cameras = ring(6, 60, 80, (2.2,))
    images = torch.full((6, 60, 80, 4), 255, dtype=torch.uint8)
    images[..., 3] = 0
    ball = figure()[0]
    for index in range(6):
        camera = cameras[index].to(dtype=torch.float32)
        cover = render(ball.vertices.float(), ball.faces, torch.ones(len(ball.vertices), 1), camera)[
            0, ..., 1
        ]
        images[index, ..., 3] = (255 * (cover > 0.5)).byte()
    names = tuple("abcdef")
    spare = Views(images, cameras, names)
    bare = images.clone()
    bare[..., 3] = 255
    views = Views(bare, cameras, names, ball=BALL)
    scene = Scene(None, "photographs", views[:5], views[5], masked=False, spare=spare)
    monkeypatch.setattr(carving, "outlines", lambda *_: None)
    found = unmasked(scene)
    assert found.scene.masked and "the background's colour" in found.notes[0]
    assert torch.equal(found.scene.train.images, images[:5]) and found.scene.train.names == names[:5]
    assert found.scene.test is not None and torch.equal(found.scene.test.images, images[5:])
