"""Function calls and settled branches of a graph, written out in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from saliency_core.arrays import Array
from saliency_core.engine import nodes
from saliency_core.engine.runtime import tensorflow
from saliency_core.errors import ModelError

CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
BRANCHES = {"If": ("then_branch", "else_branch"), "StatelessIf": ("then_branch", "else_branch")}
CASES = {"Case", "StatelessCase"}
LOOPS = {"While", "StatelessWhile", "For", "Enter", "NextIteration", "LoopCond", "Exit"}
MOST_NODES = 400_000

Known = Callable[[Any, str], Array | None]  # graph, tensor -> its value where that is fixed


def inlined(graph: Any, outputs: list[str]) -> tuple[Any, list[str]]:
    """Return the graph without function calls, and the outputs under their new names.

    Calls are expanded wherever the outputs need them, blocks compiled by XLA too. A branch whose
    condition is fixed is replaced by the side that is taken. Raises ModelError for loops, for branches
    that depend on the image, and for functions that are missing.
    """
    library = {function.signature.name: function for function in graph.library.function}
    renamed: dict[str, str] = {}
    while True:
        graph = nodes.sorted_and_pruned(_redirected(graph, renamed), [_final(o, renamed) for o in outputs])
        calls = [node for node in graph.node if _callee(node, library)]
        if not calls and not _settle_branches(graph):
            return graph, [_final(output, renamed) for output in outputs]
        if not calls:
            continue
        made = [node for node in graph.node if not _callee(node, library)]
        for call in calls:
            made += _expanded(call, library[_callee(call, library)], library, renamed)
        if len(made) > MOST_NODES:
            raise ModelError(f"The graph grows beyond {MOST_NODES:,} operations when its functions open.")
        graph = nodes.with_nodes(graph, made)


def _callee(node: Any, library: dict[str, Any]) -> str:
    """Return the name of the function that a node calls, or "" for any other node."""
    if node.op in CALLS:
        name = str(node.attr["f"].func.name)
        if name not in library:
            raise ModelError(f"The graph calls a function {name[:80]!r} that the file does not hold.")
        return name
    return str(node.op) if node.op in library else ""


def _final(name: str, renamed: dict[str, str]) -> str:
    tensor = nodes.tensor_of(name)
    while tensor in renamed:
        tensor = renamed[tensor]
    return tensor


def _redirected(graph: Any, renamed: dict[str, str]) -> Any:
    for node in graph.node:
        for index, name in enumerate(node.input):
            if not name.startswith("^") and nodes.tensor_of(name) in renamed:
                node.input[index] = _final(name, renamed)
    return graph


def _expanded(call: Any, function: Any, library: dict[str, Any], renamed: dict[str, str]) -> list[Any]:
    """Return the nodes of a function under the call's name; `renamed` learns where its outputs are."""
    names = [str(argument.name) for argument in function.signature.input_arg]
    given = [nodes.tensor_of(name) for name in nodes.data_inputs(call)]
    local: dict[str, str] = dict(zip(names, given, strict=True))
    ports = {node.name: _ports(node, library) for node in function.node_def}

    def outer(name: str) -> str:
        """Turn `node:output:number`, the names inside a function, into `call/node:number`."""
        if name in local:
            return local[name]
        node, _, rest = name.partition(":")
        output, _, number = rest.partition(":")
        if node in local and output in ("", "0"):
            return local[node]
        return f"{call.name}/{node}:{ports[node].get(output, 0) + int(number or 0)}"

    made = []
    for inner in function.node_def:
        copy = type(inner)()
        copy.CopyFrom(inner)
        copy.name = f"{call.name}/{inner.name}"
        del copy.input[:]
        copy.input.extend(outer(name) for name in nodes.data_inputs(inner))
        for value in copy.attr.values():
            if value.WhichOneof("value") == "placeholder":
                value.CopyFrom(call.attr["f"].func.attr[value.placeholder])
        made.append(copy)
    for port, output in enumerate(function.signature.output_arg):
        renamed[f"{call.name}:{port}"] = outer(function.ret[output.name])
    return made


def _ports(node: Any, library: dict[str, Any]) -> dict[str, int]:
    """Return at which number each named output of an operation starts."""
    from tensorflow.python.framework import op_def_registry

    definition = library[node.op].signature if node.op in library else op_def_registry.get(node.op)
    if definition is None:
        raise ModelError(f"The graph uses an operation {node.op[:80]!r} that TensorFlow does not have.")
    starts, place = {}, 0
    for output in definition.output_arg:
        starts[output.name] = place
        if output.number_attr:
            place += node.attr[output.number_attr].i
        elif output.type_list_attr:
            place += len(node.attr[output.type_list_attr].list.type)
        else:
            place += 1
    return starts


def _settle_branches(graph: Any) -> bool:
    """Turn branches with a fixed condition into calls of the side taken; tell whether there were any."""
    found = False
    for node in graph.node:
        if node.op in LOOPS:
            raise ModelError(
                f"The network holds a loop ({node.op}, {node.name[:80]}).",
                "Loops cannot be looked through; give a network without recurrent layers.",
            )
        if node.op not in BRANCHES and node.op not in CASES:
            continue
        value = fixed_value(graph, node.input[0])
        if value is None:
            raise ModelError(
                f"The network takes a way that depends on its input ({node.op}, {node.name[:80]}).",
                "Save it with training fixed to False, or without the condition.",
            )
        if node.op in BRANCHES:
            chosen = node.attr[BRANCHES[node.op][0 if value.reshape(-1)[0] else 1]].func
        else:
            sides = node.attr["branches"].list.func
            number = int(value.reshape(-1)[0])
            chosen = sides[number if 0 <= number < len(sides) else len(sides) - 1]
        inputs = list(node.input)[1:]
        node.op = "PartitionedCall"
        node.attr["f"].func.CopyFrom(chosen)
        del node.input[:]
        node.input.extend(inputs)
        found = True
    return found


def fixed_value(graph: Any, tensor: str) -> Array | None:
    """Return the value of a tensor that depends on constants alone, else None."""
    by_name = {node.name: node for node in graph.node}
    needed: dict[str, Any] = {}
    waiting = [nodes.node_of(tensor)]
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        node = by_name.get(name)
        if node is None or not nodes.is_pure(node) or len(needed) > 200:
            return None
        needed[name] = node
        waiting += [nodes.node_of(source) for source in nodes.data_inputs(node)]
    return evaluated(graph, needed.values(), [tensor])[0]


def evaluated(
    graph: Any, wanted: Iterable[Any], tensors: list[str], given: dict[str, Array] | None = None
) -> list[Array]:
    """Compute tensors of a few nodes, apart from the rest of the graph."""
    tf = tensorflow()
    with tf.Graph().as_default() as space:
        tf.graph_util.import_graph_def(nodes.with_nodes(graph, wanted), name="")
        with tf.compat.v1.Session(graph=space) as session:
            feeds = {nodes.tensor_of(name): value for name, value in (given or {}).items()}
            return list(session.run([nodes.tensor_of(name) for name in tensors], feeds))
