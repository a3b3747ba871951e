"""Handles and cavities from photographs: solids on a grid, what photographs foretell, and which change is taken."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from largesteps_zg.cameras.placement import sphere_of_cameras
from largesteps_zg.constants import DEFAULTS, Topology
from largesteps_zg.geometry import topology
from largesteps_zg.mesh import Mesh, icosphere, surface_distances
from largesteps_zg.mesh.intersections import self_intersections
from largesteps_zg.mesh.quality import flipped_faces
from largesteps_zg.output.run_json import summary
from largesteps_zg.reconstruct import Settings, reconstruct
from largesteps_zg.reconstruct.batch import Batch
from largesteps_zg.reconstruct.result import TOPOLOGY, Result
from largesteps_zg.reconstruct.starts.hull import surface_of
from largesteps_zg.reconstruct.topology.foretelling import Foretold, foretold
from largesteps_zg.reconstruct.topology.proposals import Proposal, carved, seen_through, simpler
from largesteps_zg.reconstruct.topology.solid import Solid, solid_of
from largesteps_zg.reconstruct.topology.stage import Change, changed
from largesteps_zg.scenes.carving.grid import Grid
from largesteps_zg.scenes.synthetic import render_views, studio_light
from largesteps_zg.scenes.views import Scene, Views

GRID = Grid.nodes(np.zeros(3), 1.1, 56)
CELL = 0.05
CHANGE = Change(icosphere(0), "carved", 2.0, 1.0)


def fields() -> dict[str, np.ndarray]:
    """Signed distances, more or less, of some solids."""
    x, y, z = np.moveaxis(GRID.points().reshape(*GRID.shape, 3), -1, 0)
    across, away = np.sqrt(x * x + y * y), np.sqrt(x * x + y * y + z * z)
    can = np.minimum(0.6 - across, 0.6 - np.abs(z))
    handle = 0.1 - np.sqrt((np.sqrt((x - 0.6) ** 2 + z * z) - 0.3) ** 2 + y * y)
    return {
        "can": can,
        "cup": np.minimum(can, -np.minimum(0.45 - across, z + 0.4)),
        "ball": 0.8 - away,
        "torus": 0.28 - np.sqrt((across - 0.6) ** 2 + z * z),
        "bead": np.minimum(0.8 - away, across - 0.15),
        "kettle": np.maximum(0.6 - away, handle),
    }


@cache
def solid(name: str) -> Mesh:
    """With colours that change from place to place."""
    found = surface_of(GRID, fields()[name], DEFAULTS.carving)
    assert found is not None
    vertices = found.vertices.float()
    colors = 0.5 + 0.25 * torch.sin(9 * vertices[:, [1, 2, 0]]) + 0.2 * torch.sin(5 * vertices)
    return Mesh(vertices, found.faces, colors.clamp(0.05, 0.95))


@cache
def views(name: str) -> Views:
    """Photographs of a solid from all around."""
    cameras = sphere_of_cameras(16, distance=3.2, fov_y_degrees=40.0, height=64, width=64)
    return render_views(solid(name), cameras, light=studio_light())


def photographs(name: str) -> Batch:
    """The same as a batch."""
    seen = views(name)
    cameras = seen.cameras.to(dtype=torch.float32)
    return Batch(cameras, seen.linear(), torch.arange(len(seen)))


def change(truth: str, start: str) -> Change | None:
    """What photographs of one solid make of another."""
    begin = solid(start)
    return changed(begin.vertices, begin.faces, photographs(truth), cell=CELL)


def far(mesh: Mesh, truth: str) -> float:
    """Chamfer distance in thousandths."""
    drawn = torch.Generator().manual_seed(0)
    return surface_distances(mesh, solid(truth), samples=5000, generator=drawn).chamfer_permille


# Solids on a grid


def test_distances_of_a_ball_are_those_to_a_ball() -> None:
    ball = icosphere(4)
    found = solid_of(ball.vertices, ball.faces, 0.1)
    exact = 1.0 - np.linalg.norm(found.grid.points(), axis=1).reshape(found.field.shape)
    near = np.abs(exact) < 0.15
    assert np.abs(found.field - exact)[near].max() < 3e-3  # facets
    assert np.abs(found.field - exact).max() < 0.11  # a cell
    assert (found.handles, found.parts) == (0, 1)


def test_what_lies_in_two_parts_is_inside() -> None:
    ball = icosphere(2)
    shift = torch.tensor([0.8, 0.0, 0.0])
    both = torch.cat([ball.vertices, ball.vertices + shift])
    found = solid_of(both, torch.cat([ball.faces, ball.faces + len(ball.vertices)]), 0.1)
    points = found.grid.points().reshape(*found.field.shape, 3)
    between = np.linalg.norm(points - 0.5 * shift.numpy(), axis=-1) < 0.2
    assert (found.field[between] > 0).all()


def test_a_hollow_is_outside() -> None:
    ball = icosphere(2)
    both = torch.cat([ball.vertices, 0.5 * ball.vertices])
    found = solid_of(both, torch.cat([ball.faces, ball.faces.flip(1) + len(ball.vertices)]), 0.1)
    middle = np.linalg.norm(found.grid.points(), axis=1).reshape(found.field.shape) < 0.4
    assert (found.field[middle] < 0).all()


def test_rays_meet_the_surface_where_it_is() -> None:
    ball = icosphere(4)
    found = solid_of(ball.vertices, ball.faces, 0.2)
    starts = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.6, 0.3], [0.0, 1.5, 0.0]])
    faces, ways = found.rays(starts, torch.tensor([1.0, 0.0, 0.0]))
    assert ways[:2].tolist() == pytest.approx([1.0, (1 - 0.45) ** 0.5], abs=3e-3)
    assert faces[2] == -1
    hit = ball.vertices[ball.faces[faces[1]]].mean(dim=0)
    assert (hit - torch.tensor([ways[1], 0.6, 0.3])).norm() < 0.1


# What photographs foretell


def test_photographs_foretell_one_another_over_the_true_surface() -> None:
    seen = photographs("cup")
    right, wrong = (foretold(solid(name).vertices, solid(name).faces, seen) for name in ("cup", "can"))
    assert right.loss < 0.85 * wrong.loss
    assert right.better_than(wrong) and not wrong.better_than(right)


def test_doubts_are_where_the_surface_is_wrong() -> None:
    can = solid("can")
    doubts = foretold(can.vertices, can.faces, photographs("cup"), doubts=True).doubts
    assert doubts is not None
    lid = (can.vertices[:, 2] > 0.59) & (can.vertices[:, :2].norm(dim=1) < 0.4)
    assert doubts[lid].mean() > 3 * doubts[~lid].mean()


def test_pixels_that_belong_to_no_photograph_say_nothing() -> None:
    cup, seen = solid("cup"), photographs("cup")
    weights = torch.ones(len(seen), 64, 64)
    weights[:, :, :30] = 0.0
    damaged = torch.where(weights[..., None] > 0, seen.targets, torch.rand(seen.targets.shape))
    losses = [
        foretold(cup.vertices, cup.faces, replace(seen, targets=targets, weights=weights)).losses
        for targets in (seen.targets, damaged)
    ]
    torch.testing.assert_close(*losses)


@pytest.mark.parametrize(
    ("misses", "better"),
    [
        ([[1.0] * 3, [1.0] * 3, [3.0] * 3], True),
        ([[2.0] * 3, [2.0] * 3, [2.0] * 3], False),
        ([[0.0] * 3, [2.1] * 3, [2.1] * 3], False),  # in a minority of the photographs
        ([[1.9] * 3, [1.9] * 3, [3.0] * 3], False),  # not in the mean
        ([[0.0, 2.1, 2.1], [0.0, 2.1, 2.1], [2.0] * 3], False),  # in a minority of the pixels
    ],
)
def test_better_is_less_in_the_mean_and_in_most(misses: list[list[float]], better: bool) -> None:
    found, other = (Foretold(part[:, None]) for part in (torch.tensor(misses), torch.full((3, 3), 2.0)))
    assert found.better_than(other) is better


def test_rounding_has_no_vote() -> None:
    other = torch.full((3, 4, 4), 0.5)
    rounded = other + 0.003
    rounded[:, 0, 0] -= 0.1  # one pixel of sixteen
    assert Foretold(rounded).better_than(Foretold(other))
    rounded += 0.001  # a 255th is 0.0039
    assert not Foretold(rounded).better_than(Foretold(other))


@pytest.mark.parametrize(
    ("misses", "throughout"),
    [
        ([[1.0] * 3, [1.9] * 3, [1.0] * 3, [1.9] * 3], True),
        ([[1.0] * 3, [2.0] * 3, [1.0] * 3, [2.0] * 3], False),  # the second half of them says nothing
        ([[1.0] * 3, [0.0, 2.1, 2.1], [1.0] * 3, [1.0, 2.1, 2.1]], False),  # in a minority of its pixels
        ([[1.0] * 3, [1.9, 1.9, 3.0], [1.0] * 3, [1.9, 1.9, 3.0]], False),  # not in its mean
    ],
)
def test_each_part_of_the_photographs_says_so(misses: list[list[float]], throughout: bool) -> None:
    found, other = Foretold(torch.tensor(misses)[:, None]), Foretold(torch.full((4, 1, 3), 2.0))
    assert found.better_throughout(other, 2) is throughout


# Proposals


def given(name: str) -> Solid:
    """A solid on its grid."""
    found = solid(name)
    return Solid(found.vertices, found.faces, GRID, fields()[name])


def surfaces(name: str, proposals: list[Proposal]) -> list[Solid]:
    """Of those proposals that are allowed."""
    found = []
    for proposal in proposals:
        hull = surface_of(GRID, proposal.field, DEFAULTS.carving)
        if hull is not None:
            after = Solid(hull.vertices.float(), hull.faces, GRID, proposal.field)
            found += [after] if proposal.allowed(given(name), after) else []
    return found


def test_what_photographs_see_through_is_gone() -> None:
    (first, _) = seen_through(given("ball"), photographs("torus"))
    (after,) = surfaces("ball", [first])
    assert (after.handles, after.parts) == (1, 1)
    gone = (fields()["ball"] > 0) & (first.field < 0)
    assert (fields()["torus"][gone] < 0).all()
    assert list(seen_through(given("torus"), photographs("torus"))) == []


def test_a_cavity_is_as_deep_as_its_share_of_the_way() -> None:
    can = solid("can")
    doubts = (1.0 - can.vertices[:, :2].norm(dim=1)) * (can.vertices[:, 2] > 0.59)
    top = Topology(doubted=(1 / 16, 1 / 8))  # of the surface; its cap is 1 / 6
    for series in carved(given("can"), doubts, top):
        depths = []
        for after in surfaces("can", list(series)):
            axis = (after.vertices[:, :2].norm(dim=1) < 0.1) & (after.vertices[:, 2] > -0.55)
            depths.append(0.6 - float(after.vertices[axis, 2].mean()))
        assert depths == pytest.approx([0.15, 0.3, 0.6, 0.9, 1.05], abs=0.04)  # eighths of 1.2


def test_what_lies_near_the_surface_is_no_cavity() -> None:
    lid = solid("can").vertices[:, 2] > 0.59
    shallow = Topology(doubted=(1 / 8,), depths=(1 / 24,))  # of 1.2, less than two cells
    assert [list(series) for series in carved(given("can"), lid.float(), shallow)] == [[]] * 3
    deep = Topology(doubted=(1 / 8,), depths=(1 / 6,))
    assert all(len(list(series)) == 1 for series in carved(given("can"), lid.float(), deep))


@pytest.mark.slow
def test_gaps_are_closed_and_bridges_cut() -> None:
    for name, word in (("bead", "closed"), ("kettle", "cut")):
        every = [proposal for series in simpler(given(name)) for proposal in series]
        right = [proposal for proposal in every if proposal.name == word]
        assert {(after.handles, after.parts) for after in surfaces(name, right)} == {(0, 1)}
    assert list(simpler(given("ball"))) == []


@pytest.mark.parametrize(
    ("name", "before", "after", "allowed"),
    [
        ("carved", "can", "cup", True),
        ("carved", "ball", "bead", False),
        ("opened", "ball", "bead", True),
        ("closed", "bead", "ball", True),
        ("closed", "ball", "ball", False),
        ("cut", "ball", "bead", False),
    ],
)
def test_only_what_is_seen_through_gets_handles(name: str, before: str, after: str, allowed: bool) -> None:
    assert Proposal(name, fields()[after]).allowed(given(before), given(after)) is allowed


# Which change is taken


@pytest.mark.slow
@pytest.mark.parametrize(
    ("truth", "start", "name", "genus"),
    [("cup", "can", "carved", 0), ("torus", "ball", "opened", 1), ("ball", "bead", "closed", 0)],
)
def test_photographs_ask_for_a_change(truth: str, start: str, name: str, genus: int) -> None:
    found = change(truth, start)
    assert found is not None and found.name == name and found.after < found.before
    assert topology(found.mesh.faces).genus == genus and topology(found.mesh.faces).watertight
    assert far(found.mesh, truth) < 0.75 * far(solid(start), truth)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["can", "cup", "torus", "ball", "bead", "kettle"])
def test_a_surface_that_is_right_stays(name: str) -> None:
    assert change(name, name) is None


def test_an_open_surface_stays() -> None:
    cup = solid("cup")
    assert changed(cup.vertices, cup.faces[1:], photographs("torus"), cell=CELL) is None


def test_what_the_grid_would_break_stays() -> None:
    kettle = solid("kettle")
    assert changed(kettle.vertices, kettle.faces, photographs("ball"), cell=0.25) is None


# In a run


def run_of(truth: str, start: str, *, refining: bool = False, **options: Any) -> Result:
    """What a short run finds; it is in order."""
    settings = Settings(**{"steps": 20, "patches": "off", "refine_cameras": "off", **options})
    *_, last = reconstruct(views(truth), settings, start=solid(start), refining=refining)
    result = last.run.result()
    assert topology(result.mesh.faces).watertight
    assert not self_intersections(result.mesh.vertices, result.mesh.faces).any()
    assert flipped_faces(result.mesh.vertices, result.mesh.faces) == 0
    return result


def names(result: Result) -> list[str]:
    """Of its events."""
    return [event.name for event in result.events]


@pytest.mark.slow
def test_a_run_carves_a_cup_out_of_a_can() -> None:
    events = names(run_of("cup", "can"))
    assert "carved" in events and events.count("remeshed") == 3


@pytest.mark.slow
def test_it_is_asked_again_only_after_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    for answers, times in (([None, None, None], 1), ([CHANGE, None, None], 2), ([CHANGE, CHANGE, None], 3)):
        left = list(answers)
        monkeypatch.setattr("largesteps_zg.reconstruct.loop.retopologized", lambda *_, left=left: left.pop(0))
        assert names(run_of("ball", "ball", steps=7)).count("remeshed") == 3
        assert len(answers) - len(left) == times


@pytest.mark.slow
def test_a_run_that_has_nothing_to_change_is_as_without(monkeypatch: pytest.MonkeyPatch) -> None:
    with_stage = run_of("can", "can")
    assert set(names(with_stage)) == {"remeshed"}
    monkeypatch.setattr("largesteps_zg.reconstruct.loop.retopologized", lambda *_: None)
    without = run_of("can", "can")
    assert with_stage.losses == without.losses
    assert torch.equal(with_stage.mesh.vertices, without.mesh.vertices)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"remesh": "off"}, {"refining": True}])
def test_a_run_that_keeps_its_surface_changes_nothing(options: dict[str, Any]) -> None:
    assert not set(TOPOLOGY) & set(names(run_of("cup", "can", **options)))


@pytest.mark.slow
def test_a_run_says_in_its_json_what_it_changed() -> None:
    result = run_of("cup", "can", steps=7)  # the first remeshing comes after two steps
    told = summary(result, Scene(None, "test", result.views), stopped=None)
    (first, *_) = told["topology"]
    assert first["name"] == "carved" and first["reason"].startswith("photographs foretell one another to 0.0")
    assert told["not_remeshed"] == []
