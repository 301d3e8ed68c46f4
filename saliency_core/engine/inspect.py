"""What a frozen graph holds: its head, its layers, its size; found from the graph alone."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saliency_core.arrays import Array
from saliency_core.engine import activations, biases, nodes, receptive, signs
from saliency_core.engine.freeze import Frozen
from saliency_core.engine.runtime import tensorflow
from saliency_core.errors import ModelError, TargetError
from saliency_core.models.anatomy import WHOLE, Activation, Field, Head, Layer, Signs

PASSING = {"Identity", "Reshape", "Squeeze", "Cast", "ExpandDims"}
HEADS = {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Sigmoid": "sigmoid"}
SUBSCOPES = {
    "batchnorm",
    "moments",
    "strided_slice",
    "Cast",
    "Mean",
    "Reshape",
    "Shape",
    "add",
    "mul",
    "resize",
    "sub",
}


@dataclass(frozen=True)
class FirstConvolution:
    """The first convolution that sees the image."""

    name: str
    kernel_name: str
    source: str  # tensor that it convolves
    strides: tuple[int, ...]
    padding: str


@dataclass(frozen=True)
class Anatomy:
    """Everything known of a graph without running it."""

    head: Head
    layers: tuple[Layer, ...]
    tensors: dict[str, tuple[int, ...]]  # every tensor that depends on the image, shape without batch
    operations: dict[str, int]
    fields: dict[str, Field]  # what each tensor can see of the image
    parameters: int
    activations: int  # numbers computed for one image
    first: FirstConvolution | None  # that sees the image
    batch: int  # images that go through at once, 0 for any number
    signs: Signs = Signs()
    start: str = ""  # the image as the first weights see it, "" for the pixels themselves
    biases: tuple[Layer, ...] = ()  # what the network adds of its own behind that
    steps: tuple[Activation, ...] = ()  # the nonlinear ones that depend on the image

    def find(self, name: str) -> Layer:
        """Return a layer by its name or any tensor by its own; raises TargetError with the nearest names."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        tensor = nodes.tensor_of(name)
        if tensor in self.tensors:
            return Layer(name, tensor, self.tensors[tensor], "tensor", self.fields.get(tensor, WHOLE))
        known = [layer.name for layer in self.layers]
        near = difflib.get_close_matches(name, known, 3, 0.3)
        ends = " to ".join(known[:1] + known[1:][-1:])
        hint = f"Nearest: {', '.join(near)}." if near else f"Choose one of its layers, from {ends}."
        raise TargetError(f"The model has no layer {name[:80]!r}.", hint)


def examine(frozen: Frozen, graph: Any, constants: Mapping[str, Array]) -> Anatomy:
    """Look through a graph: shapes, layers in order, head and logits, sizes."""
    whole, floats = _shapes(frozen, graph)
    shapes = {name: shape[1:] for name, shape in whole.items() if shape[0] == (frozen.batch or 1)}
    depends = _on_the_image(graph, frozen.input)
    tensors = {
        name: shape for name, shape in shapes.items() if nodes.node_of(name) in depends and name in floats
    }
    canvas = {nodes.tensor_of(frozen.input): (frozen.batch or 1, *frozen.shape)}
    seen = receptive.fields(graph, frozen.input, {**whole, **canvas}, constants)
    start, added = biases.found(graph, constants, tensors, seen)
    return Anatomy(
        head=_head(frozen, graph, tensors),
        layers=_layers(graph, tensors, seen, frozen.input),
        tensors=tensors,
        fields={name: seen.get(name, WHOLE) for name in tensors},
        operations=dict(Counter(node.op for node in graph.node if node.op not in ("Const", "Placeholder"))),
        parameters=sum(int(w.size) for w in constants.values() if w.dtype.kind == "f" and w.ndim > 0),
        activations=sum(_size(shape) for shape in tensors.values()),
        first=_first_convolution(graph, set(constants)),
        batch=frozen.batch,
        signs=signs.read(frozen, graph, depends, floats, dict(constants)),
        start=start,
        biases=added,
        steps=activations.read(graph, depends, constants),
    )


def _shapes(frozen: Frozen, graph: Any) -> tuple[dict[str, tuple[int, ...]], set[str]]:
    """Return the shape, with a batch of 1, of every tensor whose shape is known, and which are float."""
    tf = tensorflow()
    with tf.Graph().as_default() as space:
        pixels = tf.compat.v1.placeholder(tf.float32, [frozen.batch or 1, *frozen.shape], name="one_image")
        try:
            tf.graph_util.import_graph_def(graph, {f"{frozen.input}:0": pixels}, name="")
        except ValueError as problem:
            raise ModelError(
                f"The network does not fit an image of shape {frozen.shape}: {str(problem)[:300]}",
                "Give the size, and for a SavedModel the signature, that it was made for.",
            ) from problem
        outputs = [tensor for op in space.get_operations() for tensor in op.outputs]
    known = {t.name: tuple(t.shape) for t in outputs if t.shape.is_fully_defined() and t.shape.rank}
    return known, {t.name for t in outputs if t.dtype.is_floating}


def _on_the_image(graph: Any, source: str) -> set[str]:
    depends = {source}
    for node in graph.node:
        if any(nodes.node_of(name) in depends for name in node.input):
            depends.add(node.name)
    return depends


def _head(frozen: Frozen, graph: Any, tensors: dict[str, tuple[int, ...]]) -> Head:
    """Find the tensor that holds the logits; a softmax or sigmoid at the end is looked through."""
    by_name = {node.name: node for node in graph.node}
    name = frozen.output
    while by_name[nodes.node_of(name)].op in PASSING:
        name = nodes.tensor_of(by_name[nodes.node_of(name)].input[0])
    last = by_name[nodes.node_of(name)]
    shape = tensors.get(frozen.output, ())
    classes = _size(shape) if shape and max(shape) == _size(shape) else 0
    if last.op in HEADS and classes:
        kind = "binary" if last.op == "Sigmoid" and classes == 1 else HEADS[last.op]
        logits = nodes.tensor_of(last.input[0])
        probabilities = "" if last.op == "LogSoftmax" else nodes.tensor_of(name)
        return Head(kind, logits, probabilities, classes, f"input of {last.op} ({nodes.node_of(name)})")
    if classes > 1:  # a single number without a sigmoid may be anything: a price, an age
        return Head("logits", frozen.output, "", classes, f"output of the network ({last.name})")
    return Head("map", frozen.output, "", 0, f"a map of units ({last.name})")


def _layers(
    graph: Any, tensors: dict[str, tuple[int, ...]], seen: dict[str, Field], source: str
) -> tuple[Layer, ...]:
    """Return the last tensor of each scope, in the order of computation."""
    last: dict[str, Layer] = {}
    for node in graph.node:
        tensor = nodes.tensor_of(node.name)
        shape = tensors.get(tensor)
        if shape is None or node.name == source or len(shape) not in (1, 2, 3):
            continue
        name = _scope(node.name)
        between = node.op == "Cast" and name == node.name  # a change of type between layers
        if name != "preprocessing" and not between:
            last.pop(name, None)
            last[name] = Layer(name, tensor, shape, node.op, seen.get(tensor, WHOLE))
    return tuple(last.values())


def _scope(name: str) -> str:
    parts = name.split("/")[:-1]
    while len(parts) > 1 and parts[-1] in SUBSCOPES:
        parts = parts[:-1]
    return "/".join(parts) or name


def _first_convolution(graph: Any, constants: set[str]) -> FirstConvolution | None:
    """Find the first convolution; None where it has no constant kernel, or is dilated."""
    by_name = {node.name: node for node in graph.node}
    for node in graph.node:
        if node.op == "Conv2D" and nodes.node_of(node.input[1]) in constants:
            before = by_name[nodes.node_of(node.input[0])].op
            dilated = any(extent != 1 for extent in nodes.attribute(node, "dilations").list.i)
            dilated = dilated or before == "SpaceToBatchND"  # a dilated kernel behind a rearranged batch
            if dilated or nodes.attribute(node, "padding").s not in (b"SAME", b"VALID"):
                return None
            return FirstConvolution(
                node.name,
                nodes.node_of(node.input[1]),
                nodes.tensor_of(node.input[0]),
                tuple(nodes.attribute(node, "strides").list.i),
                nodes.attribute(node, "padding").s.decode(),
            )
    return None


def _size(shape: tuple[int, ...]) -> int:
    total = 1
    for extent in shape:
        total *= extent
    return total
