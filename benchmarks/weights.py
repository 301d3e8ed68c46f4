"""Random weights that run like trained ones."""

from __future__ import annotations

from typing import Any

import numpy as np

BIAS, PICTURES = 0.1, 4


def as_if_trained(network: Any, seed: int, reach: float = 1.0) -> Any:
    """Return the Keras network with biases, and batch norms that know what passes through them.

    The biases of a new network are zeros, those of a trained one never are. TensorFlow leaves out the adding
    of constant zeros and then fuses no convolution with its activation, so that a new network is slower.
    `reach` is how far from zero the preprocessed pixels may be.
    """
    draw = np.random.default_rng(seed)
    filled = [
        value if value.any() else (BIAS * draw.standard_normal(value.shape)).astype(value.dtype)
        for value in network.get_weights()
    ]
    network.set_weights(filled)
    for layer in network.layers:
        if hasattr(layer, "moving_mean"):
            layer.momentum = 0.0
    network(draw.uniform(-reach, reach, (PICTURES, *network.input_shape[1:])), training=True)
    return network
