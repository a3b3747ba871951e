"""Parts of a run on approval: when they start, when they are judged, and what follows from it."""

from __future__ import annotations

from largesteps_zg._support.trial import Trial


def test_asking_changes_nothing() -> None:
    trial = Trial(0.3, 0.6)
    for _ in range(2):
        assert [trial.due(progress) for progress in (0.0, 0.59, 0.6, 1.0)] == [False, False, True, True]
        assert not (trial.running or trial.started or trial.decided or trial.kept or trial.dropped)


def test_it_starts_at_its_share_and_stays() -> None:
    trial = Trial(0.3, 0.6)
    trial.reach(0.29)
    assert not trial.running
    trial.reach(0.3)
    assert trial.running and not trial.kept
    trial.reach(0.1)
    assert trial.running


def test_what_is_dropped_never_comes_back_and_what_is_kept_is_not_asked_about_again() -> None:
    for keep in (True, False):
        trial = Trial(0.3, 0.6)
        trial.reach(0.5)
        trial.settle(keep=keep)
        trial.reach(0.9)
        assert trial.running is trial.kept is keep and trial.dropped is not keep
        assert not trial.due(1.0)


def test_what_is_wanted_anyway_is_kept_from_the_beginning_but_starts_in_its_time() -> None:
    trial = Trial(0.3, 0.6, decided=True)
    assert trial.kept and not trial.running and not trial.due(1.0)


def test_it_goes_on_from_a_checkpoint() -> None:
    for reached, keep in ((0.1, None), (0.4, None), (0.7, True), (0.7, False)):
        trial, again = Trial(0.3, 0.6), Trial(0.3, 0.6)
        trial.reach(reached)
        if keep is not None:
            trial.settle(keep=keep)
        again.load_state_dict(trial.state_dict())
        assert vars(again) == vars(trial)
