"""Which steps of a graph are activations, and which of them are ReLUs, however they are written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from saliency_core.arrays import Array
from saliency_core.engine import nodes
from saliency_core.models.anatomy import Activation

SINGLE = {"Relu": "ReLU", "Relu6": "ReLU6", "LeakyRelu": "leaky ReLU"}
OTHERS = {
    "Elu": "ELU", "Selu": "SELU", "Softplus": "softplus", "Softsign": "softsign", "Sigmoid": "sigmoid",
    "Tanh": "tanh", "Erf": "GELU", "Erfc": "GELU", "Softmax": "softmax", "SelectV2": "choice by a condition",
    "Select": "choice by a condition", "Maximum": "maximum", "Minimum": "minimum", "Abs": "absolute value",
    "ClipByValue": "clip",
}  # fmt: skip
SUMS = ("Add", "AddV2")


def read(graph: Any, depends: set[str], constants: Mapping[str, Array]) -> tuple[Activation, ...]:
    """Return the activations that depend on the image, in order of computation."""
    reader = _Reader(graph, depends, constants)
    found: dict[str, Activation] = {}
    for node in graph.node:
        if node.name in depends and node.name not in reader.inside:
            one = reader.activation(node)
            if one is not None:
                found[node.name] = one
    return tuple(one for name, one in found.items() if name not in reader.inside)


class _Reader:
    """Recognises activations of one graph; `inside` are nodes that belong to a larger one behind them."""

    def __init__(self, graph: Any, depends: set[str], constants: Mapping[str, Array]) -> None:
        self.by_name = {node.name: node for node in graph.node}
        self.depends = depends
        self.constants = constants
        self.inside: set[str] = set()
        self.readers: dict[str, list[Any]] = defaultdict(list)
        for node in graph.node:
            for name in nodes.data_inputs(node):
                self.readers[nodes.node_of(name)].append(node)

    def activation(self, node: Any) -> Activation | None:
        """Return what a node is the end of; None where it is no activation or another step follows."""
        pair = self._two_sided(node) or self._leaky_maximum(node)
        if pair is not None:
            return self._made(node, pair[0], pair[1])
        if self._before(node) is not None:
            return self._chain(node)
        if node.op in OTHERS:
            return self._made(node, self._smooth(node), "")
        return None

    def _made(self, node: Any, kind: str, before: str) -> Activation:
        layer = node.name.rpartition("/")[0] or node.name
        return Activation(layer, kind, before, nodes.tensor_of(node.name))

    def _chain(self, node: Any) -> Activation | None:
        """Follow steps that each keep what is above 0 or below a cap: together they are one ReLU."""
        after = self.readers[node.name]
        if len(after) == 1 and self._before(after[0]) is not None:
            return None  # told with the last step
        links = self._links(node)
        self.inside.update(link.name for link in links[1:])
        ops = [link.op for link in links]
        if ops == ["Minimum"]:
            return self._made(node, "minimum", "")
        if self._is_hard_sigmoid(node):
            return self._made(node, "hard sigmoid", "")
        kind = SINGLE.get(ops[0], "ReLU") if len(ops) == 1 else "ReLU"
        capped = node.op != "Relu6" and {"Minimum", "ClipByValue"} & set(ops)
        return self._made(node, "capped ReLU" if capped else kind, self._before(links[-1]) or "")

    def _links(self, node: Any) -> list[Any]:
        """Return a ReLU-like step and those before it that nothing else reads, the last step first."""
        links = [node]
        while (before := self._before(links[-1])) is not None:
            below = self.by_name[nodes.node_of(before)]
            if below.name not in self.depends or len(self.readers[below.name]) != 1:
                break
            links.append(below)
        return links if self._before(links[-1]) is not None else links[:-1]

    def _before(self, node: Any) -> str | None:
        """Return the tensor that a ReLU-like step rectifies or caps, or None for another step."""
        if node.op in SINGLE:
            return nodes.tensor_of(node.input[0])
        if node.op == "ClipByValue":
            low, high = (self._constant(name) for name in node.input[1:3])
            fits = low is not None and high is not None and not low.any() and bool((high > 0).all())
            return nodes.tensor_of(node.input[0]) if fits else None
        if node.op in ("Maximum", "Minimum"):
            for name, other in (node.input, tuple(node.input)[::-1]):
                limit = self._constant(other)
                if limit is not None and nodes.node_of(name) in self.depends:
                    fits = not limit.any() if node.op == "Maximum" else bool((limit > 0).all())
                    return nodes.tensor_of(name) if fits else None
        return None

    def _leaky_maximum(self, node: Any) -> tuple[str, str] | None:
        """Match max(x, slope * x) with a slope from 0 to 1."""
        if node.op != "Maximum":
            return None
        for name, other in (node.input, tuple(node.input)[::-1]):
            slope = self._factor(other, name)
            if slope is not None and bool(((slope >= 0) & (slope <= 1)).all()):
                return "leaky ReLU", nodes.tensor_of(name)
        return None

    def _two_sided(self, node: Any) -> tuple[str, str] | None:
        """Match relu(x) - slope * relu(-x), as leaky and parametric ReLUs are written out."""
        if node.op not in (*SUMS, "Sub"):
            return None
        for up, down in (tuple(node.input), tuple(node.input)[::-1]):
            plus = self._node(up)
            minus = next((self._node(name) for name in self._factors(down)), None)
            if plus is None or minus is None or self._before(plus) is None or minus.op != "Relu":
                continue
            links = self._links(plus)
            before = self._before(links[-1]) or ""
            turned = self._node(minus.input[0])
            if turned is not None and turned.op == "Neg" and _same(turned.input[0], before):
                self.inside.update(link.name for link in (*links, minus))
                return "leaky ReLU", before
        return None

    def _factors(self, name: str) -> Iterable[str]:
        """Return what a product with a constant multiplies."""
        node = self._node(name)
        if node is not None and node.op == "Mul":
            for one, other in (tuple(node.input), tuple(node.input)[::-1]):
                if self._constant(other) is not None:
                    yield one

    def _factor(self, product: str, name: str) -> Array | None:
        """Return the constant that a tensor was multiplied by to give another, or None."""
        node = self._node(product)
        if node is None or node.op != "Mul":
            return None
        for one, other in (tuple(node.input), tuple(node.input)[::-1]):
            if _same(one, name):
                return self._constant(other)
        return None

    def _is_hard_sigmoid(self, node: Any) -> bool:
        """Tell whether a step is the middle of relu6(x + 3) / 6, a switch and no rectifier."""
        if node.op != "Relu6":
            return False
        total = self._node(node.input[0])
        if total is None or total.op not in SUMS:
            return False
        shifts = [self._constant(name) for name in total.input]
        return any(one is not None and one.size == 1 and float(one.reshape(())) == 3 for one in shifts)

    def _smooth(self, node: Any) -> str:
        if node.op == "Sigmoid":
            products = [one for one in self.readers[node.name] if one.op == "Mul"]
            multiplied = (node.input[0], *self._factors(node.input[0]))
            if any(_same(name, x) for one in products for name in one.input for x in multiplied):
                return "swish"
        return OTHERS[node.op]

    def _node(self, name: str) -> Any:
        return self.by_name.get(nodes.node_of(name))

    def _constant(self, name: str) -> Array | None:
        value = self.constants.get(nodes.node_of(name))
        return None if value is None else np.asarray(value)


def _same(one: str, other: str) -> bool:
    return nodes.tensor_of(one) == nodes.tensor_of(other)
