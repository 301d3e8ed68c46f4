"""A GraphDef as plain lists of nodes: order, pruning, constants, names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from saliency_core.arrays import Array
from saliency_core.engine.runtime import tensorflow
from saliency_core.errors import ModelError

Weights = dict[str, Array]  # large constants by the name of their node
NONE: Mapping[str, Array] = MappingProxyType({})
LARGE = 65_536  # elements; a constant of as many or more is kept beside the graph, not in it
LARGEST_CONSTANT = 16_000_000  # elements that folding may create; larger ones stay computed


def node_of(tensor: str) -> str:
    """Return the node name of a tensor or input name: `^a`, `a:1` and `a` are all node `a`."""
    return tensor.lstrip("^").split(":", 1)[0]


def tensor_of(name: str) -> str:
    """Return the full tensor name, `a` becoming `a:0`."""
    return name if ":" in name else f"{name}:0"


def parse_graph(data: bytes) -> Any:
    """Read a serialized GraphDef."""
    graph = tensorflow().compat.v1.GraphDef()
    graph.ParseFromString(data)
    return graph


def data_inputs(node: Any) -> list[str]:
    """Return the inputs of a node that carry numbers, not control edges."""
    return [name for name in node.input if not name.startswith("^")]


def attribute(node: Any, name: str) -> Any:
    """Return an attribute of a node, empty when absent; plain indexing would write an empty one."""
    return node.attr[name] if name in node.attr else tensorflow().compat.v1.AttrValue()


def sorted_and_pruned(graph: Any, outputs: Iterable[str]) -> Any:
    """Return the nodes that the outputs need, in topological order, without control edges."""
    by_name = {node.name: node for node in graph.node}
    order: list[str] = []
    state: dict[str, int] = {}
    stack = [node_of(name) for name in outputs][::-1]
    while stack:
        name = stack[-1]
        if state.get(name) == 2:
            stack.pop()
            continue
        if name not in by_name:
            raise ModelError(f"The graph names a tensor {name[:80]!r} that it does not hold.")
        below = [node_of(source) for source in data_inputs(by_name[name])]
        waiting = [source for source in below if state.get(source) != 2]
        if not waiting:
            state[name] = 2
            order.append(stack.pop())
        elif state.get(name) == 1:
            raise ModelError("The graph has a cycle.", "Loops inside the network are not supported.")
        else:
            state[name] = 1
            stack.extend(waiting)
    return with_nodes(graph, (by_name[name] for name in order))


def with_nodes(graph: Any, nodes: Iterable[Any]) -> Any:
    """Return a graph of copies of these nodes, without control edges."""
    made = type(graph)()
    made.versions.CopyFrom(graph.versions)
    if len(graph.library.function):
        made.library.CopyFrom(graph.library)
    for node in nodes:
        copy = made.node.add()
        copy.CopyFrom(node)
        inputs = data_inputs(node)
        del copy.input[:]
        copy.input.extend(inputs)
        copy.attr.pop("_class", None)
    return made


def bypass_identities(graph: Any) -> Any:
    """Return the graph with Identity and IdentityN nodes taken out.

    Functions with a gradient of their own in Python (swish is one) leave an IdentityN behind that names
    that Python function; a graph cannot carry it, and the steps before it have the same derivative.
    """
    source = {
        f"{node.name}:{port}": tensor_of(name)
        for node in graph.node
        if node.op in ("Identity", "IdentityN")
        for port, name in enumerate(data_inputs(node))
    }

    def root(name: str) -> str:
        tensor = tensor_of(name)
        while tensor in source:
            tensor = source[tensor]
        return tensor.removesuffix(":0")

    made = with_nodes(graph, (node for node in graph.node if node.op not in ("Identity", "IdentityN")))
    for node in made.node:
        for index, name in enumerate(node.input):
            node.input[index] = root(name)
    return made


def rename(graph: Any, names: dict[str, str]) -> Any:
    """Return the graph with every node renamed."""
    made = with_nodes(graph, graph.node)
    for node in made.node:
        node.name = names[node.name]
        for index, name in enumerate(node.input):
            base, colon, port = name.partition(":")
            node.input[index] = names[base] + colon + port
    return made


def constant(name: str, value: Array) -> Any:
    """Return a Const node."""
    tf = tensorflow()
    node = tf.compat.v1.NodeDef(name=name, op="Const")
    node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    return node


def kept(name: str, value: Array, weights: Weights | None) -> Any:
    """Return a node for a constant: itself, or a placeholder when it is large and goes to `weights`."""
    if weights is None:
        return constant(name, value)
    if value.size < LARGE or value.dtype.kind not in "fV":
        weights.pop(name, None)
        return constant(name, value)
    weights[name] = value
    tf = tensorflow()
    node = tf.compat.v1.NodeDef(name=name, op="Placeholder")
    node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
    node.attr["shape"].shape.CopyFrom(tf.TensorShape(value.shape).as_proto())
    return node


def take_weights(graph: Any) -> Weights:
    """Move the large constants of a graph out of it, in place, and return them."""
    make, found = tensorflow().make_ndarray, Weights()
    for node in graph.node:
        if node.op == "Const" and node.attr["value"].ByteSize() > 4 * LARGE:
            value = make(node.attr["value"].tensor)
            if value.size >= LARGE and value.dtype.kind in "fV":
                node.CopyFrom(kept(node.name, value, found))
    return found


def whole(graph: Any, weights: Mapping[str, Array]) -> Any:
    """Return a copy of the graph with all its constants inside."""
    return with_nodes(
        graph, (constant(n.name, weights[n.name]) if n.name in weights else n for n in graph.node)
    )


def constants(graph: Any, weights: Mapping[str, Array] = NONE) -> dict[str, Array]:
    """Return the value of every constant of a graph, by name."""
    make = tensorflow().make_ndarray
    small = {node.name: make(node.attr["value"].tensor) for node in graph.node if node.op == "Const"}
    return {**small, **{node.name: weights[node.name] for node in graph.node if node.name in weights}}


def fold_constants(graph: Any, weights: Weights | None = None) -> Any:
    """Return the graph with everything that does not depend on the image computed beforehand.

    Large results go to `weights`.
    """
    given = weights or {}
    fixed = _fixed_nodes(graph, given)
    used = {node_of(name) for node in graph.node if node.name not in fixed for name in node.input}
    edge = [
        node.name
        for node in graph.node
        if node.name in fixed and node.name in used and node.op != "Const" and node.name not in given
    ]
    if not edge:
        return graph
    several = {node_of(s) for n in graph.node for s in n.input if ":" in s and not s.endswith(":0")}
    single = [name for name in edge if name not in several]
    tf = tensorflow()
    with tf.Graph().as_default() as space:
        tf.graph_util.import_graph_def(with_nodes(graph, (n for n in graph.node if n.name in fixed)), name="")
        feeds = {f"{name}:0": given[name] for name in fixed if name in given}
        with tf.compat.v1.Session(graph=space) as session:
            found = dict(zip(single, session.run([tensor_of(name) for name in single], feeds), strict=True))
    ready = {name: np.asarray(value) for name, value in found.items() if value.size <= LARGEST_CONSTANT}
    return with_nodes(
        graph, (kept(n.name, ready[n.name], weights) if n.name in ready else n for n in graph.node)
    )


def is_pure(node: Any) -> bool:
    """Tell whether an operation gives the same answer every time and does nothing else."""
    from tensorflow.python.framework import op_def_registry

    if node.op == "Const":
        return True
    known = op_def_registry.get(node.op)
    drawn = node.op.startswith(
        ("Stateless", "Placeholder")
    )  # a stateful one, such as TruncatedNormal, is new every time
    return known is not None and not known.is_stateful and not drawn and bool(data_inputs(node))


def _fixed_nodes(graph: Any, weights: Mapping[str, Array]) -> set[str]:
    """Return the nodes that depend on constants alone and draw no random numbers."""
    fixed: set[str] = set()
    for node in graph.node:
        known = node.op == "Const" or node.name in weights
        if known or (is_pure(node) and all(node_of(name) in fixed for name in data_inputs(node))):
            fixed.add(node.name)
    return fixed


def replace_nodes(graph: Any, nodes: Iterable[Any], outputs: Iterable[str]) -> Any:
    """Return a graph of these nodes, sorted and pruned again."""
    return sorted_and_pruned(with_nodes(graph, nodes), outputs)
