"""One small network of every Keras kind, and the gradient that TensorFlow gives for it by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _stack(layers: Any, prefix: str = "") -> list[Any]:
    return [
        layers.Conv2D(6, 3, padding="same", name=f"{prefix}conv1"),
        layers.BatchNormalization(name=f"{prefix}norm1"),
        layers.ReLU(6.0, name=f"{prefix}relu1"),
        layers.DepthwiseConv2D(3, depth_multiplier=2, name=f"{prefix}depth"),
        layers.BatchNormalization(name=f"{prefix}norm2"),
        layers.LeakyReLU(name=f"{prefix}leaky"),
        layers.GlobalAveragePooling2D(name=f"{prefix}mean"),
    ]


def sequential(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((9, 7, 3)),
            *_stack(layers),
            layers.Dense(5, name="logits"),
            layers.Softmax(name="probabilities"),
        ]
    )


def softmax_in_dense(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential([layers.Input((9, 7, 3)), *_stack(layers), layers.Dense(5, activation="softmax")])


def logits(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential([layers.Input((9, 7, 4)), *_stack(layers), layers.Dense(5)])


def binary(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential([layers.Input((9, 7, 3)), *_stack(layers), layers.Dense(1, activation="sigmoid")])


def many_labels(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential([layers.Input((9, 7, 1)), *_stack(layers), layers.Dense(4, activation="sigmoid")])


def gray_without_channels(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((8, 6)),
            layers.Flatten(),
            layers.Dense(12, activation="tanh"),
            layers.Dense(3, activation="softmax"),
        ]
    )


def functional(keras: Any) -> Any:
    layers = keras.layers
    image = keras.Input((9, 7, 3))
    left = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="left")(image)
    right = layers.Conv2D(4, 3, strides=2, padding="same", activation="swish", name="right")(image)
    joined = layers.Concatenate(name="joined")([left, right])
    mean = layers.GlobalAveragePooling2D()(layers.Add()([joined, joined]))
    return keras.Model(image, layers.Dense(5, activation="softmax")(mean))


def nested(keras: Any) -> Any:
    layers = keras.layers
    inner = keras.Sequential([layers.Input((9, 7, 3)), *_stack(layers, "in_")], name="inner")
    middle = keras.Sequential(
        [layers.Input((9, 7, 3)), inner, layers.Dense(6, activation="relu")], name="middle"
    )
    image = keras.Input((9, 7, 3))
    return keras.Model(image, layers.Dense(5, activation="softmax")(middle(image)), name="outer")


def shared(keras: Any) -> Any:
    layers = keras.layers
    image = keras.Input((8, 8, 3))
    conv = layers.Conv2D(3, 3, padding="same", activation="relu", name="twice")
    mean = layers.GlobalAveragePooling2D()(conv(conv(image)))
    return keras.Model(image, layers.Dense(5, activation="softmax")(mean))


def subclassed(keras: Any) -> Any:
    layers = keras.layers

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.parts = _stack(layers)
            self.head = layers.Dense(5, activation="softmax", name="head")

        def call(self, images: Any, training: bool = False) -> Any:
            for part in self.parts:
                images = part(images, training=training) if "norm" in part.name else part(images)
            return self.head(images)

    made = Own()
    made(np.zeros((1, 9, 7, 3), np.float32))
    return made


def open_size(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [layers.Input((None, None, 3)), layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(),
         layers.Dense(5, activation="softmax")]
    )  # fmt: skip


NETWORKS: dict[str, Callable[[Any], Any]] = {
    make.__name__: make
    for make in (
        sequential, softmax_in_dense, logits, binary, many_labels, gray_without_channels, functional, nested,
        shared, subclassed, open_size,
    )
}  # fmt: skip
SIZES = {"subclassed": (9, 7, 3), "open_size": (10, 8)}


def shaken(model: Any, seed: int = 3) -> Any:
    """Give every weight a value of its own, so that a batch norm is more than the identity."""
    draw = np.random.default_rng(seed)

    def fresh(shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) == 1:
            return draw.uniform(0.4, 1.2, shape)
        signs = draw.choice([-1, 1], shape, p=[0.3, 0.7])
        return draw.uniform(0.2, 1.0, shape) * signs / np.sqrt(max(1, int(np.prod(shape[:-1]))))

    model.set_weights([fresh(w.shape) for w in model.get_weights()])
    return model


def gradient_by_hand(
    tf: Any, model: Any, points: np.ndarray, prepare: Callable[[Any], Any], pick: Callable[[Any], Any]
) -> Any:
    """Return d pick(model(prepare(pixels))) / d pixels by a GradientTape."""
    pixels = tf.constant(points)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        score = pick(model(prepare(pixels), training=False))
    return tape.gradient(score, pixels).numpy()
