"""Warning signs that a graph shows before it runs: cuts, random steps, broken weights, own gradient rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from saliency_core.arrays import Array
from saliency_core.engine import nodes
from saliency_core.engine.backward import ATTRIBUTE
from saliency_core.engine.freeze import Frozen
from saliency_core.models.anatomy import Norm, Rectifier, Signs

RECTIFIERS = {"Relu": 0.0, "Relu6": 6.0}  # and where they are capped
SHAPES = ("Shape", "ShapeN", "Size", "Rank")  # depend on the size of the image, not on its pixels
STEPS = ("Round", "Rint", "Floor", "Ceil", "Sign", "FloorDiv")
STOPS = ("StopGradient", "PreventGradient")
DRAWS = ("Random", "StatelessRandom", "TruncatedNormal", "StatelessTruncatedNormal", "ParameterizedTruncated",
         "StatelessParameterized", "Multinomial", "StatelessMultinomial")  # fmt: skip
STORAGE = "/ReadVariableOp"  # how a frozen variable ends


def read(frozen: Frozen, graph: Any, depends: set[str], floats: set[str], weights: dict[str, Array]) -> Signs:
    """Read the signs of a tidied graph.

    `depends` names the nodes that depend on the image, `floats` the tensors of floating point numbers.
    """
    cuts, cut_off = _cuts(frozen, graph, floats)
    rules = [
        (n.name, n.attr[ATTRIBUTE].s.decode(errors="replace")) for n in graph.node if ATTRIBUTE in n.attr
    ]
    return Signs(
        rectifiers=tuple(
            Rectifier(_layer(node.name), nodes.tensor_of(node.input[0]), RECTIFIERS[node.op])
            for node in graph.node
            if node.op in RECTIFIERS and node.name in depends
        ),
        cuts=tuple(cuts),
        cut_off=cut_off,
        random=_one_a_layer(node.name for node in graph.node if node.op.startswith(DRAWS)),
        training_norms=tuple(n.name for n in graph.node if n.name in depends and _trains(n)),
        not_finite=tuple(_not_finite(weights)),
        own_rules=(*frozen.rules, *rules),
    )


def _cuts(frozen: Frozen, graph: Any, floats: set[str]) -> tuple[list[tuple[str, str]], bool]:
    """Follow the derivative from the pixels; return where it ends, and whether the output has none."""
    live = {frozen.input}

    def carries(name: str) -> bool:
        return nodes.node_of(name) in live and nodes.tensor_of(name) in floats

    cuts = []
    for node in graph.node:
        if node.op in SHAPES or not any(carries(name) for name in nodes.data_inputs(node)):
            continue
        made = any(f"{node.name}:{port}" in floats for port in range(2))
        if made and node.op not in (*STEPS, *STOPS):
            live.add(node.name)
        else:
            cuts.append((node.name, node.op))
    return cuts, not carries(frozen.output)


def _trains(node: Any) -> bool:
    if not node.op.startswith("FusedBatchNorm"):
        return False
    return "is_training" not in node.attr or bool(node.attr["is_training"].b)  # absent means true


def _not_finite(weights: dict[str, Array]) -> Iterable[tuple[str, int, int]]:
    for name, values in weights.items():
        with np.errstate(all="ignore"):
            sound = values.dtype.kind != "f" or bool(np.isfinite(values.sum(dtype=np.float64)))
        if not sound and not np.isfinite(values).all():
            yield (
                name.removesuffix("/resource").removesuffix(STORAGE),
                int(np.isnan(values).sum()),
                int(np.isinf(values).sum()),
            )


def _layer(name: str) -> str:
    return name.rpartition("/")[0] or name


def _one_a_layer(names: Iterable[str]) -> tuple[str, ...]:
    """Return one node of each layer: a dropout is several."""
    return tuple({_layer(name): name for name in names}.values())


def first_norm(frozen: Frozen, graph: Any) -> Norm | None:
    """Return the first batch norm of a graph as frozen, fused or written out; None without one."""
    by_name = {node.name: node for node in graph.node}
    readers: dict[str, list[Any]] = defaultdict(list)
    depends = {frozen.input}
    for node in graph.node:
        for name in map(nodes.node_of, node.input):
            readers[name].append(node)
            if name in depends and node.op not in SHAPES:
                depends.add(node.name)
    for node in graph.node:
        if node.name in depends:
            found = _fused(node, by_name) or _written_out(node, by_name, readers, depends)
            if found is not None and _learned(found):
                return found
    return None


def _fused(node: Any, by_name: dict[str, Any]) -> Norm | None:
    if not node.op.startswith("FusedBatchNorm") or _trains(node):
        return None
    if nodes.attribute(node, "data_format").s == b"NCHW":
        return None
    mean, variance = (_numbers(by_name, name) for name in node.input[3:5])
    return _norm(node, node.input[0], mean, variance, float(nodes.attribute(node, "epsilon").f) or 1e-4)


def _written_out(
    node: Any, by_name: dict[str, Any], readers: dict[str, list[Any]], depends: set[str]
) -> Norm | None:
    """Match x * f + (shift - mean * f) with f = rsqrt(variance + epsilon) * gamma, as Keras writes it."""
    if node.op != "Mul":
        return None
    for image, factor in (node.input, tuple(node.input)[::-1]):
        inner = nodes.node_of(factor)
        if nodes.node_of(image) not in depends or inner in depends:
            continue
        around = [by_name[inner], *(by_name[nodes.node_of(name)] for name in by_name[inner].input)]
        root = next((one for one in around if one.op == "Rsqrt"), None)
        total = None if root is None else by_name[nodes.node_of(root.input[0])]
        if total is None or total.op not in ("Add", "AddV2"):
            continue
        variance, epsilon = (_numbers(by_name, name) for name in total.input)
        shifts = [one for one in readers[inner] if one.op == "Mul" and one.name != node.name]
        means = [_numbers(by_name, name) for one in shifts for name in one.input]
        mean = next((one for one in means if one is not None), None)
        if epsilon is not None and epsilon.size == 1:
            return _norm(node, image, mean, variance, float(epsilon.reshape(())))
    return None


def _norm(node: Any, before: str, mean: Array | None, variance: Array | None, epsilon: float) -> Norm | None:
    if mean is None or variance is None or mean.size != variance.size:
        return None
    numbers = tuple(tuple(float(n) for n in one.reshape(-1)) for one in (mean, variance))
    return Norm(_layer(node.name), nodes.tensor_of(before), numbers[0], numbers[1], epsilon)


def _learned(norm: Norm) -> bool:
    """Tell whether the norm has ever seen an image: it starts with mean 0 and variance 1."""
    return any(norm.mean) or any(one != 1 for one in norm.variance)


def _numbers(by_name: dict[str, Any], name: str) -> Array | None:
    """Return the value of a constant, or None where the node is none."""
    node = by_name.get(nodes.node_of(name))
    if node is None or node.op != "Const":
        return None
    return np.asarray(nodes.constants(_Alone([node]))[node.name])


class _Alone:
    """A graph of a few nodes, as far as looking up constants needs one."""

    def __init__(self, node: list[Any]) -> None:
        self.node = node
