"""Constants: each has a source, each room obeys its own, and docs/constants.md says what the code says.

`python tests/test_constants.py` writes the page anew.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch

from largesteps_zg.constants import (
    DEFAULTS,
    Carving,
    Checks,
    Constants,
    Correcting,
    Estimates,
    Gains,
    Highlights,
    Hue,
    Mending,
    Photographs,
    Priors,
    Remeshing,
    Schedule,
    Texture,
)
from largesteps_zg.mesh import Mesh, flipped_faces, icosphere
from largesteps_zg.output.export.bake_run import bake_run
from largesteps_zg.output.run_json import json_text, summary
from largesteps_zg.reconstruct import Reconstruction, Settings
from largesteps_zg.reconstruct.resume import go_on
from largesteps_zg.scenes import Reading, Scene, load_scene, save_scene
from largesteps_zg.scenes.synthetic import scene_from_mesh

PAGE = Path(__file__).resolve().parents[1] / "docs" / "constants.md"
GROUPS = [(part.name, getattr(DEFAULTS, part.name)) for part in dataclasses.fields(Constants)]
INTRODUCTION = """# Constants

`python tests/test_constants.py` writes this page from `largesteps_zg/constants`, and a test compares both.

A [setting](choosing.md) is what a user should choose. A constant decides about your data as well, but nobody should
have to choose it. The command line has no options for constants. Python has:

```python
from largesteps_zg.constants import Constants, Highlights, Photographs
from largesteps_zg.reconstruct import Settings
from largesteps_zg.scenes import Reading

mine = Constants(photographs=Photographs(pit=0.001), highlights=Highlights(earned=0.5))
reading, settings = Reading(advanced=mine), Settings(advanced=mine)
```

`photographs` and `checks` work where a scene is read (`load_scene(path, reading=reading)`). All others work in a run.
What you call yourself before a run takes its group: `choose_start(..., constants=mine.carving)`,
`start_from_file(path, mine.mending)`, `remesh(..., rules=mine.remeshing)`.
`run.json` has all of them under `constants`, and `--resume` refuses a checkpoint of others.

The last column says where a number comes from:

* **derived**: it follows from something else, which is named.
* **measured**: the command or the page that measured it, and on which scenes.
* **vote**: it is half, the majority of equal votes, so it is not cut inside a gap.
* **chosen**: somebody chose it, and nobody has measured other values, or half and twice alone. Try these first where a
  result is bad.

Not here are limits of memory and of file formats, and numbers that only say how exactly something is computed: cells of
grids, widths of filters, rounds of iterations that converge. A source of gradients of your own has its `SourceTraits`.
"""


def shown(value: object) -> str:
    """A default as the page has it."""
    if isinstance(value, tuple):
        return "(" + ", ".join(map(shown, value)) + ")"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def page() -> str:
    """docs/constants.md."""
    lines = [INTRODUCTION]
    for name, group in GROUPS:
        lines += [f"## {name}\n", f"`{type(group).__name__}`: {type(group).__doc__}\n"]
        lines += ["| name | default | unit | decides | from |", "| --- | ---: | --- | --- | --- |"]
        for part in dataclasses.fields(group):
            of = part.metadata
            row = (f"`{part.name}`", shown(part.default), of["unit"], of["decides"], of["basis"])
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
        lines.append("")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A coloured ball in ten views."""
    ball = icosphere(3)
    return scene_from_mesh(
        Mesh(ball.vertices, ball.faces, 0.5 + 0.5 * ball.vertices),
        views=10,
        test_views=0,
        height=40,
        width=40,
    )


def run_of(
    scene: Scene, constants: Constants = DEFAULTS, *, steps: int = 0, **options: object
) -> Reconstruction:
    """A run of ten steps, after some of them."""
    settings = Settings(**{"steps": 10, "views_per_step": 2, "max_vertices": 500, "remesh": "off", **options})
    run = Reconstruction(scene.train, dataclasses.replace(settings, advanced=constants))
    for _ in range(steps):
        run.advance()
    return run


def test_the_page_says_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_each_constant_says_what_it_decides_and_where_it_comes_from() -> None:
    for _, group in GROUPS:
        for part in dataclasses.fields(group):
            assert part.metadata["decides"].endswith((".", ",")) and part.metadata["unit"]
            assert part.metadata["basis"].startswith(("derived: ", "measured: ", "vote: ", "chosen"))


def test_a_command_that_measured_something_is_there() -> None:
    root = PAGE.parents[1]
    for _, group in GROUPS:
        for part in dataclasses.fields(group):
            for word in part.metadata["basis"].replace(",", " ").replace(";", " ").split():
                if word.startswith("benchmarks/"):
                    assert (root / word).is_file(), word


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Highlights(earned=1.5), "Highlights.earned: expected a number from 0 to 1, got 1.5"),
        (lambda: Gains(step=math.nan), "Gains.step: expected a number >= 0, got nan"),
        (lambda: Priors(refresh=2.5), "Priors.refresh: expected a whole number >= 1, got 2.5"),
        (lambda: Priors(refresh=0), "Priors.refresh: expected a whole number >= 1, got 0"),
        (lambda: Priors(refresh=True), "Priors.refresh: expected a whole number >= 1, got True"),
        (lambda: Priors(parallel=-1.1), "Priors.parallel: expected a number from -1 to 1, got -1.1"),
        (lambda: Highlights(sizes=()), "Highlights.sizes: expected a tuple such as (4, 8, 16, 32), got ()"),
        (lambda: Highlights(sizes=8), "Highlights.sizes: expected a tuple such as (4, 8, 16, 32), got 8"),
        (
            lambda: Estimates(epsilon=(0.1,)),
            "Estimates.epsilon: expected a tuple such as (0.6, 0.2), got (0.1,)",
        ),
        (lambda: Carving(tolerances=((0.1,),)), "Carving.tolerances: expected a tuple such as"),
        (
            lambda: Estimates(surrogate_rate=2.0),
            "Estimates.surrogate_rate: expected a number from 1e-09 to 1, got 2.0",
        ),
        (lambda: Hue(few=30), "Hue: expected few < many, got 30 and 24"),
        (
            lambda: Schedule(remesh_at=(0.1,)),
            "Schedule: expected as many remesh_pixels as remesh_at, got 3 and 1",
        ),
        (lambda: Constants(hue=Gains()), "hue: expected Hue(...), got Gains("),
    ],
)
def test_what_is_no_number_is_refused_in_one_line(make, reason: str, unchecked) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value).startswith(f"constants: {reason}") and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [Settings, Reading])
def test_settings_and_reading_take_constants_alone(kind, unchecked) -> None:
    with pytest.raises(ValueError, match=r"^advanced: expected Constants\(...\), got 3$"):
        kind(advanced=3)


@pytest.mark.slow
def test_reading_obeys_photographs_and_checks(scene: Scene, tmp_path: Path) -> None:
    images = scene.train.images.clone()
    images[..., :3] = torch.where(images[..., 3:] > 0, images[..., :3].clamp(min=40), 0)
    images[..., 3] = 255  # so that masks have to be found before the black
    save_scene(tmp_path, dataclasses.replace(scene, train=dataclasses.replace(scene.train, images=images)))
    found = load_scene(tmp_path)
    assert found.train.images[..., 3].min() == 0 and found.constants == DEFAULTS
    for constants, reason in (
        (Constants(photographs=Photographs(contrast=255, faint=255)), "no background could be told apart"),
        (Constants(checks=Checks(parallax=10.0)), "too near"),
    ):
        with pytest.raises(ValueError, match=reason):
            load_scene(tmp_path, reading=Reading(advanced=constants))


@pytest.mark.slow
def test_the_start_obeys_carving(scene: Scene) -> None:
    meshes = [run_of(scene, Constants(carving=Carving(start_share=share))).mesh() for share in (0.8, 0.4)]
    large, small = (mesh.vertices.amax(0) - mesh.vertices.amin(0) for mesh in meshes)
    torch.testing.assert_close(large, 2 * small)


def test_results_obey_mending(scene: Scene) -> None:
    ball = icosphere(3)
    noise = torch.randn(ball.vertices.shape, generator=torch.Generator().manual_seed(0))
    start = Mesh(ball.vertices + 0.1 * noise, ball.faces)  # many faces are folded
    left = []
    for mending in (
        Mending(),
        Mending(least_reach=0.1, largest_reach=0.1, rings=(1,), rounds=1, farthest=0.0),
    ):
        settings = Settings(steps=10, remesh="off", advanced=Constants(mending=mending))
        mesh = Reconstruction(scene.train, settings, start=start).mesh()
        left.append(flipped_faces(mesh.vertices, mesh.faces))
    assert left[0] == 0 < left[1]


@pytest.mark.slow
def test_remeshing_obeys_its_rules(scene: Scene) -> None:
    counts = [
        run_of(scene, Constants(remeshing=rules), steps=3, remesh="adaptive").state().vertices
        for rules in (Remeshing(), Remeshing(finest=1.9, coarsest=2.0))
    ]
    assert counts[1] < 0.6 * counts[0]
    surfaces = [
        run_of(scene, Constants(remeshing=rules), steps=2, remesh=(1,)).fit.surface()[0]
        for rules in (Remeshing(), Remeshing(), Remeshing(poor=0.95))  # nearly all faces are relaxed
    ]
    assert torch.equal(surfaces[0], surfaces[1]) and not torch.equal(surfaces[0], surfaces[2])


@pytest.mark.slow
def test_steps_obey_priors(scene: Scene) -> None:
    bent = [
        run_of(scene, Constants(priors=priors), steps=3, bending=1.0).fit.surface()[0]
        for priors in (Priors(), Priors(round_below=5.0))
    ]
    assert not torch.equal(*bent)


@pytest.mark.slow
def test_a_run_obeys_its_schedule(scene: Scene) -> None:
    schedule = Schedule(remesh_at=(0.5,), remesh_pixels=(4.0,), color_lambda=3.0, robust_scale=0.5)
    run = run_of(scene, Constants(schedule=schedule), remesh="auto")
    assert run.fit.options.difference.scale == 0.5
    assert [plan.progress for plan in run.remeshings] == [0.5] and run.fit.paint.lambda_ == 3.0
    assert len(run_of(scene, remesh="auto").remeshings) == 3


@pytest.mark.slow
def test_appearance_obeys_highlights_gains_and_hue(scene: Scene) -> None:
    early = Constants(
        highlights=Highlights(start=0.0, sizes=(4,)), gains=Gains(start=0.9), hue=Hue(few=1, many=2)
    )
    usual, other = run_of(scene, steps=3).fit, run_of(scene, early, steps=3).fit
    assert usual.appearance.mirror is None and other.appearance.mirror is not None
    assert len(other.appearance.gloss.levels) == 1
    assert bool(usual.appearance.exposure.log_gains.any()) and not bool(
        other.appearance.exposure.log_gains.any()
    )
    assert usual.options.difference.brightness > other.options.difference.brightness == pytest.approx(0.45)


@pytest.mark.slow
def test_cameras_obey_correcting(scene: Scene) -> None:
    assert run_of(scene).fit.corrections is not None
    assert run_of(scene, Constants(correcting=Correcting(least_views=11))).fit.corrections is None
    early = run_of(scene, Constants(correcting=Correcting(start=0.0)), steps=1, refine_cameras="on")
    usual = run_of(scene, steps=1, refine_cameras="on")
    assert early.fit.corrections.trial.started and not usual.fit.corrections.trial.started


@pytest.mark.slow
def test_gradients_obey_estimates(scene: Scene) -> None:
    renders = [
        run_of(scene, Constants(estimates=Estimates(pairs=pairs)), steps=1, gradients="spsa").source.renders
        for pairs in (1, 3)
    ]
    assert renders[1] == 3 * renders[0]


@pytest.mark.slow
def test_textures_obey_texture(scene: Scene) -> None:
    run = run_of(scene, Constants(texture=Texture(smallest=16, largest=32)), steps=1)
    assert bake_run(run.result(), run.rendering).image.shape[0] <= 32
    run = run_of(scene, steps=1)
    assert bake_run(run.result(), run.rendering).image.shape[0] == 256


def test_run_json_has_them(scene: Scene) -> None:
    read = dataclasses.replace(scene, constants=Constants(photographs=Photographs(pit=0.25)))
    result = run_of(scene, Constants(gains=Gains(least=0.125)), steps=1).result()
    content = json.loads(json_text(summary(result, read, stopped=None)))
    assert "advanced" not in content["settings"]
    assert set(content["constants"]) == {name for name, _ in GROUPS}
    assert content["constants"]["gains"]["least"] == 0.125
    assert content["constants"]["photographs"]["pit"] == 0.25
    assert content["constants"]["schedule"]["remesh_pixels"] == [5.0, 3.0, 2.0]


@pytest.mark.slow
def test_a_run_of_other_constants_is_not_gone_on_with(scene: Scene, tmp_path: Path) -> None:
    torch.save(run_of(scene, steps=2).state_dict(), tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    go_on(run_of(scene), state)
    with pytest.raises(ValueError) as caught:
        go_on(run_of(scene, Constants(gains=Gains(least=0.02))), state)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(
        "resume: the run was started with advanced.gains.least = 0.01, now it is 0.02;"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
