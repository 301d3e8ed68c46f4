"""Half precision: small whole numbers are exact in it too, and no policy of Keras leaks in or out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from saliency_core import explain, open_model
from saliency_core.engine.nodes import parse_graph
from saliency_core.engine.precision import doubled
from tests.engine.graphs import graph_of, run, whole

pytestmark = pytest.mark.engine
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

IMAGE = np.random.default_rng(0).integers(0, 8, (5, 4, 1), dtype=np.uint8)
HALF = {tf.float16.as_datatype_enum, tf.bfloat16.as_datatype_enum}


@pytest.fixture
def policy() -> Iterator[Any]:
    """Set the global policy of Keras, and set it back."""
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


def network() -> Any:
    """A convolution and a dense layer of whole numbers so small that every sum is exact in half precision."""
    layers = keras.layers
    made = keras.Sequential(
        [
            layers.Input((5, 4, 1)),
            layers.Conv2D(2, 3, padding="same", activation="relu", use_bias=False, name="conv"),
            layers.Flatten(),
            layers.Dense(3, use_bias=False, name="logits"),
        ]
    )
    made.set_weights([np.sign(whole(w.shape, seed)) for seed, w in enumerate(made.get_weights())])
    return made


def kinds(model: Any) -> set[int]:
    """Return the types of number that a model's graph computes with."""
    graph = parse_graph(model._compiled.frozen.graph)
    return {node.attr["T"].type for node in graph.node if "T" in node.attr}


@pytest.mark.parametrize("name", ["mixed_float16", "mixed_bfloat16"])
def test_a_model_in_half_precision_answers_in_float32_and_exactly(name: str, policy: Any) -> None:
    single = explain(open_model(network()), IMAGE, "class_logit(1)")
    policy(name)
    half = open_model(network())
    assert kinds(half) & HALF
    found = explain(half, IMAGE, "class_logit(1)")
    assert found.values.dtype == np.float32
    assert found.score == single.score
    assert np.array_equal(found.values, single.values)
    assert np.abs(found.values).max() >= 1
    assert found.evidence.precision == "float64"
    assert found.evidence.good


def test_a_policy_does_not_reach_a_model_that_was_made_before(policy: Any) -> None:
    made = network()
    before = open_model(made)
    policy("mixed_float16")
    after = open_model(made)
    assert not kinds(after) & HALF
    assert after.card.digest == before.card.digest


def test_opening_and_explaining_leave_the_policy_as_it_was(policy: Any) -> None:
    policy("mixed_float16")
    half = network()
    policy("float32")
    explain(open_model(half), IMAGE)
    assert keras.config.dtype_policy().name == "float32"
    policy("mixed_bfloat16")
    explain(open_model("conv4x4"), np.ones((4, 4), np.uint8), "layer_unit('output', 1, 1, 0)")
    assert keras.config.dtype_policy().name == "mixed_bfloat16"


@pytest.mark.parametrize("kind", [tf.float16, tf.bfloat16, tf.float32], ids=lambda kind: kind.name)
def test_the_double_has_no_narrow_number_left(kind: Any) -> None:
    """A third, rounded to the narrow type in the constants only, is multiplied without rounding again."""
    third = tf.constant(1 / 3, kind).numpy().astype(np.float64)

    def build(pixels: Any) -> Any:
        narrow = tf.cast(pixels, kind) * tf.constant(third, kind)
        return tf.cast(narrow, tf.float32) * tf.constant(third.astype(np.float32))

    graph, name = graph_of(build, (2, 2, 1))
    pixels = np.random.default_rng(1).uniform(0, 255, (1, 2, 2, 1))
    value, gradient = run(doubled(graph), name, pixels, np.ones_like(pixels))
    assert value.dtype == gradient.dtype == np.float64
    assert np.array_equal(value, pixels * third * third)
    assert np.array_equal(gradient, np.full_like(pixels, third * third))
