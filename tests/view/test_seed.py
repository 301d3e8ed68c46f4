"""Weightings of outputs: lines of classes and painted masks become targets and come back from them."""

from __future__ import annotations

import numpy as np
import pytest

from saliency_core.attribution import Prediction
from saliency_core.grammar import parse
from saliency_core.models.anatomy import Layer
from saliency_core.targets import LayerChannel, LayerUnit, OutputSeed, Target
from saliency_view import seed_classes, seed_mask
from saliency_view.seed_page import equation

PREDICTED = [Prediction(index, f"class {index}", 0.0, None) for index in (4, 2, 7)]


@pytest.mark.parametrize(
    ("spelling", "lines"),
    [
        ("top_class()", [(1.0, [4])]),
        ("class_logit(3)", [(1.0, [3])]),
        ("class_difference(1, 2)", [(1.0, [1]), (-1.0, [2])]),
        ("class_logit(1) + class_logit(2) - 0.5*class_logit(3)", [(1.0, [1, 2]), (-0.5, [3])]),
        ("2*class_logit(1)", [(2.0, [1])]),
        ("class_logit(1) + class_logit(1)", None),
        ("class_probability(1)", None),
        ("class_logit(1) + class_probability(1)", None),
        ("layer_unit(layer='conv')", None),
    ],
)
def test_targets_are_read_as_lines(spelling: str, lines: object) -> None:
    assert seed_classes.lines_of(parse("target", spelling), PREDICTED) == lines


@pytest.mark.parametrize(
    "lines", [[(1.0, [3])], [(2.0, [3])], [(1.0, [1, 2]), (-0.25, [3, 4, 5])], [(0.0, [1]), (1.0, [2])]]
)
def test_lines_come_back_from_their_target(lines: list[seed_classes.Line]) -> None:
    target = seed_classes.target_of(lines)
    assert seed_classes.lines_of(parse("target", target.spelling), PREDICTED) == lines


def weights(target: Target) -> dict[int, float]:
    """Return the weight of each class in a target made of logits."""
    found: dict[int, float] = {}
    for weight, part in (1.0 * target).terms:
        found[part.index] = found.get(part.index, 0.0) + weight
    return found


@pytest.mark.parametrize("lines", [[(1.0, [1, 2]), (-0.5, [3])], [(0.5, [1, 2, 3])]])
def test_the_parts_of_lines_add_up_to_their_target(lines: list[seed_classes.Line]) -> None:
    parts = seed_classes.parts_of(lines, [4, 2])
    assert len(parts) > 1
    total = parts[0][0] * parts[0][1]
    for weight, part in parts[1:]:
        total = total + weight * part
    assert weights(total) == weights(seed_classes.target_of(lines))


def test_a_class_alone_is_checked_with_the_likeliest_other() -> None:
    parts = seed_classes.parts_of([(1.0, [4])], [4, 2])
    assert [(weight, part.spelling) for weight, part in parts] == [
        (2.0, "class_logit(4)"),
        (-0.5, "class_logit(2)"),
    ]


LAYER = Layer("conv", "conv/Relu:0", (6, 8, 2), "Relu")
VALUES = np.random.default_rng(0).normal(size=LAYER.shape).astype(np.float32)


def test_a_mask_becomes_rows_where_it_is_small_and_an_array_where_it_is_large() -> None:
    seed = np.zeros(LAYER.shape, np.float32)
    assert seed_mask.target_of(seed, "conv").spelling == "output_seed(weights=[[0, 0, 0, 0.0]], layer='conv')"
    seed[2, 3, 1] = -0.5
    assert (
        seed_mask.target_of(seed, "conv").spelling == "output_seed(weights=[[2, 3, 1, -0.5]], layer='conv')"
    )
    seed[..., 0] = 1
    target = seed_mask.target_of(seed, "conv")
    assert isinstance(target.weights, str)
    np.testing.assert_array_equal(parse("target", target.spelling).dense(LAYER.shape), seed)


@pytest.mark.parametrize("cells", [2, 5, 96])
def test_the_parts_of_a_mask_add_up_to_it(cells: int) -> None:
    seed = np.zeros(LAYER.shape, np.float32)
    seed.reshape(-1)[:cells] = np.arange(1, cells + 1)
    parts = seed_mask.parts_of(seed, "conv")
    total = sum(weight * part.dense(LAYER.shape) for weight, part in parts)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(total, seed)
    assert all(part.dense(LAYER.shape).any() for _, part in parts)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "target",
    [
        LayerUnit("conv", 1, 2, 1),
        LayerChannel("conv", 1, "activation"),
        LayerChannel("conv", 0, "max"),
        OutputSeed([[1, 1, 0, 2.0]], "conv"),
        OutputSeed([[1, 1, 0, 2.0]], "conv/Relu:0"),
    ],
)
def test_units_and_channels_can_be_painted_on(target: Target) -> None:
    seed = seed_mask.seed_of(target, LAYER, VALUES)
    assert seed.shape == LAYER.shape
    assert seed.any()


def test_an_equation_is_written_as_people_write_it() -> None:
    assert equation([1.0, -0.25]) == ("map(A - 0.25 B)", "map(A) - 0.25 map(B)")
    assert equation([-1.0, 2.0]) == ("map(-A + 2 B)", "-map(A) + 2 map(B)")
