"""What a network adds of its own: with the pixels' share it is the whole score, of any piecewise linear net."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saliency_core.engine.compiled import Compiled
from saliency_core.engine.freeze import Frozen
from saliency_core.engine.probe import EngineProbe, Reading
from saliency_core.grammar import parse
from saliency_core.targets import Question
from tests.engine.graphs import INPUT, graph_of, whole
from tests.engine.test_networks import network

pytestmark = pytest.mark.engine
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

STRAIGHT = ["sequential", "softmax_in_dense", "logits", "binary", "many_labels", "nested", "shared", "subclassed",
            "open_size"]  # fmt: skip
SHAPE = (5, 4, 3)


def compiled(build: Any, shape: tuple[int, int, int] = SHAPE) -> Compiled:
    graph, name = graph_of(build, shape)
    return Compiled(Frozen(graph.SerializeToString(), name, shape, INPUT))


def probe_of(graph: Compiled, seed: np.ndarray) -> EngineProbe:
    question = Question({graph.frozen.output: seed}, 0.0, "unit", "it")
    return EngineProbe(graph, question, double=True)


def summed(shares: Any) -> float:
    return float(
        shares.pixels.astype(np.float64).sum()
        + sum(v[..., 0].sum() for _, v in shares.biases)
        + shares.offset
    )


@pytest.mark.parametrize("name", STRAIGHT)
def test_the_shares_of_a_piecewise_linear_network_are_its_score(name: str) -> None:
    _, model, image = network(name)
    point = model.prepare(image)
    question = parse("target", "class_logit(1)").ask(Reading(model._compiled, (), point))
    shares = EngineProbe(model._compiled, question, double=True).shares(point[None].astype(np.float64))
    assert len(shares.biases) > 1
    assert summed(shares) == pytest.approx(shares.score[0], rel=1e-12)


def test_a_curved_step_leaves_a_gap() -> None:
    _, model, image = network("functional")  # has a swish
    shares = model.probe("class_logit(1)").shares(model.prepare(image)[None])
    assert abs(summed(shares) - shares.score[0]) > 1e-3


def test_each_bias_is_its_value_times_the_gradient_behind_it() -> None:
    """Two layers by hand: pixel * 2 + b through a ReLU, then a mean over cells times 3."""
    added = np.array([1.0, -700.0, 0.5])

    def build(pixels: Any) -> Any:
        kernel = tf.constant(2 * np.eye(3)[None, None], tf.float32)
        hidden = tf.nn.relu(
            tf.nn.bias_add(tf.nn.conv2d(pixels, kernel, 1, "SAME"), tf.constant(added, tf.float32), name="b")
        )
        return tf.reduce_mean(hidden, [1, 2]) * 3.0

    pixels = np.abs(whole((1, *SHAPE), 4, 9))
    seed = np.array([1.0, 1.0, -2.0])
    shares = probe_of(compiled(build), seed).shares(pixels)
    gate = (2 * pixels + added > 0) * seed * 3 / 20
    ((layer, values),) = shares.biases
    assert layer.name == "b"
    assert np.allclose(values[..., 0], (gate * added).sum(-1), rtol=1e-12)
    assert np.allclose(values[..., 1], np.abs(gate * added).sum(-1), rtol=1e-12)
    assert np.allclose(shares.pixels, gate * 2 * pixels, rtol=1e-12)


def test_the_input_is_the_image_as_the_first_weights_see_it() -> None:
    mean = np.array([3.0, 1.0, 2.0])

    def build(pixels: Any) -> Any:
        kernel = tf.constant(np.ones((1, 1, 3, 2)), tf.float32)
        return tf.reduce_sum(
            tf.nn.conv2d((pixels - tf.constant(mean, tf.float32)) / 4.0, kernel, 1, "SAME"), [1, 2]
        )

    pixels = np.abs(whole((1, *SHAPE), 4, 9))
    shares = probe_of(compiled(build), np.array([1.0, 1.0])).shares(pixels)
    assert shares.biases == ()
    assert np.allclose(shares.pixels, (pixels - mean) / 4 * 2, rtol=1e-12)


@pytest.mark.parametrize("cap", ["relu6", "minimum"])
def test_a_ceiling_counts_where_it_is_reached(cap: str) -> None:
    def build(pixels: Any) -> Any:
        mixed = tf.nn.conv2d(pixels, tf.constant(np.eye(3)[None, None], tf.float32), 1, "SAME")
        capped = tf.nn.relu6(mixed) if cap == "relu6" else tf.minimum(mixed, 6.0)
        return tf.reduce_sum(capped, [1, 2])

    pixels = np.abs(whole((1, *SHAPE), 4, 9))
    shares = probe_of(compiled(build), np.ones(3)).shares(pixels)
    ((_, values),) = shares.biases
    assert np.array_equal(values[..., 0], (6.0 * (pixels > 6)).sum(-1))
    assert np.array_equal(shares.pixels, pixels * (pixels < 6) + pixels * (pixels == 6) * (cap == "minimum"))


def test_a_constant_less_something_adds_the_constant() -> None:
    def build(pixels: Any) -> Any:
        mixed = tf.nn.conv2d(pixels, tf.constant(np.eye(3)[None, None], tf.float32), 1, "SAME")
        return tf.reduce_sum((10.0 - mixed) - 2.0, [1, 2])

    shares = probe_of(compiled(build), np.ones(3)).shares(np.abs(whole((1, *SHAPE), 4, 9)))
    assert [values[..., 0].sum() for _, values in shares.biases] == [600.0, -120.0]


def test_zeros_are_no_biases_and_what_lies_behind_the_question_adds_nothing() -> None:
    def build(pixels: Any) -> Any:
        mixed = tf.nn.conv2d(pixels, tf.constant(np.eye(3)[None, None], tf.float32), 1, "SAME", name="asked")
        return tf.nn.bias_add(tf.nn.bias_add(mixed, tf.zeros(3)), tf.constant([1.0, 2.0, 3.0]), name="behind")

    graph = compiled(build)
    question = Question({"asked:0": np.ones(SHAPE)}, 0.0, "unit", "it")
    pixels = np.abs(whole((1, *SHAPE), 4, 9))
    shares = EngineProbe(graph, question, double=True).shares(pixels)
    ((layer, values),) = shares.biases
    assert layer.name == "behind"
    assert not values.any()
    assert np.array_equal(shares.pixels, pixels)
