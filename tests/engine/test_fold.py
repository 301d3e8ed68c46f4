"""Batch norms folded into kernels: the same whole numbers, and nothing folded that must stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from saliency_core.engine.compiled import Compiled, Form
from saliency_core.engine.fold import fold_norms, tidy
from saliency_core.engine.freeze import Frozen
from tests.engine.graphs import graph_of, operations, run, whole

pytestmark = pytest.mark.engine
tf = pytest.importorskip("tensorflow")

SHAPE = (5, 4, 3)
CHANNELS = 4
KERNEL = whole((3, 3, 3, CHANNELS), seed=1)
VECTOR = np.array([2.0, -1.0, 4.0, 0.5])
PIXELS = whole((1, *SHAPE), seed=2, largest=9).astype(np.float32)
EPSILON = 0.25
GAMMA, BETA, MEAN = np.array([2.0, -4.0, 1.0, 8.0]), whole((CHANNELS,), 3), whole((CHANNELS,), 4)
VARIANCE = np.array([4.0, 1.0, 16.0, 4.0]) - EPSILON  # its roots, with epsilon, are whole


def fixed(value: Any, kind: Any = None) -> Any:
    return tf.constant(np.asarray(value), kind or tf.float32)


def conv(pixels: Any, kernel: np.ndarray = KERNEL) -> Any:
    return tf.nn.conv2d(pixels, fixed(kernel), 1, "SAME", name="conv")


def fused(values: Any, *, version: str = "V3", training: bool = False, mean: Any = None) -> Any:
    """A batch norm as one operation, at inference."""
    found = getattr(tf.raw_ops, f"FusedBatchNorm{version}")(
        x=values, scale=fixed(GAMMA), offset=fixed(BETA), mean=fixed(MEAN) if mean is None else mean,
        variance=fixed(VARIANCE), epsilon=EPSILON, is_training=training, name="norm",
    )  # fmt: skip
    return found.y


def normed(values: np.ndarray) -> np.ndarray:
    """The same by hand."""
    return (values - MEAN) * GAMMA / np.sqrt(VARIANCE + EPSILON) + BETA


def folded(graph: Any, name: str, *also: str) -> Any:
    return fold_norms(tidy(graph, [name, *also]), [name, *also])


@pytest.mark.parametrize("version", ["", "V2", "V3"])
def test_a_norm_behind_a_convolution_becomes_part_of_it(version: str) -> None:
    graph, name = graph_of(lambda x: tf.nn.relu(fused(conv(x), version=version)), SHAPE)
    small = folded(graph, name)
    assert operations(small) == ["Conv2D", "BiasAdd", "Relu"]
    before, start = graph_of(conv, SHAPE)
    values = normed(run(before, start, PIXELS)[0])
    seed = whole(values.shape, seed=5)
    score, gradient = run(small, name, PIXELS, seed)
    assert np.array_equal(score, np.maximum(values, 0))
    through = seed * (values > 0) * GAMMA / np.sqrt(VARIANCE + EPSILON)
    assert np.array_equal(gradient, run(before, start, PIXELS, through)[1])


def test_a_norm_behind_a_depthwise_convolution_with_bias_becomes_part_of_it() -> None:
    kernel = whole((3, 3, 2, 2), seed=6)

    def start(x: Any) -> Any:
        seen = tf.nn.depthwise_conv2d(x[..., :2], fixed(kernel), [1] * 4, "SAME")
        return tf.nn.bias_add(seen, fixed(VECTOR))

    graph, name = graph_of(lambda x: fused(start(x)), SHAPE)
    small = folded(graph, name)
    assert operations(small) == ["StridedSlice", "DepthwiseConv2dNative", "BiasAdd"]
    assert np.array_equal(run(small, name, PIXELS)[0], normed(run(*graph_of(start, SHAPE), PIXELS)[0]))


def test_a_norm_before_a_convolution_stays_before_it() -> None:
    """Zeros at the border are put there after the norm, so it cannot move into the kernel."""
    kernel = whole((3, 3, CHANNELS, 2), seed=7)
    graph, name = graph_of(lambda x: conv(fused(tf.nn.relu(conv(x))[:, 1:]), kernel), SHAPE)
    small = folded(graph, name)
    assert operations(small) == ["Conv2D", "Relu", "StridedSlice", "Mul", "AddV2", "Conv2D"]
    seen = np.maximum(run(*graph_of(conv, SHAPE), PIXELS)[0][:, 1:], 0)
    second, end = graph_of(lambda x: conv(x, kernel), (4, 4, CHANNELS))
    assert np.array_equal(run(small, name, PIXELS)[0], run(second, end, normed(seen).astype(np.float32))[0])


def test_a_norm_at_training_or_with_computed_statistics_is_left_as_it_is() -> None:
    for build in (
        lambda x: fused(conv(x), training=True),
        lambda x: fused(conv(x), mean=tf.reduce_sum(conv(x), [0, 1, 2])),
    ):
        graph, name = graph_of(build, SHAPE)
        assert "FusedBatchNormV3" in operations(folded(graph, name))


@pytest.mark.parametrize(
    ("attribute", "value"), [("data_format", {"s": b"NCHW"}), ("T", {"type": 19})], ids=["NCHW", "half"]
)
def test_a_norm_with_channels_first_or_in_half_precision_is_left_as_it_is(attribute: str, value: Any) -> None:
    graph, name = graph_of(lambda x: fused(conv(x)), SHAPE)
    for node in graph.node:
        if node.op == "FusedBatchNormV3":
            node.attr[attribute].CopyFrom(tf.compat.v1.AttrValue(**value))
    assert operations(tidy(graph, [name])) == ["Conv2D", "FusedBatchNormV3"]


STAYS: dict[str, Callable[[Any], Any]] = {
    "another reader": lambda x: (lambda seen: seen * VECTOR + tf.nn.relu(seen))(conv(x)),
    "read twice by one step": lambda x: tf.square(conv(x)) * VECTOR,
    "times itself": lambda x: (lambda seen: seen * seen)(conv(x)),
    "an axis more": lambda x: conv(x) * VECTOR.reshape(1, 1, 1, 1, CHANNELS),
    "an axis more behind a dense layer": lambda x: (
        tf.matmul(tf.reshape(x, [-1, 60]), fixed(whole((60, CHANNELS), 8))) * VECTOR.reshape(1, 1, CHANNELS)
    ),
    "one number a column": lambda x: conv(x) * VECTOR.reshape(CHANNELS, 1),
    "one number a cell": lambda x: conv(x) * whole((4, CHANNELS), 9),
    "more channels": lambda x: conv(x, KERNEL[..., :1]) * VECTOR,
    "kernel read transposed": lambda x: (
        tf.matmul(
            tf.reshape(x, [-1, 60])[:, :CHANNELS], fixed(whole((CHANNELS, CHANNELS), 8)), transpose_b=True
        )
        * VECTOR
    ),
    "only additions": lambda x: tf.nn.bias_add(conv(x), fixed(VECTOR)) + VECTOR,
}


@pytest.mark.parametrize("build", STAYS.values(), ids=STAYS)
def test_what_is_no_scale_a_channel_stays(build: Callable[[Any], Any]) -> None:
    graph, name = graph_of(build, SHAPE)
    ready = tidy(graph, [name])
    small = fold_norms(ready, [name])
    assert operations(small) == operations(ready)
    assert not any("folded" in node.name for node in small.node)
    assert np.array_equal(run(small, name, PIXELS)[0], run(graph, name, PIXELS)[0])


@pytest.mark.parametrize(
    ("build", "left"),
    [
        (lambda x: VECTOR - conv(x) * 2.0, ["Conv2D", "BiasAdd", "Sub"]),
        (lambda x: conv(x) * 2.0 - VECTOR, ["Conv2D", "BiasAdd"]),
        (lambda x: VECTOR + 3.0 * conv(x), ["Conv2D", "BiasAdd"]),
        (lambda x: (conv(x) + VECTOR) * VECTOR.reshape(1, 1, CHANNELS), ["Conv2D", "BiasAdd"]),
    ],
    ids=["constant first", "constant last", "from either side", "shift, then scale"],
)
def test_the_order_of_the_operands_counts(build: Callable[[Any], Any], left: list[str]) -> None:
    graph, name = graph_of(build, SHAPE)
    small = folded(graph, name)
    assert operations(small) == left
    assert np.array_equal(run(small, name, PIXELS)[0], run(graph, name, PIXELS)[0])


@pytest.mark.parametrize("kind", [tf.float64, tf.float16, tf.bfloat16], ids=lambda kind: kind.name)
def test_other_precisions_than_float32_stay(kind: Any) -> None:
    def build(pixels: Any) -> Any:
        seen = tf.nn.conv2d(tf.cast(pixels, kind), fixed(KERNEL, kind), 1, "SAME")
        return tf.cast(seen * fixed(VECTOR, kind) + fixed(VECTOR, kind), tf.float32)

    graph, name = graph_of(build, SHAPE)
    small = folded(graph, name)
    assert operations(small) == ["Cast", "Conv2D", "Mul", "AddV2", "Cast"]
    assert np.array_equal(run(small, name, PIXELS)[0], run(graph, name, PIXELS)[0])


def test_a_bias_along_the_rows_stays() -> None:
    """A BiasAdd with channels first adds along another axis of an image that is as high as it has channels."""
    graph, name = graph_of(
        lambda x: tf.nn.bias_add(conv(x) * 2.0, fixed(VECTOR), data_format="NCHW"), (CHANNELS, 4, 3)
    )
    pixels = PIXELS[:, :CHANNELS]
    small = folded(graph, name)
    assert operations(small) == ["Conv2D", "BiasAdd", "BiasAdd"]
    assert np.array_equal(run(small, name, pixels)[0], run(graph, name, pixels)[0])


def test_a_convolution_with_channels_first_stays() -> None:
    """The processor does not compute it, so only the graph is compared."""
    graph, name = graph_of(lambda x: conv(x) * VECTOR, SHAPE)
    for node in graph.node:
        if node.op == "Conv2D":
            node.attr["data_format"].s = b"NCHW"
    assert operations(folded(graph, name)) == ["Conv2D", "Mul"]


def test_an_output_between_is_kept() -> None:
    graph, name = graph_of(lambda x: tf.nn.relu(conv(x) * VECTOR), SHAPE)
    assert operations(folded(graph, name)) == ["Conv2D", "BiasAdd", "Relu"]
    kept = folded(graph, name, "conv:0")
    assert operations(kept) == ["Conv2D", "Mul", "Relu"]
    assert np.array_equal(run(kept, "conv:0", PIXELS)[0], run(graph, "conv:0", PIXELS)[0])


def test_a_unit_inside_a_folded_chain_is_asked_of_the_plain_graph() -> None:
    graph, name = graph_of(lambda x: tf.reduce_sum(fused(conv(x)), [1, 2], name="sums"), SHAPE)
    compiled = Compiled(Frozen(graph.SerializeToString(), name, SHAPE))
    assert compiled.norms_folded
    seed = whole((1, 5, 4, CHANNELS), seed=5)
    _, gradient, *_ = compiled.run(Form("gradient", ("conv:0",), 1), PIXELS, seed)
    assert np.array_equal(gradient, run(*graph_of(conv, SHAPE), PIXELS, seed)[1])
