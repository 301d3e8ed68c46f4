"""Preprocessing: exact numbers, channel order, slope, spellings and refusals."""

import numpy as np
import pytest

from saliency_core.errors import SettingError
from saliency_core.grammar import parse, spell
from saliency_core.models.preprocessing import Affine, Caffe, Raw, Symmetric, Torch, Unit
from saliency_core.registry import table

RED_GREEN_BLUE = np.array([[[[255.0, 0.0, 127.5]]]], np.float32)
EVERY = [cls() for cls in table("preprocessing").values()] + [
    Affine(scale=(0.5, 2.0, -3.0), shift=(1.0, 0.0, 7.0), order="bgr")
]


def test_the_family_is_complete():
    assert list(table("preprocessing")) == ["raw", "unit", "symmetric", "caffe", "torch", "affine"]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (Raw(), [255, 0, 127.5]),
        (Unit(), [1, 0, 0.5]),
        (Symmetric(), [1, -1, 0]),
        (Caffe(), [127.5 - 103.939, 0 - 116.779, 255 - 123.68]),
        (Torch(), [(1 - 0.485) / 0.229, -0.456 / 0.224, (0.5 - 0.406) / 0.225]),
        (Affine(scale=2, shift=(1, 2, 3)), [511, 2, 258]),
        (Affine(scale=(1, 10, 100), shift=0, order="bgr"), [127.5, 0, 25500]),
    ],
    ids=lambda value: value.spelling if hasattr(value, "spelling") else "",
)
def test_known_pixels_become_known_numbers(step, expected):
    ready = step.apply(RED_GREEN_BLUE)
    assert ready.dtype == np.float32
    # one rounding to float32 of a float64 result, itself within a few roundings of the exact number
    np.testing.assert_allclose(ready[0, 0, 0], expected, rtol=6e-8, atol=1e-14)


@pytest.mark.parametrize("step", EVERY, ids=spell)
def test_slope_is_the_derivative_of_apply(step):
    """Moving one raw channel by 64 levels moves the input by 64 slopes in the channel it feeds."""
    start = np.full((1, 2, 2, 3), 32, np.float32)
    _, _, order = step.affine_for(3)
    for channel in range(3):
        moved = start.copy()
        moved[..., channel] += 64
        change = (step.apply(moved) - step.apply(start))[0, 1, 1]
        fed = 2 - channel if order == "bgr" else channel
        expected = np.zeros(3)
        expected[fed] = 64 * step.slope(3)[channel]
        # apply rounds to float32: two roundings of numbers below 512
        np.testing.assert_allclose(change, expected, atol=2 * 512 * 6e-8)


@pytest.mark.parametrize("step", EVERY, ids=spell)
def test_numbers_are_float64_one_for_each_channel(step):
    scale, shift, order = step.affine_for(3)
    assert scale.dtype == shift.dtype == np.float64
    assert scale.shape == shift.shape == (3,)
    assert order in ("rgb", "bgr")


@pytest.mark.parametrize("step", [Raw(), Unit(), Symmetric(), Affine(scale=3, shift=1)], ids=spell)
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_steps_without_colours_fit_any_number_of_channels(step, channels):
    scale, shift, order = step.affine_for(channels)
    three, three_shift, _ = step.affine_for(3)
    assert (scale == three[0]).all()
    assert (shift == three_shift[0]).all()
    assert len(scale) == len(shift) == channels
    assert order == "rgb"


@pytest.mark.parametrize("step", [Caffe(), Torch(), Affine(order="bgr")], ids=spell)
def test_colour_steps_refuse_gray(step):
    with pytest.raises(SettingError, match=f"^{step.id}: .*the model has 1 channel\\."):
        step.affine_for(1)


def test_as_many_numbers_as_channels():
    with pytest.raises(SettingError, match="2 numbers were given, the model has 3 channels"):
        Affine(scale=(1, 2)).affine_for(3)


@pytest.mark.parametrize(
    "text", ["raw", "unit()", " torch ", "affine(scale=[1,2,3])", "affine(2, -1, 'bgr')"]
)
def test_spellings_parse_back(text):
    step = parse("preprocessing", text)
    assert parse("preprocessing", spell(step)) == step
    assert parse("preprocessing", step.spelling).spelling == step.spelling


@pytest.mark.parametrize(
    "text",
    [
        "affine(scale=0)",
        "affine(scale='x')",
        "affine(order='gbr')",
        "affine(shift=[])",
        "unit(2)",
        "tf",
        "raw(",
    ],
)
def test_bad_spellings_are_refused(text):
    with pytest.raises(SettingError):
        parse("preprocessing", text)


def test_apply_leaves_its_argument_alone():
    points = RED_GREEN_BLUE.copy()
    points.flags.writeable = False
    for step in EVERY:
        step.apply(points)  # would raise on writing
    np.testing.assert_array_equal(points, RED_GREEN_BLUE)
