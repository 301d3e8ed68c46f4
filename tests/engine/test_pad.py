"""Pads that a convolution can do by itself: left out where that is exact, kept everywhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saliency_core import open_model

pytestmark = pytest.mark.engine
SAME = {  # (height, kernel, step) -> the zeros before and after that SAME padding adds
    (8, 3, 1): (1, 1),
    (8, 3, 2): (0, 1),
    (9, 3, 2): (1, 1),
    (9, 5, 2): (2, 2),
    (8, 2, 1): (0, 1),
}


def padded(extent: int, kernel: int, step: int, zeros: tuple[int, int], depthwise: bool = False) -> Any:
    """A pad, a VALID convolution and a sum over positions, with seeded weights."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    kind = layers.DepthwiseConv2D if depthwise else layers.Conv2D
    more = {} if depthwise else {"filters": 4}
    return keras.Sequential(
        [
            layers.Input((extent, extent, 2)),
            layers.ZeroPadding2D((zeros, zeros), name="pad"),
            kind(kernel_size=kernel, strides=step, activation="relu", name="conv", **more),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )


def pads(graph: Any) -> int:
    return sum(node.op == "Pad" for node in graph.node)


def by_tape(keras_model: Any, points: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    pixels = tf.constant(points)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        logit = keras_model(pixels)[:, 1]
    return tape.gradient(logit, pixels).numpy()


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize(("sizes", "zeros"), SAME.items())
def test_the_zeros_of_same_padding_are_left_to_the_convolution(sizes, zeros, depthwise) -> None:
    network = padded(*sizes, zeros, depthwise)
    model = open_model(network)
    assert (pads(model._compiled.plain), pads(model._compiled.folded)) == (1, 0)
    assert not model.card.norms_folded  # a pad is none
    points = np.random.default_rng(1).uniform(0, 255, (1, *model.card.input)).astype(np.float32)
    found = model.probe("class_logit(1)").gradient(points)
    expected = by_tape(network, points)
    # the same products in another order: a few hundred float32 additions
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("zeros", [(0, 0), (1, 0), (2, 2), (3, 0)])
def test_other_zeros_stay_where_they_are(zeros) -> None:
    network = padded(8, 3, 2, zeros)
    model = open_model(network)
    assert pads(model._compiled.folded) == pads(model._compiled.plain)
    points = np.random.default_rng(1).uniform(0, 255, (1, *model.card.input)).astype(np.float32)
    expected = by_tape(network, points)
    found = model.probe("class_logit(1)").gradient(points)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_a_pad_with_two_readers_stays() -> None:
    import keras
    from keras import layers

    image = keras.Input((8, 8, 2))
    pad = layers.ZeroPadding2D(1)(image)
    both = [layers.Flatten()(layers.Conv2D(2, 3)(pad)), layers.Flatten()(pad)]
    model = open_model(keras.Model(image, layers.Dense(3)(layers.Concatenate()(both))))
    assert pads(model._compiled.folded) == 1


def test_a_unit_of_the_pad_itself_can_still_be_asked() -> None:
    model = open_model(padded(8, 3, 1, (1, 1)))
    points = np.zeros((1, *model.card.input), np.float32)
    found = model.probe("layer_unit(layer='pad', row=1, col=1, channel=0)").gradient(points)
    expected = np.zeros_like(found)
    expected[0, 0, 0, 0] = 1
    np.testing.assert_array_equal(found, expected)
