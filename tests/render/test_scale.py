"""The end of the scale, and the words for maps that have none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saliency_core.render.look import Look
from saliency_core.render.numbers import number_text
from saliency_core.render.scale import explain_flat, is_flat, limit

RAMP = np.arange(1, 102, dtype=np.float32).reshape(1, 101)


@pytest.mark.parametrize(("clip", "end"), [(50, 51), (75, 76), (99, 100), (100, 101)])
def test_the_limit_is_the_percentile(clip, end):
    assert limit(RAMP, clip) == end
    assert limit(-RAMP, clip) == end


def test_signs_share_one_limit():
    assert limit(np.array([[-9.0, 1.0, 2.0]]), 100) == 9


@settings(max_examples=25)
@given(st.floats(50, 100), st.floats(50, 100), st.integers(0, 99))
def test_the_limit_grows_with_the_percentile(one, other, seed):
    map2d = np.random.default_rng(seed).normal(size=(6, 5))
    low, high = sorted((one, other))
    assert limit(map2d, low) <= limit(map2d, high) <= np.abs(map2d).max()


def test_zeros_do_not_count():
    lone = np.zeros((100, 100), np.float32)
    lone[3, 4] = -0.25
    assert limit(lone, 50) == limit(lone, 99) == 0.25


def test_a_map_of_zeros_has_no_scale():
    assert limit(np.zeros((3, 4)), 99) == 0.0


def test_flat_means_all_the_same():
    assert is_flat(np.full((3, 4), -2.0))
    assert not is_flat(np.array([[1.0, 1.0, np.nextafter(1.0, 2.0)]]))


def explained(values, **look):
    return explain_flat(np.array(values, np.float32), Look(**look))


def test_a_map_with_something_to_see_needs_no_words():
    assert explained([[[1, 2], [0, 0]]]) is None


def test_all_zero_is_told():
    assert (
        explained(np.zeros((2, 3, 3))) == "Every value is exactly 0: by this map, no pixel changes the score."
    )


def test_nothing_positive_tells_what_there_is():
    told = explained([[[-0.3], [-0.01]]], sign="positive")
    assert told == "Nothing is positive: the signed values run from −0.3 to −0.01. Show both signs."


def test_nothing_negative_tells_what_there_is():
    told = explained([[[0.5], [0]]], sign="negative")
    assert told == "Nothing is negative: the signed values run from 0 to 0.5. Show both signs."


def test_an_empty_channel_is_told():
    told = explained([[[0, 2], [0, -5]]], reduce="channel", channel=0)
    assert told == "Channel 0 is exactly 0 everywhere; other channels reach 5."


def test_channels_that_cancel_are_told():
    told = explained([[[2, -2], [7, -7]]], reduce="sum", sign="signed")
    assert told == "The channels cancel in every pixel; single ones reach 7. Show the largest channel."


@pytest.mark.parametrize(("sign", "value"), [("signed", "−0.5"), ("negative", "−0.5"), ("magnitude", "0.5")])
def test_a_constant_is_told_with_its_sign(sign, value):
    assert explained(np.full((2, 2), -0.5), sign=sign) == f"Every pixel has the same value, {value}."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.5, "0.5"),
        (-12.46, "−12.5"),
        (0.00382, "0.00382"),
        (999.96, "1000"),
        (12345, "1.23·10⁴"),
        (3.817e-7, "3.82·10⁻⁷"),
        (-1e30, "−1·10³⁰"),
        (5e-324, "4.94·10⁻³²⁴"),
    ],
)
def test_numbers_for_people(value, text):
    assert number_text(value) == text
