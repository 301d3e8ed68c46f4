"""LRP against matrices: every layer written out as one, and the rules in NumPy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saliency_core import explain, open_model
from saliency_core.engine.relevance import RULES
from saliency_core.errors import ModelError
from saliency_core.grammar import parse
from saliency_core.targets import OutputSeed
from tests.engine.networks import NETWORKS, SIZES, shaken

pytestmark = pytest.mark.engine
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

SHAPE = (5, 4, 2)
NUMBERS = (0.3, 0.5, 2.5)  # epsilon, gamma, alpha
PLAIN = (0.0, 0.0, 1.0)
DRAW = np.random.default_rng(7)
POINT = DRAW.uniform(0, 255, SHAPE).astype(np.float32)


def relevance(model: Any, target: Any, rule: str, numbers: Any, point: Any = POINT) -> tuple[float, Any]:
    """Return the score and the relevance of each pixel, computed in float64."""
    wanted = parse("target", target) if isinstance(target, str) else target
    frozen, _, _ = model.ask(wanted, point)
    probe, precision = model.exact_probe(frozen, point)
    assert precision == "float64"
    given, values = probe.relevance(point[None].astype(np.float64), rule, numbers)
    return float(given[0]), values[0]


def close(found: Any, wanted: Any, part: float = 1e-9) -> None:
    assert np.abs(wanted).max() > 0
    assert np.abs(found - wanted).max() <= part * np.abs(wanted).max()


def stack(*, biases: bool = True, unit: bool = False) -> Any:
    """Convolution, ReLU, depthwise convolution, leaky ReLU, two dense layers."""
    layers = keras.layers
    made = keras.Sequential(
        [
            layers.Input(SHAPE),
            layers.Conv2D(3, 3, padding="same", use_bias=biases, activation="relu"),
            layers.DepthwiseConv2D(2, strides=2, depth_multiplier=2, use_bias=biases),
            layers.LeakyReLU(0.25),
            layers.Flatten(),
            layers.Dense(6, use_bias=biases, activation="relu"),
            layers.Dense(3, use_bias=biases),
        ]
    )
    draw = np.random.default_rng(3)
    made.set_weights([draw.standard_normal(w.shape) for w in made.get_weights()])
    return open_model(made, preprocessing="symmetric" if unit else "raw"), made


def matrices(made: Any) -> list[tuple[Any, Any]]:
    """Return (matrix, bias) of each layer with weights, (inputs, outputs): its linear map on every basis vector."""
    found = []
    for layer in made.layers:
        if not layer.get_weights():
            continue
        shape = layer.input.shape[1:]
        size = int(np.prod(shape))
        plain = [w.astype(np.float64) for w in layer.get_weights()]
        nothing = np.asarray(linear(layer, np.zeros((1, *shape)), plain)).reshape(-1)
        each = np.asarray(linear(layer, np.eye(size).reshape(size, *shape), plain)).reshape(size, -1)
        found.append((each - nothing, nothing))
    return found


def linear(layer: Any, seen: Any, weights: Any) -> Any:
    """Return what a layer does before its activation, in float64."""
    kernel, bias = weights[0], weights[1] if len(weights) > 1 else 0.0
    if isinstance(layer, keras.layers.Dense):
        return seen @ kernel + bias
    padding = layer.padding.upper()
    steps = [1, *layer.strides, 1]
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return tf.nn.depthwise_conv2d(seen, kernel, steps, padding) + bias
    return tf.nn.conv2d(seen, kernel, steps, padding) + bias


def part(some: Any, whole: Any) -> Any:
    return np.divide(
        some, whole, out=np.zeros(np.broadcast_shapes(np.shape(some), np.shape(whole))), where=whole != 0
    )


def shared(matrix: Any, bias: Any, seen: Any, given: Any, rule: str, spread: bool) -> Any:
    """Return the relevance of the inputs of one layer; the bias is the last row of the parts."""
    epsilon, gamma, alpha = NUMBERS
    parts = np.vstack([seen[:, None] * matrix, bias[None]])
    total = parts.sum(0)
    up, down = np.maximum(parts, 0), np.minimum(parts, 0)
    if rule == "alpha_beta":
        share = alpha * part(up, up.sum(0)) - (alpha - 1) * part(down, down.sum(0))
    elif rule == "gamma":
        favoured = parts + gamma * np.where(total > 0, up, down)
        share = part(favoured, favoured.sum(0))
    else:
        size = np.sqrt((total**2).mean()) * (epsilon if rule == "epsilon" else 0)
        share = part(parts, total + size * np.sign(total))
    if spread and rule in ("gamma", "alpha_beta"):
        sizes = np.abs(parts[:-1])
        return (share[:-1] + part(sizes, sizes.sum(0)) * share[-1]) @ given
    return share[:-1] @ given


def by_matrices(made: Any, seen: Any, unit: int, rule: str, spread: bool) -> tuple[float, Any]:
    """Return the score and the relevance of the pixels with every layer as a matrix."""
    layers = matrices(made)
    slopes = [0, 0.25, 0, 1]  # of the activations below zero
    inputs = [seen.reshape(-1).astype(np.float64)]
    for (matrix, bias), slope in zip(layers, slopes, strict=True):
        z = inputs[-1] @ matrix + bias
        inputs.append(np.where(z > 0, z, slope * z))
    given = np.zeros(3)
    given[unit] = inputs[-1][unit]
    composite = ["gamma", "gamma", "epsilon", "zero"]
    for at in reversed(range(4)):
        one = composite[at] if rule == "composite" else rule
        given = shared(*layers[at], inputs[at], given, one, spread)
    return float(inputs[-1][unit]), given.reshape(SHAPE)


@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_what_it_is_on_matrices(rule: str, spread: bool) -> None:
    model, made = stack()
    for unit in range(3):
        score, wanted = by_matrices(made, POINT, unit, rule, spread)
        given, found = relevance(model, f"class_logit({unit})", rule + "+bias" * spread, NUMBERS)
        assert given == pytest.approx(score, rel=1e-9)
        close(found, wanted)


def test_gamma_and_alpha_beta_on_two_layers_by_hand() -> None:
    """Pixels 2 and 3; hidden 2*1 - 3*1 + 3 = 2 and 2*2 + 3*1 = 7; score 2*1 + 7*2 = 16."""
    layers = keras.layers
    made = keras.Sequential(
        [
            layers.Input((1, 2, 1)),
            layers.Flatten(),
            layers.Dense(2, activation="relu"),
            layers.Dense(2, use_bias=False),
        ]
    )
    made.set_weights([np.array([[1, 2], [-1, 1]]), np.array([3, 0]), np.array([[1, 0], [2, 1]])])
    model, point = open_model(made), np.array([2, 3], np.float32).reshape(1, 2, 1)
    score, found = relevance(model, "class_logit(0)", "gamma", (0, 1, 1), point)
    # hidden relevance 2 and 14; unit 1 shares 2 among 4, -3 and the bias's 6 of 7, unit 2 14 among 8 and 6 of 14
    close(found.reshape(-1), np.array([2 * 4 / 7 + 8, 2 * -3 / 7 + 6]))
    assert score == 16
    _, found = relevance(model, "class_logit(0)", "alpha_beta", (0, 0, 2), point)
    # the score itself has no negative part, so alpha = 2 doubles it: 4 and 28; then likewise in unit 2
    close(found.reshape(-1), np.array([2 * 4 * 2 / 5 + 2 * 28 * 4 / 7, -4 * 1.0 + 2 * 28 * 3 / 7]))


@pytest.mark.parametrize("rule", ["epsilon", "composite", "gamma"])
def test_without_biases_epsilon_and_gamma_the_map_is_the_gradient_times_the_input(rule: str) -> None:
    model, _ = stack(biases=False)
    score, found = relevance(model, "class_logit(1)", rule, PLAIN)
    gradient = explain(model, POINT.astype(np.uint8), "class_logit(1)").values
    whole = POINT.astype(np.uint8).astype(np.float32)
    score, found = relevance(model, "class_logit(1)", rule, PLAIN, whole)
    close(found, gradient * whole, 1e-5)
    assert found.sum() == pytest.approx(score, rel=1e-9)


def test_the_preprocessing_hands_on_what_its_result_gets() -> None:
    model, _ = stack(biases=False, unit=True)
    score, found = relevance(model, "class_logit(1)", "epsilon", PLAIN)
    gradient = model.probe("class_logit(1)").gradient(POINT[None])[0]
    close(found, gradient * (POINT - 127.5), 1e-5)  # times 127.5, divided by 127.5
    assert found.sum() == pytest.approx(score, rel=1e-9)


def awkward() -> Any:
    """Batch norms, depthwise kernels, residual sums, concatenation, both poolings, pads and a reshape."""
    layers = keras.layers
    image = keras.Input((8, 7, 3))
    x = layers.ZeroPadding2D(((1, 0), (0, 1)))(image)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(x)))
    y = layers.BatchNormalization()(layers.SeparableConv2D(4, 3, padding="same")(x))
    x = layers.Add()([x, y])
    x = layers.Concatenate()([layers.MaxPooling2D(2)(x), layers.AveragePooling2D(2)(x)])
    x = layers.Reshape((-1, 8))(layers.ReLU(negative_slope=0.1)(x))
    x = layers.GlobalAveragePooling1D()(x)
    return shaken(keras.Model(image, layers.Dense(4, activation="softmax")(layers.Dense(5, "relu")(x))))


@pytest.mark.parametrize(
    ("rule", "numbers"),
    [("gamma", (0, 0.25, 1)), ("gamma", (0, 2, 1)), ("alpha_beta", PLAIN)],
)
def test_with_biases_spread_nothing_is_lost(rule: str, numbers: Any) -> None:
    model = open_model(awkward(), preprocessing="unit")
    point = np.random.default_rng(1).uniform(0, 255, model.card.input).astype(np.float32)
    for target in ("class_logit(0)", "class_difference(2, 1)"):
        score, found = relevance(model, target, rule + "+bias", numbers, point)
        _, kept = relevance(model, target, rule, numbers, point)
        assert found.sum() == pytest.approx(score, rel=1e-9)
        assert abs(kept.sum() - score) > 0.01 * abs(score)


def test_batch_norms_are_folded_first() -> None:
    """A norm behind a convolution is that convolution with other numbers: the same map."""
    layers = keras.layers
    body = [
        layers.Conv2D(3, 3),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.GlobalMaxPooling2D(),
        layers.Dense(2),
    ]
    made = shaken(keras.Sequential([layers.Input(SHAPE), *body]))
    kernel, bias, gamma, beta, mean, variance, *dense = (w.astype(np.float64) for w in made.get_weights())
    factor = gamma / np.sqrt(variance + body[1].epsilon)
    alone = keras.Sequential(
        [
            layers.Input(SHAPE),
            *(type(one).from_config(one.get_config()) for one in body if one is not body[1]),
        ]
    )
    alone.set_weights([kernel * factor, (bias - mean) * factor + beta, *dense])
    maps = [relevance(open_model(one), "class_logit(0)", "gamma", NUMBERS)[1] for one in (made, alone)]
    close(*maps, 1e-5)


def test_a_hidden_unit_and_a_weight_of_zero() -> None:
    model, _ = stack()
    layer = next(one.name for one in model.layers if one.spatial)
    score, found = relevance(model, f"layer_unit({layer!r}, row=1, col=1, channel=0)", "gamma+bias", NUMBERS)
    assert found.sum() == pytest.approx(score, rel=1e-9)
    outside = np.ones(SHAPE, bool)
    outside[:3, :3] = False
    assert not found[outside].any()
    score, found = relevance(model, OutputSeed(np.zeros(3, np.float32)), "composite", NUMBERS)
    assert score == 0
    assert not found.any()


def test_the_gap_is_told_and_settings_trace_nothing_anew() -> None:
    model, _ = stack()
    image = POINT.astype(np.uint8)
    made = explain(model, image, "class_logit(1)", "lrp()")
    traces = model.traces
    assert made.facts["gap"] == pytest.approx(made.score - made.values.sum(dtype=np.float64), rel=1e-4)
    assert re.fullmatch(r"The map adds up to \S+ of \S+; biases and epsilon keep the rest\.", made.notes[0])
    assert made.units == "logit"
    other = explain(model, image, "class_logit(2)", "lrp(epsilon=0.5, gamma=2.0)")
    assert model.traces == traces
    assert not np.array_equal(other.values, made.values)


@pytest.mark.parametrize("rule", RULES)
def test_many_points_are_as_one_by_one(rule: str) -> None:
    model, _ = stack()
    probe = model.probe("class_logit(0)")
    many = np.random.default_rng(5).uniform(0, 255, (3, *SHAPE)).astype(np.float32)
    together = probe.relevance(many, rule, NUMBERS)
    for at in range(3):
        alone = probe.relevance(many[at : at + 1], rule, NUMBERS)
        assert together[0][at] == pytest.approx(alone[0][0], rel=1e-5)
        close(together[1][at], alone[1][0], 1e-4)


@pytest.mark.parametrize(
    ("network", "target", "word"),
    [
        ("functional", "class_logit(0)", r"Mul of two tensors.*right"),
        ("sequential", "class_probability(0)", r"Softmax.*logit instead"),
        ("gray_without_channels", "class_logit(0)", r"Tanh"),
    ],
)
def test_what_has_no_rule_is_refused_by_name(network: str, target: str, word: str) -> None:
    model = open_model(shaken(NETWORKS[network](keras)), preprocessing="unit", size=SIZES.get(network))
    image = np.random.default_rng(0).integers(0, 256, model.card.input, dtype=np.uint8)
    with pytest.raises(ModelError, match=word):
        explain(model, image, target, "lrp()")


def test_a_rule_that_is_not_there_is_refused() -> None:
    with pytest.raises(ModelError, match=r"no rule 'other' for LRP.*composite, epsilon"):
        stack()[0].probe("class_logit(0)").relevance(POINT[None], "other", NUMBERS)


def test_in_a_process_of_its_own_it_is_the_same_map(tmp_path: Path) -> None:
    made = awkward()
    made.save(tmp_path / "kept.keras")
    image = np.random.default_rng(0).integers(0, 256, (8, 7, 3), dtype=np.uint8)
    there = open_model(tmp_path / "kept.keras", preprocessing="unit")
    here = open_model(tmp_path / "kept.keras", preprocessing="unit", trusted=True)
    try:
        for method in ("lrp()", "guided_backprop()", "deconvnet()"):
            one, other = (explain(model, image, "class_logit(1)", method) for model in (there, here))
            assert np.array_equal(one.values, other.values)
            assert one.values.any()
            assert (one.facts, one.notes) == (other.facts, other.notes)
    finally:
        there._compiled.close()
