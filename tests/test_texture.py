"""Textures from pictures that were made without any renderer of ours: a painted box, met by rays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from largesteps_zg.cameras import Cameras, look_at, sphere_of_cameras
from largesteps_zg.geometry import face_normals
from largesteps_zg.images import linear_to_srgb, srgb_to_linear
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.output.export import bake, render_textured, texel_fit
from largesteps_zg.output.export.atlas import unwrap
from largesteps_zg.output.export.observations import Observations
from largesteps_zg.scenes import Views

HALF = torch.tensor([1.0, 0.7, 0.5], dtype=torch.float64)
SIZE = 72
LIGHT = torch.tensor([0.9, 0.6, 0.3], dtype=torch.float64)


def box() -> Mesh:
    """Eight corners, twelve triangles: no colours at vertices could show the paint."""
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 3)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))]
    return Mesh(signs * HALF, torch.tensor(faces))


def paint(points: Tensor) -> Tensor:
    """Waves through space, in [0.1, 0.9]."""
    phases = torch.stack([points @ points.new_tensor(k) for k in ((9, 4, 5), (-5, 8, 6), (4, -6, 9))], dim=-1)
    return 0.5 + 0.4 * torch.sin(phases)


def evenly(points: Tensor) -> Tensor:
    return torch.tensor([0.6, 0.3, 0.1]).to(points).expand_as(points)


def photograph(cameras: Cameras, color=paint, light: Tensor | float = 1.0) -> Views:
    """What rays through the pixels' centres meet: the slabs of the box, the farthest entry first."""
    v, u = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")
    pixels = torch.stack([u, v, torch.ones_like(u)], dim=-1).double()
    images = []
    for i in range(len(cameras)):
        matrix = torch.linalg.inv(cameras.intrinsics[i] @ cameras.world_to_camera[i, :3, :3])
        rays, eye = pixels @ matrix.T, cameras.centers[i]
        bounds = torch.stack([(-HALF - eye) / rays, (HALF - eye) / rays]).sort(dim=0).values
        enter, leave = bounds[0].amax(-1), bounds[1].amin(-1)
        hit = (enter < leave)[..., None]
        seen = linear_to_srgb((color(eye + enter[..., None] * rays) * light).clamp(0, 1))
        images.append(torch.cat([torch.where(hit, seen, 0.0), hit.double()], dim=-1))
    names = tuple(f"view{i}" for i in range(len(cameras)))
    return Views((255 * torch.stack(images)).round().to(torch.uint8), cameras, names)


def around(count: int = 8, seed: int | None = None) -> Cameras:
    cameras = sphere_of_cameras(
        count, distance=4.0, fov_y_degrees=36.0, height=SIZE, width=SIZE, seed=seed, dtype=torch.float64
    )
    return cameras


VIEWS = photograph(around())


def error(made: Tensor, views: Views) -> float:
    """Mean absolute difference, linear, where both see the inside of the box."""
    target = views.linear()
    inside = (made[..., 3] > 0.999) & (target[..., 3] > 0.999)
    return float((made - target)[inside].abs().mean())


def on_surface(textured) -> tuple[Tensor, Tensor]:
    """Colours of the texture and places in space at the middles of a grid of points on each triangle."""
    shares = torch.tensor([(a, b, 1 - a - b) for a in (0.1, 0.3, 0.6) for b in (0.1, 0.25)]).double()
    points = shares @ textured.mesh.vertices[textured.mesh.faces]
    uv = shares @ textured.uv.double()[textured.faces_uv]
    height, width = textured.image.shape[:2]
    columns = (uv[..., 0] * width).long().clamp(0, width - 1)
    rows = ((1 - uv[..., 1]) * height).long().clamp(0, height - 1)
    return srgb_to_linear(textured.image[rows, columns].double() / 255), points


def test_a_texture_shows_what_eight_vertices_cannot() -> None:
    textured = bake(box(), VIEWS, size=128)
    held_out = photograph(around(3, seed=4))
    assert error(render_textured(textured, held_out.cameras), held_out) < 0.012
    colors, points = on_surface(textured)
    assert float((colors - paint(points)).abs().mean()) < 0.025


def test_the_size_follows_the_pixels() -> None:
    textured = bake(box(), VIEWS)
    assert textured.image.shape == (256, 256, 3)  # the smallest there is: a side of the box is 40 pixels


def test_with_shading_the_texture_holds_albedo() -> None:
    views = photograph(around(), light=LIGHT)

    def shading(vertices: Tensor, faces: Tensor, cameras: Cameras) -> Tensor:
        return LIGHT.expand(len(cameras), len(vertices), 3)

    lit, albedo = bake(box(), views, size=96), bake(box(), views, shading, size=96)
    for textured, expected in ((lit, lambda p: paint(p) * LIGHT), (albedo, paint)):
        colors, points = on_surface(textured)
        assert float((colors - expected(points)).abs().mean()) < 0.03
    assert error(render_textured(albedo, views.cameras, shading), views) < 0.012


def test_exposure_may_differ_from_view_to_view() -> None:
    views = photograph(around())
    times = torch.linspace(0.4, 1.0, len(views), dtype=torch.float64)
    darker = [photograph(views.cameras[i], light=float(times[i])).images for i in range(len(views))]
    views = Views(torch.cat(darker), views.cameras, views.names)
    textured = bake(box(), views, gains=times[:, None].expand(-1, 3), size=96)
    colors, points = on_surface(textured)
    assert float((colors - paint(points)).abs().mean()) < 0.03
    colors, points = on_surface(bake(box(), views, size=96))
    assert float((colors - paint(points)).abs().mean()) > 0.1


def test_highlights_stay_out_of_the_texture() -> None:
    """A sheen of a strength for each view, red, under exposures and light."""
    cameras = around()
    sheen = torch.linspace(0.0, 0.2, len(cameras), dtype=torch.float64)[:, None] * torch.tensor(
        [1.0, 0.2, 0.2]
    )
    gains = torch.linspace(0.6, 1.0, len(cameras), dtype=torch.float64)[:, None].expand(-1, 3)
    images = []
    for i in range(len(cameras)):
        one = photograph(cameras[i], color=lambda p, i=i: gains[i] * (paint(p) * LIGHT + sheen[i]))
        images.append(one.images)
    views = Views(torch.cat(images), cameras, tuple(f"view{i}" for i in range(len(cameras))))

    def which(seen: Cameras) -> Tensor:
        return (seen.centers[:, None] - cameras.centers).norm(dim=-1).argmin(dim=1)

    def shading(vertices: Tensor, faces: Tensor, seen: Cameras) -> Tensor:
        return LIGHT.expand(len(seen), len(vertices), 3)

    def highlights(vertices: Tensor, faces: Tensor, seen: Cameras) -> Tensor:
        return sheen[which(seen)][:, None].expand(-1, len(vertices), 3)

    def off(**known) -> float:
        colors, points = on_surface(bake(box(), views, shading, size=96, **known))
        return float((colors - paint(points)).abs().mean())

    assert off(highlights=highlights, gains=gains) < 0.03
    assert off(gains=gains) > 0.05


@pytest.mark.slow
def test_what_covers_the_object_in_one_view_is_outvoted() -> None:
    views = photograph(around(24))
    images = views.images.clone()
    images[5, 24:48, 24:48, :3] = torch.tensor([255, 0, 255], dtype=torch.uint8)
    colors, _ = on_surface(bake(box(), Views(images, views.cameras, views.names), size=96))
    clean, _ = on_surface(bake(box(), views, size=96))
    apart = (colors - clean).abs().amax(-1)
    assert float(apart.max()) < 0.04  # the mean of all views, squares fitted: 0.15


def test_pixels_outside_masks_or_photographs_say_nothing() -> None:
    images, known = VIEWS.images.clone(), torch.ones(len(VIEWS), SIZE, SIZE, dtype=torch.bool)
    images[1::2, :, :, :3] = 255  # white, and not known; or known, and not the object
    known[1::4] = False
    images[3::4, :, :, 3] = 100
    partly = Views(images, VIEWS.cameras, VIEWS.names, known)
    few = VIEWS[list(range(0, len(VIEWS), 2))]
    assert torch.equal(bake(box(), partly, size=64).image, bake(box(), few, size=64).image)


def test_parts_that_no_view_sees_take_their_neighbours_colour() -> None:
    above = look_at(
        torch.tensor([[3.0, 1.0, 2.0], [-1.0, 3.0, 2.5], [-2.0, -3.0, 2.0]], dtype=torch.float64),
        fov_y_degrees=40.0, height=SIZE, width=SIZE,
    )  # fmt: skip
    views = photograph(above, evenly)
    textured = bake(box(), views, size=64)
    expected = (255 * linear_to_srgb(torch.tensor([0.6, 0.3, 0.1]))).round()
    # Everywhere: also the lower side, and the empty texels between the charts.
    assert float((textured.image.float() - expected).abs().max()) <= 2
    torch.testing.assert_close(
        textured.mesh.colors, torch.tensor([0.6, 0.3, 0.1]).double().expand(8, 3), atol=0.01, rtol=0
    )


def test_scale_and_position_do_not_matter() -> None:
    mesh, shift = box(), torch.tensor([4e5, -5e6, 30.0], dtype=torch.float64)
    moved = Mesh(0.01 * mesh.vertices + shift, mesh.faces)
    # Cameras of the world 0.01 x + shift.
    cameras = VIEWS.cameras.transformed(0.01, -100 * shift)
    textured = bake(moved, Views(VIEWS.images, cameras, VIEWS.names), size=64)
    apart = (textured.image.int() - bake(mesh, VIEWS, size=64).image.int()).abs()
    assert float(apart.float().mean()) < 0.5


def test_the_same_input_gives_the_same_image() -> None:
    first, second = bake(box(), VIEWS, size=64), bake(box(), VIEWS, size=64)
    assert torch.equal(first.image, second.image) and torch.equal(first.uv, second.uv)


def test_a_given_layout_is_kept() -> None:
    mesh = box()
    faces_uv, uv = unwrap(mesh, size=64)
    uv = 0.5 * uv  # into a corner
    textured = bake(mesh, VIEWS, size=128, layout=(faces_uv, uv))
    assert torch.equal(textured.uv, uv) and torch.equal(textured.faces_uv, faces_uv)
    assert error(render_textured(textured, VIEWS.cameras), VIEWS) < 0.02


@pytest.mark.parametrize("mesh", [box(), icosphere(2)], ids=["box", "ball"])
def test_charts_do_not_overlap_and_stay_inside(mesh: Mesh) -> None:
    faces_uv, uv = unwrap(mesh, size=128)
    assert float(uv.min()) >= 0 and float(uv.max()) <= 1
    a, b, c = (128 * uv[faces_uv]).double().unbind(1)
    areas = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).abs()
    assert float(areas.min()) > 0 and float(areas.sum()) > 0.3 * 128**2
    covered = np.zeros((512, 512), dtype=int)
    ticks = (np.arange(512) + 0.5) / 512
    for corners in uv[faces_uv].double().numpy():  # every triangle by itself, on a grid of points
        low, high = np.searchsorted(ticks, corners.min(0)), np.searchsorted(ticks, corners.max(0))
        x, y = np.meshgrid(ticks[low[0] : high[0]], ticks[low[1] : high[1]])
        sides = []
        for k in range(3):
            p, q = corners[k], corners[(k + 1) % 3]
            sides.append((q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0]))
        inside = np.all(np.array(sides) > 1e-12, axis=0) | np.all(np.array(sides) < -1e-12, axis=0)
        covered[low[1] : high[1], low[0] : high[0]] += inside
    assert covered.max() == 1


def test_the_stencil_is_the_normal_matrix(generator: torch.Generator) -> None:
    size, count = 6, 300
    texel = torch.randint(0, size - 1, (count, 2), generator=generator) @ torch.tensor([size, 1])
    share, own = torch.rand(count, 2, generator=generator), torch.rand(count, generator=generator)
    color, base = torch.rand(count, 3, generator=generator), torch.rand(3, size, size, generator=generator)
    seen = Observations(texel, share, color, own, own)
    lookup = torch.zeros(count, size * size)  # row by row, as one would write it down
    for row in range(count):
        x, y = share[row].tolist()
        for step, part in ((0, (1 - x) * (1 - y)), (1, x * (1 - y)), (size, (1 - x) * y), (size + 1, x * y)):
            lookup[row, texel[row] + step] = part
    stencil, right = texel_fit._normal_equations(seen, own, base, size)
    x = torch.rand(3, size, size, generator=generator)
    expected = lookup.T @ (own[:, None] * (lookup @ x.view(3, -1).T))
    torch.testing.assert_close(texel_fit._times(stencil, x).view(3, -1).T, expected, atol=1e-4, rtol=1e-4)
    apart = lookup.T @ (own[:, None] * (color - lookup @ base.view(3, -1).T))
    torch.testing.assert_close(right.reshape(3, -1).T, apart, atol=1e-4, rtol=1e-4)


def test_a_layout_with_room_only_for_what_no_view_sees_is_refused() -> None:
    mesh, view = box(), VIEWS[[0]]
    uv = 0.4 * torch.rand(12, 3, 2, generator=torch.Generator().manual_seed(1))
    towards = view.cameras.centers[0] - mesh.vertices[mesh.faces].mean(1)
    uv[(face_normals(mesh.vertices, mesh.faces) * towards).sum(1) > 0] = 0.9
    with pytest.raises(
        ValueError, match="layout: expected texels where the views see the mesh, got none of 64"
    ):
        bake(mesh, view, size=64, layout=(torch.arange(36).view(12, 3), uv.view(36, 2)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 8}, "size: expected 16 to 8192 texels, got 8"),
        ({"layout": (torch.zeros(3, 3).long(), torch.zeros(4, 2))}, "layout: expected .* for 12 faces"),
        (
            {"layout": (torch.arange(36).view(12, 3), torch.full((36, 2), 1.5))},
            r"layout: expected texture coordinates in \[0, 1\], got 1.5 to 1.5",
        ),
        ({"gains": torch.ones(7, 3)}, r"gains: expected \(8, 3\), views and channels, got \(7, 3\)"),
        ({"gains": torch.zeros(8, 3)}, "gains: expected finite numbers > 0, got 0 to 0"),
        ({"mesh": Mesh(box().vertices + 100.0, box().faces)}, "views: none of them sees the mesh"),
    ],
)
def test_what_cannot_be_baked_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bake(**{"mesh": box(), "views": VIEWS, **change})
