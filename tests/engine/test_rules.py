"""Backward rules on graphs whose answer can be written down by hand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saliency_core import explain, open_model
from saliency_core.errors import ModelError
from saliency_core.methods.deconvnet import Deconvnet
from saliency_core.methods.guided_backpropagation import GuidedBackpropagation
from saliency_core.targets import OutputSeed
from tests.engine.graphs import graph_of
from tests.engine.networks import NETWORKS, SIZES, shaken

pytestmark = pytest.mark.engine
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

LINE = np.array([-4, -1, 2, 5, 8], np.float32)  # what the activations meet
RULES = ("guided", "deconvnet")


def network(body: Any, pixels: int = 5) -> Any:
    """A network that is a function of a line of pixels (B, 1, W, 1), with one output for each."""

    class Own(keras.Model):
        def call(self, images: Any) -> Any:
            return body(images)

    made = Own()
    made(np.zeros((1, 1, pixels, 1), np.float32))
    return open_model(made, size=(1, pixels, 1))


def probe_of(body: Any, weights: Any) -> Any:
    """Ask for the sum of the outputs, each times its weight; the pixels are 100 + 10 x."""
    model = network(lambda images: tf.reshape(body((images - 100.0) / 10.0), [-1, 5]))
    return model.probe(OutputSeed(np.asarray(weights, np.float32)))


def asked(body: Any, weights: Any, rule: str) -> Any:
    """Return d score / d x by a rule at x = LINE."""
    points = (100 + 10 * LINE).reshape(1, 1, 5, 1)
    return probe_of(body, weights).gradient(points, rule).reshape(-1) * 10


def prelu(x: Any) -> Any:
    slopes = tf.constant([0.5, 0.25, 0.5, 0.5, 0.5])[:, None]
    return tf.nn.relu(x) - slopes * tf.nn.relu(-x)


ALONE = {  # an activation, and its derivative at LINE
    "relu": (tf.nn.relu, [0, 0, 1, 1, 1]),
    "relu6": (tf.nn.relu6, [0, 0, 1, 1, 0]),
    "leaky": (lambda x: tf.nn.leaky_relu(x, 0.25), [0.25, 0.25, 1, 1, 1]),
    "maximum": (lambda x: tf.maximum(x, 0.0), [0, 0, 1, 1, 1]),
    "maximum the other way round": (lambda x: tf.maximum(0.0, x), [0, 0, 1, 1, 1]),
    "capped relu": (lambda x: tf.minimum(tf.nn.relu(x), 4.0), [0, 0, 1, 0, 0]),
    "clip": (lambda x: tf.clip_by_value(x, 0.0, 4.0), [0, 0, 1, 0, 0]),
    "keras, capped": (keras.layers.ReLU(4.0), [0, 0, 1, 0, 0]),
    "keras, sloped": (keras.layers.ReLU(negative_slope=0.5), [0.5, 0.5, 1, 1, 1]),
    "keras, sloped and capped": (keras.layers.ReLU(4.0, negative_slope=0.5), [0.5, 0.5, 1, 0, 0]),
    "leaky by a maximum": (lambda x: tf.maximum(0.5 * x, x), [0.5, 0.5, 1, 1, 1]),
    "parametric": (prelu, [0.5, 0.25, 1, 1, 1]),
}


@pytest.mark.parametrize("name", ALONE)
def test_guided_is_the_positive_gradient_times_the_true_derivative(name: str) -> None:
    body, slope = ALONE[name]
    weights = np.array([3, -2, -5, 7, 4])
    assert np.allclose(asked(body, weights, ""), weights * slope, rtol=1e-6, atol=0)
    assert np.allclose(asked(body, weights, "guided"), np.maximum(weights, 0) * slope, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", ALONE)
def test_deconvnet_is_the_positive_gradient_whatever_went_in(name: str) -> None:
    weights = np.array([3, -2, -5, 7, 4])
    assert np.allclose(asked(ALONE[name][0], weights, "deconvnet"), np.maximum(weights, 0), rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", ALONE)
def test_one_activation_counts_once(name: str) -> None:
    facts = probe_of(ALONE[name][0], np.ones(5)).rule_facts("guided")
    assert (facts.patched, facts.left, facts.others) == (1, 0, ())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (tf.nn.sigmoid, "sigmoid"),
        (tf.nn.tanh, "tanh"),
        (tf.nn.silu, "swish"),
        (tf.nn.elu, "ELU"),
        (tf.nn.softplus, "softplus"),
        (lambda x: tf.nn.gelu(x, approximate=False), "GELU"),
        (lambda x: tf.maximum(x, 1.0), "maximum"),
        (lambda x: tf.nn.relu6(x + 3.0) / 6.0, "hard sigmoid"),
    ],
)
def test_what_is_no_relu_is_named_left_as_it_is_and_alone_refused(body: Any, kind: str) -> None:
    facts = probe_of(body, np.ones(5)).rule_facts("guided")
    assert facts.patched == 0
    assert kind in dict(facts.others)
    with pytest.raises(ModelError, match=rf"there is none between.*{kind}"):
        asked(body, np.ones(5), "guided")
    mixed = probe_of(lambda x: body(tf.nn.relu(x)), np.ones(5)).rule_facts("guided")
    assert mixed.patched == 1
    assert kind in mixed.sentence


def test_a_relu6_inside_a_hard_sigmoid_counts_as_a_relu_that_is_left() -> None:
    probe = probe_of(lambda x: tf.nn.relu(x * tf.nn.relu6(x + 3.0) / 6.0), np.ones(5))
    assert probe.rule_facts("guided").sentence == "1 of 2 ReLUs patched. Left as they are: 1 hard sigmoid."


def test_only_what_lies_between_pixels_and_the_asked_layer_counts() -> None:
    layers = keras.layers
    model = open_model(
        keras.Sequential(
            [
                layers.Input((5, 5, 1)),
                layers.Conv2D(2, 3, name="first"),
                layers.ReLU(name="one"),
                layers.Conv2D(2, 3, name="second"),
                layers.ReLU(name="two"),
                layers.Flatten(),
                layers.Dense(2),
            ]
        )
    )
    for layer, count in (("one", 1), ("second", 1), ("two", 2)):
        assert model.probe(f"layer_channel(layer={layer!r})").rule_facts("guided").patched == count
    assert model.probe("class_logit(0)").rule_facts("deconvnet").sentence == "2 of 2 ReLUs patched."
    with pytest.raises(ModelError, match="no activation at all"):
        model.probe("layer_channel(layer='first')").gradient(np.zeros((1, 5, 5, 1), np.float32), "guided")


def test_a_rule_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match=r"no backward rule 'other'.*guided, deconvnet"):
        asked(tf.nn.relu, np.ones(5), "other")


def by_hand(kernels: list[np.ndarray], dense: np.ndarray, pixels: np.ndarray, rule: str) -> np.ndarray:
    """Two convolutions with ReLUs, a mean and one output; TensorFlow's derivative with ReLUs of our own."""

    @tf.custom_gradient
    def relu(x: Any) -> Any:
        def back(gradient: Any) -> Any:
            positive = tf.maximum(gradient, 0)
            return positive * tf.cast(x > 0, x.dtype) if rule == "guided" else positive

        return tf.maximum(x, 0), back

    given = tf.constant(pixels)
    with tf.GradientTape() as tape:
        tape.watch(given)
        seen = given
        for kernel in kernels:
            seen = relu(tf.nn.conv2d(seen, kernel, 1, "SAME"))
        score = tf.reduce_sum(tf.reduce_mean(seen, [1, 2]) * dense)
    return np.asarray(tape.gradient(score, given))


@pytest.mark.parametrize("rule", RULES)
def test_a_network_is_as_one_with_relus_written_by_hand(rule: str) -> None:
    draw = np.random.default_rng(4)
    kernels = [draw.standard_normal((3, 3, 2, 4)), draw.standard_normal((3, 3, 4, 3))]
    dense = draw.standard_normal((3, 2))
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((7, 6, 2)),
            *(
                layers.Conv2D(k.shape[3], 3, padding="same", use_bias=False, activation="relu")
                for k in kernels
            ),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, use_bias=False),
        ]
    )
    model.set_weights([*kernels, dense])
    points = draw.uniform(0, 255, (2, 7, 6, 2)).astype(np.float32)
    probe = open_model(model).probe("class_logit(1)")
    wanted = by_hand([k.astype(np.float32) for k in kernels], dense[:, 1].astype(np.float32), points, rule)
    found = probe.gradient(points, rule)
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()
    assert np.abs(found - probe.gradient(points)).max() > 0.01 * np.abs(wanted).max()


@pytest.mark.parametrize("rule", RULES)
def test_in_float64_it_is_the_same_rule(rule: str) -> None:
    model = open_model(shaken(NETWORKS["sequential"](keras)), preprocessing="unit")
    point = np.random.default_rng(2).uniform(0, 255, model.card.input).astype(np.float32)
    frozen, probe, _ = model.ask(model_target("class_logit(2)"), point)
    exact, precision = model.exact_probe(frozen, point)
    assert precision == "float64"
    ours, theirs = probe.gradient(point[None], rule), exact.gradient(point[None], rule)
    assert theirs.dtype == np.float64
    assert np.abs(ours - theirs).max() <= 2e-5 * np.abs(theirs).max()


def model_target(text: str) -> Any:
    from saliency_core.grammar import parse

    return parse("target", text)


@pytest.mark.parametrize(
    ("name", "count"), [("sequential", 2), ("nested", 3), ("shared", 2), ("subclassed", 2)]
)
def test_every_kind_of_keras_model_is_patched_to_the_last_relu(name: str, count: int) -> None:
    model = open_model(shaken(NETWORKS[name](keras)), preprocessing="unit", size=SIZES.get(name))
    assert model.probe("class_logit(0)").rule_facts("guided").patched == count


@pytest.mark.parametrize("method", [GuidedBackpropagation(), Deconvnet()], ids=lambda one: one.id)
def test_the_plain_gradient_stays_what_it_was(method: Any) -> None:
    model = open_model(shaken(NETWORKS["sequential"](keras)), preprocessing="unit")
    image = np.random.default_rng(2).integers(0, 256, model.card.input, dtype=np.uint8)
    before = explain(model, image, "class_logit(1)")
    ruled = explain(model, image, "class_logit(1)", method)
    after = explain(model, image, "class_logit(1)")
    assert np.array_equal(before.values, after.values)
    assert not np.array_equal(before.values, ruled.values)
    assert ruled.evidence is None
    assert ruled.score == before.score


@pytest.mark.parametrize("mark", ["SaliencyGuided", "SaliencyDeconvnet"])
def test_a_file_cannot_ask_for_a_rule_by_its_own_mark(mark: str, tmp_path: Path) -> None:
    def relu(pixels: Any) -> Any:
        return tf.reshape(tf.nn.relu(pixels - 100.0) * tf.constant([1.0, -1.0, 1.0, -1.0, 1.0]), [-1, 5])

    graph, _ = graph_of(lambda pixels: relu(tf.reshape(pixels, [-1, 5])), (1, 5, 1))
    probe_of(tf.nn.relu, np.ones(5)).gradient(
        np.full((1, 1, 5, 1), 120, np.float32), "guided"
    )  # is registered
    for node in graph.node:
        if node.op == "Relu":
            node.attr["_gradient_op_type"].s = mark.encode()
    file = tmp_path / "marked.pb"
    file.write_bytes(graph.SerializeToString())
    model = open_model(file, trusted=True)
    points = np.array([90, 110, 120, 130, 80], np.float32).reshape(1, 1, 5, 1)
    asked = model.probe(OutputSeed(np.ones(5, np.float32)))
    assert asked.gradient(points).reshape(-1).tolist() == [0, -1, 1, -1, 0]
    assert [rule for _, rule in model.signs.own_rules] == [mark]


@pytest.mark.skipif("SALIENCY_REAL" not in os.environ, reason="SALIENCY_REAL names no folder of real models")
def test_the_thirty_five_relus_of_a_real_mobilenet_in_its_own_process() -> None:
    file = Path(os.environ["SALIENCY_REAL"]) / "models" / "mobilenet_v2_1_0_224_imagenet1001.keras"
    model = open_model(file, preprocessing="symmetric")
    assert model.probe("class_logit(1)").rule_facts("guided").sentence == "35 of 35 ReLUs patched."
    image = np.random.default_rng(2).integers(0, 256, model.card.input, dtype=np.uint8)
    assert explain(model, image, "class_logit(1)", "guided_backprop()").values.any()
