"""One small network for every complaint that the doctor knows, each otherwise sound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

SHAPE = (12, 12, 3)


def sound(keras: Any, *, between: Any = (), norm: bool = False, head: str | None = "softmax") -> Any:
    """Return a small classifier with layers of its own put between its convolution and its head."""
    layers = keras.layers
    keras.utils.set_random_seed(4)
    return keras.Sequential(
        [
            layers.Input(SHAPE),
            layers.Conv2D(8, 3, name="conv"),
            *([layers.BatchNormalization(name="norm")] if norm else []),
            layers.ReLU(name="relu"),
            *between,
            layers.Flatten(),
            layers.Dense(4, activation=head, name="head"),
        ]
    )


def _own(keras: Any, name: str, compute: Callable[[Any, Any], Any]) -> Any:
    """Return a layer that computes as told, whatever Keras says about training."""
    import tensorflow as tf

    class Own(keras.layers.Layer):
        def call(self, images: Any) -> Any:
            return compute(tf, images)

    return Own(name=name)


def rounded(keras: Any) -> Any:
    return sound(keras, between=[_own(keras, "step", lambda tf, x: tf.round(4 * x))])


def cast(keras: Any) -> Any:
    whole = _own(keras, "whole", lambda tf, x: tf.cast(tf.cast(9 * x, tf.int32), tf.float32))
    return sound(keras, between=[whole])


def compared(keras: Any) -> Any:
    bits = _own(
        keras, "bits", lambda tf, x: tf.cast(x > tf.reduce_mean(x, [1, 2], keepdims=True), tf.float32)
    )
    return sound(keras, between=[bits])


def half_rounded(keras: Any) -> Any:
    return sound(keras, between=[_own(keras, "half", lambda tf, x: x + tf.round(4 * x))])


def straight_through(keras: Any) -> Any:
    through = _own(keras, "through", lambda tf, x: x + tf.stop_gradient(tf.round(x) - x))
    return sound(keras, between=[through])


def dropping(keras: Any) -> Any:
    return sound(keras, between=[_own(keras, "drop", lambda tf, x: tf.nn.dropout(x, 0.5))])


def noisy(keras: Any) -> Any:
    noise = _own(keras, "noise", lambda tf, x: x + tf.random.truncated_normal([1, 10, 10, 8], stddev=0.3))
    return sound(keras, between=[noise])


def batch_normed(keras: Any) -> Any:
    def fused(tf: Any, x: Any) -> Any:
        ones = tf.ones([8])
        return tf.compat.v1.nn.fused_batch_norm(x, ones, 0 * ones, is_training=True)[0]

    return sound(keras, between=[_own(keras, "live", fused)])


def poisoned(keras: Any) -> Any:
    model = sound(keras)
    kernel, bias, *rest = model.get_weights()
    kernel[0, 0, 0, :3] = np.nan
    kernel[0, 1, 0, 0] = np.inf
    model.set_weights([kernel, bias, *rest])
    return model


def overflowing(keras: Any) -> Any:
    return sound(keras, between=[_own(keras, "blow", lambda tf, x: tf.exp(1000 * (1 + x)))])


def all_dead(keras: Any) -> Any:
    model = sound(keras)
    kernel, _, *rest = model.get_weights()
    model.set_weights([-np.abs(kernel), np.full(8, -0.25, np.float32), *rest])
    return model


def one_branch_dead(keras: Any) -> Any:
    layers = keras.layers
    keras.utils.set_random_seed(4)
    image = keras.Input(SHAPE)
    awake = layers.Conv2D(8, 3, activation="relu", name="awake")(image)
    asleep = layers.Conv2D(8, 3, activation="relu", name="asleep")
    joined = layers.Flatten()(layers.Concatenate()([awake, asleep(image)]))
    kernel, _ = asleep.get_weights()
    asleep.set_weights([-np.abs(kernel), np.full(8, -0.25, np.float32)])
    return keras.Model(image, layers.Dense(4, activation="softmax")(joined))


def dying(keras: Any) -> Any:
    model = sound(keras)
    kernel, bias, *rest = model.get_weights()
    kernel[..., :7], bias[:7] = -np.abs(kernel[..., :7]), -0.25
    model.set_weights([kernel, bias, *rest])
    return model


def constant(keras: Any) -> Any:
    model = sound(keras)
    kernel, bias, dense, last = model.get_weights()
    model.set_weights([kernel, bias, 0 * dense, last + np.arange(4, dtype=np.float32)])
    return model


def sure(keras: Any) -> Any:
    model = sound(keras)
    *first, last = model.get_weights()
    model.set_weights([*first, last + np.array([12, 0, 0, 0], np.float32)])
    return model


def in_training(keras: Any, *, cap: float | None = None, norm: bool = False) -> Any:
    """Return a network with weights of the size that training on pixels from 0 to 1 leaves."""
    layers = keras.layers
    keras.utils.set_random_seed(4)
    model = keras.Sequential(
        [
            layers.Input(SHAPE),
            layers.Conv2D(16, 3, name="conv"),
            *([layers.BatchNormalization(name="norm")] if norm else []),
            layers.ReLU(cap, name="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax", name="head"),
        ]
    )
    if norm:
        draw = np.random.default_rng(3)
        images = draw.uniform(0, 1, (400, 1, 1, 3)) + 0.2 * draw.standard_normal((400, *SHAPE))
        met = model.layers[0](images.astype(np.float32)).numpy()
        model.layers[1].set_weights([np.ones(16), np.zeros(16), met.mean((0, 1, 2)), met.var((0, 1, 2))])
    *first, dense, last = model.get_weights()
    model.set_weights([*first, 4 * dense, last])
    return model
