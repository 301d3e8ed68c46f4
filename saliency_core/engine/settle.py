"""From the raw graph of any format to the frozen one: no functions, variables or branches; plain names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from saliency_core.arrays import Array
from saliency_core.engine import nodes
from saliency_core.engine.channels_first import channels_last
from saliency_core.engine.inline import inlined
from saliency_core.engine.rewrites import (
    float_pixels,
    grouped_convolutions,
    own_gradients,
    without_idle_dropout,
)
from saliency_core.engine.switches import without_switches
from saliency_core.errors import ModelError

INPUT = "pixels"
Naming = Callable[[Sequence[str]], dict[str, str]]  # names in the raw graph -> names in ours
Values = Callable[[Sequence[str]], Mapping[str, Array]]  # variables or captured tensors -> what they hold
VARIABLES = {"VariableV2", "Variable", "VarHandleOp", "AutoReloadVariable"}


@dataclass
class Raw:
    """A graph as a format gives it: function library, variables and all."""

    graph: Any
    outputs: list[str]
    values: Values
    weights: nodes.Weights = field(default_factory=dict)


@dataclass
class Settled:
    """A graph of plain operations and constants."""

    graph: Any
    outputs: list[str]
    weights: nodes.Weights
    rules: tuple[tuple[str, str], ...]


def settled(raw: Raw, naming: Naming) -> Settled:
    """Write out functions, branches and variables, take out what only training needs, and name the rest."""
    graph, outputs = without_switches(raw.graph, raw.outputs)
    graph, outputs = inlined(graph, outputs)
    weights = dict(raw.weights)
    graph = _without_variables(graph, outputs, raw.values, weights)
    rules = own_gradients(graph)
    outputs = [_through_identities(graph, output) for output in outputs]
    graph = nodes.sorted_and_pruned(nodes.bypass_identities(graph), outputs)
    if all(node.name != INPUT for node in graph.node):
        raise ModelError("The output of this model does not depend on the image.")
    graph = float_pixels(graph, INPUT)
    graph = without_idle_dropout(graph, outputs, weights)
    graph = grouped_convolutions(graph, outputs, weights)
    graph = channels_last(graph, outputs)
    _refuse_placeholders(graph, weights)
    names = naming([node.name for node in graph.node])
    graph = nodes.rename(graph, names)
    graph.library.Clear()
    found = {names[name]: value for name, value in weights.items() if name in names}
    ends = [names[nodes.node_of(o)] + ":" + (o.partition(":")[2] or "0") for o in outputs]
    return Settled(graph, ends, found, rules)


def _without_variables(graph: Any, outputs: list[str], values: Values, weights: nodes.Weights) -> Any:
    """Put the value of each variable or captured tensor where it is read."""
    by_name = {node.name: node for node in graph.node}

    def root(name: str) -> str:
        node = by_name[nodes.node_of(name)]
        while node.op in ("Identity", "Enter"):
            node = by_name[nodes.node_of(node.input[0])]
        return str(node.name)

    held = [n.name for n in graph.node if _holds(n) and n.name not in weights]
    found = values(held)
    made = []
    for node in graph.node:
        if node.op == "ReadVariableOp" and root(node.input[0]) in found:
            made.append(nodes.kept(node.name, found[root(node.input[0])], weights))
        elif node.op == "ResourceGather" and root(node.input[0]) in found:
            made += _gather(node, found[root(node.input[0])], weights)
        elif node.name in found and node.op != "VarHandleOp" and not _is_resource(node):
            made.append(nodes.kept(node.name, found[node.name], weights))
        else:
            made.append(node)
    return nodes.replace_nodes(graph, made, outputs)


def _holds(node: Any) -> bool:
    return node.op in VARIABLES or (node.op == "Placeholder" and node.name != INPUT)


def _is_resource(node: Any) -> bool:
    from saliency_core.engine.runtime import tensorflow

    return bool(node.attr["dtype"].type == tensorflow().resource.as_datatype_enum)


def _gather(node: Any, table: Array, weights: nodes.Weights) -> list[Any]:
    import numpy as np

    rows = nodes.kept(f"{node.name}/table", table, weights)
    axis = nodes.constant(f"{node.name}/axis", np.array(0, np.int32))
    made = type(node)(name=node.name, op="GatherV2", input=[rows.name, node.input[1], axis.name])
    made.attr["Tparams"].CopyFrom(rows.attr["dtype"])
    made.attr["Tindices"].CopyFrom(node.attr["Tindices"])
    made.attr["Taxis"].CopyFrom(axis.attr["dtype"])
    return [rows, axis, made]


def _refuse_placeholders(graph: Any, weights: nodes.Weights) -> None:
    for node in graph.node:
        if node.op == "Placeholder" and node.name != INPUT and node.name not in weights:
            raise ModelError(
                f"The network needs a further input, {node.name[:80]!r}.",
                "Give it a fixed value: others={'name': value}.",
            )
        if node.op in VARIABLES or node.op == "ReadVariableOp":
            raise ModelError(f"The variable {node.name[:80]!r} has no value in this file.")


def _through_identities(graph: Any, name: str) -> str:
    by_name = {node.name: node for node in graph.node}
    while (node := by_name[nodes.node_of(name)]).op in ("Identity", "IdentityN"):
        name = node.input[int(name.partition(":")[2] or 0)]
    return nodes.tensor_of(name)
