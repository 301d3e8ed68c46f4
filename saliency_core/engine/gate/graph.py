"""A graph and its whole function library, walked node by node; nothing is imported or run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from saliency_core.engine.gate import operations as ops
from saliency_core.engine.gate.constants import Memory, check_sizes
from saliency_core.engine.gate.order import check_calls, check_order
from saliency_core.engine.gate.refusal import OWN_PARTS, WRITE_ANEW, Limits, Stop, shown

Extra = Callable[[str], frozenset[str]]  # the name of a function ("" for the main graph) -> operations
OWN_GRADIENTS = "This model brings its own gradient rules: its gradients are what its author says they are."
PARSES = "This model reads encoded pictures or records in front of its network."
LOOP = (
    "Networks with loops are not opened. Export the part of the model that looks at one picture, without the "
    "loop, with model.export('folder')."
)


def check(graph: Any, part: str, limits: Limits, extra: Extra = lambda name: frozenset()) -> tuple[str, ...]:
    """Refuse a graph with an operation outside the list, in any function too; return notices.

    `extra` says which operations a function, or the main graph, may use besides the list.
    """
    functions = {function.signature.name: function for function in graph.library.function}
    if len(functions) != len(graph.library.function):
        raise Stop(part, "there is a duplicate among the names of its functions", WRITE_ANEW)
    memory = Memory(limits)
    _check_operations(graph, part, functions, extra)
    _check_body(graph.node, part, functions, memory, limits)
    for name, function in functions.items():
        where = f"{part}, function '{shown(name)}'"
        arguments = [argument.name for argument in function.signature.input_arg]
        _check_body(function.node_def, where, functions, memory, limits, arguments)
        for value in function.attr.values():
            _check_value(value, where, functions, memory)
    bodies = {"": graph.node, **{name: function.node_def for name, function in functions.items()}}
    sizes = {name: len(nodes) for name, nodes in bodies.items()}
    check_calls({name: called(nodes) for name, nodes in bodies.items()}, sizes, part, limits)
    _check_loops(graph, functions, part)
    return _notices(graph)


def _check_operations(graph: Any, part: str, functions: dict[str, Any], extra: Extra) -> None:
    bodies = {"": graph.node, **{name: function.node_def for name, function in functions.items()}}
    for name, nodes in bodies.items():
        where = f"{part}, function '{shown(name)}'" if name else part
        more = extra(name)
        for node in nodes:
            _check_operation(node.op, f"{where}, node '{shown(node.name)}'", functions, more)
        if name in ops.listed() | ops.SAVER:
            raise Stop(where, "the function has the name of an operation", WRITE_ANEW)


def _check_body(
    nodes: Any, part: str, functions: dict[str, Any], memory: Memory, limits: Limits,
    arguments: list[str] | None = None,
) -> None:  # fmt: skip
    constants = {}
    for node in nodes:
        where = f"{part}, node '{shown(node.name)}'"
        for value in node.attr.values():
            _check_value(value, where, functions, memory)
        if node.op == "Const":
            constants[node.name] = node.attr["value"].tensor
    for node in nodes:
        check_sizes(node, constants, f"{part}, node '{shown(node.name)}'")
    check_order(nodes, part, limits, arguments or [])


def _check_operation(op: str, where: str, functions: dict[str, Any], extra: frozenset[str]) -> None:
    if op in ops.listed() or op in extra or op in functions:
        return
    if op in ops.SAVER:
        reason = f"the operation {op} reads or writes files and stands in the network itself"
        raise Stop(where, reason, WRITE_ANEW)
    reason = f"the operation {shown(op)} is not on the list of pure operations"
    raise Stop(where, reason, f"The list is in docs/operations.md. {OWN_PARTS}")


def _check_value(value: Any, where: str, functions: dict[str, Any], memory: Memory) -> None:
    """Look at one attribute, at the tensors in it and at the functions it names."""
    kind = value.WhichOneof("value")
    if kind == "tensor":
        tensors, named = [value.tensor], []
    elif kind == "func":
        tensors, named = [], [value.func]
    elif kind == "list":
        tensors, named = list(value.list.tensor), list(value.list.func)
    else:
        return
    for tensor in tensors:
        memory.add(tensor, where)
    for call in named:
        if call.name and call.name not in functions:
            raise Stop(where, f"it calls '{shown(call.name)}', which is not in the file: damaged")
        for inner in call.attr.values():
            _check_value(inner, where, functions, memory)


def called(nodes: Any) -> list[str]:
    """The functions that nodes call, also through attributes inside attributes, once for each call."""
    return [name for node in nodes for name in (node.op, *_named(node.attr.values()))]


def _named(values: Any) -> Iterator[str]:
    for value in values:
        for call in (value.func, *value.list.func) if value.WhichOneof("value") in ("func", "list") else ():
            if call.name:
                yield call.name
            yield from _named(call.attr.values())


def _check_loops(graph: Any, functions: dict[str, Any], part: str) -> None:
    """A loop may never end: it is let through only in front, where it unpacks encoded pictures."""
    bodies = {name: function.node_def for name, function in functions.items()}
    backward = [gradient.gradient_func for gradient in graph.library.registered_gradients]
    backward += [gradient.gradient_func for gradient in graph.library.gradient]
    run = reached([*called(graph.node), *backward], bodies)
    used = [(None, graph.node), *((name, bodies[name]) for name in run)]
    parsers = set(ops.families()[ops.PARSERS])
    if any(node.op in parsers for _, nodes in used for node in nodes):
        return
    for name, nodes in used:
        for node in nodes:
            if node.op in ops.LOOPS:
                where = f"{part}, function '{shown(name)}'" if name else part
                raise Stop(f"{where}, node '{shown(node.name)}'", "it has a loop, which may never end", LOOP)


def reached(names: list[str], bodies: dict[str, Any]) -> set[str]:
    """The functions that these names lead to."""
    found: set[str] = set()
    pending = [name for name in names if name in bodies]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += [inner for inner in called(bodies[name]) if inner in bodies]
    return found


def _notices(graph: Any) -> tuple[str, ...]:
    library = graph.library
    bodies = [graph.node, *(function.node_def for function in library.function)]
    own = bool(library.gradient or library.registered_gradients)
    parses = False
    parsers = set(ops.families()[ops.PARSERS]) - {"AsString", "StringLength", "StringToNumber"}
    for nodes in bodies:
        for node in nodes:
            rule = node.attr["_gradient_op_type"].s if "_gradient_op_type" in node.attr else b""
            own |= bool(rule) and not rule.startswith((b"PartitionedCall", b"StatefulPartitionedCall"))
            parses |= node.op in parsers
    return (OWN_GRADIENTS,) * own + (PARSES,) * parses
