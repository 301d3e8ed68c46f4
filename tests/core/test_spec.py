"""Each kind of setting takes exactly what it says, in its exact type, and names what it refuses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saliency_core.errors import SettingError
from saliency_core.methods.gradient import Gradient
from saliency_core.registry import Registered
from saliency_core.spec import (
    REQUIRED,
    Choice,
    Flag,
    Integer,
    Part,
    Real,
    Reals,
    Text,
    check_setting,
    param,
    specs,
)

NAN, INFINITY, HUGE = float("nan"), float("inf"), 10**5000


@pytest.mark.parametrize(
    ("spec", "value", "kept"),
    [
        (Integer(low=0, high=9), 9, 9),
        (Integer(low=0, high=9), 0, 0),
        (Integer(), -3.0, -3),
        (Integer(), np.int64(7), 7),
        (Integer(), 2**60, 2**60),
        (Real(low=0.0, high=1.0), 1, 1.0),
        (Real(), np.float32(0.5), 0.5),
        (Choice(options=("mean", "max")), "max", "max"),
        (Flag(), False, False),
        (Text(longest=3), "abc", "abc"),
        (Reals(), 2, (2.0,)),
        (Reals(), [1, 2.5], (1.0, 2.5)),
        (Reals(), np.array([1.0, 2.0]), (1.0, 2.0)),
        (Part(of="method"), "gradient()", Gradient()),
        (Part(of="method"), Gradient(), Gradient()),
    ],
)
def test_allowed_values_come_back_in_their_exact_type(spec, value, kept):
    found = spec.check(value)
    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        (Integer(low=0, high=9), [-1, 10, 0.5, True, "3", b"3", None, [1], NAN, INFINITY, HUGE, 1j]),
        (Real(low=0.0, high=1.0), [-0.01, 1.01, True, "0.5", b"0.5", None, [0.5], NAN, -INFINITY, HUGE, 1j]),
        (Choice(options=("mean", "max")), ["Mean", "", None, 0, ["mean"]]),
        (Flag(), [0, 1, "True", None]),
        (Text(longest=3), ["", "abcd", 3, None, b"abc"]),
        (Reals(longest=2), [[], [1, 2, 3], [NAN], ["1"], "12", {1, 2}, {1: 2}, None, [True], HUGE]),
        (Part(of="method"), [3, None, Gradient, "class_logit(3)", "nothing()"]),
    ],
)
def test_anything_else_is_refused_by_owner_setting_and_allowed(spec, refused):
    for value in refused:
        with pytest.raises(SettingError) as caught:
            check_setting("blur", "width", spec, value)
        if not isinstance(value, str) or not isinstance(spec, Part):  # a spelling has a sentence of its own
            assert caught.value.problem.startswith("blur: width cannot be ")
            assert spec.allowed in caught.value.hint
        assert len(str(caught.value)) < 400


@given(st.integers(-50, 50), st.integers(-20, 0), st.integers(0, 20))
def test_a_range_holds_its_ends_and_nothing_beyond(value, low, high):
    spec = Integer(low=low, high=high)
    if low <= value <= high:
        assert spec.check(value) == value
    else:
        with pytest.raises(ValueError):
            spec.check(value)


def test_a_range_is_told_in_words():
    assert Integer(low=1, high=9).allowed == "a whole number from 1 to 9"
    assert Integer(low=1).allowed == "a whole number of at least 1"
    assert Real(high=0.5).allowed == "a number of at most 0.5"
    assert Real().allowed == "a number"
    assert Choice(options=("a", "b")).allowed == "one of a, b"


@dataclass(frozen=True)
class Blur(Registered):
    width: float = param(Real(low=0.0))
    steps: int = param(Integer(4, low=1))
    note: str = "no setting"


def test_settings_are_declared_once_on_the_field():
    found = specs(Blur)
    assert list(found) == ["width", "steps"]
    assert found["width"].default is REQUIRED
    assert (Blur(1).width, Blur(1).steps) == (1.0, 4)
    assert isinstance(Blur(1).width, float)
    with pytest.raises(TypeError):
        Blur()
    with pytest.raises(SettingError, match="steps cannot be 0"):
        Blur(1, steps=0)
