"""What a network adds of its own: biases, the shifts of batch norms, and the ceilings of capped ReLUs.

A score of piecewise linear steps is the gradient times the input plus, for each of these, the gradient
behind it times what it adds there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saliency_core.arrays import Array
from saliency_core.engine import nodes
from saliency_core.engine.runtime import tensorflow
from saliency_core.models.anatomy import WHOLE, Field, Layer

ADDING = {"BiasAdd": 1, "Add": 1, "AddV2": 1, "Sub": -1}  # by the sign of a constant as second input
CAPPING = {"Minimum", "Maximum"}
MIXING = {"Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "MatMul", "BatchMatMulV2", "Einsum"}
OPS = {*ADDING, *CAPPING, "Relu6"}


@dataclass(frozen=True)
class Step:
    """One such node: what comes in, and the constant that is added, or "" where the step has a ceiling."""

    before: str
    constant: str
    sign: int


def found(
    graph: Any,
    constants: Mapping[str, Array],
    tensors: Mapping[str, tuple[int, ...]],
    fields: Mapping[str, Field],
) -> tuple[str, tuple[Layer, ...]]:
    """Return the image as the first weights see it, "" for the pixels, and every bias behind that."""
    start, behind, mixed = "", [], False
    for node in graph.node:
        tensor = nodes.tensor_of(node.name)
        shape = tensors.get(tensor)
        mixed = mixed or (shape is not None and node.op in MIXING)
        if not shape or not _adds(node, constants):
            continue
        if not mixed and len(shape) == 3:
            start = tensor
        else:
            behind.append(Layer(node.name, tensor, shape, node.op, fields.get(tensor, WHOLE)))
    return start, tuple(behind)


def _adds(node: Any, constants: Mapping[str, Array]) -> bool:
    """Tell whether a node adds a constant other than 0, or stops at a ceiling."""
    if node.op == "Relu6":
        return True
    if node.op not in OPS or (node.op == "BiasAdd" and nodes.attribute(node, "data_format").s == b"NCHW"):
        return False
    known = [constants.get(nodes.node_of(name)) for name in nodes.data_inputs(node)]
    given = [np.asarray(value) for value in known if value is not None]
    return len(given) == 1 and bool(given[0].any())


def _step(node: Any, tensors: Mapping[str, tuple[int, ...]]) -> Step:
    names = [nodes.tensor_of(name) for name in nodes.data_inputs(node)]
    before = next(name for name in names if name in tensors)
    if node.op not in ADDING:
        return Step(before, "", 1)
    place = next(place for place, name in enumerate(names) if name != before)
    return Step(before, names[place], ADDING[node.op] if place else 1)


def names(graph: Any, biases: Sequence[Layer], tensors: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    """Yield the tensors that `terms` needs: for each bias what comes out, and what comes in or is added."""
    by_name = {node.name: node for node in graph.node}
    for bias in biases:
        step = _step(by_name[bias.name], tensors)
        yield bias.tensor
        yield step.constant or step.before


def terms(
    graph: Any,
    biases: Sequence[Layer],
    tensors: Mapping[str, tuple[int, ...]],
    given: Sequence[Any],
    gradients: Sequence[Any],
) -> list[Any]:
    """Return what each bias adds to the score, (rows, h, w, 2) or (rows, 2), from the tensors of `names`.

    The last axis holds the sum over channels, and the sum of their sizes.
    """
    tf = tensorflow()
    by_name = {node.name: node for node in graph.node}
    made = []
    for bias, out, other, gradient in zip(biases, given[::2], given[1::2], gradients, strict=True):
        step = _step(by_name[bias.name], tensors)
        added = step.sign * other if step.constant else tf.where(other == out, tf.zeros_like(out), out)
        share = tf.zeros_like(out) if gradient is None else gradient * added
        made.append(tf.stack([tf.reduce_sum(share, -1), tf.reduce_sum(tf.abs(share), -1)], -1))
    return made
