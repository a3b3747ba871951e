"""Derivatives: of shading against finite differences, of silhouettes against areas and moments known in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from raster_oracle import alpha_of, disc_area, seen_at, soup_faces, sphere, triangle_soup

from largesteps_zg._support import warp_launch as launching
from largesteps_zg.cameras import Cameras, look_at
from largesteps_zg.rasterizer import antialias, edge_table, interpolate, rasterize, warp_backend
from largesteps_zg.renderers import homogeneous_pixels, render, render_soft


@pytest.fixture(params=["chunks", "items"])
def work(request, monkeypatch):
    """Both ways in which the work is handed out; one thread an item is what CUDA does, and runs here too."""
    if request.param == "items":
        for module in (launching, warp_backend):
            monkeypatch.setattr(module, "in_chunks", lambda device: False)


@pytest.mark.slow
@pytest.mark.parametrize("per_view", [False, True])
def test_interpolation_has_the_derivatives_of_finite_differences(work, per_view, generator):
    # Triangles in front of, behind and across the camera's plane; 1e-6 moves no edge over a pixel's centre.
    points = torch.cat([triangle_soup(seed, 6, (5, 6), (-0.5, 3.0)) for seed in (4, 8)])
    shape = (2, 18, 2) if per_view else (18, 2)
    attributes = torch.randn(shape, generator=generator, dtype=torch.float64)
    assert len(rasterize(points, soup_faces(6), (5, 6), near=0.2).pixels) > 15

    def values(points, attributes):
        return interpolate(attributes, rasterize(points, soup_faces(6), (5, 6), near=0.2))

    assert torch.autograd.gradcheck(values, (points.requires_grad_(), attributes.requires_grad_()), rtol=1e-3)


@pytest.mark.slow
def test_antialiasing_has_the_derivatives_of_its_own_finite_differences(work, generator):
    # Two squares, one in part behind the other; moved by 1e-6 the same pixel pairs stay divided.
    near_square = torch.tensor(
        [[2.23, 1.31, 1], [7.44, 2.17, 1], [1.91, 6.63, 1], [6.87, 7.29, 1]], dtype=torch.float64
    )
    far_square = 2 * near_square[:, [1, 0, 2]] + torch.tensor([6.17, 5.41, 0.0])
    points = torch.cat([near_square, far_square])[None]
    faces = torch.tensor([[0, 1, 2], [2, 1, 3], [4, 5, 6], [6, 5, 7]])
    f = rasterize(points, faces, (10, 10))
    assert f.triangles.unique().tolist() == [0, 1, 2, 3]
    values = torch.rand(len(f.pixels), 2, generator=generator, dtype=torch.float64)

    def image(points, values):
        return antialias(values, rasterize(points, faces, (10, 10)))

    assert torch.autograd.gradcheck(image, (points.requires_grad_(), values.requires_grad_()))


def test_rendering_is_differentiable_in_vertices_colors_and_cameras(work, generator):
    vertices, faces = sphere(1, seed=3)
    colors = torch.rand(len(vertices), 2, generator=generator, dtype=torch.float64)
    eye = torch.tensor([[3.0, 0.4, 0.7], [-0.5, 2.9, -0.3]], dtype=torch.float64)
    cameras = look_at(eye, fov_y_degrees=50, height=9, width=11)

    def image(vertices, colors, matrix, k):
        view = object.__new__(Cameras)  # gradcheck's nudges are not rotations
        for name, value in (("world_to_camera", matrix), ("intrinsics", k), ("height", 9), ("width", 11)):
            object.__setattr__(view, name, value)
        return render(vertices, faces, colors, view)

    given = (vertices, colors, cameras.world_to_camera, cameras.intrinsics.contiguous())
    assert torch.autograd.gradcheck(image, tuple(t.requires_grad_() for t in given), fast_mode=True)


# Turns and offsets below a pixel; more of them where it is quick, and worst: a silhouette of few edges at 64².
TURNS = [(1, 0.0, 0.0), (2, 0.137, 0.29), (3, -0.41, 0.18), (4, 0.5, 0.5), (5, 0.25, -0.33), (6, -0.07, 0.46)]


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 128, 256, 512])
@pytest.mark.parametrize("subdivisions", [3, 4, 5])
def test_covered_area_grows_with_a_sphere_as_it_should(subdivisions, size):
    # Of the disc that the polyhedron's image fills.
    mesh_area = {3: 0.9948, 4: 0.9987, 5: 0.9997}[subdivisions]
    _, faces = sphere(subdivisions)
    edges = edge_table(faces)
    for seed, du, dv in TURNS[: {3: 6, 4: 4, 5: 2}[subdivisions]]:
        radius = torch.ones((), dtype=torch.float64, requires_grad=True)
        points = seen_at(radius * sphere(subdivisions, seed)[0], size, shift=(du, dv))
        area = alpha_of(points, faces, size, edges).sum()
        (found,) = torch.autograd.grad(area, radius)
        exact = torch.ones((), dtype=torch.float64, requires_grad=True)
        (expected,) = torch.autograd.grad(disc_area(size, exact), exact)
        assert found / expected == pytest.approx(1, abs=0.03)
        assert area.item() / disc_area(size, 1.0) == pytest.approx(mesh_area, abs=0.003)


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize("subdivisions", [3, 5])
def test_the_first_moment_moves_with_a_sphere(subdivisions, size):
    # A shift by s pixels moves the moment along it by s times the area, and no moment across it.
    vertices, faces = sphere(subdivisions, seed=7)
    shift = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    alpha = alpha_of(seen_at(vertices, size, shift=shift), faces, size)
    centers = torch.arange(size, dtype=torch.float64) + 0.5 - size / 2
    area = alpha.sum().item()
    for axis, moment in enumerate([(alpha * centers).sum(), (alpha * centers[:, None]).sum()]):
        (found,) = torch.autograd.grad(moment, shift, retain_graph=True)
        assert found[axis].item() / area == pytest.approx(1, abs=0.02)
        assert found[1 - axis].item() / area == pytest.approx(0, abs=0.02)


def sheet(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A flat open square [-1, 1]² of 2 count² triangles, turned by 0.3 in its plane."""
    line = torch.linspace(-1, 1, count + 1, dtype=torch.float64)
    y, x = (part.reshape(-1) for part in torch.meshgrid(line, line, indexing="ij"))
    turned = [
        math.cos(0.3) * x - math.sin(0.3) * y,
        math.sin(0.3) * x + math.cos(0.3) * y,
        torch.zeros_like(x),
    ]
    first = (torch.arange(count)[:, None] * (count + 1) + torch.arange(count)).reshape(-1, 1)
    corners = torch.tensor([[0, 1, count + 1], [count + 1, 1, count + 2]])
    return torch.stack(turned, dim=1), (first[:, None] + corners).reshape(-1, 3)


@pytest.mark.parametrize("count", [1, 7, 60])
def test_borders_of_an_open_sheet_are_silhouettes(count):
    # At distance 3.5 the square's side is 2 focal size / 3.5 pixels, and its area grows by 2 area per unit of scale.
    vertices, faces = sheet(count)
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    area = alpha_of(seen_at(scale * vertices, 128), faces, 128).sum()
    (found,) = torch.autograd.grad(area, scale)
    exact = (2 * 1.25 * 128 / 3.5) ** 2
    assert area.item() / exact == pytest.approx(1, abs=0.003)
    assert found.item() / (2 * exact) == pytest.approx(1, abs=0.01)


def test_inconsistent_winding_changes_nothing(generator):
    vertices, faces = sphere(4, seed=1)
    flip = torch.rand(len(faces), 1, generator=generator) < 0.4
    mixed = torch.where(flip, faces.flip(1), faces)
    gradients = []
    for triangles in (faces, mixed):
        moved = vertices.clone().requires_grad_()
        (alpha_of(seen_at(moved, 96), triangles, 96) * torch.linspace(0, 1, 96)).sum().backward()
        gradients.append(moved.grad)
    assert gradients[0].abs().max() > 0
    assert torch.allclose(gradients[0], gradients[1], atol=1e-9)


def front_and_back(left: torch.Tensor, right: torch.Tensor):
    """A square from column `left` to `right` and row 20 to 44 at depth 1, colour 0.9, before a backdrop at depth 2.

    The backdrop's colour is its column / 64.
    """
    top, bottom = torch.full_like(left, 20.0), torch.full_like(left, 44.0)
    one = torch.ones_like(left)
    corners = [(left, top), (right, top), (left, bottom), (right, bottom)]
    front = torch.stack([torch.stack([u, v, one]) for u, v in corners])
    wide = torch.tensor([[-64.0, -64.0], [128.0, -64.0], [-64.0, 128.0], [128.0, 128.0]], dtype=left.dtype)
    back = torch.cat([2 * wide, torch.full((4, 1), 2.0, dtype=left.dtype)], dim=1)
    colors = torch.cat([torch.full((4, 1), 0.9, dtype=left.dtype), wide[:, :1] / 64])
    faces = torch.tensor([[0, 1, 2], [2, 1, 3], [4, 5, 6], [6, 5, 7]])
    return torch.cat([front, back])[None], faces, colors


def test_silhouettes_before_another_surface():
    # Moving the left edge right by d uncovers 24 d pixels: of 0.9 there, of left / 64 behind. The right edge likewise.
    left = torch.tensor(13.3, dtype=torch.float64, requires_grad=True)
    right = torch.tensor(40.8, dtype=torch.float64, requires_grad=True)
    points, faces, colors = front_and_back(left, right)
    f = rasterize(points, faces, (64, 64))
    image = antialias(interpolate(colors, f), f)
    assert torch.all(image[..., 1] == 1)  # the backdrop covers all
    found = torch.autograd.grad(image[..., 0].sum(), (left, right))
    # The colour behind is what the outer pixel shows, at its centre: 12.5 on the left, 41.5 on the right.
    assert found[0].item() == pytest.approx(24 * (12.5 / 64 - 0.9), abs=1e-9)
    assert found[1].item() == pytest.approx(24 * (0.9 - 41.5 / 64), abs=1e-9)
    covered = 64 * 64 * 0.5 + 24 * (40.8 - 13.3) * (0.9 - (13.3 + 40.8) / 2 / 64)
    assert image[..., 0].sum().item() == pytest.approx(covered, abs=2 * 24 * 0.5 / 64)


def test_hidden_silhouettes_have_no_gradient():
    # The same square behind the backdrop; and a sphere within a larger one.
    left = torch.tensor(13.3, dtype=torch.float64, requires_grad=True)
    points, faces, colors = front_and_back(left, left + 20)
    points = torch.cat([points[:, :4] * 3, points[:, 4:]], dim=1)
    f = rasterize(points, faces, (64, 64))
    image = antialias(interpolate(colors, f), f)
    assert not (f.triangles < 2).any()
    assert torch.autograd.grad(image.sum(), left)[0].item() == 0

    inner = torch.full((), 0.5, dtype=torch.float64, requires_grad=True)
    vertices, faces = sphere(3, seed=2)
    points = seen_at(torch.cat([inner * vertices, vertices]), 64)
    alpha = alpha_of(points, torch.cat([faces, faces + len(vertices)]), 64)
    assert torch.autograd.grad(alpha.sum(), inner)[0].item() == 0


def test_seams_of_coincident_vertices_do_not_show(generator):
    # Every triangle with vertices of its own: known as coincident, the image and all gradients are the sphere's.
    vertices, faces = sphere(3, seed=4)
    vertices = vertices * (0.8 + 0.2 * torch.sin(6 * vertices).sum(1, keepdim=True))
    colors = torch.rand(len(vertices), 3, generator=generator, dtype=torch.float64)
    corners = faces.reshape(-1)
    cameras = look_at(
        torch.tensor([[3.0, 1.0, 0.5]], dtype=torch.float64), fov_y_degrees=60, height=64, width=64
    )
    whole, apart = vertices.clone().requires_grad_(), vertices[corners].requires_grad_()
    images = [
        render(whole, faces, colors, cameras),
        render(apart, torch.arange(len(corners)).view(-1, 3), colors[corners], cameras),
    ]
    assert torch.allclose(*images, atol=1e-12)
    for image in images:
        (image * torch.linspace(0, 1, 64)[:, None]).sum().backward()
    gathered = torch.zeros_like(vertices).index_add_(0, corners, apart.grad)
    assert torch.allclose(gathered, whole.grad, atol=1e-9)


def test_unknown_seams_stay_out_of_the_inside():
    # Without that knowledge each triangle ends at a border; only pixels near the outline may differ.
    vertices, faces = sphere(3, seed=4)
    corners = faces.reshape(-1)
    points, apart = seen_at(vertices, 64), seen_at(vertices[corners], 64)
    images = []
    for p, triangles, colors in (
        (points, faces, vertices),
        (apart, torch.arange(len(corners)).view(-1, 3), vertices[corners]),
    ):
        f = rasterize(p, triangles, (64, 64))
        images.append(antialias(interpolate(colors, f), f)[0])
    y, x = torch.meshgrid(*2 * [torch.arange(64) + 0.5 - 32], indexing="ij")
    inside = torch.hypot(x, y) < 0.95 * 1.25 * 64 / math.sqrt(3.5**2 - 1)
    assert inside.sum() > 1000 and torch.allclose(images[0][inside], images[1][inside], atol=1e-9)


def test_image_gradient_is_that_of_supersampled_images():
    # A bumpy body that hides parts of itself; the reference is the sum over 8 x 8 hard samples a pixel, differenced.
    vertices, faces = sphere(4)
    vertices = vertices * (0.55 + 0.12 * torch.sin(7 * vertices).sum(1, keepdim=True))
    colors = 0.5 + 0.5 * torch.sin(4 * vertices)
    eye = torch.tensor([[3.0, 0.3, 0.2], [-1.0, 2.5, 1.0], [0.5, -1.5, -2.3]], dtype=torch.float64)
    cameras = look_at(eye, fov_y_degrees=45, height=96, width=96)
    fine = cameras.resized(96 * 8, 96 * 8)

    def weights(size):
        c = (torch.arange(size, dtype=torch.float64) + 0.5) / size
        return 1 + 0.5 * torch.sin(5 * c) * torch.cos(6 * c)[:, None]

    def supersampled(factor):
        f = rasterize(homogeneous_pixels(factor * vertices, fine), faces, (96 * 8, 96 * 8))
        values = torch.cat([interpolate(colors, f), torch.ones(len(f.pixels), 1)], dim=1)
        weight = weights(96 * 8).reshape(-1)[f.pixels.long() % (96 * 8) ** 2]
        return (values * weight[:, None]).sum(0) / 8**2

    expected = (supersampled(1.004) - supersampled(0.996)) / 0.008
    factor = torch.ones((), dtype=torch.float64, requires_grad=True)
    image = render(factor * vertices, faces, colors, cameras)
    sums = (image * weights(96)[..., None]).sum((0, 1, 2))
    found = torch.stack([torch.autograd.grad(s, factor, retain_graph=True)[0] for s in sums])
    assert (found - expected).norm() < 0.02 * expected.norm()


@pytest.mark.parametrize("horizontal", [False, True])
def test_edges_through_pixel_centres(horizontal):
    # A square whose border runs exactly through centres: each pair is divided once, at its inner pixel.
    low = torch.tensor(4.5, dtype=torch.float64, requires_grad=True)
    corners = [(low, 2.0), (12.5, 2.0), (low, 10.0), (12.5, 10.0)]
    rows = [
        [torch.as_tensor(v, dtype=torch.float64) for v in (c[::-1] if horizontal else c)] for c in corners
    ]
    points = torch.stack([torch.stack([*row, torch.ones((), dtype=torch.float64)]) for row in rows])[None]
    alpha = alpha_of(points, torch.tensor([[0, 1, 2], [2, 1, 3]]), 16)
    assert alpha.sum().item() == pytest.approx(64)
    assert torch.autograd.grad(alpha.sum(), low)[0].item() == pytest.approx(-8)


@pytest.mark.parametrize("how", [render, render_soft])
def test_second_derivatives_are_refused(how):
    """Kernels have first ones alone; PyTorch would take what they give for constants, in silence."""
    vertices, faces = sphere(1)
    colors = torch.ones_like(vertices)
    vertices.requires_grad_()
    cameras = look_at(torch.tensor([[0.0, 0.0, 3.0]]), fov_y_degrees=40.0, height=16, width=16)
    loss = how(vertices, faces, colors, cameras).square().sum()
    (gradient,) = torch.autograd.grad(loss, vertices, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.square().sum().backward()
