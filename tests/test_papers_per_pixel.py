"""The experiments on per-pixel gradients, each in its small form, and the renderers they stand on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from largesteps_zg.cameras import Cameras, sphere_of_cameras
from largesteps_zg.renderers import HardRasterizer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from examples.papers.per_pixel import EXPERIMENTS
from examples.papers.per_pixel.catmull_clark import cage, reaches, subdivide
from examples.papers.per_pixel.floor import Floor
from examples.papers.per_pixel.soup import Soup
from examples.papers.per_pixel.splats import draw, turns
from examples.papers.per_pixel.voxels import draw as march
from examples.papers.records import Record, Setup


def records(name: str, folder: Path) -> list[Record]:
    """Of an experiment in its small form; whatever it leaves can be written."""
    found = list(EXPERIMENTS[name](Setup("per_pixel", name, True, (0,), folder, lambda text: None)))
    json.dumps([record.value for record in found], allow_nan=False)
    assert list(folder.glob("*.png"))
    return found


def value(found: list[Record], method: str, measure: str = "mean squared error") -> float:
    (record,) = (r for r in found if r.method == method and r.measure.startswith(measure))
    return record.value


# A tenth more than measured; what is not there learns nothing and stays at the start, which the other bound is for.
LEARNED = {"splats": 0.5, "textures": 0.6, "volume": 0.12, "environment": 0.4, "subdivision": 0.6}


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNED)
def test_pixels_teach_what_the_whole_image_does_not(name: str, tmp_path: Path) -> None:
    found = records(name, tmp_path)
    start = value(found, "start")
    assert value(found, "per pixel") < LEARNED[name] * start
    assert value(found, "full image (SPSA)") > 0.75 * start
    counts = {r.evaluations for r in found if r.method != "start"}
    assert len(counts) == 1


@pytest.mark.slow
def test_a_soup_becomes_a_photograph(tmp_path: Path) -> None:
    found = records("soup", tmp_path)
    resampled, plain, whole = (
        value(found, name) for name in ("per pixel, resampled", "per pixel", "full image (SPSA)")
    )
    assert max(resampled, plain) < 0.009 and whole > 0.1
    assert any(
        r.measure == "seconds to 1/8 of the error" for r in found if r.method == "per pixel, resampled"
    )


@pytest.mark.slow
def test_a_soup_through_opengl_is_as_good(tmp_path: Path) -> None:
    pytest.importorskip("moderngl")
    try:
        found = records("opengl", tmp_path)
    except ImportError as error:
        pytest.skip(str(error))
    ours = value(found, "our rasterizer")
    theirs = next(r.value for r in found if r.method.startswith("OpenGL"))
    assert ours < 0.012 and abs(theirs / ours - 1) < 0.25


@pytest.mark.slow
def test_the_table_of_costs_has_each_part(tmp_path: Path) -> None:
    found = records("cost", tmp_path)
    for count in ("1,000 parameters", "10,000 parameters"):
        parts = {r.measure: r.value for r in found if r.method == count and r.measure.startswith("ms of")}
        parts.pop("ms of least traffic")  # a scale, and no part
        assert list(parts) == ["ms of rendering, twice", "ms of the rest of the gradient", "ms of Adam"]
        assert min(parts.values()) > 0
        assert value(found, count, "ms a step") == pytest.approx(sum(parts.values()))


# Their renderers


def camera(size: int) -> Cameras:
    """Looks along z from 3 in front of the origin."""
    pose = torch.eye(4)
    pose[2, 3] = 3.0
    intrinsics = torch.tensor([[2.0 * size, 0, size / 2], [0, 2.0 * size, size / 2], [0, 0, 1.0]])
    return Cameras(pose[None], intrinsics[None], size, size)


def test_splats_are_composited_front_to_back_as_by_hand() -> None:
    # Two round splats before one camera, the red one in front; a pixel is worth red + what it lets through.
    places = torch.tensor([[0.1, 0.0, 0.5], [0.0, 0.05, -0.5]])
    shapes = torch.tensor([[0.2, 0.2, 0.2, 1, 0, 0, 0]]).repeat(2, 1)
    shapes[:, :3] = shapes[:, :3].log()
    paints = torch.tensor([[0.0, 0, 1, 0.5], [1, 0, 0, 0.0]])
    made = draw(places, shapes, paints, camera(16))
    assert made.contributors is not None
    opacity = torch.tensor([0.5, 0.0]).sigmoid()
    deep = made.contributors.padded(2).view(16, 16, 2)
    assert made.contributors.longest == 2
    for row, column in ((8, 8), (6, 9), (3, 11)):
        alpha = []
        for n, z in ((0, 3.5), (1, 2.5)):
            x, y = 32 * places[n, 0] / z + 8, 32 * places[n, 1] / z + 8
            # Off the axis a ball's picture is an ellipse; here the axis is far, and a circle is within a percent.
            spread = (0.2 * 32 / z) ** 2 + 0.3
            away = (column + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2
            alpha.append(float(opacity[n] * torch.exp(-0.5 * away / spread)))
        blue, red = alpha
        expected = torch.tensor([red, 0, (1 - red) * blue, red + (1 - red) * blue])
        torch.testing.assert_close(made.images[0, row, column], expected, rtol=0.03, atol=2e-3)
        assert deep[row, column].tolist() == [1, 0]
    rotation = turns(torch.tensor([0.6, 0.8, 0, 0]))
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3))
    assert rotation[2, 1] == pytest.approx(0.96)


def test_rays_are_worth_what_a_loop_says_and_name_their_voxels(generator: torch.Generator) -> None:
    side, view = 4, camera(6)
    density, colors = (
        2 * torch.rand(side**3, 1, generator=generator),
        torch.rand(side**3, 3, generator=generator),
    )
    images, made = march(density, colors, side, view)
    origin = torch.tensor([0.0, 0, -3])
    hit = 0
    for pixel in range(36):
        way = torch.tensor([(pixel % 6 + 0.5 - 3) / 12, (pixel // 6 + 0.5 - 3) / 12, 1.0])
        way = way / way.norm()
        near = 2 / way[2]
        through, total, seen = 1.0, torch.zeros(3), []
        for k in range(200):
            at = origin + (near + (k + 0.5) / side) * way
            if at[2] > 1 or through < 0.02:
                break
            if (at.abs() > 1).any():
                continue
            cell = ((at + 1) / 2 * side).long()
            index = int((cell[2] * side + cell[1]) * side + cell[0])
            seen.append(index)
            alpha = 1 - float(torch.exp(-density[index, 0] / side))
            total += through * alpha * colors[index]
            through *= 1 - alpha
        found = made.ids[made.starts[pixel] : made.starts[pixel + 1]].tolist()
        if seen and near < 2.2:
            hit += 1
            assert set(found) == set(seen)
            torch.testing.assert_close(images.view(36, 4)[pixel, :3], total, rtol=1e-3, atol=1e-3)
    assert hit > 8


def test_subdivision_is_that_of_catmull_and_clark() -> None:
    corners = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], dtype=float)
    quads = np.array([[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]])
    matrix, finer = subdivide(quads)
    assert matrix.shape == (8 + 6 + 12, 8) and finer.shape == (24, 4)
    found = matrix @ corners
    # A corner: faces' centres have a mean of a third of it, edges' middles of two thirds; (1/3 + 2 * 2/3 + 0) / 3.
    np.testing.assert_allclose(found[:8], corners * 5 / 9)
    np.testing.assert_allclose(np.sort(np.abs(found[8:14]), 1), [[0, 0, 1]] * 6)
    np.testing.assert_allclose(np.sort(np.abs(found[14:]), 1), [[0, 0.75, 0.75]] * 12)
    a, b, c = (found[finer[:, i]] for i in range(3))
    outward = (np.cross(b - a, c - b) * found[finer].mean(1)).sum(1)
    assert (outward > 0).all()
    table = reaches(matrix, finer[:, :3])
    for row, triangle in zip(table.tolist(), finer[:, :3], strict=True):
        assert {i for i in row if i >= 0} == set(np.nonzero(abs(matrix[triangle]).toarray().sum(0))[0])
    assert cage(2)[0].norm(dim=1).allclose(torch.ones(98))


def test_a_dead_triangle_becomes_half_of_the_largest() -> None:
    soup = Soup(torch.zeros(8, 8, 3), HardRasterizer())
    triangles = torch.tensor(
        [[[0.0, 0, 0], [6, 0, 0], [0, 3, 0]], [[0, 0, 1], [1, 0, 1], [0, 1, 1]], [[2, 2, 2]] * 3]
    )
    colors = torch.eye(3)
    soup.unseen = torch.zeros(3)
    optimizer = torch.optim.Adam([triangles, colors])
    assert soup.resample(triangles, colors, optimizer) == 1
    # The longest edge runs from (6, 0) to (0, 3); its middle is (3, 1.5).
    halves = {tuple(sorted(map(tuple, triangles[i, :, :2].tolist()))) for i in (0, 2)}
    assert halves == {((0, 0), (3, 1.5), (6, 0)), ((0, 0), (0, 3), (3, 1.5))}
    assert torch.equal(colors[2], colors[0]) and triangles[1, 1, 0] == 1


def test_a_floors_lists_are_all_that_its_pixels_depend_on(generator: torch.Generator) -> None:
    floor, chosen = Floor(8, 12, 2, 0), torch.arange(2)
    textures = [torch.rand(64, n, generator=generator) for n in (3, 1, 1, 2, 1)]
    lists = floor.lists(chosen)
    before = floor.draw(chosen, *textures)
    for which, made in enumerate(lists):
        texel = int(made.ids[100])
        moved = [t.clone() for t in textures]
        moved[which][texel] += 0.5
        changed = (floor.draw(chosen, *moved) != before).any(-1).flatten()
        named = (made.padded(3) == texel).any(1)
        assert changed.any() and not (changed & ~named).any()


def test_cameras_see_a_ball_in_its_mirror() -> None:
    from examples.papers.per_pixel.environment import lookups

    cameras = sphere_of_cameras(2, distance=3.0, fov_y_degrees=60.0, height=17, width=17)
    texels, shares = lookups(cameras, 8)
    assert texels.shape == (2, 17, 17, 4) and int(texels.max()) < 128
    torch.testing.assert_close(shares.sum(-1), torch.ones(2, 17, 17))
    # The ball's middle mirrors the camera: its direction from the origin, and not the one straight on.
    eye = -cameras.world_to_camera[0, :3, :3].T @ cameras.world_to_camera[0, :3, 3]
    row = float(torch.acos(eye[2] / eye.norm()) / torch.pi * 8 - 0.5)
    found = float(((texels[0, 8, 8] // 16) * shares[0, 8, 8]).sum())
    assert found == pytest.approx(max(row, 0), abs=0.3)
