"""Where gradients come from: sources find the way, count renders, go on from a checkpoint, say what fails."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from largesteps_zg.cameras import Cameras, sphere_of_cameras
from largesteps_zg.constants import Estimates
from largesteps_zg.geometry import mean_edge_length
from largesteps_zg.images.losses import image_loss
from largesteps_zg.mesh import icosphere, surface_distances
from largesteps_zg.reconstruct import NonFiniteError, Reconstruction, Settings, reconstruct
from largesteps_zg.reconstruct.gradients import (
    GRADIENTS,
    GradientSource,
    PerPixelSource,
    Rasterized,
    make_source,
    pixel_size,
)
from largesteps_zg.renderers import FunctionRenderer, HardRasterizer, render
from largesteps_zg.scenes.synthetic import scene_from_mesh, studio_light

SHORT = Settings(steps=6, views_per_step=3, remesh=(3,), max_vertices=800)
every_source = pytest.mark.parametrize("name", list(GRADIENTS))


@pytest.fixture(scope="module")
def scene():
    ball = icosphere(4)
    return scene_from_mesh(
        dataclasses.replace(ball, vertices=ball.vertices * torch.tensor([1.0, 0.7, 0.8])),
        views=8, test_views=0, height=64, width=64, up="z",
    )  # fmt: skip


def last(iterator):
    """The last of the states."""
    state = None
    for state in iterator:  # noqa: B007
        pass
    return state


@pytest.mark.slow
@every_source
def test_same_seed_same_mesh_and_a_resumed_run_ends_where_the_whole_one_does(scene, name, tmp_path) -> None:
    """Stopped right before new triangles come, and after; and saved again before the next step."""
    settings = dataclasses.replace(SHORT, gradients=name)
    for state in reconstruct(scene.train, settings):
        if state.step in (3, 4):
            torch.save(state.run.state_dict(), tmp_path / f"{state.step}.pt")
    whole = state.run
    for stop in (3, 4):
        again = Reconstruction(scene.train, settings)
        again.load_state_dict(torch.load(tmp_path / f"{stop}.pt", weights_only=True))
        resumed = last(reconstruct(scene.train, settings, checkpoint=again.state_dict())).run
        assert torch.equal(whole.mesh().vertices, resumed.mesh().vertices)
        assert resumed.source.renders == whole.source.renders
    assert torch.equal(last(reconstruct(scene.train, settings)).run.mesh().vertices, whole.mesh().vertices)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "each"),  # of a step of three views, of which per-pixel takes two
    [("rasterizer", 3), ("soft", 3), ("per-pixel", 4), ("smoothed", 60), ("spsa", 60), ("zerograds", 60)],
)
def test_counts_every_image(scene, name, each) -> None:
    drawn = 0

    class Counting(HardRasterizer):
        def __call__(self, *arguments):
            nonlocal drawn
            pictures = super().__call__(*arguments)
            drawn += len(pictures.images)
            return pictures

    # Per-pixel averages more pairs on fine triangles.
    source = make_source(name, Counting(), 0, Estimates(most_pairs=1))
    state = last(reconstruct(scene.train, SHORT, source=source))
    assert source.renders == 6 * each == (18 if name in ("rasterizer", "soft") else drawn)
    assert state.run.source is source


@pytest.mark.slow
def test_per_pixel_gradients_find_the_shape(scene) -> None:
    settings = Settings(steps=150, views_per_step=4, max_vertices=2000, gradients="per-pixel")
    run = last(reconstruct(scene.train, settings)).run
    found = surface_distances(
        run.mesh(), scene.mesh, samples=5000, generator=torch.Generator().manual_seed(0)
    )
    assert found.chamfer_permille < 4.0  # a pixel is 18 permille of the diagonal
    assert found.normal_consistency > 0.98


@pytest.mark.slow
def test_per_pixel_gradients_point_where_the_rasterizers_do(scene) -> None:
    """Not 1: outlines closer together than a step hide each other; see `PerPixel`. Without coherence and directions a
    single estimate has a cosine of 0.60, and the mean 0.905."""
    settings = dataclasses.replace(SHORT, remesh="off", gloss="off", exposure="off")
    run = Reconstruction(scene.train, settings, start=icosphere(3, radius=0.8), light=studio_light())
    batch = run.targets.batch(torch.tensor([0, 3, 6]))

    def gradient(source: GradientSource) -> torch.Tensor:
        vertices, albedo = run.fit.surface()
        if isinstance(source, PerPixelSource):  # of all views, not of a turn's
            colors = run.fit.shaded(vertices, albedo, batch)
            loss = source._estimated(run.fit, vertices, colors, batch, 0.0, 1)
        else:
            loss = source.loss(run.fit, vertices, albedo, batch, progress=0.0).loss
        return torch.autograd.grad(loss, run.fit.shape.latent)[0].flatten()

    exact = gradient(Rasterized())
    source = PerPixelSource(HardRasterizer(), 0)
    estimates = torch.stack([gradient(source) for _ in range(32)])
    each = torch.nn.functional.cosine_similarity(estimates, exact[None], dim=1)
    mean = torch.nn.functional.cosine_similarity(estimates.mean(0), exact, dim=0)
    assert each.mean() > 0.7 and mean > 0.915


@pytest.mark.slow
@pytest.mark.parametrize(("name", "share"), [("smoothed", 0.8), ("spsa", 0.8), ("zerograds", 0.95)])
def test_estimates_in_the_latent_lower_the_loss(scene, name, share) -> None:
    start = icosphere(3, radius=0.8)
    settings = Settings(steps=60, views_per_step=4, remesh="off", gradients=name)
    light = studio_light()
    states = list(reconstruct(scene.train, settings, start=start, light=light, colors_known=True))
    run = states[-1].run

    def loss(vertices: torch.Tensor) -> float:
        images = run.fit.images(vertices, torch.full_like(vertices, 0.5), run.targets.cameras)
        return float(image_loss(images, run.targets.linear))

    with torch.no_grad():
        before = loss(Reconstruction(scene.train, settings, start=start).fit.surface()[0])
        assert loss(run.fit.surface()[0]) < share * before


@pytest.mark.slow
def test_what_is_known_stays(scene) -> None:
    start = icosphere(3, radius=0.8)
    settings = dataclasses.replace(SHORT, gradients="spsa", remesh="off")
    run = last(reconstruct(scene.train, settings, start=start, light=studio_light(), colors_known=True)).run
    assert torch.equal(run.fit.light.detach(), studio_light().coefficients)
    assert torch.allclose(run.fit.surface()[1], torch.tensor(0.5), atol=1e-6)
    assert run.fit.paint.latent.grad is None


@pytest.mark.slow
@every_source
def test_a_copy_is_independent(scene, name) -> None:
    """What `compare` measures along a run must not change the run."""
    run = Reconstruction(scene.train, dataclasses.replace(SHORT, gradients=name, remesh="off"))
    run.advance()
    state = copy.deepcopy(run.source.state_dict())
    twin = copy.deepcopy(run.source)
    vertices, albedo = run.fit.surface()
    twin.loss(run.fit, vertices, albedo, run.targets.batch(torch.arange(8)), progress=0.5).loss.backward()
    assert twin.renders > run.source.renders
    now = run.source.state_dict()
    assert now.keys() == state.keys() and now["renders"] == state["renders"]
    if "generator" in state:
        assert torch.equal(now["generator"], state["generator"])


def test_the_loss_that_is_shown_does_not_know_what_brightness_counts_at_the_time(scene) -> None:
    run = Reconstruction(scene.train, SHORT)
    vertices, albedo = run.fit.surface()
    batch, found = run.targets.batch(torch.arange(8)), []
    for weight in (0.2, 1.0):
        run.fit.appearance.gloss = None  # which has a say in it
        difference = dataclasses.replace(run.fit.difference, brightness=weight)
        run.fit.options = dataclasses.replace(run.fit.options, difference=difference)
        result = run.source.loss(run.fit, vertices, albedo, batch, progress=0.1)
        found.append((float(result.loss.detach()), result.shown))
    (low, shown), (full, itself) = found
    assert low < full == pytest.approx(shown) and itself == full


@pytest.mark.slow
@pytest.mark.parametrize(("level", "last_of_first"), [(2, 1.0), (4, 3 ** (-5 / 6))])
def test_per_pixel_steps_end_shorter_on_fine_triangles_alone(scene, level, last_of_first) -> None:
    """Edges of some 8 and 2 pixels, in the same run without remeshing."""
    start = icosphere(level)
    start = dataclasses.replace(start, vertices=0.7 * start.vertices)
    settings = dataclasses.replace(SHORT, gradients="per-pixel", remesh="off")
    states = reconstruct(scene.train, settings, start=start)
    rates = [state.run.fit.shape.optimizer.param_groups[0]["lr"] for state in states]
    assert rates[0] == pytest.approx(settings.step_size * PerPixelSource.traits.step_factor)
    assert rates[-1] == pytest.approx(rates[0] * 0.03 ** (5 / 6) * last_of_first)


def test_a_renderer_that_fails_stops_the_run_with_the_step(scene) -> None:
    calls = 0

    def broken(vertices, faces, colors, cameras):
        nonlocal calls
        calls += 1
        images = render(vertices, faces, colors, cameras)
        return images * float("nan") if calls > 4 else images

    source = make_source("spsa", FunctionRenderer(broken), 0)
    with pytest.raises(NonFiniteError, match="step 1: evaluation"):
        last(reconstruct(scene.train, dataclasses.replace(SHORT, remesh="off"), source=source))


def test_an_unknown_source_is_refused_with_the_known_ones(scene) -> None:
    with pytest.raises(
        ValueError, match=r"gradients: expected one of rasterizer, soft, per-pixel, .*, got 'adjoint'"
    ):
        Reconstruction(scene.train, dataclasses.replace(SHORT, gradients="adjoint"))


def test_the_size_of_a_pixel_moves_a_point_by_one_pixel() -> None:
    cameras = sphere_of_cameras(5, distance=3.0, fov_y_degrees=40.0, height=50, width=70)
    points = 0.3 * torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    right = cameras.world_to_camera[:, 0, :3]  # (B, 3)
    moved = points + pixel_size(points, cameras) * right[:, None]  # (B, V, 3)

    def columns(x: torch.Tensor) -> torch.Tensor:
        camera = torch.einsum("bij,bvj->bvi", cameras.world_to_camera[:, :3, :3], x)
        camera = camera + cameras.world_to_camera[:, None, :3, 3]
        return cameras.intrinsics[:, 0, 0, None] * camera[..., 0] / camera[..., 2]

    shift = columns(moved) - columns(points.expand(5, -1, -1))
    assert torch.allclose(shift, torch.ones_like(shift), atol=1e-4)


@pytest.mark.parametrize(("pixels", "pairs"), [(8.0, 1), (5.0, 1), (4.0, 2), (3.0, 3), (2.0, 6), (0.5, 6)])
def test_the_finer_the_triangles_the_more_pairs(pixels, pairs) -> None:
    ball = icosphere(4)
    cameras = sphere_of_cameras(2, distance=30.0, fov_y_degrees=5, height=64, width=64)
    size = float(mean_edge_length(ball.vertices, ball.faces)) / float(
        pixel_size(ball.vertices, cameras).mean()
    )
    factors = torch.tensor([pixels / size, pixels / size, 1.0])
    finer = Cameras(cameras.world_to_camera, factors[:, None] * cameras.intrinsics, 64, 64)
    assert PerPixelSource(HardRasterizer(), 0)._pairs(ball.vertices, ball.faces, finer) == pairs


@pytest.mark.slow
def test_estimates_have_more_smoothing_and_fewer_vertices_by_default(scene) -> None:
    found = {}
    for gradients in ("rasterizer", "per-pixel"):
        run = Reconstruction(scene.train, Settings(steps=1, gradients=gradients))
        found[gradients] = run.settings.lambda_, run.settings.max_vertices, run.fit.shape.lambda_
    assert found == {"rasterizer": (5.0, 50_000, 5.0), "per-pixel": (19.0, 20_000, 19.0)}
    asked = Reconstruction(
        scene.train, Settings(steps=1, gradients="per-pixel", lambda_=7.0, max_vertices=900)
    )
    assert (asked.settings.lambda_, asked.settings.max_vertices, asked.fit.shape.lambda_) == (7.0, 900, 7.0)
