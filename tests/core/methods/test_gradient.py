"""The gradient is the gradient: nothing is added to what the probe says."""

from __future__ import annotations

import numpy as np

from saliency_core.methods.gradient import Gradient
from tests.analytic import QuadraticProbe, points, weights

SHAPE = (3, 5, 2)


def test_it_is_the_derivative_of_the_score_pixel_by_pixel():
    given, batch = weights(SHAPE), points(2, SHAPE)
    assert np.array_equal(Gradient().attribute(QuadraticProbe(given), batch), given * batch)


def test_it_asks_one_point_and_measures_the_score_by_grey_level():
    assert Gradient().cost == 1
    assert Gradient().units("logit") == "logit per grey level"
    assert Gradient().units("probability") == "probability per grey level"


def test_the_score_moves_with_the_pixels_themselves():
    move = points(3, SHAPE)
    assert np.array_equal(Gradient().tangent(points(1, SHAPE), move), move)
