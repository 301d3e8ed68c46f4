"""A bare graph between the canvas and an output: preprocessing before it, further inputs held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from saliency_core.engine import nodes
from saliency_core.engine.canvas import cut_out, side_by_side
from saliency_core.engine.formats.graph_ports import (
    OPEN,
    GraphSource,
    ImageInput,
    chosen_output,
    image_inputs,
    needed,
)
from saliency_core.engine.freeze import Frozen, frozen_from
from saliency_core.engine.keras_ports import held_tensor
from saliency_core.engine.naming import graph_names
from saliency_core.engine.runtime import tensorflow
from saliency_core.engine.settle import INPUT, Raw
from saliency_core.errors import ModelError
from saliency_core.grammar import parse
from saliency_core.models.description import Choices, Description, Port

BODY = "net"  # the scope under which the file's own graph is kept until its names are plain again
ONES = ("keep_prob", "keep", "dropout_keep_prob")


def assembled(source: GraphSource, choices: Choices, words: str) -> tuple[Frozen, Description]:
    """Freeze a bare graph for the chosen ends. Raises ModelError with what can be chosen."""
    output = chosen_output(source, choices.output)
    images = image_inputs(source, output, choices)
    _refuse_unknown(source, choices)
    held = _held(source, output, images, choices)
    batch = _batch(source, images)
    slots, shape = side_by_side([image.slot for image in images])
    images = [ImageInput(slot, image.tensor) for slot, image in zip(slots, images, strict=True)]
    front, fed = _front(source, images, held, shape, batch, choices)
    graph = _joined(front, source.graph, fed)
    weights = {f"{BODY}/{name}": value for name, value in source.weights.items()}

    def values(names: Any) -> dict[str, Any]:
        found = source.values([name.removeprefix(f"{BODY}/") for name in names])
        return {f"{BODY}/{name}": value for name, value in found.items()}

    node, _, port = output.partition(":")
    raw = Raw(graph, [f"{BODY}/{node}:{port or 0}"], values, weights)
    frozen, own = frozen_from(raw, shape, batch, graph_names(BODY))
    return frozen, Description(
        format=words,
        inputs=tuple(_named(source, name, tensor) for name, tensor in source.inputs.items()),
        outputs=tuple(_named(source, name, tensor) for name, tensor in source.outputs.items()),
        output=next((n for n, t in source.outputs.items() if t == output), output.removesuffix(":0")),
        signature=choices.signature,
        held={name: _plain(value) for name, (_, value) in held.items()},
        places=tuple(slot.place for slot in slots),
        batch=batch,
        custom_gradients=own,
    )


def _named(source: GraphSource, name: str, tensor: str) -> Port:
    return replace(source.ports[tensor], name=name) if tensor in source.ports else Port(name, None, "unknown")


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _refuse_unknown(source: GraphSource, choices: Choices) -> None:
    for name in choices.others:
        if name not in source.inputs and nodes.tensor_of(name) not in source.ports:
            raise ModelError(
                f"The graph has no input {name[:80]!r}.", f"Its inputs: {', '.join(source.inputs) or 'none'}."
            )


def _batch(source: GraphSource, images: list[ImageInput]) -> int:
    """Return the number of rows that the image inputs are made for; 0 for any."""
    found = set()
    for image in images:
        shape = source.ports[image.tensor].shape
        found.add(1 if image.slot.layout == "single" else int(shape[0] or 0) if shape else 0)
    if len(found) > 1:
        raise ModelError(f"The image inputs are made for different batches: {sorted(found)}.")
    return found.pop()


def _held(
    source: GraphSource, output: str, images: list[ImageInput], choices: Choices
) -> dict[str, tuple[str, Any]]:
    """Return the further inputs that the output needs, with the value that each is held at."""
    taken = {image.tensor for image in images}
    used = needed(source.graph, output)
    named = {tensor: name for name, tensor in source.inputs.items()}
    held: dict[str, tuple[str, Any]] = {}
    for name, value in choices.others.items():
        held[name] = (source.inputs.get(name, nodes.tensor_of(name)), value)
    given = {tensor for tensor, _ in held.values()}
    for node in source.graph.node:
        tensor = f"{node.name}:0"
        open_input = node.op in ("Placeholder", "PlaceholderV2") and node.name in used
        if (
            not open_input
            or tensor in taken | given
            or node.name in source.weights
            or tensor not in source.ports
        ):
            continue
        port = source.ports[tensor]
        if port.dtype in ("resource", "string", "variant"):
            continue
        held[named.get(tensor, node.name)] = (tensor, _usual(node.name, port.dtype))
    return held


def _usual(name: str, dtype: str) -> Any:
    """Return the value that a further input has when a network answers, not when it learns."""
    if dtype == "bool":
        return False
    last = name.rpartition("/")[2].lower()
    return 1 if "keep" in last else 0


def _front(
    source: GraphSource,
    images: list[ImageInput],
    held: Mapping[str, tuple[str, Any]],
    shape: tuple[int, int, int],
    batch: int,
    choices: Choices,
) -> tuple[Any, dict[str, str]]:
    """Return a graph from the canvas to every input, and which of its tensors takes which one's place."""
    tf = tensorflow()
    preprocessing = parse("preprocessing", choices.preprocessing)

    def feed(pixels: Any) -> list[Any]:
        with tf.name_scope("preprocessing"):
            made = [cut_out(tf, pixels, image.slot, preprocessing, batch) for image in images]
        with tf.name_scope("held"):
            for name, (tensor, value) in held.items():
                made.append(_constant(tf, source.ports[tensor], name, value, batch or tf.shape(pixels)[0]))
        return made

    spec = tf.TensorSpec([batch or None, *shape], tf.float32, name=INPUT)
    traced = tf.function(feed, autograph=False).get_concrete_function(spec)
    names = [image.tensor for image in images] + [tensor for tensor, _ in held.values()]
    return traced.graph.as_graph_def(), dict(
        zip(names, (out.name for out in traced.graph.outputs), strict=True)
    )


def _constant(tf: Any, port: Port, name: str, value: Any, rows: Any) -> Any:
    """Return a held input as a tensor: of its own shape, with as many rows as there are images."""
    shape = port.shape
    if not shape or shape[0] is not None:
        full = tuple(1 if extent is None else extent for extent in shape or ())
        try:
            return tf.constant(np.broadcast_to(np.asarray(value), full), port.dtype)
        except (ValueError, TypeError) as problem:
            raise ModelError(
                f"The value for the input {name!r} does not fit its shape {shape}.",
                "Give one number, or an array of that shape.",
            ) from problem
    return held_tensor(tf, replace(port, name=name), value, rows)


def _joined(front: Any, body: Any, fed: Mapping[str, str]) -> Any:
    """Return both graphs as one: the body under its own scope, its inputs read from the front."""
    made = type(body)()
    made.versions.CopyFrom(body.versions)
    made.library.CopyFrom(body.library)
    made.node.extend(front.node)
    replaced = {nodes.node_of(tensor) for tensor in fed}
    for node in body.node:
        if node.name in replaced and node.op in OPEN:
            continue
        copy = made.node.add()
        copy.CopyFrom(node)
        copy.name = f"{BODY}/{node.name}"
        copy.attr.pop("_class", None)
        del copy.input[:]
        for source in node.input:
            if source.startswith("^"):
                if nodes.node_of(source) not in replaced:
                    copy.input.append(f"^{BODY}/{source[1:]}")
            else:
                tensor = nodes.tensor_of(source)
                copy.input.append(fed.get(tensor, f"{BODY}/{source}"))
        if node.op == "PlaceholderWithDefault":
            copy.op = "Identity"
            copy.attr["T"].CopyFrom(node.attr["dtype"])
            copy.attr.pop("dtype", None)
            copy.attr.pop("shape", None)
    return made
