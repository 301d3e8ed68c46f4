"""Factors in front of a convolution: moved into its kernel where that is exact, kept everywhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saliency_core import open_model

pytestmark = pytest.mark.engine
STRETCH = np.array([0.5, -2.0, 3.0], np.float32)


def network(steps: Any, channels: int = 3, **convolution: Any) -> Any:
    """Steps on the image, a convolution with zeros around and a dense layer, with seeded weights."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    image = keras.Input((9, 7, channels))
    seen = steps(image)
    kind = layers.DepthwiseConv2D if convolution.pop("depthwise", False) else layers.Conv2D
    more = {} if kind is layers.DepthwiseConv2D else {"filters": 6}
    after = kind(kernel_size=3, padding="same", activation="relu", name="conv", **more, **convolution)(seen)
    return keras.Model(image, layers.Dense(4)(layers.Flatten()(after)))


def steps_in(graph: Any) -> list[str]:
    return [node.op for node in graph.node if node.op in ("Mul", "RealDiv", "Add", "AddV2", "Sub")]


def agrees(keras_model: Any, target: str = "class_logit(1)") -> Any:
    """Open it, compare score and gradient of two points with the tape, and return its compiled graphs."""
    import tensorflow as tf

    model = open_model(keras_model)
    points = np.random.default_rng(1).uniform(0, 255, (2, *model.card.input)).astype(np.float32)
    pixels = tf.constant(points)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        logit = keras_model(pixels)[:, 1]
    slope, probe = tape.gradient(logit, pixels).numpy(), model.probe(target)
    # the same products in another order: a few hundred float32 additions
    np.testing.assert_allclose(probe.gradient(points), slope, rtol=0, atol=1e-5 * np.abs(slope).max())
    scores = logit.numpy()
    np.testing.assert_allclose(probe.score(points), scores, rtol=0, atol=1e-5 * np.abs(scores).max())
    return model._compiled


def rescaled(image: Any) -> Any:
    from keras import layers

    return layers.Rescaling(1 / 127.5, -1.0)(image)


def normalized(image: Any) -> Any:
    return (image / 255.0 - np.array([0.4, 0.5, 0.6], np.float32)) / np.array([0.2, 0.3, 0.25], np.float32)


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        (rescaled, True),
        (normalized, True),
        (lambda image: image * STRETCH, False),
        (lambda image: 2.0 * ((image - 100.0) * STRETCH), True),
    ],
)
@pytest.mark.parametrize("depthwise", [False, True])
def test_at_most_an_addition_is_left_of_the_preprocessing(steps, left, depthwise) -> None:
    compiled = agrees(network(steps, depthwise=depthwise))
    before = {"Mul", "RealDiv", "Sub"}
    assert before & set(steps_in(compiled.plain))
    assert not before & set(steps_in(compiled.folded))
    assert any(node.name.endswith("/shifted") for node in compiled.folded.node) == left


@pytest.mark.parametrize(
    ("steps", "channels", "convolution"),
    [
        (lambda image: image * np.array([1.0, 0.0, 2.0], np.float32), 3, {}),  # no image maps to the shift
        (lambda image: image * STRETCH, 1, {}),  # three channels are made of one
        (lambda image: image * STRETCH[:2].repeat(3)[:6], 6, {"groups": 2}),  # kernels see three of six
        (lambda image: 100.0 / (image + 1.0), 3, {}),  # not linear
        (lambda image: image * np.linspace(1, 2, 21, dtype=np.float32).reshape(7, 3), 3, {}),  # by the pixel
    ],
)
def test_other_factors_stay(steps, channels, convolution) -> None:
    compiled = agrees(network(steps, channels, **convolution))
    kept = {"Mul", "RealDiv"} & set(steps_in(compiled.plain))
    assert kept
    assert kept <= set(steps_in(compiled.folded))


def test_a_constant_minus_the_image_is_no_plain_shift() -> None:
    compiled = agrees(network(lambda image: 2.0 * (100.0 - image)))
    assert "Sub" in steps_in(compiled.folded)


def test_a_factor_with_two_readers_stays() -> None:
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    image = keras.Input((8, 8, 2))
    seen = image * 0.5
    both = [layers.Flatten()(layers.Conv2D(2, 3)(seen)), layers.Flatten()(seen)]
    compiled = agrees(keras.Model(image, layers.Dense(3)(layers.Concatenate()(both))))
    assert "Mul" in steps_in(compiled.folded)


def test_a_unit_of_the_preprocessed_image_can_still_be_asked() -> None:
    from keras import layers

    model = open_model(network(lambda image: layers.Rescaling(0.25, 1.0, name="scaled")(image)))
    layer = next(one.name for one in model.layers if "scaled" in one.name)
    points = np.zeros((1, *model.card.input), np.float32)
    probe = model.probe(f"layer_unit(layer={layer!r}, row=1, col=1, channel=0)")
    expected = np.zeros_like(points)
    expected[0, 1, 1, 0] = 0.25
    np.testing.assert_array_equal(probe.gradient(points), expected)
    assert probe.score(points) == [1.0]
