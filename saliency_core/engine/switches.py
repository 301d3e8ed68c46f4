"""The branches of TensorFlow 1, Switch and Merge: the side that a fixed condition takes."""

from __future__ import annotations

from typing import Any

from saliency_core.engine import nodes
from saliency_core.engine.inline import LOOPS, fixed_value
from saliency_core.errors import ModelError


def without_switches(graph: Any, outputs: list[str]) -> tuple[Any, list[str]]:
    """Return the graph with each Merge replaced by the input that is alive, and the outputs' new names.

    Constants inside a branch are alive or not by their control edges alone, so this comes first, before
    control edges are dropped. Raises ModelError where the image decides.
    """
    if not any(node.op in ("Switch", "RefSwitch", "Merge", "RefMerge") for node in graph.node):
        return graph, outputs
    by_name = {node.name: node for node in graph.node}
    alias: dict[str, str] = {}
    dead: set[str] = set()  # tensors, and nodes where all of it is dead

    def final(name: str) -> str:
        while (tensor := nodes.tensor_of(name)) in alias:
            name = alias[tensor]
        return name

    def is_dead(source: str) -> bool:
        return nodes.node_of(source) in dead or (
            not source.startswith("^") and nodes.tensor_of(source) in dead
        )

    for name in _ordered(by_name, outputs):
        node = by_name[name]
        if node.op in ("Merge", "RefMerge"):
            alive = [source for source in nodes.data_inputs(node) if not is_dead(source)]
            if len(alive) > 1:
                raise ModelError(
                    f"The network takes a way that depends on its input (Merge, {name[:80]}).",
                    "Save it with training fixed to False.",
                )
            if alive:
                alias[f"{name}:0"] = final(alive[0])
            else:
                dead.add(name)
        elif any(is_dead(source) for source in node.input):
            dead.add(name)
        elif node.op in ("Switch", "RefSwitch"):
            value = fixed_value(_graph_of(graph, by_name, alias), final(node.input[1]))
            if value is None:
                continue  # both sides stay alive; the Merge behind it says so
            taken = int(bool(value))
            alias[f"{name}:{taken}"] = final(node.input[0])
            dead.add(f"{name}:{1 - taken}")
    return _graph_of(graph, by_name, alias), [final(nodes.tensor_of(output)) for output in outputs]


def _graph_of(graph: Any, by_name: dict[str, Any], alias: dict[str, str]) -> Any:
    for node in by_name.values():
        for index, name in enumerate(node.input):
            while not name.startswith("^") and nodes.tensor_of(name) in alias:
                name = alias[nodes.tensor_of(name)]
            node.input[index] = name
    return graph


def _ordered(by_name: dict[str, Any], outputs: list[str]) -> list[str]:
    """Return what the outputs need in order of computation, control edges included."""
    order: list[str] = []
    state: dict[str, int] = {}
    stack = [nodes.node_of(name) for name in outputs][::-1]
    while stack:
        name = stack[-1]
        if state.get(name) == 2 or name not in by_name:
            stack.pop()
            continue
        node = by_name[name]
        if node.op in LOOPS:
            raise ModelError(
                f"The network holds a loop ({node.op}, {name[:80]}).",
                "Loops cannot be looked through; give a network without recurrent layers.",
            )
        below = [nodes.node_of(source) for source in node.input]
        waiting = [source for source in below if source in by_name and state.get(source) != 2]
        if not waiting or state.get(name) == 1:
            state[name] = 2
            order.append(stack.pop())
        else:
            state[name] = 1
            stack.extend(waiting)
    return order
