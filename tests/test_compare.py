"""A comparison: equal budgets, measurements that disturb nothing, runs that fail, Ctrl-C and going on from there."""

from __future__ import annotations

import json
import math
import multiprocessing
import pickle
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from largesteps_zg import meshes
from largesteps_zg._support import errors
from largesteps_zg.cli import compare as compare_command
from largesteps_zg.cli import main
from largesteps_zg.comparison import Budget, Progress, Result, Target, jobs, mesh_target, scene_target
from largesteps_zg.comparison import run as comparison_run
from largesteps_zg.comparison.budget import Spent
from largesteps_zg.comparison.folder import ComparisonFolder
from largesteps_zg.comparison.jobs import pictures, shown_views
from largesteps_zg.comparison.plan import Plan
from largesteps_zg.comparison.records import Job
from largesteps_zg.comparison.run import POINTS, run_job, spread
from largesteps_zg.mesh import Mesh, icosphere, load_mesh, save_mesh, surface_distances
from largesteps_zg.reconstruct import Reconstruction
from largesteps_zg.reconstruct.gradients import GRADIENTS, PerPixelSource
from largesteps_zg.renderers import BlackBox, HardRasterizer, Pictures, SphericalHarmonicsLight, render, shade
from largesteps_zg.scenes.synthetic import CLAY, scene_from_mesh

VIEWS = 3


@pytest.fixture(scope="module")
def target() -> Target:
    """A pebble in 3 views of 40², from a sphere of 162 vertices."""
    pebble = load_mesh(meshes.path("pebble"))
    return mesh_target(pebble, name="pebble", views=VIEWS, height=40, width=40, level=2)


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Distances from few points: milliseconds in place of seconds."""
    monkeypatch.setattr(
        "largesteps_zg.comparison.run.surface_distances",
        lambda mesh, truth, samples=400: surface_distances(mesh, truth, samples=min(samples, 500)),
    )


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of their own take seconds to start, and have a test of their own. From a small sphere."""
    monkeypatch.setattr(jobs, "_in_process", run_job)
    monkeypatch.setattr(jobs, "START_LEVEL", 2)


def results(*arguments, **options) -> list[Result]:
    return [p.result for p in jobs.compare(*arguments, **options) if p.result is not None]


class Stubborn(BlackBox):
    """Renders a while, and then raises."""

    def __init__(self, calls: int, error: Exception) -> None:
        self.calls, self.error, self.inner = calls, error, HardRasterizer()

    def __call__(self, vertices, faces, colors, cameras) -> Pictures:
        self.calls -= 1
        if self.calls < 0:
            raise self.error
        return self.inner(vertices, faces, colors, cameras)


# --- budgets ---------------------------------------------------------------------------------------------------------


def test_a_budget_of_renders_or_steps_is_not_exceeded() -> None:
    renders, steps, seconds = Budget(100), Budget(3, "steps"), Budget(1.0, "seconds")
    one = Spent(1, 30, 0.0)
    assert renders.allows(Spent(2, 60, 9.0), one)  # 90
    assert renders.allows(Spent(2, 70, 9.0), one)  # 100
    assert not renders.allows(Spent(3, 71, 9.0), one)  # 101
    assert Budget(10).allows(Spent(), Spent())  # one step there always is
    assert not Budget(10).allows(one, one)
    assert steps.allows(Spent(2, 0, 9.0), one) and not steps.allows(Spent(3, 0, 0.0), one)
    assert seconds.allows(Spent(9, 0, 0.99), one) and not seconds.allows(Spent(9, 0, 1.0), one)
    assert (renders.share(Spent(1, 25)), seconds.share(Spent(1, 0, 7.0))) == (0.25, 1.0)
    assert [str(b) for b in (Budget(64e3), Budget(1, "steps"), Budget(2.5, "seconds"))] == [
        "64,000 renders",
        "1 step",
        "2.5 seconds",
    ]


@pytest.mark.parametrize(
    ("amount", "unit"), [(0, "renders"), (math.nan, "steps"), (math.inf, "seconds"), (3, "days")]
)
def test_impossible_budgets_are_refused(amount: float, unit: str) -> None:
    with pytest.raises(ValueError, match=r"^budget: expected"):
        Budget(amount, unit)


@pytest.mark.slow
def test_every_gradient_gets_the_same_budget(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    # It takes more where triangles are as fine as these.
    monkeypatch.setattr(PerPixelSource, "_pairs", lambda *_: 1)
    found = results(target, budget=Budget(70), diagnostics=False)
    assert [result.gradient for result in found] == [*GRADIENTS]
    # Images a step: the rasterizer one of each view, blurred or not, per-pixel a pair of two of the three, the others
    # ten pairs.
    for result, pairs in zip(found, (0.5, 0.5, 2 / 3, 10, 10, 10), strict=True):
        a_step = round(2 * pairs * VIEWS)
        assert result.spent.renders == a_step * result.spent.steps
        assert result.spent.steps == 70 // a_step
        assert result.state == "finished" and result.curves.renders[-1] == result.spent.renders
        assert result.mesh is not None and result.mesh.faces.equal(target.start.faces)


@pytest.mark.slow
def test_no_gradient_has_a_second_witness() -> None:
    found = [Plan().settings(gradient, 0) for gradient in Plan().gradients]
    assert {(each.patches, each.gloss, each.exposure, each.refine_cameras) for each in found} == {
        ("off",) * 4
    }


def test_seconds_count_the_steps_alone(target: Target) -> None:
    [result] = results(target, gradients=["rasterizer"], budget=Budget(0.3, "seconds"), diagnostics=False)
    assert 0.3 <= result.spent.seconds
    assert result.curves.seconds[0] == 0.0 and result.curves.seconds[-1] == result.spent.seconds
    assert np.all(np.diff(result.curves.seconds) > 0) and len(result.curves.seconds) <= POINTS + 1


# --- what is measured ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_numbers_of_a_run_are_those_of_its_mesh(target: Target) -> None:
    [result] = results(target, gradients=["rasterizer"], budget=Budget(20, "steps"), diagnostics=False)
    found = surface_distances(result.mesh, target.truth, samples=400)
    assert (result.chamfer, result.f_score) == (found.chamfer_permille, found.f_score)
    before = surface_distances(target.start, target.truth, samples=500).chamfer_permille
    assert result.curves.chamfer[0] == pytest.approx(before, rel=1e-4)
    assert result.curves.chamfer[-1] == result.chamfer < 0.9 * before
    # The loss by numpy, at the start: colour and coverage, mean over pixels.
    colors = shade(target.start.vertices, target.start.faces, target.start.colors, target.light)
    image = render(target.start.vertices, target.start.faces, colors, target.views.cameras).numpy()
    expected = np.abs(image - target.views.linear().numpy()).sum(-1).mean()
    assert result.curves.image_loss[0] == pytest.approx(expected, rel=1e-3)
    assert result.image_loss == result.curves.image_loss[-1] < 0.85 * expected
    # What is known stays: clay in the studio.
    assert torch.allclose(result.mesh.colors, torch.tensor(CLAY), atol=1e-4)
    assert torch.equal(torch.tensor(result.light), target.light.coefficients.float())


@pytest.mark.slow
@pytest.mark.parametrize("gradient", ["per-pixel", "zerograds"])
def test_measuring_changes_nothing(target: Target, gradient: str) -> None:
    runs = [
        results(target, gradients=[gradient], budget=Budget(2, "steps"), diagnostics=diagnostics)[0]
        for diagnostics in (True, False)
    ]
    assert runs[0].mesh.vertices.equal(runs[1].mesh.vertices)
    assert runs[0].spent.renders == runs[1].spent.renders
    assert runs[0].curves.image_loss == runs[1].curves.image_loss
    assert np.isnan(runs[1].curves.variance).all()
    assert np.isfinite(runs[0].curves.cosine).all() and np.all(np.array(runs[0].curves.variance) > 0)


@pytest.mark.slow
def test_the_rasterizer_agrees_with_itself(target: Target) -> None:
    [result] = results(target, gradients=["rasterizer"], budget=Budget(4, "steps"))
    assert np.allclose(result.curves.variance, 0.0, atol=1e-9)
    assert np.allclose(result.curves.cosine, 1.0, atol=1e-6)


@pytest.mark.slow
def test_seeds_repeat_and_differ(target: Target) -> None:
    # Not per-pixel: another order of the views is enough to change that.
    options = {"gradients": ["spsa"], "budget": Budget(3, "steps"), "diagnostics": False}
    first, second = results(target, seeds=[0, 1], **options)
    [again] = results(target, seeds=[1], **options)
    assert again.mesh.vertices.equal(second.mesh.vertices)
    assert (first.mesh.vertices - second.mesh.vertices).abs().max() > 1e-3
    assert (first.seed, second.seed) == (0, 1)


def test_variance_of_estimates_whose_variance_is_known(generator: torch.Generator) -> None:
    true = torch.randn(20_000, generator=generator, dtype=torch.float64)
    for noise in (0.1, 1.0, 30.0):  # its length over the signal's
        draws = torch.randn(4, 20_000, generator=generator, dtype=torch.float64)
        variance, cosine = spread(5.0 * (true + noise * draws), true)
        # The component along the true gradient has a standard error of noise / sqrt(4 * 20,000) = noise / 283.
        assert variance == pytest.approx(noise**2, rel=4.5 * (2 * noise / 283 + 0.01))
        assert cosine == pytest.approx(1 / math.sqrt(1 + noise**2), rel=4.5 * (noise / 283 + 0.001))


def test_variance_of_a_biased_estimate_is_over_its_own_expectation(generator: torch.Generator) -> None:
    true, other = torch.randn(2, 20_000, generator=generator, dtype=torch.float64)
    draws = torch.randn(4, 20_000, generator=generator, dtype=torch.float64)
    variance, cosine = spread(0.01 * (other + 0.5 * draws), true)
    assert variance == pytest.approx(0.25, rel=0.05)
    assert abs(cosine) < 4.5 / math.sqrt(20_000)
    assert all(math.isnan(x) for x in spread(draws, torch.zeros(20_000, dtype=torch.float64)))


# --- targets ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_scene_keeps_its_unknown_light(target: Target) -> None:
    scene = scene_from_mesh(icosphere(2), views=4, test_views=0, height=24, width=24)
    found = scene_target(scene, level=1)
    assert (found.light, found.colors_known, len(found.start.vertices)) == (None, False, 42)
    [result] = results(found, gradients=["rasterizer"], budget=Budget(3, "steps"), diagnostics=False)
    assert len(result.light) == 9 and result.mesh.colors.std() > 0
    shown = pictures(found, result.mesh, SphericalHarmonicsLight(torch.tensor(result.light)), [1])
    assert shown.shape == (1, 24, 24, 4)


def test_pictures_show_the_scene_also_far_from_its_origin() -> None:
    far = Mesh(icosphere(3, dtype=torch.float64).vertices + torch.tensor([5e4, 0.0, 3e4]), icosphere(3).faces)
    found = mesh_target(far, views=4, height=32, width=32, level=1)
    shown = pictures(found, found.truth, found.light, [2, 0])
    assert (shown - found.views.linear([2, 0])).abs().mean() < 0.01


def test_views_that_are_shown_differ(target: Target) -> None:
    chosen = shown_views(target)
    assert sorted(chosen) == [0, 1, 2]
    assert chosen[0] == int((target.views.images[..., 3] > 127).sum((1, 2)).argmax())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gradients": ["per-pixel", "magic"]}, r"gradients: expected one of rasterizer, .*, got 'magic'"),
        ({"gradients": ["spsa", "spsa"]}, "gradients: expected at least one and each once"),
        ({"gradients": []}, "gradients: expected at least one"),
        ({"seeds": []}, "seeds: expected at least one"),
    ],
)
def test_mistakes_are_told_before_the_first_run(target: Target, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        jobs.compare(target, **options)


# --- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_that_fails_says_why_and_the_others_go_on(target: Target) -> None:
    renderer = Stubborn(100, ZeroDivisionError("no light left"))
    found = results(
        target,
        gradients=["spsa", "rasterizer"],
        budget=Budget(10, "steps"),
        renderer=renderer,
        diagnostics=False,
    )
    assert found[0].state.startswith("failed: step ") and "no light left" in found[0].state
    assert found[0].mesh is None and math.isnan(found[0].chamfer)
    assert 1 <= found[0].spent.steps < 10 and len(found[0].curves.image_loss) >= 1
    assert found[1].state == "finished"


@pytest.mark.slow
def test_a_process_of_its_own(target: Target, tmp_path: Path, monkeypatch, capfd) -> None:
    """One run that is killed, one that is left in the middle: the first is a row with its reason, nothing is left.

    The processes are as quiet about other packages as the command that starts them.
    """
    monkeypatch.setattr(errors, "_hushed", True)
    killer = tmp_path / "killer.py"
    killer.write_text(
        "import logging, os, warnings\n"
        "def render(*_):\n"
        "    warnings.warn('heard', RuntimeWarning)\n"
        "    warnings.warn('heard', RuntimeWarning, stacklevel=2)  # at its caller, which is this package\n"
        "    logging.getLogger('killer').warning('heard')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    records = jobs.compare(
        target,
        gradients=["spsa", "rasterizer"],
        budget=Budget(1e9),
        renderer=f"{killer}:render",
        isolated=True,
    )
    first = next(records)
    assert first.result is not None and "signal 9" in first.result.state
    second = next(records)
    assert (second.gradient, second.result) == ("rasterizer", None) and 0 < second.share < 1
    records.close()
    assert multiprocessing.active_children() == []
    assert capfd.readouterr().err == ""


# --- the command -----------------------------------------------------------------------------------------------------

RUN = ["pebble", "--views", "3", "--size", "32", "--budget-steps", "2", "--quiet", "--no-diagnostics"]


def run(*arguments: str) -> int:
    return main(["compare", *arguments])


def rows(folder: Path) -> list[dict]:
    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    return json.loads((folder / "results.json").read_text(encoding="utf-8"), parse_constant=refuse)


@pytest.mark.slow
def test_the_command_leaves_report_numbers_and_meshes(
    tmp_path: Path, in_this_process: None, capsys: pytest.CaptureFixture
) -> None:
    assert run(*RUN, "--output", str(tmp_path), "--gradients", "rasterizer,spsa", "--seeds", "2") == 0
    found = rows(tmp_path)
    runs = [("rasterizer", 0), ("rasterizer", 1), ("spsa", 0), ("spsa", 1)]
    assert [(row["gradient"], row["seed"]) for row in found] == runs
    files = {"report.html", "results.json", *(f"{name}-{seed}.ply" for name, seed in runs)}
    assert {file.name for file in tmp_path.iterdir()} == files
    assert {
        "steps",
        "renders",
        "seconds",
        "image_loss",
        "chamfer",
        "f_score",
        "normals",
        "memory_mib",
    } <= set(found[0])
    assert len(load_mesh(tmp_path / "spsa-1.ply").vertices) == 162
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split()[:3] == ["gradient", "Image", "loss"]
    assert [line.split()[0] for line in printed[1:]] == ["rasterizer", "spsa", "report:"]


@pytest.mark.slow
def test_the_command_takes_a_scene(tmp_path: Path, in_this_process: None) -> None:
    size = ["--size", "24", "--views", "4", "--test-views", "0"]
    assert main(["render", "pebble", "--output", str(tmp_path / "scene"), *size]) == 0
    options = ["--gradients", "rasterizer", "--budget-steps", "2", "--quiet"]
    assert run(str(tmp_path / "scene"), "--output", str(tmp_path / "run"), *options) == 0
    [row] = rows(tmp_path / "run")
    assert row["chamfer"] > 0 and not row["settings"]["light_known"]
    told = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "shape and colours and light of scene, from 4 views of 24 x 24 pixels" in told


@pytest.mark.slow
def test_what_was_read_and_what_was_not_is_said_before_the_runs(
    tmp_path: Path, in_this_process: None, capsys: pytest.CaptureFixture
) -> None:
    size = ["--size", "24", "--views", "4", "--test-views", "0"]
    assert main(["render", "pebble", "--output", str(tmp_path / "scene"), *size]) == 0
    (tmp_path / "scene" / "transforms_val.json").write_text(
        '{"frames": [{"file_path": "none/0", "transform_matrix": 0}]}'
    )
    save_mesh(tmp_path / "ball.obj", icosphere(1))
    text = (tmp_path / "ball.obj").read_text()
    (tmp_path / "ball.obj").write_text(f"mtllib none.mtl\nusemtl skin\n{text}")
    options = [
        "--gradients",
        "rasterizer",
        "--budget-steps",
        "1",
        "--quiet",
        "--init",
        str(tmp_path / "ball.obj"),
    ]
    for target in ("scene", "ball.obj"):
        capsys.readouterr()
        out = str(tmp_path / f"run-{target}")
        sizes = [] if target == "scene" else ["--size", "16", "--views", "6"]
        assert run(str(tmp_path / target), "--output", out, *sizes, *options) == 0
        printed = capsys.readouterr().out.split("gradient ")[0]  # the table comes last
        assert f"start     {tmp_path / 'ball.obj'}: none.mtl is not used" in printed
        if target == "scene":
            assert "not used  transforms_val.json: 1 frame, of which no image is there" in printed
            assert "masks     alpha, in all 4 photographs" in printed
        else:
            assert f"not used  {tmp_path / 'ball.obj'}: none.mtl is not used" in printed


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished_and_resume_does_the_rest(
    tmp_path: Path, in_this_process: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    command = [*RUN, "--output", str(tmp_path / "run"), "--gradients", "rasterizer,per-pixel"]
    show = compare_command._Bar.__call__

    def interrupted(self, progress: Progress) -> None:
        show(self, progress)
        if progress.gradient == "per-pixel":
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(compare_command._Bar, "__call__", interrupted)
        assert run(*command) == 130
    assert "--resume goes on" in capsys.readouterr().err
    before = rows(tmp_path / "run")
    assert [row["gradient"] for row in before] == ["rasterizer"]
    assert "rasterizer" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert run(*command, "--resume") == 0
    after = rows(tmp_path / "run")
    assert after[0] == before[0] and after[1]["gradient"] == "per-pixel"

    assert run(*[part if part != "3" else "4" for part in command], "--resume") == 2
    assert "resume: the runs were made with views = 3, now it is 4" in capsys.readouterr().err
    (tmp_path / "run" / "results.json").write_text("[{]")
    assert run(*command, "--resume") == 2
    assert "is not readable" in capsys.readouterr().err


def test_a_run_without_a_result_fails(
    tmp_path: Path, in_this_process: None, capsys: pytest.CaptureFixture
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("def render(*_):\n    raise RuntimeError('out of paint')\n")
    arguments = ["--gradients", "spsa", "--renderer", f"{broken}:render", "--output", str(tmp_path / "run")]
    assert run(*RUN, *arguments) == 1
    out, err = capsys.readouterr()
    assert "out of paint" in out
    assert err == "largesteps-zg: 1 run failed; the same command with --debug shows where\n"
    assert "out of paint" in rows(tmp_path / "run")[0]["state"]
    assert not (tmp_path / "run" / "spsa-0.ply").exists()


@pytest.mark.slow
def test_a_failed_run_names_the_type_and_with_debug_the_place(
    tmp_path: Path, in_this_process: None, monkeypatch, capsys: pytest.CaptureFixture
) -> None:
    def lost(self, share: float) -> None:
        raise KeyError("light")

    monkeypatch.setattr(Reconstruction, "advance", lost)
    command = [*RUN, "--gradients", "rasterizer", "--output", str(tmp_path / "run")]
    assert run(*command) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[-2] == "rasterizer, seed 0: failed: KeyError: 'light'"
    assert err == "largesteps-zg: 1 run failed; the same command with --debug shows where\n"
    assert run(*command, "--debug") == 1
    trace = capsys.readouterr().err
    assert trace.startswith("Traceback") and trace.endswith("KeyError: 'light'\n") and "in lost" in trace
    assert "traceback" not in rows(tmp_path / "run")[0]


def test_measuring_may_fail_too(target: Target, monkeypatch) -> None:
    def lost(*_: object) -> None:
        raise KeyError("paint")

    monkeypatch.setattr(comparison_run, "_measured", lost)
    options = {"gradients": ["rasterizer"], "budget": Budget(2, "steps"), "diagnostics": False}
    [result] = results(target, **options)
    assert result.state == "failed: KeyError: 'paint'" and result.spent.steps == 2
    assert "in lost" in result.traceback


def test_a_fault_before_the_first_step_goes_through_the_pipe(target: Target, monkeypatch) -> None:
    """From a process of its own, which else would print a traceback and leave no reason."""

    def lost(job: Job) -> None:
        raise AttributeError("no light")

    monkeypatch.setattr(jobs, "run_job", lost)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    receiver, sender = multiprocessing.Pipe(duplex=False)
    jobs._work(sender, pickle.dumps(Job(target, "spsa", 0, Plan(budget=Budget(2, "steps")))), False)
    progress = pickle.loads(receiver.recv_bytes())
    assert (
        progress.result.state == "failed: AttributeError: no light" and "in lost" in progress.result.traceback
    )


@pytest.mark.slow
def test_ctrl_c_while_a_run_is_written_down_waits(
    tmp_path: Path, in_this_process: None, monkeypatch, capsys: pytest.CaptureFixture
) -> None:
    add = ComparisonFolder.add

    def pressed(self, result: Result) -> None:
        signal.raise_signal(signal.SIGINT)
        add(self, result)

    monkeypatch.setattr(ComparisonFolder, "add", pressed)
    command = [*RUN, "--gradients", "rasterizer,per-pixel", "--output", str(tmp_path / "run")]
    assert run(*command) == 130
    assert [row["gradient"] for row in rows(tmp_path / "run")] == ["rasterizer"]
    assert "--resume goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gradients", "rasterizer,magic"], "gradients: expected one of rasterizer"),
        (["--gradients", "spsa,"], "gradients: expected one of rasterizer"),
        (["--budget-renders", "0"], "budget: expected a number of renders > 0, got 0"),
        (["--seeds", "0"], "seeds: expected an integer >= 1, got 0"),
        (["--lambda", "-1"], "lambda: expected a number >= 0"),
        (["--renderer", "magic"], "renderer: expected rasterizer"),
        (["--resume"], "resume: there is no results.json"),
        (["--views", "1"], "views: expected at least 2"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert run("pebble", "--size", "16", "--output", str(tmp_path / "run"), *arguments) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"largesteps-zg: {message}") and told.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_two_budgets_and_views_of_a_scene_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    both = ["--budget-renders", "3", "--budget-steps", "3"]
    with pytest.raises(SystemExit) as stopped:
        run("pebble", "--output", str(tmp_path / "run"), *both)
    assert stopped.value.code == 2 and "not allowed with" in capsys.readouterr().err
    for scene in (tmp_path, tmp_path / "mitsuba.xml"):
        assert run(str(scene), "--views", "3", "--output", str(tmp_path / "run")) == 2
        assert "is a scene, which has its own" in capsys.readouterr().err
