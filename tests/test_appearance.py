"""Colours from albedo: exposure, gloss, colours of each view; and that the right ones are found."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from largesteps_zg.cameras import look_at, sphere_of_cameras
from largesteps_zg.constants import DEFAULTS
from largesteps_zg.geometry import vertex_normals
from largesteps_zg.images import linear_to_srgb, srgb_to_linear
from largesteps_zg.mesh import icosphere
from largesteps_zg.reconstruct import Reconstruction, Settings
from largesteps_zg.reconstruct.appearance.exposure import Exposure, crossed
from largesteps_zg.reconstruct.appearance.gloss import Gloss, octahedral
from largesteps_zg.reconstruct.appearance.model import Appearance
from largesteps_zg.reconstruct.batch import Batch
from largesteps_zg.reconstruct.difference import Difference
from largesteps_zg.reconstruct.gradients import Rasterized
from largesteps_zg.renderers import SphericalHarmonicsLight, render
from largesteps_zg.scenes import Views
from largesteps_zg.scenes.synthetic import scene_from_mesh, studio_light


def cameras_around(count: int, size: int = 40, dtype=torch.float64):
    return sphere_of_cameras(count, distance=3.0, fov_y_degrees=40.0, height=size, width=size, dtype=dtype)


def directions(count: int, generator) -> torch.Tensor:
    """(N, 3) unit vectors all around."""
    return torch.nn.functional.normalize(
        torch.randn(count, 3, generator=generator, dtype=torch.float64), dim=1
    )


def some_gloss(generator, dtype=torch.float64) -> Gloss:
    """With surroundings that differ from texel to texel."""
    gloss = Gloss()
    gloss.levels = [
        torch.randn(1, 3, n, n, generator=generator, dtype=torch.float64).to(dtype)
        for n in DEFAULTS.highlights.sizes
    ]
    gloss.strength = torch.tensor([0.3], dtype=dtype)
    gloss.log_grazing, gloss.nearness = torch.tensor([1.5], dtype=dtype), torch.tensor([0.2], dtype=dtype)
    gloss.trial.started = True
    return gloss


def test_a_set_of_colours_for_each_view_is_drawn_as_if_each_were_alone(generator):
    ball, cameras = icosphere(3, dtype=torch.float64), cameras_around(3)
    vertices = ball.vertices.clone().requires_grad_()
    colors = torch.rand(3, len(vertices), 2, generator=generator, dtype=torch.float64).requires_grad_()
    together = render(vertices, ball.faces, colors, cameras)
    alone = torch.cat([render(vertices, ball.faces, colors[i], cameras[i]) for i in range(3)])
    assert torch.equal(together, alone)
    weight = torch.rand(together.shape, generator=generator, dtype=torch.float64)
    found = torch.autograd.grad((together * weight).sum(), (vertices, colors))
    expected = torch.autograd.grad((alone * weight).sum(), (vertices, colors))
    assert all(torch.allclose(a, b) for a, b in zip(found, expected, strict=True))


def test_colours_that_do_not_fit_the_views_are_refused(unchecked):
    ball, cameras = icosphere(1), cameras_around(3, dtype=torch.float32)
    with pytest.raises(ValueError, match=r"^colors: expected one set for each of 3 views, got 2 sets$"):
        render(ball.vertices, ball.faces, torch.ones(2, 42, 3), cameras)
    with pytest.raises(ValueError, match=r"^colors: expected \(42, C\) or \(3, 42, C\), got \(41, 3\)$"):
        render(ball.vertices, ball.faces, torch.ones(41, 3), cameras)


@pytest.mark.slow
def test_colours_are_gain_times_diffuse_and_mirrored_light(generator):
    ball, cameras = icosphere(2, dtype=torch.float64), cameras_around(3)
    albedo = torch.rand(len(ball.vertices), 3, generator=generator, dtype=torch.float64)
    light = SphericalHarmonicsLight(torch.randn(9, 3, generator=generator, dtype=torch.float64))
    gloss = some_gloss(generator)
    exposure = Exposure(5)
    exposure.log_gains = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    appearance = Appearance(light, gloss=gloss, exposure=exposure)
    index = torch.tensor([4, 0, 1])
    found = appearance.colors(ball.vertices, ball.faces, albedo, cameras, index)
    normals = vertex_normals(ball.vertices, ball.faces)
    for row in range(3):
        for vertex in (0, 17, 161):
            n, x = normals[vertex], ball.vertices[vertex]
            w = torch.nn.functional.normalize(cameras.centers[row] - x, dim=0)
            r = torch.nn.functional.normalize(2 * (n @ w) * n - w + 0.2 * x, dim=0)
            share = 1 + math.exp(1.5) * (1 - max(float(n @ w), 0.0)) ** 3
            mirrored = 0.3 * share * gloss.surroundings(r[None, None])[0, 0]
            diffuse = albedo[vertex] * light(n[None])[0]
            gain = exposure.log_gains[index[row]].exp()
            assert torch.allclose(found[row, vertex], gain * (diffuse + mirrored))
    plain = Appearance(light).colors(ball.vertices, ball.faces, albedo, cameras, index)
    assert plain.shape == (len(ball.vertices), 3)


def test_the_octahedron_keeps_every_direction_apart_and_its_edges_together(generator):
    d = directions(2000, generator)
    places = octahedral(d)
    assert float(places.abs().max()) <= 1
    # Back: fold out the corners again.
    z = 1 - places.abs().sum(1)
    xy = torch.where(z[:, None] >= 0, places, (1 - places.flip(1).abs()) * places.sign())
    back = torch.nn.functional.normalize(torch.cat([xy, z[:, None]], 1), dim=1)
    assert torch.allclose(back, d)


def test_surroundings_have_no_seam(generator):
    """Directions a thousandth apart see nearly the same, also where the unfolded square has its border."""
    gloss = some_gloss(generator)
    azimuth = torch.rand(500, generator=generator, dtype=torch.float64) * 2 * math.pi
    # On the octahedron's lower edges the square ends: x or y is 0, z < 0.
    low = -torch.rand(500, generator=generator, dtype=torch.float64)
    flat = (1 - low**2).sqrt()
    for axis in (0, 1):
        seam = torch.zeros(500, 3, dtype=torch.float64)
        seam[:, 1 - axis], seam[:, 2] = flat * azimuth.cos().sign(), low
        offset = torch.zeros(3, dtype=torch.float64)
        offset[axis] = 5e-4
        sides = [
            gloss.surroundings(torch.nn.functional.normalize(seam + s * offset, dim=1)[None])[0]
            for s in (1, -1)
        ]
        assert float((sides[0] / sides[1]).log().abs().max()) < 0.2  # texels differ by factors of some e


@pytest.mark.slow
def test_gradients_of_the_mirrored_light_reach_all_of_it_and_the_surface(generator):
    gloss, ball = some_gloss(generator), icosphere(0, dtype=torch.float64)
    outward, camera = directions(12, generator), cameras_around(2)

    def colors(strength, grazing, nearness, coarse, vertices, normals) -> torch.Tensor:
        gloss.strength, gloss.log_grazing, gloss.nearness = strength, grazing, nearness
        gloss.levels[0] = coarse
        return gloss(vertices, ball.faces, normals, camera)

    own = (gloss.strength, gloss.log_grazing, gloss.nearness, gloss.levels[0])
    inputs = [part.clone().requires_grad_() for part in (*own, ball.vertices, outward)]
    assert torch.autograd.gradcheck(colors, inputs)


def test_surroundings_at_a_distance_are_seen_where_a_ray_meets_them(generator, monkeypatch):
    """To first order in one over the distance: twice as far, a quarter of the error."""
    gloss, camera = some_gloss(generator), cameras_around(1)
    places, normals = directions(200, generator) * 0.8, directions(200, generator)
    towards = torch.nn.functional.normalize(camera.centers - places, dim=1)
    rays = 2 * (normals * towards).sum(1, keepdim=True) * normals - towards
    seen = []
    monkeypatch.setattr(gloss, "surroundings", lambda at: seen.append(at[0]) or torch.ones_like(at))

    def error(distance: float) -> float:
        along = (places * rays).sum(1)
        reach = -along + (along**2 + distance**2 - (places**2).sum(1)).sqrt()
        gloss.nearness = torch.tensor([1.0 / distance], dtype=torch.float64)
        gloss(places, torch.zeros(1, 3, dtype=torch.long), normals, camera)
        return float(((places + reach[:, None] * rays) / distance - seen[-1]).norm(dim=1).mean())

    assert error(10.0) == pytest.approx(error(5.0) / 4, rel=0.1)
    assert error(5.0) < 0.03


def test_gloss_that_explains_little_is_dropped():
    for loss, kept in ((0.5, True), (0.65, True), (0.7, False), (1.0, False)):
        gloss = Gloss()
        gloss.trial.reach(0.5)
        assert gloss.trial.running and not gloss.trial.due(0.55) and gloss.trial.due(0.6)
        gloss.judge(loss, 1.0)
        assert gloss.trial.running is gloss.trial.kept is kept and not gloss.trial.due(0.7)
        gloss.trial.reach(0.7)
        assert gloss.trial.running is kept
    assert not Gloss(always=True).trial.due(1.0)


def test_brightness_counts_in_full_on_matt_surfaces_and_least_before_highlights_are_explained():
    light, gloss = SphericalHarmonicsLight.ambient(), Gloss()
    assert Appearance(light).brightness(0.45) == 0.45
    appearance = Appearance(light, gloss=gloss)
    assert appearance.brightness(None) is None
    assert appearance.brightness(0.45) == 0.45**2
    gloss.trial.reach(0.5)
    assert appearance.brightness(0.45) == 0.45
    gloss.judge(1.0, 1.0)
    assert appearance.brightness(0.45) == 1.0


def moved(scene, gains: torch.Tensor):
    """The scene's photographs, each with another exposure."""
    pictures = scene.train.images.float() / 255
    rgb = linear_to_srgb((srgb_to_linear(pictures[..., :3]) * gains[:, None, None]).clamp(0, 1))
    images = (255 * torch.cat([rgb, pictures[..., 3:]], -1)).round().to(torch.uint8)
    return dataclasses.replace(scene.train, images=images)


@pytest.fixture(scope="module")
def scene():
    ball = icosphere(3)
    mesh = dataclasses.replace(ball, vertices=ball.vertices * torch.tensor([1.0, 0.7, 0.8]))
    return scene_from_mesh(mesh, views=8, test_views=0, height=64, width=64, up="z")


SMALL = {"views_per_step": 4, "max_vertices": 1500, "refine_cameras": "off"}


def finished(views, settings: Settings, **options) -> Reconstruction:
    run = Reconstruction(views, settings, **options)
    while run.step < settings.steps:
        run.advance()
    return run


@pytest.mark.slow
@pytest.mark.usefixtures("same_topology")
def test_exposures_are_found_and_are_one_on_average(scene, generator):
    log_gains = 0.15 * torch.randn(8, 3, generator=generator)
    log_gains -= log_gains.mean(0)
    settings = Settings(steps=120, exposure="on", **SMALL)
    run = finished(moved(scene, (log_gains - 0.3).exp()), settings)
    found = run.fit.appearance.exposure.log_gains.detach()
    assert torch.allclose(found.mean(0), torch.zeros(3), atol=1e-6)
    assert float((found - log_gains).square().mean().sqrt()) < 0.2 * float(log_gains.square().mean().sqrt())
    assert run.fit.appearance.gains().shape == (8, 3)


@pytest.mark.slow
@pytest.mark.parametrize("brightness", [None, 1.0, 0.3])
@pytest.mark.parametrize("kind", ["l1", "robust"])
def test_gains_are_kept_for_what_they_explain_whatever_counts(scene, generator, kind, brightness):
    """Pictures that have the exposures of their photographs; then photographs that have none."""
    batch = Reconstruction(scene.train, Settings()).targets.batch(torch.arange(8))
    log_gains = 0.15 * torch.randn(8, 3, generator=generator)
    taken = batch.targets.clone()
    taken[..., :3] *= log_gains.exp()[:, None, None]
    difference = Difference(kind, brightness=brightness)
    for targets, dropped in (
        (taken, False),
        (0.8 * taken + 0.2 * batch.targets, False),
        (batch.targets, True),
    ):
        exposure = Exposure(8)
        with torch.no_grad():
            exposure.log_gains.copy_(log_gains)
        exposure.judge(taken, dataclasses.replace(batch, targets=targets), difference)
        assert exposure.trial.dropped == dropped and not exposure.trial.due(0.9)


@pytest.mark.slow
def test_white_says_at_least_so_bright_once_gloss_is_kept(scene):
    """What is brighter than white counts nothing where the photograph is white, and in full elsewhere."""
    run = Reconstruction(scene.train, Settings(gloss="auto"))
    batch = run.targets.batch(torch.arange(2))
    targets = torch.full_like(batch.targets, 0.5)
    targets[:, ::2] = 1.0
    batch = dataclasses.replace(batch, targets=targets, weights=None, trust=None)
    bright, dark = torch.full_like(targets, 1.5), torch.full_like(targets, 0.25)
    gloss = run.fit.appearance.gloss
    for started, decided, dropped in ((False, False, False), (True, False, False), (True, True, True)):
        gloss.trial.started, gloss.trial.decided, gloss.trial.dropped = started, decided, dropped
        assert not run.fit.difference.cut
    gloss.trial.dropped = False
    assert run.fit.difference.cut
    for cut, white in ((False, 0.5), (True, 0.0)):
        difference = Difference(cut=cut)
        off = difference.of_channels(bright, batch) * targets[..., 0].numel()
        torch.testing.assert_close(off[:, ::2], torch.full_like(off[:, ::2], white))
        torch.testing.assert_close(off[:, 1::2], torch.ones_like(off[:, 1::2]))
        rows = difference.of_pixels(bright, batch).sum(dim=(0, 2))
        assert bool((rows[::2] > 0).all()) != cut and bool((rows[1::2] > 0).all())
        assert difference.loss(dark, batch) == Difference().loss(dark, batch)


def pictures_of(generator) -> torch.Tensor:
    """Three opaque pictures."""
    return torch.cat([torch.rand(3, 6, 8, 3, generator=generator), torch.ones(3, 6, 8, 1)], dim=-1)


def test_each_half_gets_the_gain_that_the_other_asks_for(generator):
    """What views ask for apart from all together; a gain of one half goes to the other."""
    pictures = pictures_of(generator)
    gains = torch.tensor([2.0, 1.0, 0.5])
    taken = pictures.clone()
    taken[..., :3] *= gains[:, None, None, None]
    torch.testing.assert_close(crossed(pictures, taken), taken)
    taken[..., :3] *= 0.3  # the light's, not the cameras'
    torch.testing.assert_close(
        crossed(pictures, taken)[..., :3], pictures[..., :3] * gains[:, None, None, None]
    )
    taken = pictures.clone()
    taken[:1, :, :4, :3] *= 8.0
    expected = pictures.clone()
    expected[0, :, 4:, :3] *= 8 ** (2 / 3)  # the mean of the logarithms over three views is a third of one
    expected[1:, :, 4:, :3] *= 8 ** (-1 / 3)
    torch.testing.assert_close(crossed(pictures, taken), expected)


@pytest.mark.parametrize("even", [True, False])
def test_a_gain_has_to_hold_for_both_halves(generator, even: bool):
    """Views that are brighter as a whole, and views that are as much brighter in the mean but on one side alone."""
    pictures = pictures_of(generator)
    factors = torch.tensor([0.2, 0.0, -0.2])
    taken = pictures.clone()
    sides = torch.ones(8) if even else torch.tensor([4.0] * 4 + [-2.0] * 4)
    taken[..., :3] *= (factors[:, None, None, None] * sides[:, None]).exp()
    exposure = Exposure(3)
    with torch.no_grad():
        exposure.log_gains.copy_(factors[:, None].expand(3, 3))
    found = pictures.clone()
    found[..., :3] *= factors.exp()[:, None, None, None]
    batch = Batch(
        sphere_of_cameras(3, distance=3.0, fov_y_degrees=40, height=6, width=8), taken, torch.arange(3)
    )
    exposure.judge(found, batch, Difference())
    assert exposure.trial.dropped != even


@pytest.mark.slow
@pytest.mark.usefixtures("same_topology")
def test_exposures_that_are_there_are_kept_by_default(scene, generator):
    views = moved(scene, (0.15 * torch.randn(8, 3, generator=generator) - 0.3).exp())
    settings = Settings(steps=120, **SMALL)
    run = Reconstruction(views, settings)
    while run.step <= 60:
        run.advance()
    assert not run.fit.appearance.exposure.trial.due(0.5)
    assert run.fit.appearance.gains() is not None


@pytest.mark.slow
def test_what_belongs_to_no_photograph_has_no_say(scene):
    """Half of some pictures painted over and said to be unknown: the same run as with other paint."""
    known = torch.ones(8, 64, 64, dtype=torch.bool)
    known[::2, :, :32] = False
    settings = Settings(steps=5, views_per_step=3, remesh="off", max_vertices=800)
    found = []
    for paint in (0, 200):
        images = scene.train.images.clone()
        images[~known] = torch.tensor([paint, paint, paint, 0], dtype=torch.uint8)
        images[::2, :, 32:36] = scene.train.images[::2, :, 32:36]
        views = dataclasses.replace(scene.train, images=images, known=known)
        start = icosphere(3, radius=0.6)
        found.append(finished(views, settings, start=start).mesh().vertices)
    assert torch.equal(*found)


@pytest.mark.slow
def test_per_pixel_gradients_reach_the_exposures(scene, generator):
    """Averaged over 24 estimates, against those of the rasterizer."""
    views = moved(scene, (0.3 * torch.randn(8, 3, generator=generator)).exp())
    run = Reconstruction(
        views, Settings(gradients="per-pixel", exposure="on"), start=scene.mesh, light=studio_light()
    )
    batch = run.targets.batch(torch.tensor([0, 3, 4, 6]))

    def gradient(source) -> torch.Tensor:
        vertices, albedo = run.fit.surface()
        loss = source.loss(run.fit, vertices, albedo, batch, progress=0.5).loss
        return torch.autograd.grad(loss, run.fit.appearance.exposure.log_gains)[0]

    exact, mean = gradient(Rasterized()), sum(gradient(run.source) for _ in range(24)) / 24
    assert bool((mean[[1, 2, 5, 7]] == 0).all())
    exact, mean = (part[batch.index] - part[batch.index].mean() for part in (exact, mean))
    assert float((mean * exact).sum() / (mean.norm() * exact.norm())) > 0.9
    assert 0.7 < float(mean.norm() / exact.norm()) < 1.3


def test_the_strength_of_gloss_is_never_negative_and_surroundings_stay_outside_the_scene():
    gloss = Gloss()
    gloss.trial.reach(0.5)
    assert gloss.trial.running
    ball, camera = icosphere(2), look_at(torch.tensor([[3.0, 0, 0]]), fov_y_degrees=40, height=8, width=8)
    for slope in (1.0, -1000.0):
        for _ in range(5):
            gloss(ball.vertices, ball.faces, ball.vertices, camera).sum().backward()  # less would be better
            gloss.nearness.grad = torch.full_like(gloss.nearness, slope)
            gloss.step()
            assert float(gloss.strength.detach()) == 0
            assert 0 <= float(gloss.nearness.detach()) <= 0.9
    assert float(gloss.nearness.detach()) > 0
    with torch.no_grad():
        gloss.nearness.fill_(5.0)
    gloss.step()
    assert gloss.report()["nearness"] == pytest.approx(0.9)


@pytest.mark.slow
@pytest.mark.usefixtures("same_topology")
def test_what_is_not_there_is_dropped(scene):
    settings = Settings(steps=160, **{**SMALL, "max_vertices": 800})
    appearance = finished(scene.train, settings).fit.appearance
    assert appearance.gloss.trial.dropped and appearance.exposure.trial.dropped
    assert appearance.gains() is appearance.gloss_report() is None and not bool(
        appearance.exposure.log_gains.any()
    )
    always = finished(
        scene.train, dataclasses.replace(settings, steps=8, gloss="on", exposure="on")
    ).fit.appearance
    assert always.gains() is not None and always.gloss_report() is not None
    off = finished(scene.train, dataclasses.replace(settings, steps=1, gloss="off", exposure="off"))
    assert len(off.fit.appearance.parameters()) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("same_topology")
def test_gloss_is_found(scene):
    """Lamps in mirrored directions: a picture of them is learned, and views that were held out come out right."""
    lamps = Gloss()
    lamps.strength, lamps.trial.started = torch.tensor([0.02]), True
    lamps.nearness, lamps.log_grazing = torch.tensor([0.2]), torch.tensor([math.log(5.0)])
    for row, column in ((10, 12), (20, 17), (14, 24)):
        lamps.levels[-1].data[..., row : row + 3, column : column + 3] = 4.0
    appearance = Appearance(studio_light(), gloss=lamps)
    cameras, mesh = cameras_around(28, 64, torch.float32), scene.mesh
    with torch.no_grad():
        colors = appearance.colors(mesh.vertices, mesh.faces, torch.full_like(mesh.vertices, 0.3), cameras)
        true = render(mesh.vertices, mesh.faces, colors, cameras).clamp(0, 1)
    straight = linear_to_srgb(true[..., :3] / true[..., 3:].clamp_min(1e-6)).clamp(0, 1)
    images = (255 * torch.cat([straight, true[..., 3:]], -1)).round().to(torch.uint8)
    views = Views(images, cameras, tuple(map(str, range(28))))
    errors = {}
    for choice in ("off", "auto"):
        settings = Settings(
            steps=300, views_per_step=4, remesh="off", step_size=0.03, gloss=choice, patches="off"
        )
        run = finished(views[list(range(24))], settings, start=mesh)
        shown = run.images(cameras[list(range(24, 28))]).clamp(max=1)  # as a photograph shows it
        errors[choice] = float((shown - true[24:]).abs().mean())
    found = run.fit.appearance.gloss_report()
    assert found["peak"] > 0.2 and 0.1 < found["nearness"] < 0.3
    assert errors["auto"] < 0.6 * errors["off"]
