"""From the first convolution's output back to the raw pixels, without TensorFlow's own derivative of it."""

from __future__ import annotations

import numpy as np

from saliency_core.arrays import Array, Points, Values
from saliency_core.checks.transposed import transposed_convolution
from saliency_core.engine.compiled import Compiled, Form
from saliency_core.engine.kernels import first_convolution
from saliency_core.errors import ModelError


def way_back(compiled: Compiled, point: Points, delta: Array) -> Values:
    """Carry a gradient at the first convolution's output (h, w, M) back to the raw pixels (H, W, C).

    The convolution is gone through by NumPy in float64; what lies before it - preprocessing, padding - by
    TensorFlow. `point` is (H, W, C). Raises ModelError when there is no plain convolution or `delta` has
    another shape than its output.
    """
    first, kernel = first_convolution(compiled)
    expected = compiled.anatomy.tensors[f"{first.name}:0"]
    if delta.shape != expected:
        raise ModelError(f"The gradient is {delta.shape}, the first convolution's output {expected}.")
    rows, cols, _ = compiled.anatomy.tensors.get(first.source, compiled.frozen.shape)
    strides = (int(first.strides[1]), int(first.strides[2]))
    spread = transposed_convolution(delta, kernel, (rows, cols), strides, first.padding)
    count = compiled.anatomy.batch or 1
    arrays = (np.repeat(one[None], count, 0) for one in (point, spread.astype(np.float32)))
    values: Values = compiled.run(Form("back", (), count, first.source), *arrays)[0][0]
    return values
