"""The ranking of the classes: in order, by rank or slice, made only when looked at."""

import numpy as np
import pytest

from saliency_core.attribution import Prediction, Ranking


def test_a_ranking_goes_from_the_largest_logit_to_the_smallest_and_keeps_the_order_of_equal_ones():
    ranks = Ranking(np.array([1.0, 3.0, 1.0, -2.0]), np.array([0.1, 0.8, 0.1, 0.0]), ("a", "b", "c"))
    assert ranks == (
        Prediction(1, "b", 3.0, 0.8),
        Prediction(0, "a", 1.0, 0.1),
        Prediction(2, "c", 1.0, 0.1),
        Prediction(3, "class 3", -2.0, 0.0),
    )
    assert ranks[:2] == (ranks[0], ranks[1])
    assert ranks[-1].index == 3
    assert len(ranks) == 4
    assert ranks != ranks[:3]


def test_places_and_chances_that_are_not_there():
    ranks = Ranking(np.array([0.5]), None)
    assert ranks[0] == Prediction(0, "class 0", 0.5, None)
    with pytest.raises(IndexError):
        ranks[1]
    assert ranks[1:] == ()


def test_numbers_are_plain_python_numbers():
    first = Ranking(np.array([1.0, 2.0]), np.array([0.25, 0.75]))[0]
    assert [type(value) for value in (first.index, first.label, first.logit, first.probability)] == [
        int,
        str,
        float,
        float,
    ]
