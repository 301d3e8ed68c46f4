"""From channels to one number: exact answers, and signs that behave."""

import numpy as np
import pytest

from saliency_core.errors import NotFiniteError, SettingError
from saliency_core.render.look import Look
from saliency_core.render.reduce import reduce_channels

PIXEL = np.array([[[3.0, -4.0, 0.0]]], np.float32)
channels = pytest.mark.parametrize("count", [1, 2, 3, 4, 11])
signing = pytest.mark.parametrize("reduce", ["max_abs", "sum", "channel"])


def noise(count, seed=0):
    made = np.random.default_rng(seed).normal(size=(5, 7, count)).astype(np.float32)
    made.flags.writeable = False
    return made


@pytest.mark.parametrize(
    ("reduce", "sign", "answer"),
    [
        ("max_abs", "magnitude", 4),
        ("max_abs", "signed", -4),
        ("max_abs", "positive", 0),
        ("max_abs", "negative", 4),
        ("sum", "magnitude", 1),
        ("sum", "signed", -1),
        ("sum", "positive", 0),
        ("sum", "negative", 1),
        ("l2", "magnitude", 5),
        ("channel", "magnitude", 3),
        ("channel", "signed", 3),
        ("channel", "negative", 0),
    ],
)
def test_one_pixel_by_hand(reduce, sign, answer):
    assert reduce_channels(PIXEL, Look(reduce=reduce, sign=sign)).tolist() == [[answer]]


@channels
@signing
def test_negative_is_positive_of_the_opposite(count, reduce):
    values = noise(count)
    negative = reduce_channels(values, Look(reduce=reduce, sign="negative"))
    np.testing.assert_array_equal(negative, reduce_channels(-values, Look(reduce=reduce, sign="positive")))


@channels
@signing
def test_the_parts_make_up_the_whole(count, reduce):
    parts = {sign: reduce_channels(noise(count), Look(reduce=reduce, sign=sign)) for sign in SIGNS}
    np.testing.assert_array_equal(parts["signed"], parts["positive"] - parts["negative"])
    np.testing.assert_array_equal(parts["magnitude"], parts["positive"] + parts["negative"])


SIGNS = ("signed", "magnitude", "positive", "negative")


@channels
@pytest.mark.parametrize("reduce", ["max_abs", "sum", "l2", "channel"])
def test_sizes_do_not_know_the_sign(count, reduce):
    look = Look(reduce=reduce)
    map2d = reduce_channels(noise(count), look)
    np.testing.assert_array_equal(map2d, reduce_channels(-noise(count), look))
    assert map2d.shape == (5, 7)
    assert map2d.dtype == np.float32
    assert map2d.min() >= 0


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("reduce", ["max_abs", "sum", "channel"])
def test_one_channel_is_the_map_itself(reduce, sign):
    look = Look(reduce=reduce, sign=sign)
    np.testing.assert_array_equal(
        reduce_channels(noise(1), look),
        reduce_channels(noise(1)[..., 0], look),
    )


def test_each_channel_can_be_shown():
    for channel in range(4):
        look = Look(reduce="channel", channel=channel, sign="signed")
        np.testing.assert_array_equal(reduce_channels(noise(4), look), noise(4)[..., channel])


def test_a_sum_that_cancels_leaves_no_rounding_behind():
    cancelling = np.full((2, 2, 3), [0.1, 0.2, -0.3], np.float32)
    assert cancelling.astype(np.float64).sum(-1).any()  # 0.1 + 0.2 is not 0.3 in float32
    assert not reduce_channels(cancelling, Look(reduce="sum", sign="signed")).any()


def test_the_result_is_never_the_input():
    flat = noise(1)[..., 0].copy()
    before = flat.copy()
    reduce_channels(flat, Look(sign="signed"))[:] = 7
    np.testing.assert_array_equal(flat, before)


def test_a_channel_that_is_not_there_is_refused():
    with pytest.raises(SettingError, match=r"no channel 3, the map has 3.*0 to 2"):
        reduce_channels(noise(3), Look(reduce="channel", channel=3))


@pytest.mark.parametrize("shape", [(4,), (1, 4, 4, 3), (4, 4, 0)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(SettingError, match=r"\(H, W, C\)"):
        reduce_channels(np.zeros(shape, np.float32), Look())


@pytest.mark.parametrize("reduce", ["max_abs", "sum", "l2", "channel"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_is_refused(reduce, bad):
    values = noise(3).copy()
    values[1, 2, 0] = bad
    with pytest.raises(NotFiniteError, match="1 of 35"):
        reduce_channels(values, Look(reduce=reduce))


def test_a_sum_beyond_float32_is_refused():
    with pytest.raises(NotFiniteError, match="4 of 4"):
        reduce_channels(np.full((2, 2, 3), 3e38, np.float32), Look(reduce="sum"))
