"""Photographs that contradict the places of others: found by the votes of matches, placed anew, or left out."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photograph_files import around, save_photographs, things

from largesteps_zg.constants import DEFAULTS
from largesteps_zg.scenes.from_photographs import contradictions
from largesteps_zg.scenes.from_photographs.collection import Photograph
from largesteps_zg.scenes.from_photographs.contradictions import groups, votes, without_contradictions
from largesteps_zg.scenes.from_photographs.find import cameras_from_photographs
from largesteps_zg.scenes.from_photographs.work import unwatched
from largesteps_zg.scenes.pycolmap_quietly import quiet_pycolmap

COUNT, STEP = 7, 14.0  # photographs, and degrees between them
MOVED = {2, 6}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Photograph]]:
    """A folder with a model of photographs, and these."""
    folder = tmp_path_factory.mktemp("found")
    files = save_photographs(folder / "photos", things(), around([STEP * i for i in range(COUNT)]))
    return folder, cameras_from_photographs(files, folder / "photos", folder / "cameras").photographs


def turned_away(model: Any, pycolmap: Any) -> None:
    """Some photographs on another side of what all show: a third of a turn about it."""
    middle = np.median([point.xyz for point in model.points3D.values()], axis=0)
    turn = pycolmap.Rotation3d(np.array([0.0, 2 * np.pi / 3, 0.0]))
    about = pycolmap.Rigid3d(turn, middle - turn.matrix() @ middle)
    for number in MOVED:
        frame = model.images[number].frame
        frame.rig_from_world = frame.rig_from_world * about


def centers(model: Any) -> np.ndarray:
    return np.array([model.images[number].projection_center() for number in range(1, COUNT + 1)])


@pytest.mark.slow
def test_photographs_on_a_wrong_side_are_told_and_placed_anew(
    found: tuple[Path, list[Photograph]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, photographs = found
    everyone = set(range(1, COUNT + 1))
    file = folder / "cameras" / "database.db"
    with quiet_pycolmap() as pycolmap:
        model = pycolmap.Reconstruction(folder / "cameras" / "sparse" / "0")
        right = centers(model)
        assert groups(everyone, votes(file, model, pycolmap)) == [everyone]
        turned_away(model, pycolmap)
        assert np.linalg.norm(centers(model) - right, axis=1).max() > np.ptp(right, axis=0).max() / 2
        told = groups(everyone, votes(file, model, pycolmap))
        assert told[0] == everyone - MOVED and set().union(*told[1:]) == MOVED
        options = photographs, folder / "photos", DEFAULTS.structure, unwatched, pycolmap
        mended = without_contradictions(file, model, *options)
        off = np.linalg.norm(centers(mended) - right, axis=1)
        assert off.max() < 0.02 * np.ptp(right, axis=0).max()
        # Where none can be placed, they are left out; and where they are half, that is said.
        monkeypatch.setattr(contradictions, "mapped", lambda *_, **__: [])
        turned_away(mended, pycolmap)
        left = without_contradictions(file, mended, *options)
        assert set(left.reg_image_ids()) == everyone - MOVED
        with pytest.raises(
            ValueError, match=r"5 of 10 photographs contradict the places of the others.*newspaper"
        ):
            turned_away_again = pycolmap.Reconstruction(folder / "cameras" / "sparse" / "0")
            turned_away(turned_away_again, pycolmap)
            monkeypatch.setattr(contradictions, "match", lambda *_: None)
            monkeypatch.setattr(contradictions, "forget_still_matches", lambda *_: None)
            without_contradictions(file, turned_away_again, [*photographs, *photographs[:3]], *options[1:])


def test_groups_are_those_with_more_votes_for_one_another_than_against() -> None:
    generator = np.random.default_rng(0)
    planted = [{0, 3, 5, 7, 8}, {1, 4, 9}, {2, 6}]
    of = {number: index for index, group in enumerate(planted) for number in group}
    vote = {
        (i, j): int(generator.integers(1, 50)) * (1 if of[i] == of[j] else -1)
        for i, j in itertools.combinations(range(10), 2)
    }
    assert groups(range(10), vote) == planted
    # One that a few matches draw to a group that the others contradict stays with its own.
    assert groups(range(5), {(0, 1): 9, (1, 2): 9, (2, 3): 5, (3, 4): 9, (0, 3): -4, (1, 4): -3}) == [
        {0, 1, 2},
        {3, 4},
    ]
    assert groups(range(3), {(0, 1): 9, (0, 2): -8, (1, 2): 7}) == [{0, 1}, {2}]
    assert groups(range(3), {(0, 1): 9, (0, 2): 8, (1, 2): -7}) == [{0, 1, 2}]
    assert groups([4, 2], {}) == [{2}, {4}]
