"""What is said of layers and units: shares, shapes and sentences made of the numbers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from saliency_core.models.anatomy import Field, Layer, Span
from saliency_core.targets import LayerUnit
from saliency_view.layer_words import (
    default_layer,
    field_words,
    half,
    offset_words,
    outside,
    shares_seen,
    step_words,
    unit_words,
)

NARROW = Field(Span(-3, 6, 4), Span(-2, 4, 2))
CONV = Layer("conv", "conv/Relu:0", (5, 9, 2), "Relu", NARROW)


def test_a_field_is_told_with_size_steps_and_offset() -> None:
    assert field_words(NARROW) == "10 x 7, step 4 x 2"
    assert field_words(Field(Span(0, 2, 1), Span(0, 2, 1))) == "3 x 3, step 1"
    assert field_words(Field()) == "all of the image"
    assert field_words(Field(None, Span(0, 2, 0.5))) == "all x 3 px"
    assert offset_words(NARROW).startswith("the first unit sees rows \u22123 to 6, the next 4 further on")
    assert shares_seen(NARROW, (20, 5, 3)) == (0.5, 1.0)


def test_the_first_layer_on_show_has_units_that_see_a_part() -> None:
    deep = Layer("deep", "deep:0", (2, 2, 8), "Conv2D")
    dense = Layer("dense", "dense:0", (8,), "BiasAdd")
    assert default_layer([CONV, deep, dense], (20, 20, 3)) == "conv"
    assert default_layer([deep, dense], (20, 20, 3)) == "deep"
    assert default_layer([dense], (20, 20, 3)) == "dense"


def test_the_share_outside_is_exact() -> None:
    values = np.zeros((6, 6, 2), np.float32)
    assert outside(values, (1, 1, 3, 3)) == 0
    values[1:3, 1:3] = -1
    assert outside(values, (1, 1, 3, 3)) == 0
    values[5, 5, 0] = 8
    assert outside(values, (1, 1, 3, 3)) == 0.5
    values[5, 5, 0] = 1e-30
    assert outside(values, (1, 1, 3, 3)) > 0


@pytest.mark.parametrize(("sizes", "few"), [([0, 0, 0, 0], 0), ([1, 1, 1, 1], 2), ([9, 1, 1, 1], 1)])
def test_half_of_a_gradient_lies_in_few_pixels(sizes: list[float], few: int) -> None:
    assert half(np.array(sizes, np.float32).reshape(2, 2, 1)) == few


def test_a_sentence_is_made_of_the_numbers() -> None:
    values = np.zeros((20, 12, 1), np.float32)
    values[2, 3] = 1
    made = SimpleNamespace(values=values, point=values, kind="sensitivity")
    box = NARROW.box(1, 2, (20, 12))
    said = unit_words(LayerUnit("conv", 1, 2, 1), CONV, 0.5, made, box)
    assert "row 1, column 2, channel 1" in said
    assert (
        "It can see 10 x 7 pixels: rows 1 to 10, columns 2 to 8. Outside, the gradient is exactly 0." in said
    )
    assert "lies in 1 pixel." in said
    values[0, 0] = 1
    assert "50 % of the gradient lies outside" in unit_words(
        LayerUnit("conv", 1, 2, 1), CONV, 0.5, made, box
    ).replace("\\", "")
    values[:] = 0
    assert "gradient is 0 in every pixel" in unit_words(LayerUnit("conv"), CONV, 0.0, made, box)
    made.kind, made.values = "region", np.ones((2, 2), np.float32)
    assert unit_words(LayerUnit("conv"), CONV, 0.0, made, box).endswith("columns 2 to 8. ")
    assert step_words(CONV) == "ReLU"
