"""Any network becomes one graph with constant weights and the preprocessing inside."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from saliency_core.arrays import Array
from saliency_core.engine import nodes
from saliency_core.engine.canvas import cut_out, side_by_side
from saliency_core.engine.naming import Naming, keras_names
from saliency_core.engine.runtime import tensorflow
from saliency_core.engine.settle import INPUT, Raw, settled
from saliency_core.errors import ModelError
from saliency_core.models.description import Description
from saliency_core.models.preprocessing import Preprocessing


@dataclass(frozen=True)
class Frozen:
    """A network as one graph: raw pixels 0..255 (B, H, W, C) in, one output tensor out.

    graph: serialized GraphDef in topological order, whose large constants are placeholders that `weights`
    fills. batch: rows that the graph is made for, 0 for any number.
    """

    graph: bytes
    output: str  # tensor name
    shape: tuple[int, int, int]  # H, W, C of one image
    input: str = INPUT
    batch: int = 0
    weights: Mapping[str, Array] = field(default_factory=dict, repr=False, compare=False)
    rules: tuple[tuple[str, str], ...] = ()  # operations that brought gradient rules of their own, and these

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the graph and its weights, which names the model everywhere."""
        sha = hashlib.sha256(self.graph)
        for name in sorted(self.weights):
            value = np.ascontiguousarray(self.weights[name])
            sha.update(f"{name} {value.dtype} {value.shape} ".encode())
            sha.update(value.view(np.uint8).data)
        return sha.hexdigest()

    def whole(self) -> Frozen:
        """Return the same network with all constants inside the graph, as it is written to a file."""
        if not self.weights:
            return self
        graph = nodes.whole(nodes.parse_graph(self.graph), self.weights)
        return replace(self, graph=graph.SerializeToString(deterministic=True), weights={})

    def slim(self) -> Frozen:
        """Return it without its large weights, its digest known."""
        kept = replace(self, weights={})
        kept.__dict__["digest"] = self.digest
        return kept


def frozen_from(
    raw: Raw, shape: tuple[int, int, int], batch: int, naming: Naming
) -> tuple[Frozen, tuple[str, ...]]:
    """Settle a raw graph; returns it frozen, and where it brought gradient rules of its own, in words."""
    done = settled(raw, naming)
    graph = done.graph.SerializeToString(deterministic=True)
    own = tuple(f"{name[:120]} brings its own gradient rule, {rule[:60]}" for name, rule in done.rules)
    return Frozen(graph, done.outputs[0], shape, INPUT, batch, done.weights, done.rules), own


def freeze_keras(
    model: Any,
    preprocessing: Preprocessing,
    *,
    size: tuple[int, ...] | None = None,
    output: int | str = "",
    others: Mapping[str, Any] | None = None,
) -> tuple[Frozen, Description]:
    """Freeze a Keras model of any kind (Sequential, functional, nested, subclassed).

    `size` (H, W) is needed where the model leaves it open, `output` chooses one of several by number or
    name, `others` fixes inputs that are no images. Several image inputs share one canvas. Raises
    ModelError when the model takes no image.
    """
    from saliency_core.engine.keras_ports import Ports

    tf = tensorflow()
    ports = Ports.of(model, size, others or {})
    slots, shape = side_by_side(ports.slots)

    def forward(pixels: Any) -> Any:
        with tf.name_scope("preprocessing"):
            ready = {slot.name: cut_out(tf, pixels, slot, preprocessing, ports.batch) for slot in slots}
            ready.update(ports.fixed(tf, pixels))
        answers, names = ports.answers(ports.call(ready))
        number = ports.number_of(output, names, [answer.shape.as_list() for answer in answers])
        ports.output, ports.outputs = names[number], ports.described(answers, names)
        return tf.cast(answers[number], tf.float32)

    spec = tf.TensorSpec([ports.batch or None, *shape], tf.float32, name=INPUT)
    try:
        traced = tf.function(forward, autograph=False).get_concrete_function(spec)
    except (ValueError, TypeError, tf.errors.InvalidArgumentError) as problem:
        raise ModelError(
            f"The model does not accept an image of shape {shape}: {str(problem)[:300]}",
            "Give the size it was made for: size=(height, width) in Python, --size HEIGHTxWIDTH, or Image "
            "size in the browser.",
        ) from problem
    frozen, own = frozen_from(raw_from(traced), shape, ports.batch, keras_names(model))
    return frozen, ports.description(slots, own)


def raw_from(traced: Any) -> Raw:
    """Return the graph of a traced function; variables and captured tensors are read when asked for."""
    graph = traced.graph.as_graph_def()
    outside = {inner.op.name: outer for outer, inner in traced.graph.captures}

    def values(names: Sequence[str]) -> dict[str, Array]:
        return {name: _value(outside[name], traced) for name in names if name in outside}

    return Raw(graph, [traced.graph.outputs[0].name], values, nodes.take_weights(graph))


def _value(outer: Any, traced: Any) -> Array:
    """Return what a captured tensor or variable holds, without a copy where TensorFlow allows it."""
    tf = tensorflow()
    if outer.dtype != tf.resource:
        return np.asarray(outer)
    for variable in traced.graph.variables:
        if variable.handle is outer:
            return np.asarray(variable.read_value())
    raise ModelError("The model reads something that is neither a weight nor a constant.")
