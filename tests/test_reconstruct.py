"""The loop: it finds shapes, it is repeatable, it stops and goes on, it says what is wrong."""

from __future__ import annotations

import dataclasses
import io
import itertools

import pytest
import torch

from largesteps_zg._support.nested import moved
from largesteps_zg.cameras import sphere_of_cameras
from largesteps_zg.geometry import mean_edge_length, topology
from largesteps_zg.mesh import Mesh, flipped_faces, icosphere, surface_distances
from largesteps_zg.mesh.intersections import self_intersections
from largesteps_zg.parameterize import LargeSteps
from largesteps_zg.reconstruct import NonFiniteError, Reconstruction, Settings, State, reconstruct
from largesteps_zg.reconstruct.difference import Difference
from largesteps_zg.reconstruct.priors.bending import Bending
from largesteps_zg.reconstruct.schedule import (
    Remeshing,
    bending_weight,
    decay,
    refined_lambda,
    remeshings,
    shortest_edge,
    starting_lambda,
)
from largesteps_zg.renderers import SphericalHarmonicsLight
from largesteps_zg.scenes import bounding_sphere
from largesteps_zg.scenes.synthetic import scene_from_mesh, studio_light

SHORT = Settings(steps=12, views_per_step=3, remesh=(5,), max_vertices=1500)
STOPS = (1, 5, 6, 11)


def egg() -> Mesh:
    """A stretched and dented sphere, off-centre and in other units than the loop's own."""
    ball = icosphere(4, dtype=torch.float64)
    x = ball.vertices.clone()
    x[:, 2] *= 1.4
    dent = torch.exp(-((x - torch.tensor([1.0, 0.0, 0.3], dtype=x.dtype)) ** 2).sum(1) / 0.2)
    x = x * (1 - 0.25 * dent[:, None])
    return Mesh((30 * x + torch.tensor([100.0, -50.0, 20.0])).float(), ball.faces)


@pytest.fixture(scope="module")
def scene():
    return scene_from_mesh(egg(), views=10, test_views=2, height=72, width=64, up="z")


def last(iterator):
    """The last of the states."""
    state = None
    for state in iterator:  # noqa: B007
        pass
    return state


@pytest.fixture(scope="module")
def whole_run(scene) -> State:
    """The last state of a run in which everything is found, as by default."""
    return last(reconstruct(scene.train, Settings(steps=150, views_per_step=5, max_vertices=3000)))


@pytest.fixture(scope="module")
def short_run(scene) -> tuple[Mesh, dict[int, bytes]]:
    """The mesh that a short run ends with, and what it saved on the way."""
    saved = {}
    for state in reconstruct(scene.train, SHORT):
        if state.step in STOPS:
            buffer = io.BytesIO()
            torch.save(state.run.state_dict(), buffer)
            saved[state.step] = buffer.getvalue()
    return state.run.mesh(), saved


@pytest.mark.slow
def test_finds_the_shape_in_the_scenes_own_coordinates(scene, whole_run: State) -> None:
    mesh = whole_run.run.mesh()
    found = surface_distances(mesh, scene.mesh, samples=5000, generator=torch.Generator().manual_seed(0))
    assert found.chamfer_permille < 4.0  # a pixel is 12 permille of the diagonal
    assert found.normal_consistency > 0.98
    assert topology(mesh.faces).watertight and flipped_faces(mesh.vertices, mesh.faces) == 0
    assert whole_run.step == 150 and whole_run.loss < 0.02


@pytest.mark.slow
def test_colours_become_sharp_when_the_shape_is_there(scene) -> None:
    """And go on from where they were; those that are estimated stay smooth."""
    run = Reconstruction(scene.train, dataclasses.replace(SHORT, steps=40))
    albedo = {}
    while run.step < 40:
        run.advance()
        albedo[run.step] = run.fit.surface()[1].detach()
        assert run.fit.paint.lambda_ == (1.0 if run.step <= 30 else 0.1)
    moves = {i: float((albedo[i] - albedo[i - 1]).abs().max()) for i in (29, 30, 31)}
    assert moves[31] < 3 * max(moves[29], moves[30])
    noisy = Reconstruction(
        scene.train, dataclasses.replace(SHORT, steps=4, remesh="off", gradients="per-pixel")
    )
    while noisy.step < 4:
        noisy.advance()
    assert noisy.fit.paint.lambda_ == 1.0


@pytest.mark.slow
def test_refines_a_given_mesh(scene) -> None:
    start = Mesh(scene.mesh.vertices * 1.03, scene.mesh.faces)
    before = surface_distances(start, scene.mesh, samples=3000, generator=torch.Generator().manual_seed(0))
    settings = Settings(steps=60, views_per_step=5, remesh="off", step_size=0.03)
    mesh = last(reconstruct(scene.train, settings, start=start)).run.mesh()
    after = surface_distances(mesh, scene.mesh, samples=3000, generator=torch.Generator().manual_seed(0))
    assert after.chamfer < 0.3 * before.chamfer
    assert torch.equal(mesh.faces, start.faces)


@pytest.mark.slow
def test_estimated_light_comes_near_the_true_one(scene, whole_run: State) -> None:
    normals = torch.nn.functional.normalize(
        torch.randn(500, 3, generator=torch.Generator().manual_seed(3)), dim=1
    )
    true = studio_light()(normals)
    settings = [dataclasses.replace(whole_run.run.settings, seed=seed) for seed in (1, 2)]
    alike = torch.zeros(3)
    for state in (whole_run, *(last(reconstruct(scene.train, each)) for each in settings)):
        estimated = SphericalHarmonicsLight(state.run.fit.light.detach())(normals)
        # Light times albedo is all that images tell: compare up to a factor for each channel.
        for k in range(3):
            alike[k] += torch.corrcoef(torch.stack([true[:, k], estimated[:, k]]))[0, 1] / 3
    assert (alike > 0.8).all()  # colours take part of it in so few steps, by chance more with one seed


@pytest.mark.slow
def test_known_light_stays(scene) -> None:
    light = studio_light()
    run = last(reconstruct(scene.train, SHORT, light=light)).run
    assert torch.equal(run.fit.light.detach(), light.coefficients)


@pytest.mark.slow
def test_same_seed_same_result_other_seed_other_result(scene, short_run) -> None:
    def result(seed: int) -> torch.Tensor:
        return last(reconstruct(scene.train, dataclasses.replace(SHORT, seed=seed))).run.mesh().vertices

    first = short_run[0].vertices
    assert torch.equal(first, result(SHORT.seed))
    assert not torch.equal(first[:50], result(2)[:50])


@pytest.mark.slow
@pytest.mark.parametrize("stop", STOPS)
def test_a_resumed_run_ends_where_the_uninterrupted_one_does(scene, short_run, stop: int) -> None:
    whole, saved = short_run
    checkpoint = torch.load(io.BytesIO(saved[stop]), weights_only=True)
    states = list(reconstruct(scene.train, SHORT, checkpoint=checkpoint))
    resumed = states[-1].run.mesh()
    assert [state.step for state in states] == list(range(stop + 1, 13))
    assert torch.equal(whole.faces, resumed.faces)
    assert torch.equal(whole.vertices, resumed.vertices)
    assert torch.equal(whole.colors, resumed.colors)


@pytest.mark.slow
def test_resume_refuses_other_settings(scene) -> None:
    checkpoint = next(iter(reconstruct(scene.train, SHORT))).run.state_dict()
    with pytest.raises(ValueError, match="started with lambda_ = 5"):
        next(iter(reconstruct(scene.train, dataclasses.replace(SHORT, lambda_=7.0), checkpoint=checkpoint)))


@pytest.mark.slow
def test_masks_of_yes_and_no_are_compared_as_soft_ones(scene) -> None:
    images = scene.train.images.clone()
    images[..., 3] = torch.where(images[..., 3] > 127, 255, 0)
    hard = dataclasses.replace(scene.train, images=images)
    exact, soft = (Reconstruction(views, SHORT).targets.linear[..., 3] for views in (scene.train, hard))
    steps = images[..., 3] / 255.0
    assert float((soft - exact).square().mean()) < 0.4 * float((steps - exact).square().mean())


def test_every_view_is_seen_before_one_is_seen_again(scene) -> None:
    run = Reconstruction(scene.train, SHORT)
    assert sorted(torch.cat([run.targets.draw(5), run.targets.draw(5)]).tolist()) == list(range(10))


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, 7, 10, 99])
def test_no_step_sees_a_view_twice_and_all_are_seen_as_often(scene, count) -> None:
    run = Reconstruction(scene.train, SHORT)
    seen = torch.zeros(10)
    for _ in range(50):
        chosen = run.targets.draw(count)
        assert len(chosen) == min(count, 10) == len(set(chosen.tolist()))
        seen[chosen] += 1
        assert seen.max() - seen.min() <= 2


def test_a_non_finite_loss_stops_with_step_and_cause_and_keeps_the_mesh(scene) -> None:
    states = reconstruct(scene.train, SHORT)
    state = next(states)
    good = state.run.mesh()
    with torch.no_grad():
        state.run.targets.linear[:, 3, 4, 0] = float("nan")
    with pytest.raises(NonFiniteError, match=r"step 2: the loss is nan; the target images"):
        next(states)
    assert bool(torch.isfinite(state.run.mesh().vertices).all()) and len(good.vertices) == 2562


@pytest.mark.slow
@pytest.mark.parametrize("step", [8, 9, 10])
def test_a_surface_that_is_thrown_away_comes_back(scene, step) -> None:
    """Before colours become sharp, in that step (the tenth of twelve), and after it."""
    for state in reconstruct(scene.train, SHORT):
        if state.step == step:
            break
    good = state.run.mesh()
    with torch.no_grad():
        state.run.fit.shape.latent[7] = float("nan")
    with pytest.raises(NonFiniteError, match=f"step {step + 1}: .* the positions are not finite"):
        state.run.advance()
    mesh = state.run.mesh()
    assert bool(mesh.vertices.isfinite().all()) and bool(mesh.colors.isfinite().all())
    assert float((mesh.vertices - good.vertices).norm(dim=1).max()) < 0.1 * state.run.frame.radius
    assert float((mesh.colors - good.colors).abs().mean()) < 0.02


@pytest.mark.slow
def test_what_counts_is_known_before_the_first_step_of_a_resumed_run(scene) -> None:
    run = last(reconstruct(scene.train, SHORT)).run
    run.fit.appearance.gloss.trial.dropped = True  # a matt surface
    run.fit.options = dataclasses.replace(run.fit.options, difference=Difference(brightness=0.3))
    again = Reconstruction(scene.train, SHORT)
    again.fit.options = run.fit.options
    again.load_state_dict(run.state_dict())
    assert again.fit.difference == run.fit.difference == Difference(brightness=1.0)


def test_checkpoints_move_to_another_device_whatever_holds_their_tensors() -> None:
    one = torch.ones(2)
    found = moved({"a": one, "b": [one, {"c": one}], "d": 3, "e": None}, torch.device("meta"))
    assert found["a"].is_meta and found["b"][0].is_meta and found["b"][1]["c"].is_meta
    assert found["d"] == 3 and found["e"] is None and not one.is_meta


@pytest.mark.parametrize("option", ["colors_known", "refining"])
def test_resume_refuses_another_kind_of_start(scene, option) -> None:
    start = icosphere(3, radius=0.5)
    start = dataclasses.replace(start, vertices=start.vertices + bounding_sphere(scene.train)[0])
    checkpoint = next(iter(reconstruct(scene.train, SHORT, start=start))).run.state_dict()
    with pytest.raises(ValueError, match=r"^resume: the run was started without .*; give the same options$"):
        next(iter(reconstruct(scene.train, SHORT, start=start, checkpoint=checkpoint, **{option: True})))


@pytest.mark.slow
def test_shading_does_not_depend_on_where_the_scene_lies(scene) -> None:
    """Floats have no digits left for normals at a million radii."""
    shift = torch.tensor([3e6, -2e6, 5e6], dtype=torch.float64)
    cameras = scene.train.cameras.to(dtype=torch.float64)
    far = Reconstruction(dataclasses.replace(scene.train, cameras=cameras.transformed(1.0, -shift)), SHORT)
    near = Reconstruction(scene.train, SHORT)
    with torch.no_grad():
        for run in (near, far):
            run.fit.light[1:4] = torch.tensor([0.5, -0.4, 0.3])[:, None]
    mesh = egg()
    expected = near.rendering.shading(mesh.vertices, mesh.faces, near.views.cameras)
    found = far.rendering.shading(mesh.vertices.double() + shift, mesh.faces, far.views.cameras)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_too_large_steps_are_named_as_the_cause(scene) -> None:
    with pytest.raises(NonFiniteError, match="step size"):
        last(reconstruct(scene.train, Settings(steps=40, step_size=1e38, remesh="off")))


def test_a_start_mesh_elsewhere_is_refused(scene) -> None:
    with pytest.raises(ValueError, match="nowhere near the object"):
        Reconstruction(scene.train, SHORT, start=icosphere(2))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gradients", "size"),
    [
        ("rasterizer", 0.028947),  # 0.1 times 0.03 to the power of 0.5 to the power of 1.5
        ("per-pixel", 0.028),  # 0.1 times 2.8 times the root of 0.03, over the root of 3 on fine triangles
    ],
)
def test_steps_stay_long_for_longer_without_noise(scene, gradients: str, size: float) -> None:
    run = Reconstruction(scene.train, dataclasses.replace(SHORT, gradients=gradients, step_size=0.1))
    run.advance(progress=0.5)
    assert run.fit.shape.optimizer.param_groups[0]["lr"] == pytest.approx(size, rel=1e-4)


def test_decay_and_remeshing_schedule() -> None:
    assert decay(0.0) == 1.0
    assert decay(1.0) == pytest.approx(0.03)
    # Equal shares of a run shorten steps by equal factors; without noise they are longer all along, never longer again.
    assert decay(0.2) * decay(0.3) == pytest.approx(decay(0.5))
    late = [decay(k / 20, late=True) for k in range(21)]
    assert all(a > b for a, b in itertools.pairwise(late)) and all(
        decay(k / 20) < late[k] for k in range(1, 20)
    )
    assert decay(0.0, late=True) == 1.0 and decay(1.0, late=True) == pytest.approx(0.03)
    common = {"steps": 1000, "pixel": 0.01, "edge_length": 0.08}
    auto = remeshings("auto", **common)
    assert [r.progress for r in auto] == [0.15, 0.35, 0.55]
    assert [r.length(0.0) for r in auto] == pytest.approx([0.05, 0.03, 0.02])
    assert remeshings("off", **common) == ()
    # From 0.08 in two equal ratios to 0.02.
    assert [r.length(0.0) for r in remeshings((10, 20), **common)] == pytest.approx([0.04, 0.02])
    # A start with detail of its own keeps it.
    for choice in ("auto", (10, 20)):
        assert all(r.length(0.0) <= 0.015 for r in remeshings(choice, longest=0.015, **common))


def test_smoothing_falls_to_one_and_never_rises() -> None:
    assert [refined_lambda(x, 1.0) for x in (19.0, 3.0, 1.0, 0.5, 0.0)] == [4.75, 1.0, 1.0, 0.5, 0.0]
    # Edges twice as long as planned: half as many of them to the same distance, so a quarter of lambda.
    assert refined_lambda(64.0, 1.0, planned=1.0, actual=2.0) == 4.0


def test_lambda_reaches_as_far_on_any_tessellation() -> None:
    """A push at the pole of a sphere, diffused: the same bump from 642 vertices on, in shape if not in height."""
    reach = []
    for level in (3, 4, 5):
        ball = icosphere(level, dtype=torch.float64)
        smoothing = LargeSteps(ball.faces, ball.vertices, starting_lambda(19.0, len(ball.vertices)))
        pole = int(ball.vertices[:, 2].argmax())
        push = torch.zeros(len(ball.vertices), 1, dtype=torch.float64)
        push[pole] = 1.0
        bump = smoothing.from_differential(push)[:, 0]
        angle = ball.vertices[:, 2].clamp(-1, 1).acos()
        reach.append(float((bump * angle.square()).sum() / bump.sum()) ** 0.5)
    assert starting_lambda(19.0, 2562) == 19.0
    assert max(reach) < 1.03 * min(reach)


@pytest.mark.slow
def test_the_loop_smooths_less_after_a_remeshing_and_remembers_it(scene) -> None:
    settings = dataclasses.replace(SHORT, steps=3, remesh=(1,), lambda_=19.0)
    states = reconstruct(scene.train, settings)
    # A vertex of the icosahedron has 5 edges.
    assert next(states).run.fit.shape.parametrization.matrix.to_dense()[0, 0] == 1 + 5 * 19
    run = next(states).run
    assert run.fit.shape.lambda_ == 19 / 4
    again = Reconstruction(scene.train, settings)
    again.load_state_dict(run.state_dict())
    assert again.fit.shape.lambda_ == 19 / 4


def test_the_mesh_of_a_run_has_its_folds_smoothed_out(scene) -> None:
    run = Reconstruction(scene.train, SHORT)
    vertices = run.fit.mesh().vertices
    ring = run.fit.faces[(run.fit.faces == 40).any(1)].unique()
    vertices[40] = 2 * vertices[ring[ring != 40][0]] - vertices[40]
    with torch.no_grad():
        run.fit.shape.latent.copy_(run.fit.shape.to_differential(vertices))
    folded, mended = run.fit.mesh(), run.mesh()
    assert flipped_faces(folded.vertices, folded.faces) > 0
    assert flipped_faces(mended.vertices, mended.faces) == 0
    assert 0 < run.result().mended["moved_vertices"] < 30


def test_a_body_is_untangled_before_it_is_remeshed_and_a_sheet_is_not(scene, generator) -> None:
    ball = icosphere(4)
    noise = 0.035 * torch.randn(ball.vertices.shape, generator=generator)  # nearly half of an edge
    frame = Reconstruction(scene.train, SHORT).frame
    run = Reconstruction(scene.train, SHORT, start=Mesh(frame.outside(ball.vertices + noise), ball.faces))
    torn = run.fit.mesh()
    assert int(self_intersections(torn.vertices, torn.faces).sum()) > 100
    run.fit.remesh(
        Remeshing(0, 0.8 * float(mean_edge_length(torn.vertices, torn.faces))), max_vertices=10_000
    )
    found = run.fit.mesh()
    assert flipped_faces(found.vertices, found.faces) == 0
    assert int(self_intersections(found.vertices, found.faces).sum()) == 0
    flat = ball.vertices * torch.tensor([1.0, 1.0, 0.02]) + 0.3 * noise
    run = Reconstruction(scene.train, SHORT, start=Mesh(frame.outside(flat), ball.faces))
    run.fit.triangles.contact.apart(run.fit.surface()[0], 0)  # looks for the other side
    lengths = torch.tensor(0.1)
    vertices, faces, _, kept = run.fit._in_order(lengths)
    assert torch.equal(vertices, run.fit.surface()[0]) and faces is run.fit.faces and kept is lengths
    assert int(self_intersections(vertices.detach(), faces).sum()) > 0


@pytest.mark.slow
def test_the_bound_of_the_vertices_holds(scene) -> None:
    settings = Settings(steps=2, remesh=(0,), max_vertices=800)
    assert 700 < next(reconstruct(scene.train, settings)).vertices < 900
    # The icosahedron's 12 vertices have 20 triangles; a plane's hexagons have two for each vertex.
    assert shortest_edge(2 * 1000 * 3**0.5 / 4, 1000) == pytest.approx(1.0)


def test_scene_from_mesh_holds_the_object_in_every_view(scene) -> None:
    alpha = scene.train.images[..., 3]
    assert int(alpha[:, 0].max()) == int(alpha[:, -1].max()) == int(alpha[:, :, 0].max()) == 0
    assert float((alpha > 127).float().mean((1, 2)).min()) > 0.1
    wide = scene_from_mesh(egg(), views=2, test_views=0, height=24, width=48, up="z")
    assert wide.test is None and wide.train.images.shape == (2, 24, 48, 4)
    expected = sphere_of_cameras(10, distance=1.0, fov_y_degrees=35.0, height=72, width=64)
    torch.testing.assert_close(scene.train.cameras.forward.float(), expected.forward)


@pytest.mark.slow
def test_a_preference_for_smooth_shapes_makes_them_smoother_and_its_weight_falls(scene) -> None:
    def bend(bending: float) -> float:
        settings = Settings(
            steps=40, views_per_step=3, max_vertices=800, bending=bending, refine_cameras="off", patches="off"
        )
        mesh = last(reconstruct(scene.train, settings)).run.fit.mesh()
        return float(Bending(mesh.faces, mesh.vertices)(mesh.vertices))

    assert bend(1.0) < bend(0.0)
    weights = [bending_weight(3.0, progress) for progress in (0.0, 0.5, 1.0)]
    assert weights == pytest.approx([12.0, 6.0, 3.0])
    run = Reconstruction(scene.train, Settings(bending=0.5))
    # More images show more detail.
    assert run.fit.options.bending == pytest.approx(0.5 / (10 * 72 * 64) ** 0.5)
    assert Reconstruction(scene.train, Settings(bending=0.0)).fit.triangles.bends is None
    # Estimates of a whole image are too short to stand beside an exact gradient.
    assert Reconstruction(scene.train, Settings(gradients="zerograds")).fit.triangles.bends is None
    assert Reconstruction(scene.train, Settings(gradients="per-pixel")).fit.triangles.bends is not None
