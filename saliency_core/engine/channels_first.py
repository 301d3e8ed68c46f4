"""Channels first is turned into channels last, the only order in which the CPU can convolve."""

from __future__ import annotations

from typing import Any

import numpy as np

from saliency_core.engine import nodes
from saliency_core.engine.runtime import tensorflow

LAST, FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
LISTS = ("strides", "dilations", "ksize")


def channels_last(graph: Any, outputs: list[str]) -> Any:
    """Return the graph with each operation in channels-first order between two transpositions."""
    made: list[Any] = []
    turned = False
    for node in graph.node:
        if "data_format" not in node.attr or node.attr["data_format"].s != b"NCHW":
            made.append(node)
            continue
        turned = True
        made += _bias(node) if node.op == "BiasAdd" else _between(node)
    if not turned:
        return graph
    return nodes.sorted_and_pruned(_without_pairs(nodes.with_nodes(graph, made)), outputs)


def _between(node: Any) -> list[Any]:
    order, back = _order(f"{node.name}/last", LAST), _order(f"{node.name}/first", FIRST)
    data = 2 if node.op == "Conv2DBackpropInput" else 0
    into = _transpose(f"{node.name}/channels_last", node.input[data], order.name, node)
    inner = type(node)()
    inner.CopyFrom(node)
    inner.name = f"{node.name}/inner"
    inner.input[data] = into.name
    inner.attr["data_format"].s = b"NHWC"
    for name in LISTS:
        if len(numbers := list(nodes.attribute(node, name).list.i)) == 4:
            inner.attr[name].list.i[:] = [numbers[place] for place in LAST]
    pads = list(nodes.attribute(node, "explicit_paddings").list.i)
    if len(pads) == 8:
        inner.attr["explicit_paddings"].list.i[:] = [pads[2 * p + e] for p in LAST for e in (0, 1)]
    out = _transpose(node.name, inner.name, back.name, node)
    return [order, back, into, inner, out]


def _bias(node: Any) -> list[Any]:
    """A bias for each channel needs no transposition: it is given the axes that follow."""
    shape = nodes.constant(f"{node.name}/shape", np.array([-1, 1, 1], np.int32))
    wide = type(node)(name=f"{node.name}/wide", op="Reshape", input=[node.input[1], shape.name])
    wide.attr["T"].CopyFrom(node.attr["T"])
    wide.attr["Tshape"].type = tensorflow().int32.as_datatype_enum
    total = type(node)(name=node.name, op="AddV2", input=[node.input[0], wide.name])
    total.attr["T"].CopyFrom(node.attr["T"])
    return [shape, wide, total]


def _order(name: str, order: tuple[int, ...]) -> Any:
    return nodes.constant(f"{name}_order", np.array(order, np.int32))


def _transpose(name: str, source: str, order: str, node: Any) -> Any:
    made = type(node)(name=name, op="Transpose", input=[source, order])
    made.attr["T"].CopyFrom(node.attr["T"])
    made.attr["Tperm"].type = tensorflow().int32.as_datatype_enum
    return made


def _without_pairs(graph: Any) -> Any:
    """Let a transposition that undoes the one before it be passed by."""
    by_name = {node.name: node for node in graph.node}
    for node in graph.node:
        if not node.name.endswith("/channels_last"):
            continue
        before = by_name.get(nodes.node_of(node.input[0]))
        if before is not None and before.op == "Transpose" and f"{before.name}/first_order" in before.input:
            node.op = "Identity"
            source = before.input[0]
            del node.input[:]
            node.input.append(source)
            node.attr.pop("Tperm", None)
    return nodes.bypass_identities(graph)
