"""Intervals that hold what they promise: formulas by hand, and coverage counted."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from saliency_core.checks.intervals import NORMAL, bootstrap, wilson
from saliency_core.errors import SettingError


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (3, 10), (250, 500), (499.5, 500), (500, 500)])
def test_the_ends_are_the_two_proportions_that_the_score_test_just_accepts(hits, count):
    """Wilson's interval is where (share - p)^2 = z^2 p (1 - p) / n."""
    for end in wilson(hits, count):
        assert (hits / count - end) ** 2 == pytest.approx(NORMAL**2 * end * (1 - end) / count, abs=1e-12)
    low, high = wilson(hits, count)
    assert 0 <= low <= hits / count <= high <= 1


def test_hits_and_misses_mirror_each_other():
    low, high = wilson(37, 120)
    assert wilson(83, 120) == pytest.approx((1 - high, 1 - low), abs=1e-15)


def test_the_interval_of_a_mean_is_about_that_of_the_normal_law():
    values = np.random.default_rng(3).normal(5, 2, 4_000)
    low, high = bootstrap(values)
    half = NORMAL * values.std(ddof=1) / sqrt(len(values))
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=0.15 * half)
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)


def test_nineteen_of_twenty_intervals_hold_the_truth():
    """1,000 samples of 80 squares of normal numbers, whose mean is 1; a bootstrap is a little short."""
    rng = np.random.default_rng(8)
    held = [
        low <= 1 <= high for low, high in (bootstrap(rng.normal(size=80) ** 2, i, 500) for i in range(1_000))
    ]
    assert 0.90 <= np.mean(held) <= 0.97


def test_same_seed_same_interval_another_seed_another():
    values = np.random.default_rng(0).random(50)
    assert bootstrap(values) == bootstrap(values, 0)
    assert bootstrap(values) != bootstrap(values, 1)
    assert bootstrap(np.full(9, 0.25)) == (0.25, 0.25)


@pytest.mark.parametrize(("hits", "count"), [(-1, 5), (6, 5), (0, 0)])
def test_an_impossible_share_is_refused(hits, count):
    with pytest.raises(SettingError, match=f"{hits} of {count}"):
        wilson(hits, count)


@pytest.mark.parametrize("values", [[], [[1.0]]])
def test_no_numbers_have_no_mean(values):
    with pytest.raises(SettingError, match="row of numbers"):
        bootstrap(np.array(values))
