"""Outlines of an object by its colours, those around it, and what its table looks like."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from photograph_files import noise
from scipy.ndimage import binary_dilation
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from largesteps_zg.cameras import Cameras
from largesteps_zg.cameras.placement import look_at
from largesteps_zg.constants import DEFAULTS
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.reconstruct.starts import unmasked as carving
from largesteps_zg.reconstruct.starts.hull import surface_of
from largesteps_zg.reconstruct.starts.outlines.find import bounded_by, outlines
from largesteps_zg.reconstruct.starts.outlines.likelihood import gains_of, learned
from largesteps_zg.reconstruct.starts.outlines.plane_look import plane_look
from largesteps_zg.reconstruct.starts.outlines.silhouettes import coverages, smaller, within_reach
from largesteps_zg.reconstruct.starts.outlines.still_look import at_rest, still_look
from largesteps_zg.reconstruct.starts.outlines.volume import evidence, smallest
from largesteps_zg.reconstruct.starts.unmasked import Unmasked, unmasked
from largesteps_zg.renderers.rasterized import render
from largesteps_zg.scenes import Scene, Views
from largesteps_zg.scenes.carving.grid import Grid
from largesteps_zg.scenes.from_photographs.object import Support
from largesteps_zg.scenes.views import Ball

SUPPORT = Support(np.array([0.0, 1.0, 0.0]), 0.0, 1.0)
BALL = Ball(torch.tensor([0.0, 0.8, 0.0], dtype=torch.float64), 1.3)


def ring(count: int, height: int, width: int, highs: tuple[float, ...] = (1.6, 3.0)) -> Cameras:
    """Cameras on circles at these heights around (0, 0.8, 0)."""
    angles = np.linspace(0, 2 * np.pi * len(highs), count, endpoint=False)
    high = np.array(highs)[len(highs) * np.arange(count) // count]
    reach = (25.0 - high**2) ** 0.5
    centers = torch.from_numpy(np.stack([reach * np.sin(angles), high, reach * np.cos(angles)], axis=1))
    return look_at(
        centers, (0.0, 0.8, 0.0), up=(0.0, 1.0, 0.0), fov_y_degrees=42.0, height=height, width=width
    )


def rod(start: tuple[float, ...], end: tuple[float, ...], radius: float) -> Mesh:
    """A long ellipsoid from here to there."""
    ball = icosphere(3)
    a, b = torch.tensor(start), torch.tensor(end)
    axis = (b - a) / 2
    across = ball.vertices - (ball.vertices @ axis)[:, None] * axis / axis.square().sum()
    along = (ball.vertices @ axis)[:, None] * axis / axis.norm()
    return Mesh((a + b) / 2 + radius * across + along, ball.faces)


def figure() -> list[Mesh]:
    """A body, and four parts of a thickness of 0.1: two ears and two legs."""
    body = icosphere(4)
    body = Mesh(body.vertices * torch.tensor([0.6, 0.35, 0.35]) + torch.tensor([0.0, 0.75, 0.0]), body.faces)
    thin = [((0.4, 0.0, 0.1), (0.3, 0.8, 0.0)), ((-0.4, 0.0, -0.1), (-0.3, 0.8, 0.0)),
            ((0.4, 0.8, 0.0), (0.7, 1.7, 0.2)), ((0.4, 0.8, 0.0), (0.5, 1.7, -0.3))]  # fmt: skip
    return [body, *(rod(a, b, 0.05) for a, b in thin)]


def joined(parts: list[Mesh], colors: list[np.ndarray]) -> Mesh:
    firsts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    faces = torch.cat(
        [part.faces.long() + int(first) for part, first in zip(parts, firsts[:-1], strict=True)]
    )
    shown = torch.from_numpy(np.concatenate(colors)).float()
    return Mesh(torch.cat([part.vertices.float() for part in parts]), faces.int(), shown)


def cloth(side: float = 5.0, n: int = 161) -> Mesh:
    x, z = torch.meshgrid(torch.linspace(-side, side, n), torch.linspace(-side, side, n), indexing="ij")
    i = torch.arange(n * n).view(n, n)
    a, b, c, d = (part.reshape(-1) for part in (i[:-1, :-1], i[1:, :-1], i[1:, 1:], i[:-1, 1:]))
    faces = torch.cat([torch.stack([a, c, b], 1), torch.stack([a, d, c], 1)])
    return Mesh(torch.stack([x, torch.zeros_like(x), z], dim=-1).reshape(-1, 3), faces.int())


def strengths(count: int) -> np.ndarray:
    """How bright photographs are."""
    found: np.ndarray = 2.0 ** np.random.default_rng(1).uniform(-0.3, 0.3, count)
    return found


def capture(
    *, alike: bool = False, count: int = 24, turns: bool = False
) -> tuple[Scene, np.ndarray, np.ndarray]:
    """A figure on a cloth, its masks (B, H, W), and those of its thin parts.

    `alike` has one colour for all. Where it `turns`, so does a small cloth, before a wall at rest with its own paint.
    """
    cameras, parts = ring(count, 150, 200, (2.2,) if turns else (1.6, 3.0)), figure()
    sheet = cloth(1.2, 61) if turns else cloth()
    solid = joined(parts, [np.zeros((len(part.vertices), 3)) for part in parts])
    light, dark = (noise(mesh.vertices.double().numpy() * 2 + 7, 1)[:, :1] > 0.5 for mesh in (sheet, solid))
    pattern = np.where(light, [[0.8, 0.75, 0.6]], [[0.1, 0.2, 0.5]])
    paint = np.where(dark, [[0.1, 0.45, 0.4]], [[0.7, 0.3, 0.05]])
    if alike:
        pattern, paint = np.full_like(pattern, 0.4), np.full_like(paint, 0.4)
    wall = torch.tensor(0.4 if alike else 0.15)
    if turns:
        y, x = np.mgrid[:150, :200] / 40
        paint = noise(solid.vertices.double().numpy() * 2 + 7, 1)
        light_of_wall = noise(np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3), 5)
        wall = torch.from_numpy(light_of_wall).float().view(150, 200, 3)
    whole = joined([sheet, solid], [pattern, paint])
    generator, images, masks, thin = np.random.default_rng(0), [], [], []
    tail = joined(parts[1:], [np.ones((len(part.vertices), 3)) for part in parts[1:]])
    for i in range(count):
        camera = cameras[i].to(dtype=torch.float32)
        seen = render(whole.vertices, whole.faces, whole.colors, camera)[0]
        gain = 1.0 if alike else strengths(count)[i]
        glow = gain * (seen[..., :3] + (1 - seen[..., 3:]) * wall)
        pixels = 255 * glow.clamp(0, 1).numpy() ** (1 / 2.2) + generator.normal(0, 1.5, (150, 200, 3))
        images.append(np.concatenate([pixels.round().clip(0, 255), np.full((150, 200, 1), 255.0)], axis=2))
        for mesh, into in ((solid, masks), (tail, thin)):
            into.append(render(mesh.vertices, mesh.faces, mesh.colors + 1, camera)[0, ..., 3].numpy() > 0.5)
    views = Views(
        torch.from_numpy(np.stack(images)).byte(), cameras, tuple(f"{i:03}" for i in range(count)), ball=BALL
    )
    flat = sheet.vertices[sheet.vertices.norm(dim=1) < 2][::5]
    points = torch.cat([flat, solid.vertices[::40]]).double()
    return Scene(None, "photographs", views, masked=False, points=points), np.stack(masks), np.stack(thin)


@pytest.fixture(scope="module")
def painted() -> tuple[Scene, np.ndarray, np.ndarray]:
    return capture()


@pytest.mark.slow
def test_outlines_are_those_of_the_figure_with_its_thin_parts(painted) -> None:
    scene, masks, thin = painted
    assert scene.points is not None
    found = outlines(scene.train, scene.points, BALL, SUPPORT)
    assert found is not None and found.trusted
    made = found.masked(scene.train).images[..., 3].numpy() > 127
    overlap = (made & masks).sum(axis=(1, 2)) / (made | masks).sum(axis=(1, 2))
    assert overlap.mean() > 0.93 and overlap.min() > 0.88
    assert (made & thin).sum() / thin.sum() > 0.9
    says = found.masked(scene.train).evidence
    assert says is not None
    sure, own = np.abs(says.numpy()) == 127, says.numpy() > 0
    assert (own == made)[sure].mean() > 0.99
    counts = np.abs(
        says.numpy()[~sure].astype(float)
    )  # what pixels that are right count, of all that are not sure
    assert (counts * (own == masks)[~sure]).sum() / counts.sum() > 0.8
    assert not sure[masks ^ binary_dilation(masks, np.ones((1, 3, 3)))].all()  # beside outlines some are not


@pytest.mark.slow
def test_what_has_the_colours_of_its_surroundings_is_not_trusted() -> None:
    """A grey figure on grey paper, before a grey wall."""
    scene, _, _ = capture(alike=True)
    assert scene.points is not None
    found = outlines(scene.train, scene.points, BALL, SUPPORT)
    assert found is None or not found.trusted


@pytest.mark.slow
def test_a_ball_that_cuts_the_figure_off_grows(painted) -> None:
    scene, masks, _ = painted
    views = scene.train[::2]
    small = Ball(torch.tensor([0.2, 0.6, 0.1], dtype=torch.float64), 0.5)
    assert scene.points is not None
    found = outlines(views, scene.points, small, SUPPORT)
    assert found is not None and found.trusted and found.ball.radius > 0.9
    made = found.masked(views).images[..., 3].numpy() > 127
    assert ((made & masks[::2]).sum(axis=(1, 2)) / (made | masks[::2]).sum(axis=(1, 2))).mean() > 0.9


@pytest.mark.slow
def test_a_few_wrong_points_do_not_decide_about_outlines(painted) -> None:
    views = painted[0].train[::2]
    beside = (
        torch.tensor([[0.0, 0.3, 0.9]]) + 0.02 * torch.arange(7.0)[:, None]
    )  # in the ball, above the table
    found = outlines(views, beside.double(), BALL, SUPPORT)
    assert found is not None and found.trusted
    assert found.holds is None and "too few points" in found.told()
    assert not replace(found, holds=0.3).trusted and "30%" in replace(found, holds=0.3).told()


def one_sided() -> tuple[Scene, np.ndarray]:
    """A white ball on a brown table before black; cameras on an arc of 70 degrees, so no camera sees what is behind."""
    angles = np.radians(np.tile(np.linspace(-35, 35, 6), 2))
    high = np.repeat([2.0, 4.0], 6)
    flat = (36.0 - high**2) ** 0.5
    centers = torch.from_numpy(np.stack([flat * np.sin(angles), high, flat * np.cos(angles)], axis=1))
    cameras = look_at(centers, (0.0, 0.8, 0.0), up=(0.0, 1.0, 0.0), fov_y_degrees=30.0, height=120, width=160)
    ball = Mesh(icosphere(4).vertices * 0.8 + torch.tensor([0.0, 0.8, 0.0]), icosphere(4).faces)
    shade = 0.35 + 0.45 * (icosphere(4).vertices[:, 1:2] * 0.5 + 0.5)
    sheet = cloth(3.0)
    brown = 0.12 + 0.05 * torch.from_numpy(noise(sheet.vertices.double().numpy() * 4 + 9, 1)[:, :1])
    paint = [
        (brown * torch.tensor([1.0, 0.6, 0.4])).numpy(),
        (shade * torch.tensor([1.0, 0.9, 0.8])).numpy(),
    ]
    whole, images, masks = joined([sheet, ball], paint), [], []
    generator = np.random.default_rng(0)
    for i in range(len(cameras)):
        camera = cameras[i].to(dtype=torch.float32)
        seen = render(whole.vertices, whole.faces, whole.colors, camera)[0, ..., :3].clamp(0, 1).numpy()
        pixels = 255 * seen ** (1 / 2.2) + generator.normal(0, 1.5, seen.shape)
        images.append(
            np.concatenate([pixels.round().clip(0, 255), np.full((*seen.shape[:2], 1), 255.0)], axis=2)
        )
        white = torch.ones(len(ball.vertices), 3)
        masks.append(render(ball.vertices, ball.faces, white, camera)[0, ..., 3].numpy() > 0.5)
    views = Views(torch.from_numpy(np.stack(images)).byte(), cameras, tuple("abcdefghijkl"))
    points = torch.cat([sheet.vertices[sheet.vertices.norm(dim=1) < 2][::5], ball.vertices[::40]]).double()
    return Scene(None, "photographs", views, masked=False, points=points), np.stack(masks)


@pytest.mark.slow
def test_what_hides_the_table_in_all_photographs_is_not_the_table() -> None:
    scene, masks = one_sided()
    ball = Ball(torch.tensor([0.0, 0.9, 0.0], dtype=torch.float64), 0.7)
    assert scene.points is not None
    found = outlines(scene.train, scene.points, ball, SUPPORT)
    assert found is not None and found.trusted
    made = found.masked(scene.train).images[..., 3].numpy() > 127
    assert ((made & masks).sum(axis=(1, 2)) / (made | masks).sum(axis=(1, 2))).mean() > 0.9


@pytest.fixture(scope="module")
def turning() -> tuple[Scene, np.ndarray, np.ndarray]:
    return capture(turns=True, count=16)


@pytest.mark.slow
def test_only_what_stays_where_it_is_counts_as_at_rest(painted, turning) -> None:
    for (scene, _, _), rests in ((painted, False), (turning, True)):
        assert at_rest(scene.train, ~within_reach(scene.train, BALL, SUPPORT)) is rests


def test_a_wall_at_rest_is_seen_wherever_nothing_always_turns_before_it(turning) -> None:
    scene, masks, _ = turning
    views, logs = scene.train, np.log(strengths(16))
    gains = np.repeat(logs[:, None], 3, axis=1) / 2.2
    look = still_look(views, gains)
    assert look is not None
    colors, _ = look.at(views, 5)
    always, sometimes = masks.mean(axis=0) > 0.9, (masks.mean(axis=0) > 0.05) & (masks.mean(axis=0) < 0.4)
    steady = look.steady(views, 5)
    assert steady[~masks.any(axis=0)][:4000].mean() > 0.95  # above the cloth
    assert steady[sometimes].mean() > 0.5 and steady[always].mean() < 0.2
    shown = np.moveaxis(np.log(views.images[5, ..., :3].numpy() + DEFAULTS.outlining.dark), -1, 0)
    off = np.abs(shown - gains[5][:, None, None] - colors).max(axis=0)
    assert np.median(off[steady & ~masks[5]]) < 0.03 and np.median(off[steady & masks[5]]) > 0.1
    # So it is told from a figure of the same colours.
    beside = ~within_reach(views, BALL, SUPPORT)
    told = learned(views, gains, np.zeros_like(beside), beside, [look])
    assert told.around[0].share > 0.9
    ratio = told.ratio(views, 5, gains[5])
    blind = learned(views, gains, np.zeros_like(beside), beside, []).ratio(views, 5, gains[5])
    on, off_it = steady & masks[5], steady & ~masks[5]
    assert np.median(ratio[on]) - np.median(ratio[off_it]) > 5
    assert abs(np.median(blind[on]) - np.median(blind[off_it])) < 1
    # A table cannot be before the wall where that is seen.
    table = plane_look(views, BALL, SUPPORT, gains)
    with_table = learned(views, gains, np.zeros_like(beside), beside, [look, table])
    assert np.array_equal(with_table.ratio(views, 5, gains[5])[steady], ratio[steady])


def test_a_wall_that_most_photographs_hide_is_known() -> None:
    """Of 20 photographs 7 show the wall in a square, which others hide by any colours; nothing shows it in another."""
    generator = np.random.default_rng(0)
    wall = generator.integers(40, 200, (24, 32, 3))
    images = np.clip(wall + generator.normal(0, 1.0, (20, 24, 32, 3)), 0, 255)
    for index, image in enumerate(images):
        image[4:12, 20:28] = generator.integers(0, 256, (8, 8, 3))
        if index % 3:
            image[4:12, 4:12] = generator.integers(0, 256, (8, 8, 3))
    images = np.concatenate([images, np.zeros((20, 24, 32, 1))], axis=3)
    views = Views(torch.from_numpy(images).byte(), ring(20, 24, 32), tuple(map(str, range(20))))
    look = still_look(views, np.zeros((20, 3)))
    assert look is not None
    steady = look.steady(views, 0)
    assert steady[4:12, 4:12].all() and steady[:4].all() and not steady[4:12, 20:28].any()
    off = look.colors - np.moveaxis(np.log(wall + DEFAULTS.outlining.dark), -1, 0)
    assert np.abs(off[:, 4:12, 4:12]).max() < 0.1


def test_photographs_without_outlines_by_colours_are_carved_by_depths(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene, _, _ = capture(count=4)
    asked, found = [], Unmasked(scene, icosphere(1), ())

    def carved(*arguments: object) -> Unmasked:
        asked.append(arguments)
        return found

    monkeypatch.setattr(carving, "outlines", lambda *_: None)
    monkeypatch.setattr(carving, "_by_depths", carved)
    assert unmasked(scene) is unmasked(scene, keep_support=True) is found
    (_, _, _, cut, notes, _), (_, _, _, kept, _, _) = asked
    assert cut is not None and kept is None and notes[0] == "colours leave no object"


# --- parts -----------------------------------------------------------------------------------------------------------


def best_cut(gain: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """The least set by SciPy's maximum flow; whole numbers."""
    number = np.arange(gain.size).reshape(gain.shape)
    source, sink, edges = gain.size, gain.size + 1, []
    for node, value in zip(number.reshape(-1), gain.reshape(-1), strict=True):
        edges.append((source, node, value) if value > 0 else (node, sink, -value))
    for axis, weight in enumerate(weights):
        low, high = (np.delete(number, which, axis=axis).reshape(-1) for which in (-1, 0))
        for a, b, w in zip(low, high, weight.reshape(-1), strict=True):
            edges += [(a, b, w), (b, a, w)]
    rows, columns, values = (np.array(part) for part in zip(*edges, strict=True))
    size = (gain.size + 2,) * 2
    graph = csr_array((values.astype(np.int32), (rows, columns)), shape=size)
    left = graph - maximum_flow(graph, source, sink).flow
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    reached = breadth_first_order(left, source, return_predecessors=False)
    inside = np.zeros(gain.size + 2, dtype=bool)
    inside[reached] = True
    return inside[: gain.size].reshape(gain.shape)


@pytest.mark.parametrize("shape", [(14, 11), (7, 6, 8)])
def test_the_least_set_is_that_of_a_maximum_flow(shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(4)
    gain = generator.integers(-40, 41, shape)
    gain[gain == 0] = 1
    weights = [
        generator.integers(0, 30, tuple(n - (axis == other) for other, n in enumerate(shape)))
        for axis in range(len(shape))
    ]
    weights = [np.maximum(weight, 1) for weight in weights]
    found = smallest(gain / 40.0, [(weight / 40.0).astype(np.float32) for weight in weights]) > 0.5
    wanted = best_cut(gain, weights)

    def energy(inside: np.ndarray) -> int:
        steps = sum(
            int((w * np.diff(inside.astype(int), axis=a).__abs__()).sum()) for a, w in enumerate(weights)
        )
        return steps - int((gain * inside).sum())

    assert energy(wanted) < min(energy(gain > 0), 0)
    assert energy(found) <= energy(wanted) + 2  # of some hundred: the flow is exact, and this is iterated


def test_a_place_counts_by_the_mean_of_what_photographs_say() -> None:
    scene, _, _ = capture(count=4)
    shape = tuple(scene.train.images.shape[1:3])
    ratios = [np.full(shape, value, dtype=np.float32) for value in (3.0, -2.0, 0.0, 1.0)]
    terms = [-np.log(0.5 + 0.5 * np.exp(-value)) for value in (3.0, -2.0, 0.0, 1.0)]
    places = np.array([[0.0, 0.8, 0.0], [0.0, 0.8, 60.0]])  # the second one is beside or behind
    found = evidence(scene.train, ratios, places)
    np.testing.assert_allclose(found, [np.mean(terms), -1.0], atol=1e-6)


@pytest.mark.slow
def test_a_table_has_the_look_of_photographs_in_which_nothing_stands_before_it(painted) -> None:
    scene, masks, _ = painted
    views = scene.train
    bare = plane_look(views, BALL, SUPPORT, np.zeros((len(views), 3)), masks)
    gains = gains_of(views, bare, ~masks)
    look = plane_look(views, BALL, SUPPORT, gains, masks)
    colors, spread = look.at(views, 3)
    logs = (
        np.moveaxis(np.log(views.images[3, ..., :3].numpy() + DEFAULTS.outlining.dark), -1, 0)
        - gains[3][:, None, None]
    )
    seen = np.isfinite(colors[0]) & ~masks[3]
    off = np.abs(logs - colors).max(axis=0)
    assert seen.mean() > 0.3 and np.median(off[seen]) < 0.05
    assert np.median(off[masks[3] & np.isfinite(colors[0])]) > 0.3
    assert np.corrcoef(gains.mean(axis=1), np.log(strengths(len(views))))[0, 1] > 0.95
    assert np.nanmedian(spread) < 0.1


def test_colours_seen_on_the_object_alone_are_the_objects(painted) -> None:
    scene, masks, _ = painted
    views = scene.train
    gains = np.zeros((len(views), 3))
    half = np.arange(len(views)) % 2 == 0  # learned from every second one, tested with the others
    inside, outside = (part & half[:, None, None] for part in (masks, ~masks))
    found = learned(views, gains, inside, outside, [])
    ratio = found.ratio(views, 1, gains[1])
    assert (ratio[masks[1]] > 0).mean() > 0.8 and (ratio[~masks[1]] < 0).mean() > 0.95
    nothing = learned(views, gains, np.zeros_like(masks), outside, [])
    assert np.ptp(nothing.inside) == 0.0  # any colour may be the object's


def test_what_is_seen_more_often_in_the_ball_is_the_objects_colour(painted) -> None:
    scene, masks, _ = painted
    views, gains = scene.train, np.zeros((len(scene.train), 3))
    reach = within_reach(views, BALL, SUPPORT)
    found = learned(views, gains, reach, ~reach, [], mixed=True)
    ratio = np.stack([found.ratio(views, index, gain) for index, gain in enumerate(gains)])
    assert (ratio[masks] > 0).mean() > 0.7 and (ratio[reach & ~masks] < 0).mean() > 0.7
    # A few of the object's pixels beside the ball do not make its colours those of the surroundings.
    beside = ~reach
    beside[::4] |= masks[::4]
    found = learned(views, gains, reach, beside, [], mixed=True)
    assert np.mean([(found.ratio(views, i, gains[i])[masks[i]] > 0).mean() for i in range(len(views))]) > 0.7


def test_where_photographs_do_not_agree_on_the_table_each_colour_is_less_likely(painted) -> None:
    """Over all colours, what is likely on the table has the same sum everywhere."""
    views = painted[0].train[:1]
    generator = np.random.default_rng(5)
    look = plane_look(painted[0].train, BALL, SUPPORT, np.zeros((24, 3)))
    usual, dark = 0.2, DEFAULTS.outlining.dark
    spread = np.full_like(look.spread, usual)
    spread[:, : 2 * len(spread) // 5] = 4 * usual
    look = replace(look, colors=np.full_like(look.colors, np.log(90.0)), spread=spread)
    there = look.at(views, 0)[1][None]
    some = np.isfinite(there)

    def pictured(logs: np.ndarray) -> Views:
        images = views.images.clone()
        images[..., :3] = torch.from_numpy((np.exp(logs) - dark).round().clip(0, 255)).byte()
        return replace(views, images=images)

    near = np.log(90.0) + usual * generator.normal(0, 1, (*some.shape, 3))
    made = learned(pictured(near), np.zeros((1, 3)), some & False, some & (there < 2 * usual), [look])
    made = replace(made, outside=made.inside)  # else any colour is as likely
    sums = []
    for _ in range(4):
        logs = np.log(dark) + np.log(255 / dark + 1) * generator.random((*some.shape, 3))
        ratio = made.ratio(pictured(logs), 0, np.zeros(3))[None]
        sums.append(
            [np.exp(-ratio[some & (there < 2 * usual)]).mean(), np.exp(-ratio[there > 3 * usual]).mean()]
        )
    np.testing.assert_allclose(np.mean(sums, axis=0), 1.0, atol=0.15)


def test_a_solid_that_goes_on_beyond_the_ball_is_not_bounded() -> None:
    grid = Grid.nodes(np.zeros(3), 1.0, 20)
    solid = surface_of(
        grid, (0.5 - np.linalg.norm(grid.points(), axis=1)).reshape(grid.shape), DEFAULTS.carving
    )
    assert solid is not None
    middle = torch.zeros(3, dtype=torch.float64)
    assert bounded_by(solid, Ball(middle, 0.62)) and not bounded_by(solid, Ball(middle, 0.58))
    assert not bounded_by(solid, Ball(middle + 0.1, 0.62))


def test_smaller_photographs_show_the_same_places() -> None:
    scene, _, _ = capture(count=3)
    small = smaller(scene.train, 70)
    assert small.images.shape[1:3] == (50, 67) and small.known is not None
    assert not bool(small.known[:, :, -1].any()) and bool(small.known[:, :, :-1].all())
    point = torch.tensor([[0.2, 0.5, -0.1]], dtype=torch.float64)
    (large, _), (less, _) = scene.train.cameras.project(point), small.cameras.project(point)
    torch.testing.assert_close(large / 3, less)
    mean = scene.train.images[0, 30:33, 60:63, :3].double().mean(dim=(0, 1))
    assert bool(((small.images[0, 10, 20, :3] - mean).abs() <= 0.5).all())


def test_pixels_within_reach_are_those_of_the_ball_above_the_plane() -> None:
    scene, _, _ = capture(count=3)
    views = scene.train
    found = within_reach(views, BALL, SUPPORT)
    ball = icosphere(5)
    vertices = ball.vertices.double() * BALL.radius + BALL.center
    dome = vertices.clamp_min(torch.tensor([-9.0, 0.0, -9.0]))
    whole = within_reach(views, BALL, None)
    for made, shape in ((whole, vertices), (found, dome)):
        for reached, cover in zip(made, coverages(views, shape, ball.faces), strict=True):
            assert (reached != (cover > 0.5)).mean() < 0.005
