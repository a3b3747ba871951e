"""Evidence of an object moves to where a photograph has its edges."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from largesteps_zg.constants import DEFAULTS
from largesteps_zg.reconstruct.starts.outlines.edges import at_edges

SIDE, RADIUS = 160, 50.0
Y, X = np.mgrid[:SIDE, :SIDE]
AWAY = np.hypot(X - 79.3, Y - 80.1) - RADIUS  # pixels from a disc's outline
ALL = np.ones((SIDE, SIDE), dtype=bool)


def share(away: np.ndarray) -> np.ndarray:
    """Of pixels so far from an outline, what lies inside."""
    return (0.5 - away).clip(0, 1)


def disc(seed: int, noise: float = 0.02, colors: float = 1.0) -> np.ndarray:
    """Light of a disc before a table, both with a grain, by a lens that blurs a little."""
    random = np.random.default_rng(seed)
    table, own = np.array([0.3, 0.35, 0.25]), np.array([0.5, 0.15, 0.1])
    both = table + colors * share(AWAY)[..., None] * (own - table)
    grain = gaussian_filter(random.normal(0, 1, (SIDE, SIDE, 3)), (1, 1, 0)) * 4 * noise
    return gaussian_filter(both, (0.5, 0.5, 0)) + grain


def ends(evidence: np.ndarray) -> float:
    """The radius of a disc of as many pixels as the evidence has for the object, less the true one."""
    return math.sqrt(share(-8 * evidence).sum() / math.pi) - RADIUS


@pytest.mark.parametrize("off", [-0.8, -0.4, 0.4, 0.8])
def test_evidence_that_ends_too_far_in_or_out_moves_to_the_edge(off: float) -> None:
    evidence = np.clip((off - AWAY) / 4, -1, 1)
    mask = share(AWAY - 0.5 * off)  # drawn between the two
    moved = at_edges(evidence, mask, disc(0), ALL, DEFAULTS.outlining)
    assert abs(ends(evidence) - off) < 0.05
    assert abs(ends(moved)) < 0.6 * abs(off)
    far = np.abs(AWAY) > 9
    np.testing.assert_array_equal(moved[far], evidence[far])


def test_evidence_that_is_right_stays() -> None:
    evidence = np.clip(-AWAY / 4, -1, 1)
    for seed in range(3):
        assert abs(ends(at_edges(evidence, share(AWAY), disc(seed), ALL, DEFAULTS.outlining))) < 0.12


def test_where_nothing_tells_the_object_from_the_table_evidence_stays() -> None:
    evidence = np.clip((-0.6 - AWAY) / 4, -1, 1)
    moved = at_edges(evidence, share(AWAY), disc(1, colors=0.0), ALL, DEFAULTS.outlining)
    assert abs(ends(moved) - ends(evidence)) < 0.15


def test_what_has_no_profile_stays() -> None:
    """Thin parts, outlines beside what is not known, and pictures without an outline."""
    light, numbers = disc(0), DEFAULTS.outlining
    thin = (np.abs(X - 80) <= 1).astype(float)
    evidence = np.where(thin > 0, 0.7, -0.9)
    np.testing.assert_array_equal(at_edges(evidence, thin, light, ALL, numbers), evidence)
    evidence, mask = np.clip((0.5 - AWAY) / 4, -1, 1), share(AWAY)
    np.testing.assert_array_equal(at_edges(evidence, mask, light, AWAY < 2, numbers), evidence)
    for everything in (np.zeros_like(mask), np.ones_like(mask)):
        np.testing.assert_array_equal(at_edges(evidence, everything, light, ALL, numbers), evidence)
    inside = X < 158  # the object goes on beyond the border
    np.testing.assert_array_equal(at_edges(evidence, inside * 1.0, light, ALL, numbers), evidence)


def test_a_longer_stretch_moves_more_alike() -> None:
    """One half is off to one side and one to the other: in the mean of the whole outline nothing is to be moved."""
    evidence = np.clip((np.where(X < 80, -0.6, 0.6) - AWAY) / 4, -1, 1)
    left = [
        np.abs(
            at_edges(evidence, share(AWAY), disc(2), ALL, replace(DEFAULTS.outlining, stretch=stretch))
            - np.clip(-AWAY / 4, -1, 1)
        ).mean()
        for stretch in (16.0, 1e4)
    ]
    assert left[0] < 0.8 * left[1]
