"""The gradient of a score by the first convolution's kernels, and its way back to the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from saliency_core.arrays import Array, Points
from saliency_core.engine import nodes
from saliency_core.engine.compiled import Compiled, Form
from saliency_core.engine.probe import EngineProbe
from saliency_core.engine.runtime import tensorflow
from saliency_core.errors import ModelError


@dataclass(frozen=True)
class FirstConvolution:
    """The first convolution that sees the image."""

    name: str
    kernel_name: str
    kernel: Array  # (k, k, Cin, M)
    source: str  # tensor that it convolves
    strides: tuple[int, ...]
    padding: str


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


def first_convolution(compiled: Compiled) -> FirstConvolution:
    """Find the first convolution with a constant kernel; raises ModelError when there is none."""
    known = nodes.constants(compiled.plain)
    by_name = {node.name: node for node in compiled.plain.node}
    for node in compiled.plain.node:
        if node.op == "Conv2D" and nodes.node_of(node.input[1]) in known:
            before = by_name[
                nodes.node_of(node.input[0])
            ].op  # a dilated kernel may hide behind a rearranged batch
            dilations = nodes.attribute(node, "dilations").list.i
            if before == "SpaceToBatchND" or any(extent != 1 for extent in dilations):
                break
            name = nodes.node_of(node.input[1])
            strides = tuple(nodes.attribute(node, "strides").list.i)
            padding = nodes.attribute(node, "padding").s.decode()
            source = nodes.tensor_of(node.input[0])
            return FirstConvolution(node.name, name, np.asarray(known[name]), source, strides, padding)
    raise ModelError(
        "The model has no plain convolution with fixed kernels.",
        "Choose a convolutional network to see the gradient of its kernels.",
    )


def kernel_gradient(compiled: Compiled, probe: EngineProbe, point: Points) -> KernelGradient:
    """Return the kernel gradient for one image (H, W, C) and the proof of how it relates to the pixels."""
    first = first_convolution(compiled)
    batch = point[None]
    seeds = [seed[None] for seed in probe.question.seeds.values()]
    form = Form("kernel", probe.tensors, 1, first.kernel_name)
    _, by_kernel = compiled.run(form, batch, *seeds, first.kernel)
    _, at_output = probe.at_layer(batch, nodes.tensor_of(first.name))
    carried = _carried_back(compiled, first, batch, at_output)
    gradient = probe.gradient(batch)
    largest = float(np.abs(gradient).max())
    gap = float(np.abs(carried - gradient).max()) / largest if largest else float(np.abs(carried).max())
    return KernelGradient(first.name, by_kernel, at_output[0], carried[0], gradient[0], gap)


def _carried_back(compiled: Compiled, first: FirstConvolution, batch: Points, at_output: Array) -> Array:
    """Return the gradient at the first output through the transposed convolution, to the raw pixels."""
    tf = tensorflow()

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def back(pixels: Any, delta: Any) -> Any:
        (source,) = tf.graph_util.import_graph_def(
            compiled.plain, {f"{compiled.frozen.input}:0": pixels}, [first.source], name=""
        )
        spread = tf.nn.conv2d_transpose(
            delta, first.kernel, tf.shape(source), first.strides, padding=first.padding
        )
        if source is pixels:
            return spread
        return tf.gradients(source, pixels, grad_ys=spread)[0]

    return np.asarray(back(tf.constant(batch), tf.constant(at_output)).numpy())
