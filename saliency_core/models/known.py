"""Two models whose right answer is known on paper: what they hold, and what their gradients must be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from saliency_core.arrays import Float

CONV_SIDE = 4
TEMPLATE_SIDE = 32
TEMPLATE_LABELS = ("disc", "cross", "frame")
TEMPLATE_WEIGHT = 2.0**-15
"""Size of every weight of `template`: a power of two, so that sums of pixels times weights are exact."""

_INK = ((1, 1, -1), (-1, 1, 1), (1, -1, 1))
"""Sign of each template in red, green and blue: yellow disc, cyan cross, magenta frame."""


def conv4x4_gradient(seed: npt.ArrayLike) -> Float:
    """The pixel gradient of `conv4x4` for an output gradient (4, 4), also (4, 4).

    A filter of ones spreads what arrives at a cell evenly over its 3 x 3 neighbourhood, so each pixel
    collects the output gradient of the cells around it.
    """
    arriving = np.pad(np.asarray(seed, np.float32), 1)
    rows = range(CONV_SIDE)
    gathered = [[arriving[r : r + 3, c : c + 3].sum() for c in rows] for r in rows]
    return np.array(gathered, np.float32)


def _shapes() -> npt.NDArray[np.bool_]:
    """Where each class of `template` wants light, (3, 32, 32)."""
    axis = np.arange(TEMPLATE_SIDE) - (TEMPLATE_SIDE - 1) / 2
    x, y = np.meshgrid(axis, axis)
    far = np.maximum(abs(x), abs(y))
    disc = x**2 + y**2 < 10**2
    cross = (np.minimum(abs(x), abs(y)) < 4) & (far < 13)
    frame = (far > 10) & (far < 15)
    return np.stack([disc, cross, frame])


def template_weights() -> Float:
    """The weights of `template`, (3, 32, 32, 3): for each class the gradient of its logit, exactly.

    +-TEMPLATE_WEIGHT on the shape, the opposite sign beside it. A pixel beside the shape weighs as
    much as one on it.
    """
    on_shape = np.where(_shapes(), 1.0, -1.0)[..., None]
    signs = np.array(_INK, np.float32)[:, None, None, :]
    weights: Float = (on_shape * signs * TEMPLATE_WEIGHT).astype(np.float32)
    return weights


def template_picture(label: int) -> npt.NDArray[np.uint8]:
    """The picture that the class of `template` answers to most, (32, 32, 3) uint8: its own colours."""
    return np.where(template_weights()[label] > 0, np.uint8(230), np.uint8(25))
