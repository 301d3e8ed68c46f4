"""The gradient of a score by the first convolution's kernels, and its way back to the pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saliency_core.arrays import Array, Points
from saliency_core.engine import nodes
from saliency_core.engine.compiled import Compiled, Form
from saliency_core.engine.inspect import FirstConvolution
from saliency_core.engine.probe import EngineProbe
from saliency_core.errors import ModelError


@dataclass(frozen=True)
class KernelGradient:
    """What an optimiser would get, and what the same derivation gives for the pixels.

    kernel: (k, k, Cin, M), the score's gradient by the first kernels. at_output: (h, w, M), its
    gradient at the first layer's output. carried_back: (H, W, C), `at_output` through the transposed
    convolution to the raw pixels. gradient: (H, W, C), the pixel gradient. difference: the largest
    absolute difference of the last two, relative to the largest absolute pixel gradient.
    """

    layer: str
    kernel: Array
    at_output: Array
    carried_back: Array
    gradient: Array
    difference: float


def first_convolution(compiled: Compiled) -> tuple[FirstConvolution, Array]:
    """Return the first convolution and its kernel (k, k, Cin, M); raises ModelError when there is none."""
    first = compiled.anatomy.first
    if first is None:
        raise ModelError(
            "The model has no plain convolution with fixed kernels.",
            "Choose a convolutional network to see the gradient of its kernels.",
        )
    return first, compiled.run(Form("constant", (first.kernel_name,), 0))[0]


def kernel_gradient(compiled: Compiled, probe: EngineProbe, point: Points) -> KernelGradient:
    """Return the kernel gradient for one image (H, W, C) and the proof of how it relates to the pixels."""
    first, kernel = first_convolution(compiled)
    rows = compiled.anatomy.batch or 1
    batch = np.repeat(point[None], rows, 0)
    seeds = [seed[None] for seed in probe.question.seeds.values()]
    form = Form("kernel", probe.tensors, rows, first.kernel_name)
    by_kernel = compiled.run(form, batch, *seeds, kernel)[1] / rows
    _, at_output = probe.at_layer(point[None], nodes.tensor_of(first.name))
    arriving = np.repeat(at_output, rows, 0)
    (carried,) = compiled.run(Form("carried", (), rows, nodes.tensor_of(first.name)), batch, arriving)
    gradient = probe.gradient(point[None])
    largest = float(np.abs(gradient).max())
    gap = float(np.abs(carried[0] - gradient[0]).max())
    return KernelGradient(
        first.name, by_kernel, at_output[0], carried[0], gradient[0], gap / largest if largest else gap
    )
