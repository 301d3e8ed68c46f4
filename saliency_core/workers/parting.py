"""Answers of a network travel finite: where one is not, a sign beside it says of what kind it was."""

from __future__ import annotations

import numpy as np

from saliency_core.arrays import Array
from saliency_core.workers.frames import FrameError

KINDS = np.array([0.0, np.nan, np.inf, -np.inf])


def parted(array: Array) -> tuple[Array, Array]:
    """Return a float array with zeros for what is not finite, and of what kind each number is, in uint8."""
    strange = np.zeros(array.shape, np.uint8)
    for kind, found in enumerate((np.isnan(array), array == np.inf, array == -np.inf), 1):
        strange[found] = kind
    return (np.where(strange, 0, array).astype(array.dtype) if strange.any() else array), strange


def joined(array: Array, strange: Array | None) -> Array:
    """The opposite of `parted`; raises FrameError for signs that fit no number."""
    if strange is None:
        return array
    if strange.dtype != np.uint8 or strange.shape != array.shape or (strange >= len(KINDS)).any():
        raise FrameError("The process of this model answered with signs that fit no number.")
    whole: Array = array + KINDS[strange].astype(array.dtype)
    return whole
