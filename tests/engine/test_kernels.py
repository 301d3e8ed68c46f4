"""The gradient of the first kernels and its way back, in whole numbers: equal to the tape to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saliency_core import open_model
from saliency_core.errors import ModelError
from tests.engine.graphs import whole

pytestmark = pytest.mark.engine
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

IMAGE = np.random.default_rng(0).integers(0, 10, (7, 6, 2), dtype=np.uint8)


def network(before: Any, **more: Any) -> Any:
    """Something before the first convolution, and a score of whole numbers behind it."""
    layers = keras.layers
    first = [] if before is None else [before]
    convolution = layers.Conv2D(3, 3, activation="relu", name="conv", **more)
    made = keras.Sequential(
        [layers.Input((7, 6, 2)), *first, convolution, layers.Flatten(), layers.Dense(2, name="logits")]
    )
    made.set_weights([whole(w.shape, seed, 2) for seed, w in enumerate(made.get_weights())])
    return made


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("zeros", [None, 1, 2, ((0, 1), (2, 0))])
def test_behind_zeros_the_kernel_gradient_is_the_tape_s(zeros: Any, strides: int) -> None:
    made = network(None if zeros is None else keras.layers.ZeroPadding2D(zeros), strides=strides)
    found = open_model(made).kernel_gradient(IMAGE, "class_logit(1)")
    kernel = made.get_layer("conv").kernel
    pixels = tf.constant(IMAGE[None].astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        score = made(pixels)[0, 1]
    by_kernel, by_pixels = tape.gradient(score, [kernel.value, pixels])
    assert found.kernel.shape == (3, 3, 2, 3)
    assert np.array_equal(found.kernel, by_kernel.numpy())
    assert np.array_equal(found.gradient, by_pixels.numpy()[0])
    assert np.array_equal(found.carried_back, found.gradient)
    assert found.difference == 0
    assert np.abs(found.gradient).max() >= 1


def test_a_spread_first_kernel_is_refused() -> None:
    with pytest.raises(ModelError, match="no plain convolution"):
        open_model(network(None, dilation_rate=2)).kernel_gradient(IMAGE)
