"""The transposed convolution by hand: the worked example, and the law that makes it the way back."""

from __future__ import annotations

import numpy as np
import pytest

from saliency_core.checks.transposed import transposed_convolution
from saliency_core.errors import ModelError


def test_the_worked_example() -> None:
    delta = np.zeros((4, 4, 1))
    delta[1, 1, 0] = 1
    back = transposed_convolution(delta, np.ones((3, 3, 1, 1)), (4, 4), (1, 1), "SAME")
    assert back[..., 0].tolist() == [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (1, 3)])
@pytest.mark.parametrize("side", [(1, 1), (3, 3), (2, 5)])
@pytest.mark.parametrize("size", [(7, 9), (8, 6)])
def test_it_is_the_adjoint(
    size: tuple[int, int], side: tuple[int, int], strides: tuple[int, int], padding: str
) -> None:
    """For every image x and output gradient d: <conv(x), d> = <x, back(d)>, up to float64 rounding."""
    rng = np.random.default_rng(0)
    image, kernel = rng.normal(size=(*size, 2)), rng.normal(size=(*side, 2, 4))
    output = convolution(image, kernel, strides, padding)
    delta = rng.normal(size=output.shape)
    back = transposed_convolution(delta, kernel, size, strides, padding)
    assert back.shape == image.shape
    assert (output * delta).sum() == pytest.approx((image * back).sum(), rel=1e-12, abs=1e-9)


def test_other_paddings_are_refused() -> None:
    with pytest.raises(ModelError, match="EXPLICIT"):
        transposed_convolution(np.ones((1, 1, 1)), np.ones((1, 1, 1, 1)), (1, 1), (1, 1), "EXPLICIT")


def convolution(image: np.ndarray, kernel: np.ndarray, strides: tuple[int, int], padding: str) -> np.ndarray:
    """Convolve by looking at one window after the other, padded as TensorFlow documents it."""
    sides = kernel.shape[:2]
    if padding == "SAME":
        cells = [-(-extent // step) for extent, step in zip(image.shape, strides, strict=False)]
        rows = zip(cells, strides, sides, image.shape, strict=False)
        missing = [max(0, (n - 1) * step + side - extent) for n, step, side, extent in rows]
        image = np.pad(image, [*((m // 2, m - m // 2) for m in missing), (0, 0)])
    cells = [(e - side) // step + 1 for e, side, step in zip(image.shape, sides, strides, strict=False)]
    output = np.zeros((*cells, kernel.shape[3]))
    for row, col in np.ndindex(*cells):
        top, left = row * strides[0], col * strides[1]
        window = image[top : top + sides[0], left : left + sides[1]]
        output[row, col] = np.einsum("abc,abcm->m", window, kernel)
    return output
