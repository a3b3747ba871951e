"""nvdiffrast's interface: each operation against loops over pixels and triangles, and its derivatives in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from clip_oracle import blended, frustum, layers_of, slopes_of, soup, soup_triangles
from raster_oracle import sphere

import largesteps_zg.nvdiffrast.torch as dr
from largesteps_zg._support import warp_launch as launching
from largesteps_zg.nvdiffrast import antialiasing
from largesteps_zg.rasterizer import pixels_from_clip, warp_backend

CONTEXT = dr.RasterizeCudaContext()
SIZE = (23, 31)


@pytest.fixture(params=["chunks", "items"])
def work(request, monkeypatch):
    """Both ways in which the work is handed out; one thread an item is what CUDA does, and runs here too."""
    if request.param == "items":
        for module in (launching, warp_backend, antialiasing):
            monkeypatch.setattr(module, "in_chunks", lambda device: False)


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


# --- rasterize -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    "w", [(1.0, 1.0), (1.0, 4.0), (-1.0, 3.0)], ids=["orthographic", "perspective", "crossing the camera"]
)
def test_images_are_those_of_the_loops(work, dtype, w):
    pos, tri = soup(5, 24, w=w), soup_triangles(24)
    images, clear = layers_of(pos, tri, SIZE, 1)
    rast, rast_db = (
        image[0].double().numpy() for image in dr.rasterize(CONTEXT, pos.to(dtype)[None], tri, SIZE)
    )
    shown = images[0, ..., 3] > 0
    assert clear.mean() > 0.9 and 0.3 < shown.mean() < 1
    assert np.array_equal(rast[clear, 3], images[0, clear, 3])
    assert np.array_equal(rast[~shown & clear], np.zeros(((~shown & clear).sum(), 4)))
    tolerance = 1e-4 if dtype == torch.float32 else 1e-9
    np.testing.assert_allclose(rast[clear], images[0, clear], atol=tolerance)
    slopes = slopes_of(pos.numpy(), tri.numpy(), images[0])
    np.testing.assert_allclose(rast_db[clear], slopes[clear], rtol=10 * tolerance, atol=max(tolerance, 1e-6))


def test_row_zero_is_at_the_bottom_and_the_corners_have_their_weights():
    # A triangle in the lower left corner of the image; its corners in clip space.
    pos = torch.tensor([[[-1.0, -1, 0, 1], [0.5, -1, 0, 1], [-1, 0.5, 0, 1]]])
    rast, _ = dr.rasterize(CONTEXT, pos, torch.tensor([[0, 1, 2]], dtype=torch.int32), (4, 4))
    assert (rast[0, :, :, 3] > 0).tolist()[0] == [True, True, True, False]
    assert not rast[0, 3].any()
    # The first pixel's centre is 1/4 along both axes of legs 3/2 long: 1/6 of the second and of the third corner.
    torch.testing.assert_close(rast[0, 0, 0], torch.tensor([2 / 3, 1 / 6, 0.0, 1.0]))


def test_planes_near_and_far_cut():
    # z/w rises from -2 at the left border to 2 at the right one: what is drawn is the middle half.
    pos = torch.tensor([[[-1.0, -1, -2, 1], [1, -1, 2, 1], [1, 1, 2, 1], [-1, 1, -2, 1]]])
    tri = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
    covered = dr.rasterize(CONTEXT, pos, tri, (8, 16))[0][0, ..., 3] > 0
    assert covered[:, 4:12].all() and not covered[:, :4].any() and not covered[:, 12:].any()


def test_what_lies_on_the_far_plane_is_drawn():
    pos = torch.tensor([[[-1.0, -1, 1, 1], [3, -1, 1, 1], [-1, 3, 1, 1]]])
    tri = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    for z in (1.0, -1.0):
        pos[..., 2] = z
        rast, _ = dr.rasterize(CONTEXT, pos, tri, (2, 2))
        assert (rast[..., 3] == 1).all() and (rast[..., 2] == z).all()


def test_range_mode_draws_each_range_into_its_image():
    pos, tri = soup(7, 12, w=(1.0, 3.0)), soup_triangles(12)
    ranges = torch.tensor([[0, 5], [5, 7], [4, 0], [0, 12]], dtype=torch.int32)
    rast, rast_db = dr.rasterize(CONTEXT, pos, tri, SIZE, ranges=ranges)
    assert rast.shape == rast_db.shape == (4, *SIZE, 4)
    for image, slopes, (first, count) in zip(rast, rast_db, ranges.tolist(), strict=True):
        if count == 0:
            assert not image.any() and not slopes.any()
            continue
        expected, expected_db = dr.rasterize(CONTEXT, pos[None], tri[first : first + count], SIZE)
        expected[..., 3] += first * (expected[..., 3] > 0)
        assert torch.equal(image, expected[0]) and torch.equal(slopes, expected_db[0])


def test_gradients_of_ranges_add_up():
    pos, tri = soup(7, 6, w=(1.0, 3.0)).requires_grad_(), soup_triangles(6)
    ranges = torch.tensor([[0, 4], [2, 4]], dtype=torch.int32)
    factors = torch.rand(2, *SIZE, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def grad(rast, rast_db, factors):
        return torch.autograd.grad((rast * factors).sum() + (rast_db * factors).sum(), pos)[0]

    together = grad(*dr.rasterize(CONTEXT, pos, tri, SIZE, ranges=ranges), factors)
    parts = [
        grad(*dr.rasterize(CONTEXT, pos, tri, SIZE, ranges=ranges[i : i + 1]), factors[i : i + 1])
        for i in (0, 1)
    ]
    torch.testing.assert_close(together, parts[0] + parts[1])
    assert parts[0].any() and parts[1].any()


def test_rasterized_barycentrics_have_their_derivatives(work):
    pos = torch.stack([soup(8, 6, w=(1.0, 3.0)), soup(9, 6, w=(-0.5, 2.0))]).requires_grad_()

    def outputs(pos):
        rast, rast_db = dr.rasterize(CONTEXT, pos, soup_triangles(6), (5, 6))
        return rast[..., :2], rast_db

    assert torch.autograd.gradcheck(outputs, (pos,), fast_mode=True)


def test_depth_has_no_derivative_and_grad_db_turns_the_slopes_off():
    pos = soup(8, 6, w=(1.0, 3.0))[None].requires_grad_()
    for grad_db in (True, False):
        rast, rast_db = dr.rasterize(CONTEXT, pos, soup_triangles(6), SIZE, grad_db=grad_db)
        assert not torch.autograd.grad(rast[..., 2:].sum(), pos, retain_graph=True)[0].any()
        assert torch.autograd.grad(rast_db.square().sum(), pos)[0].any() == grad_db


def test_contexts_without_slopes_answer_none():
    context = dr.RasterizeGLContext(output_db=False, device="cpu")
    pos, tri = soup(8, 6, w=(1.0, 3.0)).float(), soup_triangles(6)
    rast, rast_db = dr.rasterize(context, pos[None], tri, SIZE)
    assert rast_db.shape == (1, *SIZE, 0) and rast.dtype == torch.float32
    assert torch.equal(rast, dr.rasterize(CONTEXT, pos[None], tri, SIZE)[0])
    _, rast_db = dr.rasterize(
        context, pos, tri, SIZE, ranges=torch.tensor([[0, 0], [0, 6]], dtype=torch.int32)
    )
    assert rast_db.shape == (2, *SIZE, 0)


# --- DepthPeeler -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("w", [(1.0, 1.0), (1.0, 4.0)], ids=["orthographic", "perspective"])
@pytest.mark.parametrize("ranged", [False, True])
def test_layers_are_those_of_the_loops(work, w, ranged):
    pos, tri = soup(11, 16, w=w), soup_triangles(16)
    images, clear = layers_of(pos, tri, SIZE, 9)
    mode = (pos, tri, SIZE, torch.tensor([[0, 16]], dtype=torch.int32)) if ranged else (pos[None], tri, SIZE)
    assert not images[8].any() and images[4].any()
    with dr.DepthPeeler(CONTEXT, *mode) as peeler:
        for expected in images:
            rast, rast_db = peeler.rasterize_next_layer()
            np.testing.assert_allclose(rast[0].numpy()[clear], expected[clear], atol=1e-9)
            assert torch.equal(rast_db.any(-1), rast[..., 3] > 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_closed_mesh_has_layers_in_pairs(dtype):
    vertices, faces = sphere(3, seed=4)
    vertices = torch.cat([vertices, 0.5 * vertices + torch.tensor([0.3, 0.1, -0.2])])
    tri = torch.cat([faces, faces + len(vertices) // 2]).int()
    pos = frustum(0.1, 100.0, 3.5, vertices).to(dtype)[None]
    with dr.DepthPeeler(CONTEXT, pos, tri, (64, 64)) as peeler:
        counts = [(peeler.rasterize_next_layer()[0][..., 3] > 0).sum().item() for _ in range(5)]
    # The pairs differ where a pixel's centre lies within rounding of a silhouette.
    assert counts[0] == counts[1] > 1000 and counts[2] == counts[3] > 200 and counts[4] == 0


@pytest.mark.parametrize("seed", range(8))
def test_the_edge_between_two_triangles_is_no_second_layer(seed):
    # The diagonal of a tilted square runs through the centres of the pixels.
    generator = torch.Generator().manual_seed(seed)
    pos = torch.tensor([[-1.0, -1, 0, 1], [1, -1, 0, 1], [1, 1, 0, 1], [-1, 1, 0, 1]])
    pos[:, 2] = torch.rand(4, generator=generator) - 0.5
    pos *= 0.5 + torch.rand(4, 1, generator=generator)
    tri = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
    with dr.DepthPeeler(CONTEXT, pos[None], tri, (33, 33)) as peeler:
        assert (peeler.rasterize_next_layer()[0][..., 3] > 0).all()
        assert not peeler.rasterize_next_layer()[0].any()


def test_exactly_overlapping_triangles_are_one_layer():
    pos = torch.tensor([[[-1.0, -1, 0, 1], [3, -1, 0, 1], [-1, 3, 0, 1]]])
    tri = torch.tensor([[0, 1, 2], [0, 1, 2]], dtype=torch.int32)
    with dr.DepthPeeler(CONTEXT, pos, tri, (2, 2)) as peeler:
        assert (peeler.rasterize_next_layer()[0][..., 3] == 1).all()
        assert not peeler.rasterize_next_layer()[0].any()


def test_layers_behind_have_derivatives_too():
    pos = soup(11, 6, w=(1.0, 3.0))[None].requires_grad_()

    def second(pos):
        with dr.DepthPeeler(CONTEXT, pos, soup_triangles(6), (5, 6)) as peeler:
            peeler.rasterize_next_layer()
            rast, rast_db = peeler.rasterize_next_layer()
        return rast[..., :2], rast_db

    assert second(pos)[0].any()
    assert torch.autograd.gradcheck(second, (pos,), fast_mode=True)


# --- interpolate -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize("sets", [0, 1, 3])
def test_attributes_with_indices_of_their_own(work, threads, views, sets, generator):
    if sets == 3 > views:
        pytest.skip("more sets than images")
    pos, tri = torch.stack([soup(n, 9, w=(1.0, 3.0)) for n in range(views)]), soup_triangles(9)
    own = torch.randint(0, 5, (9, 3), generator=generator, dtype=torch.int32)
    attr = torch.rand(max(sets, 1), 5, 4, generator=generator, dtype=torch.float64)
    rast, rast_db = dr.rasterize(CONTEXT, pos, tri, SIZE)
    values, slopes = dr.interpolate(attr if sets else attr[0], rast, own, rast_db, diff_attrs=[3, 0])
    expected, along = torch.zeros(views, *SIZE, 4).double(), torch.zeros(views, *SIZE, 4).double()
    for view, row, column in (rast[..., 3] > 0).nonzero().tolist():
        u, v, _, number = rast[view, row, column].tolist()
        a, b, c = attr[min(view, len(attr) - 1), own[int(number) - 1].long()]
        expected[view, row, column] = u * a + v * b + (1 - u - v) * c
        ux, uy, vx, vy = rast_db[view, row, column].tolist()
        for place, n in enumerate((3, 0)):
            along[view, row, column, 2 * place] = ux * a[n] + vx * b[n] - (ux + vx) * c[n]
            along[view, row, column, 2 * place + 1] = uy * a[n] + vy * b[n] - (uy + vy) * c[n]
    torch.testing.assert_close(values, expected)
    torch.testing.assert_close(slopes, along)


def test_slopes_are_those_of_the_image():
    # One triangle over the whole image, in perspective: neighbouring pixels tell the slope in their middle.
    pos = torch.tensor([[[-2.0, -2, 0, 1], [6, -2, 0, 2], [-2, 9, 0, 3]]], dtype=torch.float64)
    attr = torch.tensor([[0.3, 1.0], [2.0, -1.0], [-0.4, 0.5]], dtype=torch.float64)
    tri = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    fine, _ = dr.interpolate(attr, dr.rasterize(CONTEXT, pos, tri, (63, 63))[0], tri)
    rast, rast_db = dr.rasterize(CONTEXT, pos, tri, (21, 21))
    _, slopes = dr.interpolate(attr, rast, tri, rast_db, diff_attrs="all")
    # A pixel of the coarse image holds 3 x 3 of the fine one; their outer columns and rows are 2/3 of it apart.
    assert (rast[..., 3] > 0).all()
    along_x = (fine[:, 1::3, 2::3] - fine[:, 1::3, 0::3]) * 1.5
    along_y = (fine[:, 2::3, 1::3] - fine[:, 0::3, 1::3]) * 1.5
    torch.testing.assert_close(slopes[..., 0::2], along_x, rtol=2e-2, atol=1e-3)
    torch.testing.assert_close(slopes[..., 1::2], along_y, rtol=2e-2, atol=1e-3)


def test_without_slopes_or_channels_the_second_result_is_empty():
    pos, tri = soup(2, 6, w=(1.0, 3.0))[None], soup_triangles(6)
    rast, rast_db = dr.rasterize(CONTEXT, pos, tri, SIZE)
    for given in ({}, {"rast_db": rast_db}, {"diff_attrs": "all"}, {"rast_db": rast_db, "diff_attrs": []}):
        values, slopes = dr.interpolate(pos[..., :3], rast, tri, **given)
        assert values.shape == (1, *SIZE, 3) and slopes.shape == (1, *SIZE, 0)


@pytest.mark.parametrize("sets", [1, 2])
def test_interpolation_has_its_derivatives(work, threads, sets, generator):
    pos, tri = torch.stack([soup(n, 6, w=(1.0, 3.0)) for n in range(2)]), soup_triangles(6)
    rast, rast_db = (image.requires_grad_() for image in dr.rasterize(CONTEXT, pos, tri, (3, 4)))
    own = torch.randint(0, 4, (6, 3), generator=generator, dtype=torch.int32)
    attr = torch.rand(sets, 4, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    ids = rast.detach()[..., 3:].clone()  # gradcheck changes its inputs in place

    def outputs(attr, rast, rast_db):
        return dr.interpolate(attr, torch.cat([rast[..., :3], ids], -1), own, rast_db, diff_attrs=[2, 0])

    assert torch.autograd.gradcheck(outputs, (attr, rast, rast_db), fast_mode=True)


# --- antialias -------------------------------------------------------------------------------------------------------


def turned_sphere(subdivisions=2, dtype=torch.float64):
    vertices, faces = sphere(subdivisions, seed=6)
    return frustum(1.0, 10.0, 3.5, vertices).to(dtype), faces.int()


def outline(pos, tri, resolution):
    """Where the vertices are seen, and the edges between a triangle that shows its front and one that does not."""
    x, y, _, w = pixels_from_clip(pos, resolution).unbind(-1)
    pixels = torch.stack([x / w, y / w], dim=-1).numpy()
    sides = {}
    for corners in tri.tolist():
        a, b, c = pixels[corners]
        front = (b[0] - a[0]) * (c[1] - a[1]) > (b[1] - a[1]) * (c[0] - a[0])
        for k in range(3):
            sides.setdefault(frozenset((corners[k], corners[k - 1])), []).append(front)
    return pixels, [tuple(edge) for edge, fronts in sides.items() if fronts[0] != fronts[1]]


def test_an_outline_is_blended_as_in_the_loops(work, generator):
    pos, tri = turned_sphere()
    rast, _ = dr.rasterize(CONTEXT, pos[None], tri, SIZE)
    color = torch.rand(1, *SIZE, 3, generator=generator, dtype=torch.float64)
    found = dr.antialias(color, rast, pos[None], tri)
    expected = blended(color[0].numpy(), rast[0, ..., 3].numpy() > 0, *outline(pos, tri, SIZE))
    assert (np.abs(expected - color[0].numpy()).max(-1) > 1e-3).sum() > 40
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("turn", [False, True])
def test_a_silhouette_before_another_surface(turn):
    # Orthographic. The near square's right border is at column 2.3 of 6; the far one is behind, and larger.
    corners = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    near = torch.cat([corners, torch.tensor([[-0.5, 1]]).expand(4, 2)], 1)
    near[[1, 2], 0] = 2.3 / 3 - 1
    far = torch.cat([1.5 * corners, torch.tensor([[0.5, 1]]).expand(4, 2)], 1)
    pos = torch.cat([far, near] if turn else [near, far]).requires_grad_()
    tri = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]], dtype=torch.int32)
    rast, _ = dr.rasterize(CONTEXT, pos[None], tri, (4, 6))
    ids = (rast[0, 1, :, 3] > 2) != turn  # the far one
    assert ids.tolist() == [False] * 2 + [True] * 4
    color = torch.where(ids, 1.0, 3.0)[None, None, :, None].expand(1, 4, 6, 1)
    image = dr.antialias(color.contiguous(), rast, pos[None], tri)
    # The border is 0.8 of the way from centre 1.5 to centre 2.5: pixel 2 takes 0.3 of the difference.
    expected = torch.tensor([3.0, 3.0, 1.6, 1.0, 1.0, 1.0])
    torch.testing.assert_close(image[0, :, :, 0], expected.expand(4, 6), atol=1e-6, rtol=0)
    image[0, 1, :, 0].sum().backward()
    right = [5, 6] if turn else [1, 2]
    # Moved by one pixel, a third of the clip space's half width, the image gains the difference.
    assert pos.grad[right, 0].sum().item() == pytest.approx(2 * 3, rel=1e-5)
    assert pos.grad[:, :2].abs().sum() == pytest.approx(pos.grad[right, 0].abs().sum().item())


def square(half, slope, z, w=1.0):
    """(4, 4) clip positions about the middle of the image, at z/w = z + slope x."""
    corners = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]) * half
    return torch.cat([corners, z + slope * corners[:, :1], torch.ones(4, 1)], dim=1) * w


SQUARES = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]], dtype=torch.int32)


@pytest.mark.parametrize("z", [-0.5, 0.2])
def test_a_border_behind_another_surface_is_not_blended(z, generator):
    # The far square's border lies behind the near one, which fills the image.
    pos = torch.cat([square(1.5, 0.0, z), square(0.43, 0.0, z + 0.3)])[None]
    rast, _ = dr.rasterize(CONTEXT, pos, SQUARES, SIZE)
    assert (rast[..., 3] <= 2).all() and (rast[..., 3] > 0).all()
    color = torch.rand(1, *SIZE, 1, generator=generator)
    assert torch.equal(dr.antialias(color, rast, pos, SQUARES), color)


@pytest.mark.parametrize("z", [-1.5, 1.5], ids=["nearer than near", "farther than far"])
def test_what_is_clipped_has_no_silhouettes(z, generator):
    pos = torch.cat([square(0.43, 0.0, 0.0), square(0.45, 0.0, z)])[None]
    rast, _ = dr.rasterize(CONTEXT, pos, SQUARES, SIZE)
    color = torch.rand(1, *SIZE, 1, generator=generator)
    alone = dr.antialias(color, rast, pos[:, :4].contiguous(), SQUARES[:2])
    assert not torch.equal(alone, color)
    assert torch.equal(dr.antialias(color, rast, pos, SQUARES), alone)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("w", [1.0, 3.0])
def test_a_patch_on_a_tilted_surface_has_no_silhouette(dtype, w):
    pos = torch.cat([square(0.43, 0.3, 0.1, w), square(1.5, 0.3, 0.1, w)])[None].to(dtype)
    rast, _ = dr.rasterize(CONTEXT, pos, SQUARES, SIZE)
    inside = (torch.arange(SIZE[0])[:, None] + 0.5 - SIZE[0] / 2).abs() < 0.43 * SIZE[0] / 2
    inside = inside & ((torch.arange(SIZE[1])[None] + 0.5 - SIZE[1] / 2).abs() < 0.43 * SIZE[1] / 2)
    # At equal depth rounding decides which is drawn; here the patch is drawn, as a decal would be.
    rast[..., 3] = torch.where(inside, rast[..., 3].clamp(max=2), rast[..., 3])
    color = inside[None, ..., None].to(dtype)
    assert torch.equal(dr.antialias(color, rast, pos, SQUARES), color)


def test_antialiasing_has_its_derivatives(work, generator):
    pos, tri = turned_sphere(0)
    pos = torch.stack([pos, pos * torch.tensor([0.7, 0.8, 1.0, 1.0])])
    rast, _ = dr.rasterize(CONTEXT, pos, tri, (9, 8))
    color = torch.rand(2, 9, 8, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda color, pos: dr.antialias(color, rast, pos, tri), (color, pos.requires_grad_()), fast_mode=True
    )


def test_a_shifted_sphere_changes_the_image_by_what_it_uncovers():
    vertices, faces = sphere(4, seed=2)
    shift = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    tri, weight = faces.int(), torch.linspace(0, 1, 96, dtype=torch.float64)

    def total(shift):
        pos = frustum(1.0, 10.0, 3.5, vertices + shift)[None]
        rast, _ = dr.rasterize(CONTEXT, pos, tri, (96, 96))
        mask = (rast[..., 3:] > 0).double()
        return (dr.antialias(mask, rast, pos, tri)[0, ..., 0] * weight).sum()

    (gradient,) = torch.autograd.grad(total(shift), shift)
    step = 0.02  # a pixel and a half: that pixels come and go averages out
    moves = step * torch.eye(3, dtype=torch.float64)
    expected = torch.stack([total(move) - total(-move) for move in moves]) / (2 * step)
    torch.testing.assert_close(gradient, expected, rtol=0.03, atol=0.02 * expected.norm().item())


def test_the_boost_multiplies_gradients_to_positions_alone(generator):
    pos, tri = turned_sphere()
    pos = pos[None].requires_grad_()
    color = torch.rand(1, *SIZE, 1, generator=generator, dtype=torch.float64, requires_grad=True)
    rast, _ = dr.rasterize(CONTEXT, pos.detach(), tri, SIZE)
    topology = dr.antialias_construct_topology_hash(tri)
    first = dr.antialias(color, rast, pos, tri)
    second = dr.antialias(color, rast, pos, tri, topology_hash=topology, pos_gradient_boost=3.0)
    assert torch.equal(first, second)
    grads = [torch.autograd.grad(image.square().sum(), (color, pos)) for image in (first, second)]
    assert torch.equal(grads[0][0], grads[1][0]) and grads[0][1].any()
    torch.testing.assert_close(3 * grads[0][1], grads[1][1])


def test_a_mesh_of_another_range_leaves_no_silhouettes(generator):
    pos, tri = turned_sphere()
    # In image 1 only the large sphere is drawn; the small one is before it in the same positions.
    small = pos * torch.tensor([0.3, 0.3, 1.0, 1.0]) - torch.tensor([0, 0, 1.0, 0])
    both, faces = torch.cat([small, pos]), torch.cat([tri, tri + len(pos)])
    ranges = torch.tensor([[0, 2 * len(tri)], [len(tri), len(tri)]], dtype=torch.int32)
    rast, _ = dr.rasterize(CONTEXT, both, faces, SIZE, ranges=ranges)
    color = torch.rand(2, *SIZE, 1, generator=generator, dtype=torch.float64)
    found = dr.antialias(color, rast, both, faces)
    alone, _ = dr.rasterize(CONTEXT, pos[None], tri, SIZE)
    assert torch.equal(found[1:], dr.antialias(color[1:], alone, pos[None], tri))
    together, _ = dr.rasterize(CONTEXT, both[None], faces, SIZE)
    assert torch.equal(found[:1], dr.antialias(color[:1], together, both[None], faces))
    assert not torch.equal(found[0] - color[0], found[1] - color[1])


# --- contexts, levels, errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", [None, "cpu", "cuda:1", torch.device("cuda"), 0])
def test_contexts_take_any_device(device):
    assert dr.RasterizeCudaContext(device).output_db and dr.RasterizeGLContext(device=device).output_db
    manual = dr.RasterizeGLContext(mode="manual", device=device)
    manual.set_context()
    manual.release_context()
    with pytest.raises(
        ValueError, match=r"^set_context: expected a context of mode 'manual', got 'automatic'$"
    ):
        dr.RasterizeGLContext().set_context()


def test_log_level_is_kept():
    assert dr.get_log_level() == 1
    dr.set_log_level(2)
    assert dr.get_log_level() == 2
    dr.set_log_level(1)
    with pytest.raises(ValueError, match=r"^level: expected 0, 1, 2 or 3, got 4$"):
        dr.set_log_level(4)


POS, TRI = torch.rand(2, 3, 4) + 1, torch.tensor([[0, 1, 2]], dtype=torch.int32)
RAST = torch.zeros(2, 4, 4, 4)
WRONG = {
    "glctx: expected": lambda: dr.rasterize(None, POS, TRI, (4, 4)),
    "pos: expected": lambda: dr.rasterize(CONTEXT, POS[..., :3], TRI, (4, 4)),
    "pos: expected shape": lambda: dr.rasterize(CONTEXT, POS.half(), TRI, (4, 4)),
    "tri: expected shape": lambda: dr.rasterize(CONTEXT, POS, TRI.long(), (4, 4)),
    "tri: expected 1 to": lambda: dr.rasterize(CONTEXT, POS, TRI[:0], (4, 4)),
    "faces: expected": lambda: dr.rasterize(CONTEXT, POS, TRI + 1, (4, 4)),
    "resolution: expected": lambda: dr.rasterize(CONTEXT, POS, TRI, (4, 0)),
    "ranges: expected shape": lambda: dr.rasterize(CONTEXT, POS[0], TRI, (4, 4)),
    "ranges: expected spans": lambda: dr.rasterize(
        CONTEXT, POS[0], TRI, (4, 4), torch.tensor([[0, 2]], dtype=torch.int32)
    ),
    "rasterize_next_layer: expected": lambda: dr.DepthPeeler(
        CONTEXT, POS, TRI, (4, 4)
    ).rasterize_next_layer(),
    "attr: expected": lambda: dr.interpolate(torch.rand(3, 3, 2), RAST, TRI),
    "attr: expected shape": lambda: dr.interpolate(torch.rand(3, 2).double(), RAST, TRI),
    "rast: expected": lambda: dr.interpolate(torch.rand(3, 2), RAST[..., :3], TRI),
    "rast_db: expected 4": lambda: dr.interpolate(torch.rand(3, 2), RAST, TRI, RAST[..., :0], "all"),
    "diff_attrs: expected channels": lambda: dr.interpolate(torch.rand(3, 2), RAST, TRI, RAST, [2]),
    "diff_attrs: expected 'all'": lambda: dr.interpolate(torch.rand(3, 2), RAST, TRI, RAST, "every"),
    "color: expected": lambda: dr.antialias(RAST[:1], RAST, POS, TRI),
    "pos: expected 2 views": lambda: dr.antialias(RAST, RAST, torch.rand(3, 3, 4), TRI),
    "topology_hash: expected": lambda: dr.antialias(
        RAST, RAST, POS, TRI, dr.antialias_construct_topology_hash(TRI.flip(1))
    ),
}


@pytest.mark.parametrize("start", WRONG)
def test_mistakes_are_told_in_one_line(unchecked, start):
    with pytest.raises(ValueError) as error:
        WRONG[start]()
    assert str(error.value).startswith(start) and "\n" not in str(error.value)
