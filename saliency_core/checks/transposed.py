"""The transposed convolution written out: every output cell lays its kernel over the pixels it saw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from saliency_core.arrays import Array
from saliency_core.errors import ModelError


def transposed_convolution(
    delta: Array, kernel: Array, size: tuple[int, int], strides: tuple[int, int], padding: str
) -> NDArray[np.float64]:
    """Carry the gradient at a convolution's output back to its input; independent of TensorFlow.

    delta: (h, w, M), the gradient at the output. kernel: (k, l, C, M). size: height and width of the input.
    padding: "SAME" or "VALID" as TensorFlow means them. Returns (H, W, C) float64, all sums in float64.
    Raises ModelError for any other padding.
    """
    if padding not in ("SAME", "VALID"):
        raise ModelError(f"A convolution padded {padding!r} cannot be carried back.", "SAME and VALID can.")
    delta, kernel = delta.astype(np.float64), kernel.astype(np.float64)
    ends = [(cells - 1) * step + 1 for cells, step in zip(delta.shape[:2], strides, strict=True)]
    reach = [end - 1 + side for end, side in zip(ends, kernel.shape[:2], strict=True)]
    spread = np.zeros((*(max(pair) for pair in zip(reach, size, strict=True)), kernel.shape[2]))
    for row in range(kernel.shape[0]):
        for col in range(kernel.shape[1]):
            seen = spread[row : row + ends[0] : strides[0], col : col + ends[1] : strides[1]]
            seen += delta @ kernel[row, col].T
    first = [
        max(0, far - full) // 2 if padding == "SAME" else 0 for far, full in zip(reach, size, strict=True)
    ]
    return spread[first[0] : first[0] + size[0], first[1] : first[1] + size[1]]
