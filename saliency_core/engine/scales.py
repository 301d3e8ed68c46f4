"""Preprocessing in front of a convolution, moved into its kernel: one addition is left of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from saliency_core.arrays import Array
from saliency_core.engine import nodes

READERS = ("Conv2D", "DepthwiseConv2dNative")
COMMUTE = ("Mul", "Add", "AddV2")
STEPS = (*COMMUTE, "Sub", "RealDiv")


def fold_scales(
    graph: Any,
    outputs: list[str],
    shapes: Mapping[str, tuple[int, ...]],
    weights: nodes.Weights | None = None,
) -> Any:
    """Return the graph with factors of whole channels in front of a convolution moved into its kernel.

    scale * x + shift becomes x + shift / scale, with the kernel times the scale. Zeros that the convolution
    adds around stay zeros. `shapes` holds the shape for one image, (H, W, C), by tensor. A step that
    something else reads, that is an output, or that makes channels of one, stays.
    """
    known = nodes.constants(graph, weights or {})
    by_name = {node.name: node for node in graph.node}
    reads = Counter(nodes.node_of(source) for node in graph.node for source in node.input)
    reads.update(nodes.node_of(name) for name in outputs)
    alone = {name for name, many in reads.items() if many == 1}
    made: list[Any] = []
    for node in graph.node:
        kernel = known.get(nodes.node_of(node.input[1])) if node.op in READERS else None
        if kernel is None or kernel.dtype != np.float32 or nodes.attribute(node, "data_format").s == b"NCHW":
            made.append(node)
            continue
        source, scale, shift = _before(node.input[0], kernel.shape[2], by_name, alone, known, shapes)
        useful = np.any(scale != 1) and np.all(scale != 0) and np.isfinite([scale, shift / scale]).all()
        made += _rewritten(node, kernel, source, scale, shift / scale, weights) if useful else [node]
    return nodes.replace_nodes(graph, made, outputs)


def _before(
    source: str,
    channels: int,
    by_name: Mapping[str, Any],
    alone: set[str],
    known: Mapping[str, Array],
    shapes: Mapping[str, tuple[int, ...]],
) -> tuple[str, Array, Array]:
    """Return the tensor that the steps before a convolution begin at, and what they do: scale and shift."""
    scale, shift = np.ones(channels), np.zeros(channels)
    while (step := by_name[nodes.node_of(source)]).op in STEPS and step.name in alone:
        before, other = step.input[:2]
        if step.op in COMMUTE and nodes.node_of(before) in known:
            before, other = other, before
        vector = _by_channel(known.get(nodes.node_of(other)), channels)
        shape = shapes.get(nodes.tensor_of(before), ())
        if vector is None or len(shape) != 3 or shape[-1] != channels:
            break
        if step.op in ("Mul", "RealDiv"):
            scale = scale * vector if step.op == "Mul" else scale / np.where(vector == 0, np.nan, vector)
        else:
            shift = shift + scale * (-vector if step.op == "Sub" else vector)
        source = before
    return source, scale, shift


def _by_channel(value: Array | None, channels: int) -> Array | None:
    """Return a constant as one number a channel in float64, or None where it is something else."""
    if value is None or value.dtype != np.float32 or value.ndim > 4:
        return None
    if value.size == 1:
        return np.full(channels, float(value.reshape(())))
    whole = value.size == channels == value.shape[-1]
    return value.astype(np.float64).reshape(-1) if whole else None


def _rewritten(
    node: Any, kernel: Array, source: str, scale: Array, shift: Array, weights: nodes.Weights | None
) -> list[Any]:
    """Return the convolution with the scaled kernel, and the addition before it where one is left."""
    product = (kernel.astype(np.float64) * scale[:, None]).astype(np.float32)
    scaled = nodes.kept(f"{node.name}/scaled_kernel", product, weights)
    folded = type(node)()
    folded.CopyFrom(node)
    folded.input[0], folded.input[1] = source, scaled.name
    if not shift.any():
        return [scaled, folded]
    added = nodes.constant(f"{node.name}/added", shift.astype(np.float32))
    total = type(node)(name=f"{node.name}/shifted", op="AddV2", input=[source, added.name])
    total.attr["T"].CopyFrom(node.attr["T"])
    folded.input[0] = total.name
    return [scaled, added, total, folded]
