"""The way back through a convolution, against TensorFlow's own gradient: equal to the last bit."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from saliency_core.engine.backward import ATTRIBUTE, NAMES, quick_backward
from tests.engine.graphs import graph_of, run, whole

pytestmark = pytest.mark.engine
tf = pytest.importorskip("tensorflow")

SIDES = [(1, 1), (3, 3), (5, 3), (1, 3), (2, 2), (4, 3), (7, 7)]
CASES = [
    (side, padding)
    for side, padding in product(SIDES, ["SAME", "VALID"])
    if (side, padding) != ((7, 7), "VALID")
]
SIZE = (5, 6)  # the largest kernel reaches beyond it
CHANNELS = 3


def convolution(
    side: Any, padding: str, kind: Any, *, depthwise: int = 0, step: int = 1, spread: int = 1
) -> Any:
    """One convolution by whole numbers; `depthwise` is its channel multiplier."""
    kernel = tf.constant(whole((*side, CHANNELS, depthwise or 4), seed=1), kind)
    convolve = tf.nn.depthwise_conv2d if depthwise else tf.nn.conv2d

    def build(pixels: Any) -> Any:
        fixed = tf.constant(tf.get_static_value(kernel))
        steps = [1, step, step, 1]
        return convolve(pixels, fixed, steps, padding, dilations=[spread] * 2, name="conv")

    return graph_of(build, (*SIZE, CHANNELS), kind)


def marked(graph: Any) -> list[str]:
    """Return the operations that got a way back of their own."""
    return [node.op for node in quick_backward(graph).node if ATTRIBUTE in node.attr]


def same_as_tensorflow(graph: Any, name: str, kind: Any) -> bool:
    """Compare score and derivative, bit by bit, with the graph as it was."""
    pixels = whole((2, *SIZE, CHANNELS), seed=2, largest=9).astype(kind.as_numpy_dtype)
    seed = whole(run(graph, name, pixels)[0].shape, seed=3, largest=5)
    ours, theirs = (run(one, name, pixels, seed) for one in (quick_backward(graph), graph))
    assert np.abs(theirs[1]).max() > 0
    return all(map(np.array_equal, ours, theirs))


@pytest.mark.parametrize("kind", [tf.float32, tf.float64], ids=lambda kind: kind.name)
@pytest.mark.parametrize("depthwise", [0, 1, 2])
@pytest.mark.parametrize(("side", "padding"), CASES)
def test_equal_to_tensorflow_s_own_gradient(side: Any, padding: str, depthwise: int, kind: Any) -> None:
    graph, name = convolution(side, padding, kind, depthwise=depthwise)
    odd = side[0] % 2 == side[1] % 2 == 1
    plain = odd and depthwise < 2 and (padding == "SAME" or side == (1, 1))
    assert marked(graph) == (["DepthwiseConv2dNative" if depthwise else "Conv2D"] if plain else [])
    assert same_as_tensorflow(graph, name, kind)


@pytest.mark.parametrize(("inner", "outer"), [(1, 3), (1, 6), (3, 2)])
def test_groups_of_channels_keep_to_themselves(inner: int, outer: int) -> None:
    kernel = whole((3, 5, inner, outer), seed=1)

    def build(pixels: Any) -> Any:
        return tf.nn.conv2d(pixels, tf.constant(kernel, tf.float32), 1, "SAME", name="conv")

    graph, name = graph_of(build, (*SIZE, CHANNELS))
    assert marked(graph) == ["Conv2D"]
    assert same_as_tensorflow(graph, name, tf.float32)


@pytest.mark.parametrize("depthwise", [0, 1])
def test_longer_steps_are_left_to_tensorflow(depthwise: int) -> None:
    graph, name = convolution((3, 3), "SAME", tf.float32, depthwise=depthwise, step=2)
    assert marked(graph) == []
    assert same_as_tensorflow(graph, name, tf.float32)


@pytest.mark.parametrize(("attribute", "value"), [("dilations", [1, 2, 2, 1]), ("data_format", b"NCHW")])
@pytest.mark.parametrize("depthwise", [0, 1])
def test_spread_kernels_and_channels_first_are_left_to_tensorflow(
    depthwise: int, attribute: str, value: Any
) -> None:
    """The processor computes neither, so only what is marked can be compared."""
    graph, _ = convolution((3, 3), "SAME", tf.float32, depthwise=depthwise)
    assert len(marked(graph)) == 1
    for node in graph.node:
        if node.op in NAMES and attribute == "dilations":
            node.attr[attribute].list.i[:] = value
        elif node.op in NAMES:
            node.attr[attribute].s = value
    assert marked(graph) == []


def test_zeros_put_there_by_hand_are_left_to_tensorflow() -> None:
    kernel = whole((3, 3, CHANNELS, 4), seed=1)

    def build(pixels: Any) -> Any:
        padding = [[0, 0], [1, 1], [2, 0], [0, 0]]
        return tf.nn.conv2d(pixels, tf.constant(kernel, tf.float32), 1, padding, name="conv")

    graph, name = graph_of(build, (*SIZE, CHANNELS))
    assert marked(graph) == []
    assert same_as_tensorflow(graph, name, tf.float32)


def test_a_kernel_that_is_computed_is_left_to_tensorflow() -> None:
    def build(pixels: Any) -> Any:
        kernel = tf.tile(tf.reduce_sum(pixels, [0, 1, 2])[None, None, :, None], [3, 3, 1, 2])
        return tf.nn.conv2d(pixels, kernel, 1, "SAME", name="conv")

    graph, name = graph_of(build, (*SIZE, CHANNELS))
    assert marked(graph) == []
    assert same_as_tensorflow(graph, name, tf.float32)


def test_the_graph_that_was_given_is_not_touched() -> None:
    graph, _ = convolution((3, 3), "SAME", tf.float32)
    before = graph.SerializeToString(deterministic=True)
    quick_backward(graph)
    assert graph.SerializeToString(deterministic=True) == before


def test_several_convolutions_behind_each_other() -> None:
    kernels = [whole((3, 3, CHANNELS, 4), 1, 2), whole((1, 1, 4, 2), 2, 2), whole((3, 5, 2, 1), 3, 2)]

    def build(pixels: Any) -> Any:
        found = tf.nn.conv2d(pixels, tf.constant(kernels[0], tf.float64), 1, "SAME")
        found = tf.nn.conv2d(tf.nn.relu(found), tf.constant(kernels[1], tf.float64), 1, "VALID")
        return tf.nn.depthwise_conv2d(found, tf.constant(kernels[2], tf.float64), [1] * 4, "SAME")

    graph, name = graph_of(build, (*SIZE, CHANNELS), tf.float64)
    assert marked(graph) == ["Conv2D", "Conv2D", "DepthwiseConv2dNative"]
    assert same_as_tensorflow(graph, name, tf.float64)
