"""The memory that is foretold from a config is the memory that Keras then takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from saliency_core.engine.gate.weights import Tally
from tests.engine.networks import NETWORKS

pytestmark = pytest.mark.engine


def foretold(model: Any) -> tuple[int, Any]:
    """Bytes and output shape."""
    tally = Tally("config.json", 2**40)
    shape = tally.model(json.loads(model.to_json()), [])
    return tally.total, shape


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - {"subclassed"}))
def test_of_every_kind(name: str) -> None:
    import keras

    model = NETWORKS[name](keras)
    total, shape = foretold(model)
    assert shape == model.output_shape
    assert model.count_params() * 4 <= total <= model.count_params() * 4 + 4_096


def test_of_layers_with_weights() -> None:
    import keras

    layers = keras.layers
    image = keras.Input((32, 24, 3))
    parts = [
        layers.Conv2D(8, 3, strides=2), layers.Conv2DTranspose(8, 3), layers.SeparableConv2D(16, 3),
        layers.DepthwiseConv2D(3, depth_multiplier=2), layers.Conv2D(12, 1, groups=4), layers.MaxPooling2D(2),
        layers.ZeroPadding2D(((1, 2), (0, 1))), layers.UpSampling2D(2), layers.PReLU(), layers.Flatten(),
        layers.Dense(64), layers.Reshape((8, 8)), layers.Bidirectional(layers.LSTM(16, return_sequences=True)),
        layers.TimeDistributed(layers.Dense(50)), layers.GRU(20), layers.Dense(3),
    ]  # fmt: skip
    made = image
    for part in parts:
        made = part(made)
    model = keras.Model(image, made)
    total, shape = foretold(model)
    assert shape[-1] == 3
    assert 0.9 * model.count_params() * 4 <= total <= 1.3 * model.count_params() * 4
