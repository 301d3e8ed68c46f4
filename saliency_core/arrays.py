"""Names for array shapes, so that signatures say what goes in and out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Float = NDArray[np.float32]
Points = NDArray[np.float32]  # (B, H, W, C), raw pixels 0..255
Values = NDArray[np.float32]  # (H, W, C) or (h, w), signed
Bytes8 = NDArray[np.uint8]


def read_only(array: Array) -> Array:
    """Return the array with writing switched off, so that nobody changes a result in place."""
    array.flags.writeable = False
    return array


def joined_rows(parts: Sequence[Array]) -> Array:
    """Return the rows of several arrays as one array; of a single one without a copy, which takes long."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
