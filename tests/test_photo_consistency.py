"""Patches of photographs: the score against a plain one, its derivative, what counts, and what it says of a shape."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from largesteps_zg.cameras import Cameras, sphere_of_cameras
from largesteps_zg.constants import Patches
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.rasterizer import edge_table
from largesteps_zg.reconstruct import Reconstruction, Settings
from largesteps_zg.reconstruct.batch import Batch
from largesteps_zg.reconstruct.difference import Difference
from largesteps_zg.reconstruct.photo_consistency import PhotoConsistency, Photograph, agreement, neighbors
from largesteps_zg.reconstruct.photo_consistency.pyramid import ROUNDING, Pyramid, noise_of
from largesteps_zg.reconstruct.photo_consistency.vote import WindowLosses
from largesteps_zg.reconstruct.photo_consistency.witness import Witness
from largesteps_zg.renderers.rasterized import render
from largesteps_zg.scenes import Views

NOISE = 1e-4
SIZE = 40, 90


def texture(seed: int, height: int = SIZE[0], width: int = SIZE[1]) -> Tensor:
    """Smooth noise from 0 to 1, float64."""
    noise = torch.rand(
        1, 1, height + 20, width + 20, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    for _ in range(3):
        noise = F.avg_pool2d(noise, 5, 1, 2)
    found = noise[0, 0, 10:-10, 10:-10]
    return ((found - found.min()) / (found.max() - found.min())).contiguous()


def photograph(gray: Tensor) -> Photograph:
    return Photograph(gray, torch.ones_like(gray), NOISE)


def points_near(pixels: Tensor, off: float = 0.4, seed: int = 1) -> Tensor:
    """Homogeneous pixels near those of the other photograph, at some depths."""
    random = torch.Generator().manual_seed(seed)
    width = SIZE[1]
    at = torch.stack([pixels % width + 0.5, pixels // width + 0.5], -1).double()
    at = at + off * torch.randn(len(pixels), 2, dtype=torch.float64, generator=random)
    depth = 1 + torch.rand(len(pixels), 1, dtype=torch.float64, generator=random)
    return torch.cat([at * depth, depth], -1)


@pytest.fixture
def pair() -> tuple[Tensor, Tensor, Photograph, Photograph, Tensor]:
    """Points, their pixels, two photographs that are alike but for some noise, and depths behind all points."""
    here = texture(2)
    there = 0.3 * texture(3) + 0.7 * here
    random = torch.rand(SIZE[0] * SIZE[1], generator=torch.Generator().manual_seed(4))
    pixels = torch.arange(SIZE[0] * SIZE[1], dtype=torch.int32)[random < 0.9]
    depths = torch.full(SIZE, 9.0, dtype=torch.float64)
    return points_near(pixels), pixels, photograph(here), photograph(there), depths


def plain(points: Tensor, pixels: Tensor, here: Photograph, there: Photograph, radius: int, cap: float):
    """Loss and share by PyTorch's own sampling and convolution."""
    height, width = SIZE
    at = points[:, :2] / points[:, 2:]
    inside = ((at > 1.5) & (at < torch.tensor([width - 1.5, height - 1.5]))).all(1)
    grid = (2 * at / torch.tensor([width, height]) - 1)[None, None]
    values = F.grid_sample(there.gray[None, None], grid, align_corners=False)[0, 0, 0]

    def image(row: Tensor) -> Tensor:
        return (
            torch.zeros(height * width, dtype=torch.float64)
            .index_put((pixels.long(),), row)
            .view(1, 1, *SIZE)
        )

    def mean(plane: Tensor) -> Tensor:
        side = 2 * radius + 1
        return F.conv2d(plane, torch.ones(1, 1, side, side, dtype=torch.float64), padding=radius) / count

    valid, count = image(inside.double()), torch.ones(1)
    count = mean(valid)
    a, b = here.gray * valid, image(values * inside)
    va, vb = mean(a * a) - mean(a) ** 2, mean(b * b) - mean(b) ** 2
    z = (mean(a * b) - mean(a) * mean(b)) / ((va + NOISE) * (vb + NOISE)).sqrt()
    share = va / (va + NOISE)
    good = (valid > 0) & (2 * count >= (2 * radius + 1) ** 2)
    return (share * (1 - z).clamp(max=cap))[good].sum(), share[good].sum()


@pytest.mark.parametrize("radius", [1, 3, 7])
def test_the_score_is_the_one_of_plain_sums(pair, radius: int) -> None:
    points, pixels, here, there, depths = pair
    found = agreement(points, pixels, here, there, depths, pixel=0.01, radius=radius, cap=0.5)
    loss, share = plain(points, pixels, here, there, radius, 0.5)
    torch.testing.assert_close(found.loss, loss)
    torch.testing.assert_close(found.share, share)


def test_its_derivative_is_the_slope_of_its_value(pair) -> None:
    points, *rest = pair

    def loss(at: Tensor) -> Tensor:
        return agreement(at, *rest, pixel=0.01, cap=2.0).loss

    points.requires_grad_()
    (slope,) = torch.autograd.grad(loss(points), points)
    points = points.detach()
    along = torch.randn(points.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    step = 1e-7
    difference = (loss(points + step * along) - loss(points - step * along)) / (2 * step)
    torch.testing.assert_close((slope * along).sum(), difference, rtol=1e-6, atol=0.0)


def test_single_precision_says_the_same(pair) -> None:
    points, pixels, here, there, depths = pair

    def single(photo: Photograph) -> Photograph:
        return Photograph(photo.gray.float(), photo.weight.float(), photo.noise)

    double = agreement(points, pixels, here, there, depths, pixel=0.01)
    found = agreement(points.float(), pixels, single(here), single(there), depths.float(), pixel=0.01)
    torch.testing.assert_close(found.loss.double(), double.loss, rtol=1e-4, atol=0.0)


def test_neither_gain_nor_offset_is_seen(pair) -> None:
    points, pixels, here, there, depths = pair
    brighter = Photograph(2.0 * there.gray + 0.1, there.weight, 4.0 * there.noise)
    one = agreement(points, pixels, here, there, depths, pixel=0.01).loss
    two = agreement(points, pixels, here, brighter, depths, pixel=0.01).loss
    torch.testing.assert_close(one, two)


def test_points_behind_the_surface_do_not_count(pair) -> None:
    points, pixels, here, there, depths = pair
    depths[:, 45:] = 0.5
    found = agreement(points, pixels, here, there, depths, pixel=0.01, images=True)
    whole = agreement(points, pixels, here, there, torch.full_like(depths, 9.0), pixel=0.01, images=True)
    assert found.shares is not None and whole.shares is not None
    assert float(found.shares[:, 52:].sum()) == 0
    torch.testing.assert_close(found.shares[:, :38], whole.shares[:, :38])


def test_pixels_outside_the_mask_do_not_count(pair) -> None:
    points, pixels, here, there, depths = pair
    here.weight[:, :45] = 0
    found = agreement(points, pixels, here, there, depths, pixel=0.01, images=True)
    assert found.shares is not None
    assert float(found.shares[:, :45].sum()) == 0 < float(found.shares[:, 45:].sum())


def test_flat_patches_say_nothing(pair) -> None:
    points, pixels, here, there, depths = pair
    flat = Photograph(torch.full_like(here.gray, 0.5), here.weight, NOISE)
    points.requires_grad_()
    found = agreement(points, pixels, flat, there, depths, pixel=0.01)
    found.loss.backward()
    assert points.grad is not None
    assert float(found.share) < 1e-6 and float(points.grad.abs().max()) < 1e-6


def test_the_sums_of_the_images_are_those_that_are_returned(pair) -> None:
    found = agreement(*pair, pixel=0.01, cap=2.0, images=True)
    assert found.scores is not None and found.shares is not None
    torch.testing.assert_close(found.shares.sum(), found.share)
    torch.testing.assert_close((found.shares - found.scores).sum(), found.loss)


def test_nothing_seen_says_nothing(pair) -> None:
    _, _, here, there, depths = pair
    none = torch.zeros(0, 3, dtype=torch.float64, requires_grad=True)
    found = agreement(none, torch.zeros(0, dtype=torch.int32), here, there, depths, pixel=0.01)
    found.loss.backward()
    assert found.loss.item() == found.share.item() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"radius": 0}, "radius: expected 1 to 7, got 0"),
        ({"cap": 0.0}, "cap: expected a number in"),
        ({"depths": torch.zeros(3, 4, dtype=torch.float64)}, "of one size"),
        ({"pixels": torch.zeros(3240, dtype=torch.int64)}, "points, pixels: expected"),
    ],
)
def test_what_does_not_fit_together_is_named(pair, change: dict, message: str) -> None:
    names = ("points", "pixels", "here", "there", "depths")
    given = {**dict(zip(names, pair, strict=True)), "pixel": 0.01, **change}
    with pytest.raises(ValueError, match=message):
        agreement(**given)


def test_noise_is_told_from_slopes() -> None:
    rows = torch.linspace(0, 0.5, 60)[:, None] + torch.linspace(0, 0.4, 80)
    noisy = rows + 0.02 * torch.randn(60, 80, generator=torch.Generator().manual_seed(6))
    inside = torch.ones(60, 80, dtype=torch.bool)
    assert noise_of(rows, inside) == ROUNDING
    assert noise_of(noisy, inside) == pytest.approx(0.02**2, rel=0.1)
    noisy[:, 40:] = torch.rand(60, 40, generator=torch.Generator().manual_seed(7))
    inside[:, 40:] = False
    assert noise_of(noisy, inside) == pytest.approx(0.02**2, rel=0.2)
    assert noise_of(noisy, torch.zeros_like(inside)) == ROUNDING


def test_photographs_of_half_the_size_have_a_quarter_of_the_variance() -> None:
    noise = 0.05 * torch.randn(1, 96, 96, 1, generator=torch.Generator().manual_seed(12))
    images = torch.cat([(0.5 + noise).expand(-1, -1, -1, 3), torch.ones(1, 96, 96, 1)], -1)
    cameras = sphere_of_cameras(1, distance=3.0, fov_y_degrees=40, height=96, width=96)
    pyramid = Pyramid(Views((255 * images).round().byte(), cameras, ("a",)), 2, torch.device("cpu"))
    whole, half = (pyramid.photograph(0, level).noise for level in (0, 1))
    assert whole == pytest.approx(0.05**2, rel=0.1) and half == pytest.approx(0.05**2 / 4, rel=0.1)


def test_neighbours_are_neither_too_near_nor_too_far() -> None:
    angles = torch.deg2rad(torch.tensor([0.0, 2.0, 20.0, 30.0, 170.0]))
    centers = 3.0 * torch.stack([angles.cos(), angles.sin(), torch.zeros(5)], 1)
    assert neighbors(centers) == ((2, 3), (2, 3), (3, 1, 0), (2, 1, 0), ())
    assert neighbors(centers, Patches(neighbors=1)) == ((2,), (2,), (3,), (2,), ())


def ball_views(size: int = 96) -> tuple[Views, Cameras]:
    """Photographs of a ball with a pattern, each brighter or darker than the others; 24 around it."""
    ball = icosphere(5)
    waves = torch.randn(12, 3, generator=torch.Generator().manual_seed(8)) * 9
    pattern = torch.sin(ball.vertices.float() @ waves.T + torch.arange(12)).mean(1, keepdim=True)
    cameras = sphere_of_cameras(24, distance=4.0, fov_y_degrees=35.0, height=size, width=size)
    images = render(ball.vertices.float(), ball.faces, (0.5 + pattern).clamp(0, 1).expand(-1, 3), cameras)
    gains = 0.5 + 0.5 * torch.rand(24, 1, 1, 1, generator=torch.Generator().manual_seed(9))
    rgba = torch.cat([images[..., :3] * gains, images[..., 3:]], -1).clamp(0, 1).mul(255).round().byte()
    return Views(rgba, cameras, tuple(map(str, range(24)))), cameras


def loss_at(term: PhotoConsistency, radius: Tensor, level: int = 0) -> Tensor:
    """Of a ball, over some groups of photographs."""
    ball = icosphere(4)
    edges = edge_table(ball.faces.int())
    found = [
        term.evidence(radius * ball.vertices.float(), ball.faces, edges, term.group(i, 0), level=level)
        for i in range(0, 24, 4)
    ]
    return torch.stack([part.loss for part in found if part is not None]).mean()


def test_photographs_agree_on_the_true_surface_and_point_to_it() -> None:
    views, cameras = ball_views()
    term = PhotoConsistency(views, cameras)
    off = {}
    for radius in (0.96, 1.0, 1.04):
        at = torch.tensor(radius, requires_grad=True)
        loss = loss_at(term, at)
        (slope,) = torch.autograd.grad(loss, at)
        off[radius] = loss.item(), slope.item()
    assert off[1.0][0] < 0.1 < 2 * off[1.0][0] + 0.1 < min(off[0.96][0], off[1.04][0])
    assert off[0.96][1] < 0 < off[1.04][1]


def test_coarser_photographs_reach_farther() -> None:
    views, cameras = ball_views()
    term = PhotoConsistency(views, cameras, constants=Patches(smallest=24))
    slopes = []
    for level in (0, 2):
        at = torch.tensor(1.15, requires_grad=True)
        slopes.append(float(torch.autograd.grad(loss_at(term, at, level), at)[0]))
    assert slopes[1] > 0 and slopes[1] > slopes[0]


def test_sizes_follow_the_run_and_the_photographs() -> None:
    views, cameras = ball_views()
    term = PhotoConsistency(views, cameras, constants=Patches(smallest=24, finest_at=0.5))
    assert [term.level(at) for at in (0.0, 0.24, 0.25, 0.49, 0.5, 0.99)] == [2, 2, 1, 1, 0, 0]
    more = PhotoConsistency(views, cameras, constants=Patches(smallest=12, finest_at=0.6))
    assert [more.level(at) for at in (0.0, 0.21, 0.41, 0.61)] == [3, 2, 1, 0]
    assert PhotoConsistency(views, cameras, constants=Patches(smallest=90)).level(0.0) == 0


def test_groups_are_drawn_anew_for_each_step_and_are_those_of_its_number() -> None:
    views, cameras = ball_views()
    one, two = (PhotoConsistency(views, cameras, seed=3) for _ in range(2))
    groups = [one.group(5, number) for number in range(12)]
    assert groups == [two.group(5, number) for number in range(12)]
    assert all(group[0] == 5 and set(group[1:]) <= set(one.neighbors[5]) for group in groups)
    assert len({tuple(group) for group in groups}) > 3
    other = PhotoConsistency(views, cameras, seed=4)
    assert groups != [other.group(5, number) for number in range(12)]


def test_groups_are_smaller_where_photographs_are_large() -> None:
    views, cameras = ball_views()
    sizes = []
    for photographs in (1, 2, 3, 9):
        term = PhotoConsistency(
            views, cameras, constants=Patches(smallest=48), most_pixels=photographs * 96**2
        )
        sizes.append([len(term.group(5, 1, level)) for level in (0, 1)])
    assert sizes == [[2, 3], [2, 3], [3, 3], [3, 3]]


@pytest.mark.parametrize(("most", "side"), [(96**2, 96), (96**2 - 1, 48), (48**2 - 1, 24)])
def test_no_photograph_has_more_pixels_than_a_step(most: int, side: int) -> None:
    views, cameras = ball_views()
    term = PhotoConsistency(views, cameras, constants=Patches(smallest=24), most_pixels=most)
    given = views.images[3].float() / 255
    shrunk = given.reshape(side, 96 // side, side, 96 // side, 4).mean((1, 3))
    gray = shrunk[..., :3] @ torch.tensor([0.299, 0.587, 0.114])
    torch.testing.assert_close(term.photograph(3).gray, gray, atol=1e-3, rtol=0.0)
    assert term.cameras([3]).width == side and term.levels == {96: 3, 48: 2, 24: 1}[side]
    vertices, faces = (icosphere(2).vertices.float(), icosphere(2).faces)
    assert term.trust(torch.tensor([3]), (96, 96)).shape == (1, 96, 96)
    assert term.report(vertices, faces, edge_table(faces.int())) is not None


def test_photographs_without_neighbours_say_nothing() -> None:
    views, cameras = ball_views()
    term = PhotoConsistency(views, cameras, constants=Patches(angles=(0.001, 0.002)))
    ball = icosphere(2)
    assert term.group(0, 0) == [0]
    assert term.evidence(ball.vertices.float(), ball.faces, edge_table(ball.faces.int()), [0]) is None


def test_corrected_cameras_are_those_that_count() -> None:
    views, cameras = ball_views()
    turned = cameras.world_to_camera.clone()
    turned[:, 0, 3] += 0.05 * torch.sin(torch.arange(24.0))
    off = replace(cameras, world_to_camera=turned)
    term = PhotoConsistency(views, off)
    ball = icosphere(4)
    edges, group = edge_table(ball.faces.int()), PhotoConsistency(views, cameras).group(0, 0)

    def mended(given: Cameras, index: Tensor) -> Cameras:
        return cameras[index]

    wrong, right = (
        term.evidence(ball.vertices.float(), ball.faces, edges, group, corrected=how)
        for how in (None, mended)
    )
    assert wrong is not None and right is not None
    assert right.loss.item() < 0.5 * wrong.loss.item()


VIEWS = 24  # of the ball


def witness(spoilt: bool, times: int) -> PhotoConsistency:
    """After comparisons over the true ball, whose renderings are right, or have stripes that no photograph has."""
    views, cameras = ball_views()
    term, ball, images = PhotoConsistency(views, cameras), icosphere(5), views.linear([0, 5, 9])
    if spoilt:
        stripes = 0.5 + 0.5 * torch.sin(torch.arange(96.0) * 0.7)
        images[..., :3] *= stripes[:, None, None]
    edges = edge_table(ball.faces.int())
    found = [
        (term.heard(ball.vertices.float(), ball.faces, edges, image, i, number=1)[1], i)
        for image, i in zip(images, (0, 5, 9), strict=True)
    ]
    for number in range(times):
        term.learn(*found[number % 3], 0)
    return term


def test_patches_are_kept_where_neighbours_foretell_more_than_renderings() -> None:
    right, wrong = witness(False, VIEWS), witness(True, VIEWS)
    for term in (right, wrong):
        term.trial.reach(0.0)
        term.judge()
    assert right.foretold is not None and wrong.foretold is not None
    assert right.foretold < 0.1 and right.trial.dropped and not right.agreeing
    assert wrong.foretold > 0.9 and wrong.trial.running and wrong.agreeing
    again = PhotoConsistency(*ball_views())
    again.load_state_dict(wrong.state_dict())
    assert again.trial.running and again.agreeing and again.foretold == wrong.foretold


def test_patches_are_dropped_as_soon_as_as_many_as_there_are_photographs_are_against_them() -> None:
    right, wrong = witness(False, VIEWS - 1), witness(True, VIEWS)
    right.judge()
    assert not right.trial.dropped and not right.agreeing
    few = witness(True, VIEWS - 1)
    few.trial.reach(0.0)
    assert not few.agreeing  # not all have voted
    again = PhotoConsistency(*ball_views())
    again.load_state_dict(right.state_dict())
    again.learn(None, 0, 0)
    again.judge()
    assert again.trial.dropped and again.foretold is not None and again.foretold < 0.1
    wrong.judge()
    assert not wrong.trial.dropped  # that they are for them may change
    for _ in range(VIEWS):
        wrong.learn(WindowLosses(*torch.tensor([[[2.0]], [[0.3]], [[0.1]]])), 0, 0)
    wrong.judge()
    assert wrong.trial.dropped and wrong.foretold == 0.0


def test_patches_that_nobody_can_compare_are_dropped() -> None:
    views, cameras = ball_views()
    term, ball = PhotoConsistency(views, cameras, constants=Patches(angles=(0.001, 0.002))), icosphere(3)
    edges = edge_table(ball.faces.int())
    evidence, alone = term.heard(ball.vertices.float(), ball.faces, edges, views.linear([0])[0], 0, number=1)
    assert evidence is None and alone is None
    for _ in range(VIEWS):
        term.learn(alone, 0, 0)
    term.judge()
    assert term.trial.dropped and term.foretold is None
    assert term.report(ball.vertices.float(), ball.faces, edges) is None


def test_colours_count_less_where_neighbours_foretell_more() -> None:
    views, cameras = ball_views()
    term, ball = PhotoConsistency(views, cameras, constants=Patches(smallest=24)), icosphere(5)
    image, edges = views.linear([4])[0], edge_table(ball.faces.int())
    image[:, :48, :3] *= 0.5 + 0.5 * torch.sin(torch.arange(96.0) * 0.7)[:, None, None]
    _, found = term.heard(ball.vertices.float(), ball.faces, edges, image, 4, number=1)
    term.learn(found, 4, 0)
    trust = term.trust(torch.tensor([4, 5]), (48, 48))
    assert trust.shape == (2, 48, 48) and bool((trust[1] == 1).all())
    inside = views.images[4, ::2, ::2, 3] > 127
    spoilt, right = trust[0, :, :22][inside[:, :22]], trust[0, :, 26:][inside[:, 26:]]
    assert float(spoilt.mean()) < 0.2 and float(right.mean()) > 0.95
    assert float(trust.min()) >= 0 and float(trust.max()) <= 1
    again = PhotoConsistency(views, cameras, constants=Patches(smallest=24))
    again.load_state_dict(term.state_dict())
    assert torch.equal(again.trust(torch.tensor([4, 5]), (48, 48)), trust)


def test_windows_count_by_their_share_of_texture() -> None:
    """Two of four have something to say: 0.1 + 0.25 * 0.8 of what others lose, over 0.4 + 0.25 * 0.2."""
    weight, others, rendered = (
        torch.tensor([row, [0.0, 0.0]]) for row in ([1.0, 0.25], [0.1, 0.8], [0.4, 0.2])
    )
    found = WindowLosses(weight, others, rendered)
    assert float(found.trust(2)) == pytest.approx(0.3 / 0.45)
    assert found.votes() == (1.0, 1.25)


def test_differences_of_colours_count_as_they_are_trusted() -> None:
    random = torch.Generator().manual_seed(11)
    images, targets = (torch.rand(2, 6, 5, 4, generator=random) for _ in range(2))
    trust = torch.rand(2, 6, 5, generator=random)
    cameras = sphere_of_cameras(2, distance=3.0, fov_y_degrees=40, height=6, width=5)
    batch = Batch(cameras, targets, torch.arange(2), trust=trust)
    off = (images - targets).abs()
    wanted = (trust[..., None] * off[..., :3]).sum(-1) + off[..., 3]
    torch.testing.assert_close(Difference().loss(images, batch), wanted.mean())
    torch.testing.assert_close(Difference().of_pixels(images, batch) * wanted.numel(), wanted)
    torch.testing.assert_close(
        Difference().of_channels(images, batch) * wanted.numel(), trust[..., None] * off[..., :3]
    )


def test_what_patches_add_is_the_logarithm_of_their_loss_times_their_share_of_the_object() -> None:
    """Half of the pixels with texture pull half as much as all of them: n log(mean) of n differences."""
    views, cameras = ball_views()
    plain = replace(views, images=views.images.clone())
    plain.images[:, :48, :, :3] = 128  # the upper half says nothing
    ball, pulls = icosphere(4), []
    edges = edge_table(ball.faces.int())

    def draw(asked: Cameras, index: Tensor) -> Tensor:
        return torch.ones(len(index), asked.height, asked.width, 4)

    for shown in (views, plain):
        term = PhotoConsistency(shown, cameras)
        term.trial.settle(keep=True)
        at = torch.tensor(1.02, requires_grad=True)
        surface = (at * ball.vertices.float(), ball.faces, edges)
        added = Witness(term).hear(
            surface, draw, torch.tensor([3]), 0.04, number=7, progress=0.9, corrected=None
        )
        (slope,) = torch.autograd.grad(added, at, retain_graph=True)
        found = term.evidence(*surface, term.group(3, 7), level=term.level(0.9))
        assert found is not None
        relative = torch.autograd.grad(found.loss, at)[0] / found.loss
        pulls.append(float((slope / (0.04 * relative)).detach()))
        assert pulls[-1] == pytest.approx(found.share)
    assert 0.35 * pulls[0] < pulls[1] < 0.65 * pulls[0]


@pytest.mark.parametrize("against", [False, True])
def test_a_step_compares_its_first_photograph_and_the_vote_decides(against: bool) -> None:
    views, cameras = ball_views()
    term = PhotoConsistency(views, cameras, constants=Patches(smallest=24, finest_at=0.9))
    losses = (9.0, 0.3, 0.1) if against else (0.1, 0.3, 9.0)
    assert (WindowLosses(*(torch.full((64, 64), value) for value in losses)).votes()[0] == 0) == against
    for _ in range(VIEWS):
        term.learn(WindowLosses(*(torch.full((64, 64), value) for value in losses)), 0, 2)
    witness, ball, seen = Witness(term), icosphere(4), []
    surface = (ball.vertices.float(), ball.faces, edge_table(ball.faces.int()))

    def draw(asked: Cameras, index: Tensor) -> Tensor:
        seen.append((asked.height, index.tolist()))
        return render(surface[0], ball.faces, torch.ones(len(ball.vertices), 3), asked)

    witness.hear(surface, draw, torch.tensor([0, 7]), 0.1, number=1, progress=0.5, corrected=None)
    assert term.trial.dropped == against
    assert seen == ([] if against else [(48, [0])])


@pytest.mark.parametrize(("radius", "start"), [(1.0, 0.0), (0.6, 0.3)])
def test_patches_wait_in_a_run_that_starts_far_from_the_outlines(radius: float, start: float) -> None:
    views, _ = ball_views(48)
    ball = icosphere(3)
    run = Reconstruction(views, Settings(), start=Mesh(radius * ball.vertices.float(), ball.faces))
    assert run.fit.witness is not None and run.fit.witness.term.trial.start == start


@pytest.mark.parametrize(("radius", "heard"), [(0.7, False), (1.0, True)])
def test_patches_wait_until_outlines_are_nearly_right(radius: float, heard: bool) -> None:
    views, cameras = ball_views()
    witness, ball = Witness(PhotoConsistency(views, cameras, near=False)), icosphere(4)
    index = torch.tensor([0, 7])

    def draw(seen: Cameras, _: Tensor) -> Tensor:
        return render(radius * ball.vertices.float(), ball.faces, torch.ones(len(ball.vertices), 3), seen)

    batch = Batch(cameras[index], views.linear(index), index)
    assert not witness.called(draw, batch, 0.29)
    assert witness.called(draw, batch, 0.5) == heard == witness.heard
    assert (witness.trusting(batch).trust is not None) == heard
    witness.term.trial.settle(keep=False)
    assert not witness.called(draw, batch, 0.7) and witness.trusting(batch) is batch
