"""Backward rules: a copy of the graph whose ReLUs pass gradients back by another rule.

The mark for a rule is made here, after a file's own marks were taken off and refused: what a visitor
brings cannot ask for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from saliency_core.engine import nodes
from saliency_core.engine.backward import ATTRIBUTE
from saliency_core.engine.runtime import tensorflow
from saliency_core.errors import ModelError
from saliency_core.models.anatomy import Activation

NAMES = {"guided": "SaliencyGuided", "deconvnet": "SaliencyDeconvnet"}
UNRULED = "/before_the_rule"


def known(rule: str) -> str:
    """Return the rule, or raise ModelError that lists what there is."""
    if rule not in NAMES:
        raise ModelError(f"There is no backward rule {rule[:60]!r}.", f"Choose one of: {', '.join(NAMES)}.")
    return rule


def patched(graph: Any, activations: Sequence[Activation], rule: str) -> Any:
    """Return a copy of the graph in which every ReLU-like activation passes gradients back by the rule.

    Behind each stands a step that hands its value on, and that alone is marked: "guided" lets the
    positive gradients into the activation, which multiplies them by its true derivative; "deconvnet" leads
    them around it, to the tensor before it.
    """
    _register()
    mark = NAMES[known(rule)].encode()
    ruled = {nodes.node_of(one.behind): one for one in activations if one.before}
    made = []
    for node in graph.node:
        made.append(node)
        if node.name in ruled:
            plain = type(node)()
            plain.CopyFrom(node)
            plain.name = f"{node.name}{UNRULED}"
            step = type(node)(name=node.name, op="IdentityN", input=[plain.name, ruled[node.name].before])
            step.attr["T"].list.type.extend([node.attr["T"].type] * 2)
            step.attr[ATTRIBUTE].s = mark
            made[-1:] = [plain, step]
    return nodes.with_nodes(graph, made)


def between(graph: Any, activations: Sequence[Activation], tensors: Sequence[str]) -> list[float]:
    """Return 1 for each activation that the tensors depend on, 0 for the others."""
    by_name = {node.name: node for node in graph.node}
    above: set[str] = set()
    waiting = [nodes.node_of(name) for name in tensors]
    while waiting:
        name = waiting.pop()
        if name not in above:
            above.add(name)
            waiting += [nodes.node_of(source) for source in by_name[name].input]
    return [float(nodes.node_of(one.behind) in above) for one in activations]


@cache
def _register() -> None:
    tf = tensorflow()

    def guided(op: Any, gradient: Any, _: Any) -> list[Any]:
        return [tf.nn.relu(gradient), None]

    def deconvnet(op: Any, gradient: Any, _: Any) -> list[Any]:
        return [None, tf.nn.relu(gradient)]

    tf.RegisterGradient(NAMES["guided"])(guided)
    tf.RegisterGradient(NAMES["deconvnet"])(deconvnet)
