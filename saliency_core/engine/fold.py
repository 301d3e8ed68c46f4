"""Batch norms folded into the convolutions before them: the same numbers from fewer steps."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from saliency_core.arrays import Array
from saliency_core.engine import nodes
from saliency_core.engine.runtime import tensorflow

KERNEL_OPS = {"Conv2D": -1, "MatMul": -1, "DepthwiseConv2dNative": 2}
STEPS = {"BiasAdd", "Add", "AddV2", "Sub", "Mul"}


def tidy(graph: Any, outputs: list[str], weights: nodes.Weights | None = None) -> Any:
    """Return the graph with constants computed and inference batch norms written as multiply and add."""
    graph = nodes.sorted_and_pruned(nodes.fold_constants(graph, weights), outputs)
    split = _split_fused_norms(graph, weights)
    return graph if split is None else nodes.replace_nodes(graph, split, outputs)


def fold_norms(graph: Any, outputs: list[str], weights: nodes.Weights | None = None) -> Any:
    """Return the graph with per-channel multiplications and additions moved into the kernels before them."""
    known = nodes.constants(graph, weights or {})
    readers = _readers(graph, outputs)
    by_name = {node.name: node for node in graph.node}
    made = {node.name: node for node in graph.node}
    for node in graph.node:
        if node.op not in KERNEL_OPS or nodes.node_of(node.input[1]) not in known or _not_plain(node):
            continue
        chain = _Chain(node, np.asarray(known[nodes.node_of(node.input[1])]))
        chain.follow(by_name, readers, known)
        if chain.scaled:
            made.update({one.name: one for one in chain.write(weights)})
    return nodes.replace_nodes(graph, made.values(), outputs)


@dataclass
class _Chain:
    """A convolution and the per-channel steps behind it, gathered into one scale and one shift."""

    start: Any
    kernel: Array
    steps: list[Any] = field(default_factory=list)
    scaled: bool = False

    def __post_init__(self) -> None:
        self.channels = _output_channels(self.start.op, self.kernel)
        self.scale = np.ones(self.channels)
        self.shift = np.zeros(self.channels)

    def follow(self, by_name: dict[str, Any], readers: dict[str, list[Any]], known: dict[str, Array]) -> None:
        last = self.start
        while len(readers[last.name]) == 1 and (step := readers[last.name][0]).op in STEPS:
            vector = self._other_operand(step, last.name, known)
            if vector is None:
                return
            if step.op == "Mul":
                self.scale, self.shift = self.scale * vector, self.shift * vector
                self.scaled = True
            else:
                self.shift = self.shift + (-vector if step.op == "Sub" else vector)
            self.steps.append(step)
            last = step

    def _other_operand(self, step: Any, name: str, known: dict[str, Array]) -> Array | None:
        """Return the constant vector of a step, or None when it is not one number a channel."""
        first, second = (nodes.node_of(source) for source in step.input)
        if step.op == "Sub" and first != name:
            return None
        other = second if first == name else first
        value = known.get(other)
        if value is None or value.dtype != np.float32 or nodes.attribute(step, "data_format").s == b"NCHW":
            return None
        if value.ndim > (2 if self.start.op == "MatMul" else 4):
            return None  # the step adds an axis
        if value.size == 1:
            return np.full(self.channels, float(value.reshape(())))
        whole = value.size == self.channels == value.shape[-1]
        return value.astype(np.float64).reshape(-1) if whole else None

    def write(self, weights: nodes.Weights | None = None) -> list[Any]:
        """Return the scaled kernel, the convolution, and one bias under the name of the last step."""
        kernel = _scaled(self.start.op, self.kernel.astype(np.float64), self.scale)
        scaled = nodes.kept(f"{self.start.name}/folded_kernel", kernel.astype(np.float32), weights)
        shift = nodes.constant(f"{self.start.name}/folded_bias", self.shift.astype(np.float32))
        folded = type(self.start)()
        folded.CopyFrom(self.start)
        folded.name = f"{self.start.name}/folded"
        folded.input[1] = scaled.name
        bias = type(self.start)(name=self.steps[-1].name, op="BiasAdd", input=[folded.name, shift.name])
        bias.attr["T"].CopyFrom(self.start.attr["T"])
        return [scaled, shift, folded, bias]


def _not_plain(node: Any) -> bool:
    """Tell whether a kernel is used transposed or channels-first, where the last axis is not the output."""
    return bool(nodes.attribute(node, "transpose_b").b) or nodes.attribute(node, "data_format").s == b"NCHW"


def _output_channels(op: str, kernel: Array) -> int:
    return int(kernel.shape[2] * kernel.shape[3]) if op == "DepthwiseConv2dNative" else int(kernel.shape[-1])


def _scaled(op: str, kernel: Array, scale: Array) -> Array:
    return kernel * (scale.reshape(kernel.shape[2:]) if op == "DepthwiseConv2dNative" else scale)


def _readers(graph: Any, outputs: list[str]) -> dict[str, list[Any]]:
    """Return who reads each node; an output counts as a reader so that it is never folded away."""
    readers: dict[str, list[Any]] = defaultdict(list)
    for node in graph.node:
        for source in node.input:
            readers[nodes.node_of(source)].append(node)
    for name in outputs:
        readers[nodes.node_of(name)].append(type(graph.node[0])(op="Output"))
    return readers


def _is_fixed_norm(node: Any) -> bool:
    """Tell whether a node is a batch norm at inference, in float32 and with the channels last."""
    return (
        node.op.startswith("FusedBatchNorm")
        and "epsilon" in node.attr
        and "is_training" in node.attr
        and not node.attr["is_training"].b
        and nodes.attribute(node, "data_format").s != b"NCHW"
        and node.attr["T"].type == tensorflow().float32.as_datatype_enum
    )


def _split_fused_norms(graph: Any, weights: nodes.Weights | None = None) -> list[Any] | None:
    """Return the nodes with each FusedBatchNorm of constants as Mul and AddV2, or None if there is none."""
    known = nodes.constants(graph, weights or {})
    made: list[Any] = []
    found = False
    for node in graph.node:
        parts = [known.get(nodes.node_of(source)) for source in node.input[1:]]
        if not _is_fixed_norm(node) or any(p is None for p in parts):
            made.append(node)
            continue
        found = True
        gamma, beta, mean, variance = (np.asarray(part, np.float64) for part in parts)
        factor = gamma / np.sqrt(variance + nodes.attribute(node, "epsilon").f)
        scale = nodes.constant(f"{node.name}/scale", factor.astype(np.float32))
        shift = nodes.constant(f"{node.name}/shift", (beta - mean * factor).astype(np.float32))
        product = type(node)(name=f"{node.name}/product", op="Mul", input=[node.input[0], scale.name])
        total = type(node)(name=node.name, op="AddV2", input=[product.name, shift.name])
        for one in (product, total):
            one.attr["T"].type = tensorflow().float32.as_datatype_enum
        made += [scale, shift, product, total]
    return made if found else None
