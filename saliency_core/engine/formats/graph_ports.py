"""Inputs and outputs of a bare graph: proposed from the graph, or chosen by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from saliency_core.engine import nodes
from saliency_core.engine.canvas import COLOURS, Slot, slot_for
from saliency_core.engine.runtime import tensorflow
from saliency_core.engine.settle import Values
from saliency_core.errors import ModelError
from saliency_core.models.description import Choices, Port

OPEN = {"Placeholder", "PlaceholderWithDefault", "PlaceholderV2"}
PARSERS = {"ParseExample", "ParseExampleV2", "ParseSingleExample"}
DECODERS = {"DecodeJpeg", "DecodePng", "DecodeImage", "DecodeBmp", "DecodeAndCropJpeg"}
ENDLESS = {"NoOp", "Assert", "Assign", "SaveV2", "RestoreV2", "Const", "Print", "Placeholder", "VarHandleOp"}
HEADS = {"Softmax", "Sigmoid", "LogSoftmax"}
PASSING = {"Identity", "Reshape", "Squeeze", "Cast"}


@dataclass
class GraphSource:
    """A graph with its function library, and what is known of its ends.

    inputs and outputs map names that a user sees to tensors; a bare graph proposes its own.
    """

    graph: Any
    weights: nodes.Weights
    values: Values
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    ports: dict[str, Port] = field(default_factory=dict)  # every tensor of the main graph


@dataclass
class ImageInput:
    """An image input of a graph: how it lies on the canvas, and the tensor that it takes the place of."""

    slot: Slot
    tensor: str


def tensors_of(graph: Any) -> dict[str, Port]:
    """Return shape and type of every tensor of the main graph."""
    tf = tensorflow()
    with tf.Graph().as_default() as space:
        try:
            tf.graph_util.import_graph_def(graph, name="")
        except (ValueError, TypeError, KeyError) as problem:
            raise ModelError(f"The graph cannot be read: {str(problem)[:300]}") from problem
        found = [tensor for op in space.get_operations() for tensor in op.outputs]
    return {
        t.name: Port(
            t.name.removesuffix(":0"),
            None if t.shape.rank is None else tuple(t.shape.as_list()),
            t.dtype.base_dtype.name,
        )
        for t in found
    }


def chosen_output(source: GraphSource, wanted: str | int) -> str:
    """Return the output tensor: by number, by name, or the one that looks most like an answer."""
    names = list(source.outputs)
    if wanted == "" and len(names) == 1:
        return source.outputs[names[0]]
    if wanted == "":
        return _likeliest(source)
    if str(wanted).isdigit() and int(wanted) < len(names):
        return source.outputs[names[int(wanted)]]
    return _by_name(source, str(wanted), source.outputs, "output")


def _by_name(source: GraphSource, wanted: str, known: Mapping[str, str], what: str) -> str:
    if wanted in known:
        return known[wanted]
    tensor = nodes.tensor_of(wanted)
    if tensor in source.ports:
        return tensor
    near = difflib.get_close_matches(wanted, [*known, *(p.name for p in source.ports.values())], 3, 0.4)
    proposed = ", ".join(known) or "none"
    raise ModelError(
        f"The graph has no tensor {wanted[:80]!r} for an {what}.",
        f"Proposed: {proposed}." + (f" Nearest: {', '.join(near)}." if near else ""),
    )


def _likeliest(source: GraphSource) -> str:
    by_name = {node.name: node for node in source.graph.node}
    best, most = "", -1
    for tensor in source.outputs.values():
        node = by_name[nodes.node_of(tensor)]
        while node.op in PASSING and nodes.data_inputs(node):
            node = by_name[nodes.node_of(node.input[0])]
        shape = source.ports[tensor].shape
        likeness = 4 * (node.op in HEADS) + 2 * (shape is not None and len(shape) == 2)
        if likeness >= most:
            best, most = tensor, likeness
    return best


def ends_of(graph: Any, ports: Mapping[str, Port]) -> dict[str, str]:
    """Propose outputs: tensors of decimal numbers that nothing reads and that depend on an input."""
    read = {nodes.node_of(name) for node in graph.node for name in node.input if not name.startswith("^")}
    depends = reached(graph, [node.name for node in graph.node if node.op in OPEN or node.op in DECODERS])
    found = {}
    for node in graph.node:
        tensor = f"{node.name}:0"
        if node.name in read or node.op in ENDLESS or node.name not in depends or tensor not in ports:
            continue
        if ports[tensor].dtype in ("float32", "float16", "bfloat16", "float64"):
            found[node.name] = tensor
    return found


def reached(graph: Any, sources: Sequence[str]) -> set[str]:
    """Return the nodes that depend on any of the sources."""
    readers: dict[str, list[str]] = {}
    for node in graph.node:
        for name in nodes.data_inputs(node):
            readers.setdefault(nodes.node_of(name), []).append(node.name)
    found, waiting = set(sources), list(sources)
    while waiting:
        for reader in readers.get(waiting.pop(), []):
            if reader not in found:
                found.add(reader)
                waiting.append(reader)
    return found


def needed(graph: Any, output: str) -> set[str]:
    """Return the nodes that an output needs."""
    by_name = {node.name: node for node in graph.node}
    found: set[str] = set()
    waiting = [nodes.node_of(output)]
    while waiting:
        name = waiting.pop()
        if name not in found and name in by_name:
            found.add(name)
            waiting += [nodes.node_of(source) for source in by_name[name].input]
    return found


def image_inputs(source: GraphSource, output: str, choices: Choices) -> list[ImageInput]:
    """Return the image inputs of a graph: the one that was chosen, or those that look like images."""
    if choices.input:
        tensor = _by_name(source, choices.input, source.inputs, "input")
        found = _slot(source.ports[tensor], choices.input, choices.size)
        if found is None:
            raise ModelError(
                f"The input {choices.input!r} has the shape {source.ports[tensor].shape}, which is no image.",
                "For a flat input, say which image it is: size=(height, width, channels).",
            )
        return [ImageInput(found, tensor)]
    used = needed(source.graph, output)
    asked = {n: t for n, t in source.inputs.items() if nodes.node_of(t) in used and n not in choices.others}
    numbers = {n: t for n, t in asked.items() if source.ports[t].dtype not in ("string", "bool", "resource")}
    if not numbers:
        numbers = _behind_a_parser(source, used, asked)
    found_inputs = _looking_like_images(source, numbers, choices)
    if not found_inputs:
        shapes = ", ".join(f"{n}: {source.ports[t].shape} {source.ports[t].dtype}" for n, t in asked.items())
        raise ModelError(
            f"No input looks like an image ({shapes or 'the graph has no open input'}).",
            "Choose one: input='name'; for a flat input also size=(height, width, channels).",
        )
    return found_inputs


def _looking_like_images(
    source: GraphSource, numbers: Mapping[str, str], choices: Choices
) -> list[ImageInput]:
    for rank in (4, None, 3, 2):
        alike = {n: t for n, t in numbers.items() if _rank(source.ports[t]) == rank}
        if rank is None and (choices.size is None or len(alike) > 1):
            continue
        if rank == 2 and len(alike) > 1:
            continue
        slots = [(tensor, _slot(source.ports[tensor], name, choices.size)) for name, tensor in alike.items()]
        found = [ImageInput(slot, tensor) for tensor, slot in slots if slot is not None]
        if found:
            return found
    return []


def _rank(port: Port) -> int | None:
    return None if port.shape is None else len(port.shape)


def _slot(port: Port, name: str, size: Sequence[int] | None) -> Slot | None:
    shape = port.shape
    if shape is not None and len(shape) == 3 and shape[2] in COLOURS and shape[0] != 1:
        # one image without a batch, as a decoder gives it
        found = slot_for(name, shape, port.dtype, size)
        return None if found is None else Slot(found.name, found.shape, "single", found.dtype)
    if shape is not None and not shape:
        return None
    return slot_for(name, None if shape is None else shape[1:], port.dtype, size)


def _behind_a_parser(source: GraphSource, used: set[str], asked: Mapping[str, str]) -> dict[str, str]:
    """Return the tensors that come out of a parser or decoder, where the input itself is text."""
    found = {}
    for node in source.graph.node:
        if node.name in used and node.op in PARSERS | DECODERS:
            prefix = f"{node.name}:"
            for tensor, port in source.ports.items():
                if tensor.startswith(prefix) and port.dtype in ("float32", "uint8", "int64", "float16"):
                    found[port.name] = tensor
    if not found:
        strings = ", ".join(n for n, t in asked.items() if source.ports[t].dtype == "string")
        raise ModelError(
            f"The network takes serialized records or files ({strings or 'text'}), and no image lies behind.",
            "Choose the tensor that holds the pixels: input='name'.",
        )
    return found
