"""From the first convolution's output back to the raw pixels, without TensorFlow's own derivative of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from saliency_core.arrays import Array, Points, Values
from saliency_core.checks.transposed import transposed_convolution
from saliency_core.engine.compiled import Compiled
from saliency_core.engine.kernels import first_convolution
from saliency_core.engine.runtime import tensorflow
from saliency_core.errors import ModelError


def way_back(compiled: Compiled, point: Points, delta: Array) -> Values:
    """Carry a gradient at the first convolution's output (h, w, M) back to the raw pixels (H, W, C).

    The convolution is gone through by NumPy in float64; what lies before it - preprocessing, padding - by
    TensorFlow. `point` is (H, W, C). Raises ModelError when there is no plain convolution or `delta` has
    another shape than its output.
    """
    first = first_convolution(compiled)
    expected = compiled.anatomy.tensors[f"{first.name}:0"]
    if delta.shape != expected:
        raise ModelError(f"The gradient is {delta.shape}, the first convolution's output {expected}.")
    rows, cols, _ = compiled.anatomy.tensors.get(first.source, compiled.frozen.shape)
    strides = (int(first.strides[1]), int(first.strides[2]))
    spread = transposed_convolution(delta, first.kernel, (rows, cols), strides, first.padding)
    return _to_pixels(compiled, first.source, point[None], spread[None].astype(np.float32))


def _to_pixels(compiled: Compiled, source: str, batch: Points, spread: Array) -> Values:
    """Carry a gradient at what the first convolution sees back to the raw pixels."""
    tf = tensorflow()

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def back(pixels: Any, given: Any) -> Any:
        (seen,) = tf.graph_util.import_graph_def(
            compiled.plain, {f"{compiled.frozen.input}:0": pixels}, [source], name=""
        )
        return given if seen is pixels else tf.gradients(seen, pixels, grad_ys=given)[0]

    return np.asarray(back(tf.constant(batch), tf.constant(spread)).numpy()[0])
