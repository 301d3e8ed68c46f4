"""The way back through a convolution of stride 1 as another convolution, which TensorFlow runs faster."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from saliency_core.arrays import Array
from saliency_core.engine import nodes
from saliency_core.engine.runtime import tensorflow

ATTRIBUTE = "_gradient_op_type"
NAMES = {"Conv2D": "SaliencyConvolution", "DepthwiseConv2dNative": "SaliencyDepthwise"}


def quick_backward(graph: Any, weights: Mapping[str, Array] = nodes.NONE) -> Any:
    """Return the graph with its plain convolutions marked: stride 1, SAME, odd constant kernels, no dilation.

    Their derivative by the input is the convolution of the output gradient with the kernel turned by
    half a turn, inputs and outputs exchanged within each group. The kernel's own derivative is not offered.
    """
    _register()
    known = nodes.constants(graph, weights)
    made = type(graph)()
    made.CopyFrom(graph)
    for node in made.node:
        if node.op in NAMES and _plain(node, known.get(nodes.node_of(node.input[1]))):
            node.attr[ATTRIBUTE].s = NAMES[node.op].encode()
    return made


def _plain(node: Any, kernel: Any) -> bool:
    if kernel is None or kernel.shape[0] % 2 == 0 or kernel.shape[1] % 2 == 0:
        return False
    if node.op == "DepthwiseConv2dNative" and kernel.shape[3] != 1:
        return False
    single = all(extent == 1 for extent in nodes.attribute(node, "strides").list.i)
    dense = all(extent == 1 for extent in nodes.attribute(node, "dilations").list.i)
    padding = nodes.attribute(node, "padding").s
    same = padding == b"SAME" or (padding == b"VALID" and kernel.shape[:2] == (1, 1))
    return single and dense and same and nodes.attribute(node, "data_format").s in (b"", b"NHWC")


@cache
def _register() -> None:
    tf = tensorflow()

    def convolution(op: Any, gradient: Any) -> list[Any]:
        image, kernel = op.inputs
        high, wide, inner, outer = kernel.shape
        groups = image.shape[-1] // inner
        turned = tf.reshape(tf.reverse(kernel, [0, 1]), [high, wide, inner, groups, outer // groups])
        turned = tf.reshape(
            tf.transpose(turned, [0, 1, 4, 3, 2]), [high, wide, outer // groups, groups * inner]
        )
        return [tf.nn.conv2d(gradient, turned, 1, "SAME"), None]

    def depthwise(op: Any, gradient: Any) -> list[Any]:
        turned = tf.reverse(op.inputs[1], [0, 1])
        return [tf.nn.depthwise_conv2d(gradient, turned, [1, 1, 1, 1], "SAME"), None]

    tf.RegisterGradient(NAMES["Conv2D"])(convolution)
    tf.RegisterGradient(NAMES["DepthwiseConv2dNative"])(depthwise)
