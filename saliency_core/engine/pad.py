"""Zeros around an image that a convolution would add by itself: the step before it is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from saliency_core.arrays import Array
from saliency_core.engine import nodes

READERS = {"Conv2D", "DepthwiseConv2dNative"}


def fold_pads(
    graph: Any,
    outputs: list[str],
    shapes: Mapping[str, tuple[int, ...]],
    weights: Mapping[str, Array] = nodes.NONE,
) -> Any:
    """Return the graph without the pads whose zeros are those of SAME padding.

    `shapes` holds the shape for one image, (H, W, C), by tensor. A pad that something else reads, or
    that is an output, stays.
    """
    known = nodes.constants(graph, weights)
    by_name = {node.name: node for node in graph.node}
    reads = Counter(nodes.node_of(source) for node in graph.node for source in node.input)
    reads.update(nodes.node_of(name) for name in outputs)
    made = []
    for node in graph.node:
        pad = by_name[nodes.node_of(node.input[0])] if node.op in READERS else node
        if (
            node.op in READERS
            and pad.op == "Pad"
            and reads[pad.name] == 1
            and _is_same(node, pad, known, shapes)
        ):
            folded = type(node)()
            folded.CopyFrom(node)
            folded.input[0] = pad.input[0]
            folded.attr["padding"].s = b"SAME"
            node = folded
        made.append(node)
    return nodes.replace_nodes(graph, made, outputs)


def _is_same(node: Any, pad: Any, known: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Tell whether a pad and the VALID convolution behind it do what SAME padding does."""
    zeros = known.get(nodes.node_of(pad.input[1]))
    kernel = known.get(nodes.node_of(node.input[1]))
    extents = shapes.get(nodes.tensor_of(pad.input[0]))
    if zeros is None or kernel is None or extents is None or len(extents) != 3:
        return False
    plain = (
        nodes.attribute(node, "padding").s == b"VALID" and nodes.attribute(node, "data_format").s != b"NCHW"
    )
    if not plain or set(nodes.attribute(node, "dilations").list.i) - {1} or zeros[[0, 3]].any():
        return False
    steps = list(nodes.attribute(node, "strides").list.i)[1:3]
    wanted = [_same(*axis) for axis in zip(extents[:2], kernel.shape[:2], steps, strict=True)]
    return bool(np.array_equal(zeros[1:3], wanted))


def _same(extent: int, kernel: int, step: int) -> tuple[int, int]:
    """Return how many zeros SAME padding puts before and after an axis."""
    steps = -(-extent // step)
    total = max((steps - 1) * step + kernel - extent, 0)
    return total // 2, total - total // 2
