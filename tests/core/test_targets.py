"""What each target asks: seeds exact for every kind of head, and an algebra that holds."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saliency_core.errors import SettingError, TargetError
from saliency_core.grammar import parse
from saliency_core.models.anatomy import Head, Layer
from saliency_core.targets import (
    ClassDifference,
    ClassLogit,
    ClassProbability,
    Combined,
    LayerChannel,
    LayerUnit,
    OutputSeed,
    TopClass,
)
from saliency_core.weights import MOST_CELLS, MOST_WEIGHTS

LAYERS = {
    "conv": Layer("conv", "conv/Relu:0", (2, 3, 4), "Relu"),
    "dense": Layer("dense", "dense/Relu:0", (6,), "Relu"),
    "tokens": Layer("tokens", "tokens:0", (5, 2), "AddV2"),
}


class Paper:
    """A model on paper: a head of some kind, one map, one dense layer, values on the clean image."""

    def __init__(self, kind, outputs, probabilities=True, labels=(), logits=None):
        self.head = Head(kind, "z:0", "p:0" if probabilities else "", outputs, "on paper")
        self.labels = labels
        self.values = {"conv/Relu:0": np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)}
        self.values["z:0"] = np.zeros(outputs, np.float32) if logits is None else np.float32(logits)

    def find(self, name):
        if name in ("z:0", "p:0"):
            return Layer(name, name, (self.head.outputs,), "tensor")
        if name == "output":
            return Layer(name, "end:0", (4, 4, 1), "output")
        if name in LAYERS:
            return LAYERS[name]
        raise TargetError(f"The model has no layer {name!r}.")

    def clean(self, tensor):
        return self.values[tensor]


SOFTMAX = Paper("softmax", 3, labels=("cat", "dog", "eel"), logits=[0.5, -1.0, 4.0])
LOGITS = Paper("logits", 3)
SIGMOID = Paper("sigmoid", 3)
BINARY = Paper("binary", 1, logits=[-0.2])
LONE = Paper("logits", 1, probabilities=False, logits=[0.0])
MAP = Paper("map", 0, probabilities=False)


def asked(target, model):
    """Return what a target asks as plain data."""
    question = target.ask(model)
    return {name: seed.tolist() for name, seed in question.seeds.items()}, question.offset, question.unit


@pytest.mark.parametrize("model", [SOFTMAX, LOGITS, SIGMOID], ids=lambda m: m.head.kind)
@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_class_of_several_is_one_output_of_its_own(model, index):
    seed = [0.0, 0.0, 0.0]
    seed[index] = 1.0
    assert asked(ClassLogit(index), model) == ({"z:0": seed}, 0.0, "logit")
    assert asked(ClassProbability(index), model) == ({"p:0": seed}, 0.0, "probability")


def test_one_output_is_class_one_and_its_negative_class_zero():
    assert asked(ClassLogit(1), BINARY) == ({"z:0": [1.0]}, 0.0, "logit")
    assert asked(ClassLogit(0), BINARY) == ({"z:0": [-1.0]}, 0.0, "logit")
    assert asked(ClassProbability(1), BINARY) == ({"p:0": [1.0]}, 0.0, "probability")
    assert asked(ClassProbability(0), BINARY) == ({"p:0": [-1.0]}, 1.0, "probability")  # 1 - p
    assert asked(ClassDifference(1, 0), BINARY) == ({"z:0": [2.0]}, 0.0, "logit")


@pytest.mark.parametrize(
    ("model", "index"),
    [(SOFTMAX, 2), (LOGITS, 0), (BINARY, 0), (LONE, 1), (Paper("softmax", 3, logits=[5, 5, 1]), 0)],
)
def test_top_class_freezes_to_the_largest_logit_of_the_clean_image(model, index):
    assert TopClass().freeze(model) == ClassLogit(index)
    assert asked(TopClass(), model) == asked(ClassLogit(index), model)


def test_class_zero_on_top_stays_class_zero():
    first = Paper("softmax", 3, logits=[9, 1, 2])
    assert TopClass().freeze(first) == ClassLogit(0)
    assert (2 * TopClass() - ClassLogit(0)).freeze(first) == 2 * ClassLogit(0) - ClassLogit(0)


@pytest.mark.parametrize(
    ("target", "model", "words"),
    [
        (ClassLogit(3), SOFTMAX, "classes 0 to 2"),
        (ClassProbability(3), SIGMOID, "classes 0 to 2"),
        (ClassDifference(0, 7), SOFTMAX, "no class 7"),
        (ClassLogit(2), BINARY, "classes 0 to 1"),
        (ClassLogit(0), MAP, "no classes"),
        (TopClass(), MAP, "no classes"),
        (ClassProbability(0), LONE, "no probabilities"),
        (LayerUnit("nowhere"), SOFTMAX, "nowhere"),
        (LayerUnit("conv", 2, 0, 0), SOFTMAX, "2 x 3 x 4"),
        (LayerUnit("conv", 0, 0, 4), SOFTMAX, "2 x 3 x 4"),
        (LayerUnit("dense", 0, 0, 6), SOFTMAX, "1 x 1 x 6"),
        (LayerUnit("dense", 1, 0, 0), SOFTMAX, "1 x 1 x 6"),
        (LayerChannel("conv", 4), SOFTMAX, "2 x 3 x 4"),
        (OutputSeed([[4, 0, 0, 1.0]]), MAP, "4 x 4 x 1"),
        (OutputSeed([[1, 1.0]]), MAP, "4 x 4 x 1"),
        (OutputSeed(np.ones((5, 5, 1))), MAP, "5x5x1, output is 4x4x1"),
    ],
)
def test_what_a_model_does_not_have_is_refused_with_what_it_has(target, model, words):
    with pytest.raises(TargetError, match=words) as caught:
        target.freeze(model).ask(model)
    assert "\n" not in str(caught.value)


def test_a_unit_is_one_cell_of_a_map_or_one_neuron():
    seed = np.zeros((2, 3, 4))
    seed[1, 2, 3] = 1
    assert asked(LayerUnit("conv", 1, 2, 3), MAP) == ({"conv/Relu:0": seed.tolist()}, 0.0, "activation")
    assert asked(LayerUnit("dense", 0, 0, 5), MAP)[0] == {"dense/Relu:0": [0, 0, 0, 0, 0, 1]}


@pytest.mark.parametrize(
    ("how", "weights"),
    [
        ("sum", np.ones((2, 3))),
        ("mean", np.full((2, 3), np.float32(1 / 6))),
        ("max", [[0, 0, 0], [0, 0, 1]]),
        ("activation", [[1, 5, 9], [13, 17, 21]]),
    ],
)
def test_a_channel_weighs_its_cells_and_no_other(how, weights):
    seed = LayerChannel("conv", 1, how).ask(MAP).seeds["conv/Relu:0"]
    assert np.array_equal(seed[..., 1], weights)
    assert not np.delete(seed, 1, axis=2).any()
    assert LayerChannel("dense", 2, how).ask(MAP).seeds["dense/Relu:0"].tolist() == [0, 0, 1, 0, 0, 0]


def test_dense_and_sparse_seeds_are_the_same_weights():
    dense = np.zeros((4, 4, 1))
    dense[1, 2, 0], dense[3, 0, 0] = 0.5, -2
    sparse = [[1, 2, 0, 0.5], [3, 0, 0, -2]]
    with_batch = [[0, 1, 2, 0, 0.5], [0, 3, 0, 0, -2]]
    for weights in (dense, sparse, with_batch, dense[None]):
        assert np.array_equal(OutputSeed(weights).ask(MAP).seeds["end:0"], dense)
    assert OutputSeed([[0, 0, 0, 1], [0, 0, 0, 2]]).ask(MAP).seeds["end:0"][0, 0, 0] == 3
    assert not OutputSeed(np.zeros((4, 4, 1))).ask(MAP).seeds["end:0"].any()


@pytest.mark.parametrize("shape", [(2, 2, 1), (4, 4), (4, 4, 2), (1, 4, 4, 2), (2, 4, 4, 1), (16,)])
def test_an_array_of_another_shape_is_refused_with_both_shapes(shape):
    size = "x".join(str(extent) for extent in shape)
    with pytest.raises(TargetError, match=f"{size}, output is 4x4x1"):
        OutputSeed(np.ones(shape)).ask(MAP)


def test_a_painted_map_is_a_short_text():
    rows, cols = np.ogrid[:112, :112]
    mask = np.zeros((112, 112, 96), np.float32)
    mask[..., 7] = (rows - 50) ** 2 + (cols - 60) ** 2 < 45**2
    assert mask.sum() > MOST_WEIGHTS
    target = OutputSeed(mask, "conv")
    assert len(target.spelling) < 1500
    again = parse("target", target.spelling)
    assert again == target
    assert np.array_equal(again.dense(mask.shape), mask)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=12, max_size=12))
def test_an_array_comes_back_to_the_last_bit(numbers):
    array = np.array(numbers, np.float32).reshape(2, 3, 2)
    again = parse("target", OutputSeed(array).spelling).dense((2, 3, 2))
    np.testing.assert_array_equal(again, array)


def test_a_seed_holds_a_bounded_number_of_cells():
    with pytest.raises(SettingError, match=str(MOST_WEIGHTS)):
        OutputSeed([[0, 0, 0, 1.0]] * (MOST_WEIGHTS + 1))
    for large in (np.zeros(MOST_CELLS + 1), np.random.default_rng(0).normal(size=1 << 20)):
        with pytest.raises(SettingError, match="weights"):
            OutputSeed(large)
    for wrong in ([], [[]], [1, 2], {(0, 0): 1}, "12", [[0, float("nan")]], [[0.5, 1]], np.array([np.nan])):
        with pytest.raises(SettingError, match="weights"):
            OutputSeed(wrong)


BOMB = base64.urlsafe_b64encode(zlib.compress(bytes(10_000_000), 9)).decode()
FOUR = base64.urlsafe_b64encode(zlib.compress(np.ones(4, "<f4").tobytes(), 9)).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"2x2x1[0]:{BOMB}", f"9999999x9999999x9[0]:{BOMB}", f"2x2x1[1]:{FOUR}", f"2x2x2[1,0]:{FOUR}",
        f"2x2x1[]:{FOUR}", f"2x2x1[0]:{FOUR[:-6]}", f"0x2x1[0]:{FOUR}", f"2x2x1:{FOUR}", "2x2x1[0]:", "[0]:",
        f"2x2x1[0]:{base64.urlsafe_b64encode(zlib.compress(np.full(4, np.nan, '<f4').tobytes())).decode()}",
    ],
)  # fmt: skip
def test_a_wrong_text_of_an_array_is_refused(text):
    with pytest.raises(SettingError, match="weights"):
        OutputSeed(text)


def test_sums_of_many_targets_parse_back():
    total = ClassLogit(0)
    for place in range(1, 1500):
        total = total + (-1) ** place * 0.5 * ClassLogit(place % 3)
    assert parse("target", total.spelling) == total
    assert len(total.ask(SOFTMAX).words) < 60


def test_a_unit_of_a_row_of_cells_has_no_column():
    seed = LayerUnit("tokens", 4, 0, 1).ask(SOFTMAX).seeds["tokens:0"]
    assert np.argwhere(seed).tolist() == [[4, 1]]
    with pytest.raises(TargetError, match="5 x 1 x 2"):
        LayerUnit("tokens", 4, 1, 1).ask(SOFTMAX)


def same(one, other):
    """Two targets ask the same: seeds to float32, offset exactly."""
    first, second = one.ask(SOFTMAX), other.ask(SOFTMAX)
    assert first.offset == pytest.approx(second.offset)
    for name in {*first.seeds, *second.seeds}:
        zero = np.zeros(SOFTMAX.find(name).shape if name in ("z:0", "p:0") else (2, 3, 4))
        np.testing.assert_allclose(
            first.seeds.get(name, zero), second.seeds.get(name, zero), rtol=1e-5, atol=1e-5
        )


parts = st.sampled_from(
    [ClassLogit(0), ClassLogit(2), ClassProbability(1), LayerUnit("conv", 1, 1, 1), LayerChannel("conv", 2)]
)
numbers = st.floats(-8, 8, allow_nan=False)


@given(parts, parts, parts, numbers, numbers)
def test_targets_are_a_vector_space(a, b, c, x, y):
    same(a + b, b + a)
    same((a + b) + c, a + (b + c))
    same(x * (a + b), x * a + x * b)
    same((x + y) * a, x * a + y * a)
    same(a - b, -(b - a))
    same(a - a, 0.0 * b)
    same(x * a, a * x)


@given(parts, numbers, parts, numbers)
def test_seeds_add_up(a, x, b, y):
    total = (x * a + y * b).ask(SOFTMAX)
    for name, seed in total.seeds.items():
        parts = ((x, a.ask(SOFTMAX)), (y, b.ask(SOFTMAX)))
        wanted = sum(weight * one.seeds.get(name, 0) for weight, one in parts)
        np.testing.assert_allclose(seed, np.broadcast_to(wanted, seed.shape), rtol=1e-5, atol=1e-5)


def test_operators_leave_their_operands_alone():
    one = ClassLogit(1)
    total = one + ClassLogit(2)
    assert one == ClassLogit(1)
    assert 3 * total != total
    assert total == Combined(((1.0, ClassLogit(1)), (1.0, ClassLogit(2))))


def test_difference_of_two_classes():
    same(ClassDifference(2, 0), ClassLogit(2) - ClassLogit(0))
    assert not ClassDifference(1, 1).ask(SOFTMAX).seeds["z:0"].any()
    there, back = ClassDifference(2, 0).ask(SOFTMAX), ClassDifference(0, 2).ask(SOFTMAX)
    assert np.array_equal(there.seeds["z:0"], -back.seeds["z:0"])


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), "2", None, True, ClassLogit(1), 10**400])
def test_a_factor_is_a_finite_number(factor):
    with pytest.raises(SettingError):
        ClassLogit(0) * factor
    with pytest.raises(SettingError, match="too large"):
        1e308 * (1e308 * ClassLogit(0))


@pytest.mark.parametrize("other", [2, "class_logit(1)", None])
def test_only_targets_add(other):
    for sum_of in (lambda: ClassLogit(0) + other, lambda: other + ClassLogit(0)):
        with pytest.raises(TypeError):
            sum_of()


@pytest.mark.parametrize("layer", ["a + -b", "it's", 'say "x"', "a\\b", "日本", "1e5*class_logit(3)", "\n"])
def test_names_survive_in_the_spelling_of_a_sum(layer):
    total = ClassLogit(1) - 0.5 * LayerUnit(layer, 1, 2, 3)
    assert parse("target", total.spelling) == total


@pytest.mark.parametrize(
    ("target", "unit", "words"),
    [
        (ClassLogit(1), "logit", "logit of class 1 (dog)"),
        (ClassProbability(0), "probability", "probability of class 0 (cat)"),
        (ClassDifference(0, 2), "logit", "logit of class 0 (cat) minus logit of class 2 (eel)"),
        (LayerUnit("conv", 1, 2, 3), "activation", "activation of conv, row 1, column 2, channel 3"),
        (
            ClassLogit(0) + 2 * ClassLogit(1),
            "logit",
            "logit of class 0 (cat) plus 2 x logit of class 1 (dog)",
        ),
        (
            ClassLogit(0) - ClassProbability(0),
            "mixed units",
            "logit of class 0 (cat) minus probability of class 0 (cat)",
        ),
    ],
)
def test_a_question_says_its_unit_and_what_it_asks(target, unit, words):
    question = target.ask(SOFTMAX)
    assert (question.unit, question.words) == (unit, words)


def test_one_output_without_names_is_told_by_its_direction():
    assert ClassLogit(0).ask(BINARY).words == "logit of the output, toward 0"
    named = Paper("binary", 1, labels=("no", "yes"))
    assert ClassLogit(1).ask(named).words == "logit of class 1 (yes)"
