"""How long runs are: as asked, or by what they go by."""

from __future__ import annotations

import pytest

from largesteps_zg.constants import Constants, Schedule
from largesteps_zg.mesh import icosphere
from largesteps_zg.reconstruct import Reconstruction, Settings
from largesteps_zg.reconstruct.pace import Pace
from largesteps_zg.reconstruct.photo_consistency import PhotoConsistency
from largesteps_zg.reconstruct.resume import go_on
from largesteps_zg.scenes.synthetic import scene_from_mesh

SCHEDULE = Schedule(steps=90, patch_steps=30)


def shares(pace: Pace, agreeing: list[bool]) -> list[float]:
    """What lies behind before each of some steps."""
    found = []
    for word in agreeing:
        found.append(pace.progress)
        pace.take(agreeing=word)
    return found


def test_a_given_number_of_steps_is_kept_whatever_photographs_say() -> None:
    pace = Pace(7, SCHEDULE)
    assert shares(pace, [True, False] * 3 + [True]) == [i / 7 for i in range(7)]
    assert (pace.step, pace.steps, pace.progress) == (7, 7, 1.0)


def test_a_run_by_light_and_colour_takes_its_time() -> None:
    pace = Pace(None, SCHEDULE)
    assert shares(pace, [False] * 90) == [i / 90 for i in range(90)] and pace.steps == 90


def test_a_run_by_patches_is_shorter_from_where_photographs_agree() -> None:
    pace = Pace(None, SCHEDULE)
    shares(pace, [False] * 45)
    assert (pace.progress, pace.steps) == (0.5, 90)
    pace.take(agreeing=True)  # the half of the run that is left takes 15 steps, but for this one
    assert pace.steps == 46 + 15
    found = shares(pace, [True] * (pace.steps - pace.step))
    assert found == pytest.approx([46 / 90 + i / 15 * 44 / 90 for i in range(15)])
    assert pace.step == pace.steps and pace.progress == pytest.approx(1.0)


def test_a_run_whose_patches_are_dropped_takes_all_the_steps_of_one_by_colour() -> None:
    pace = Pace(None, SCHEDULE)
    shares(pace, [True] * 10)
    assert pace.progress == pytest.approx(1 / 90 + 9 * (1 - 1 / 90) / 30, abs=1e-3)
    behind = pace.progress
    pace.take(agreeing=False)
    assert pace.steps == 90 and pace.progress > behind
    behind = pace.progress
    assert shares(pace, [False] * 79) == pytest.approx([behind + i * (1 - behind) / 79 for i in range(79)])
    assert (pace.step, pace.progress) == (90, 1.0)


def test_a_word_that_changes_all_the_time_never_makes_a_run_longer() -> None:
    pace = Pace(None, SCHEDULE)
    while pace.step < pace.steps:
        before = pace.progress
        pace.take(agreeing=pace.step % 2 == 0)
        assert pace.progress > before
    assert pace.step <= 90 and pace.progress == pytest.approx(1.0)


def test_a_pace_goes_on_where_it_stood() -> None:
    pace, again = Pace(None, SCHEDULE), Pace(None, SCHEDULE)
    shares(pace, [True] * 8 + [False] * 3)
    again.load_state_dict(pace.step, pace.state_dict())
    assert shares(again, [True, False] * 5) == shares(pace, [True, False] * 5) and again.steps == pace.steps


@pytest.mark.parametrize("damage", [{"left": 0}, {"since": 12}, {"behind": 1.5}, {"behind": float("nan")}])
def test_a_damaged_pace_is_told(damage: dict[str, float]) -> None:
    pace = Pace(None, SCHEDULE)
    with pytest.raises(ValueError, match="pace: no run is at step 11"):
        pace.load_state_dict(11, {**pace.state_dict(), **damage})


@pytest.mark.slow
def test_a_run_ends_and_remeshes_by_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    views = scene_from_mesh(icosphere(2), views=6, test_views=0, height=24, width=24, up="z").train
    settings = Settings(advanced=Constants(schedule=SCHEDULE), max_vertices=300)
    words = iter([False] * 9 + [True] * 30)
    monkeypatch.setattr(PhotoConsistency, "agreeing", property(lambda term: next(words)))
    run, kept = Reconstruction(views, settings), None
    while run.step < run.steps:
        state = run.advance()
        if run.step == 12:
            kept = run.state_dict()
    # A tenth of the run takes 9 steps, the tenth one is the last at that pace; of the rest each takes a thirtieth.
    assert (run.step, state.steps, run.result().planned) == (37, 37, 37)
    remeshed = [event.step for event in run.events if "remeshed" in event.name]
    assert remeshed == [12, 18, 24]  # at 15, 35 and 55 % of the run
    again = Reconstruction(views, settings)
    assert kept is not None
    go_on(again, kept)
    assert (again.step, again.steps, again.remeshed) == (12, 37, 0)
