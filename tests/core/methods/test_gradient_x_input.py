"""Gradient times input: each pixel's share, complete where the score has no offset."""

from __future__ import annotations

import numpy as np

from saliency_core.methods.gradient import Gradient
from saliency_core.methods.gradient_x_input import GradientXInput
from tests.analytic import LinearProbe, QuadraticProbe, SineProbe, points, weights

SHAPE = (3, 5, 2)


def test_it_is_the_gradient_times_the_pixels():
    probe, batch = SineProbe(weights(SHAPE)), points(2, SHAPE)
    found = GradientXInput().attribute(probe, batch)
    assert np.array_equal(found, Gradient().attribute(probe, batch) * batch)


def test_shares_of_a_linear_score_add_up_to_it_exactly():
    probe, batch = LinearProbe(weights(SHAPE)), points(2, SHAPE)
    found = GradientXInput().attribute(probe, batch)
    assert np.array_equal(found.astype(np.float64).sum((1, 2, 3)), probe.score(batch))


def test_shares_of_a_score_of_degree_two_add_up_to_twice_the_score():
    """Euler: <x, f'(x)> = k f(x) for a score of degree k."""
    probe, batch = QuadraticProbe(weights(SHAPE)), points(2, SHAPE)
    found = GradientXInput().attribute(probe, batch)
    assert np.array_equal(found.astype(np.float64).sum((1, 2, 3)), 2 * probe.score(batch))


def test_a_black_pixel_has_no_share():
    batch = points(1, SHAPE)
    batch[0, 1, 2] = 0
    assert not GradientXInput().attribute(SineProbe(weights(SHAPE)), batch)[0, 1, 2].any()


def test_values_are_in_the_unit_of_the_score():
    assert GradientXInput().units("logit") == "logit"
    assert GradientXInput().cost == 1
