"""What a frozen graph tells about itself: activations, steps before the first layer, training left on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from saliency_core.engine import nodes
from saliency_core.engine.freeze import Frozen
from saliency_core.models.description import Description

ACTIVATIONS = (
    "Relu",
    "Relu6",
    "LeakyRelu",
    "Elu",
    "Selu",
    "Softplus",
    "Softsign",
    "Tanh",
    "Sigmoid",
    "Erf",
    "Erfc",
)
ARITHMETIC = {"Add", "AddV2", "Sub", "Mul", "RealDiv", "Div", "BiasAdd"}
BEFORE = ARITHMETIC | {
    "Cast", "ExpandDims", "Identity", "Pad", "PadV2", "MirrorPad", "Reshape", "ResizeBilinear", "Maximum",
    "ResizeNearestNeighbor", "ReverseV2", "Squeeze", "StridedSlice", "Transpose", "ConcatV2", "Pack",
    "Unpack", "Split", "ClipByValue", "Minimum", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxArgs",
}  # fmt: skip
RANDOM = ("RandomUniform", "RandomStandardNormal", "TruncatedNormal", "StatelessRandom", "RandomGamma")


def described(frozen: Frozen, known: Description) -> Description:
    """Return the description with what the graph shows."""
    graph = nodes.parse_graph(frozen.graph)
    constants = {node.name for node in graph.node if node.op == "Const"} | set(frozen.weights)
    rules = (*known.custom_gradients, *_rounded(graph))
    return replace(
        known,
        activations=activations(graph),
        preprocessing_inside=preprocessing_inside(graph, frozen.input, constants),
        training=training(graph),
        custom_gradients=rules,
    )


def activations(graph: Any) -> dict[str, int]:
    """Count the activations of each kind; x times sigmoid of x is one Swish, not a Sigmoid."""
    by_name = {node.name: node for node in graph.node}
    counts = Counter(node.op for node in graph.node if node.op in ACTIVATIONS)
    swishes = 0
    for node in graph.node:
        if node.op != "Mul":
            continue
        for one, other in (node.input, list(node.input)[::-1]):
            gate = by_name[nodes.node_of(one)]
            if gate.op == "Sigmoid" and _same_source(gate.input[0], other, by_name):
                swishes += 1
                break
    counts["Sigmoid"] -= swishes
    counts["Swish"] = swishes
    counts["Gelu"] = counts.pop("Erf", 0) + counts.pop("Erfc", 0)
    return {kind: count for kind, count in sorted(counts.items()) if count > 0}


def _same_source(name: str, other: str, by_name: dict[str, Any]) -> bool:
    """Tell whether a sigmoid's input is the other factor, perhaps times a fixed beta."""
    if nodes.tensor_of(name) == nodes.tensor_of(other):
        return True
    node = by_name[nodes.node_of(name)]
    return node.op == "Mul" and nodes.tensor_of(other) in map(nodes.tensor_of, node.input)


def preprocessing_inside(graph: Any, source: str, constants: set[str]) -> str:
    """Name the arithmetic that the network itself does on the pixels before its first layer."""
    inside = {source}
    found = []
    for node in graph.node:
        data = [nodes.node_of(name) for name in nodes.data_inputs(node)]
        if not any(name in inside for name in data):
            continue
        fixed = all(name in inside or name in constants for name in data)
        if node.op in BEFORE and fixed:
            inside.add(node.name)
            if node.op in ARITHMETIC and not node.name.startswith("preprocessing"):
                found.append(f"{node.op} ({node.name[:80]})")
    return ", ".join(found[:6])


def training(graph: Any) -> tuple[str, ...]:
    """Name the operations that behave as in training: random ones, batch norms of the batch's own mean."""
    found = []
    for node in graph.node:
        if node.op.startswith(RANDOM):
            found.append(f"{node.name[:120]}: random numbers (dropout or noise)")
        if node.op.startswith("FusedBatchNorm") and (
            "is_training" not in node.attr or node.attr["is_training"].b
        ):
            found.append(f"{node.name[:120]}: batch norm in training mode")
    return tuple(found)


def _rounded(graph: Any) -> tuple[str, ...]:
    count = sum(node.op.startswith("FakeQuant") for node in graph.node)
    if not count:
        return ()
    return (f"{count} FakeQuant operations round; the gradient passes inside their range",)
