"""Oracles for the backward rules: PAIR's rewritten graph, and the rules as gradients of our own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from saliency_core.arrays import Array, Float
from tools.oracle import oracle, ours
from tools.oracle_networks import Case, Network, answering, source_of
from tools.oracle_pair import PAIR

Rule = Callable[[Any, Any, Any], Any]
RELUS = ("Relu", "Relu6")


def is_keras(case: Case) -> bool:
    return case.network.keras is not None


def has_plain_relus(case: Case) -> bool:
    graph = case.network.graph
    return graph is not None and all(node.op != "Relu6" for node in graph.node)


@oracle(
    "guided_backprop",
    f"{PAIR}, tf1.GuidedBackprop",
    """Theirs replaces the gradient of every operation named Relu in a copy of the graph; a ReLU6 keeps its
    own, without a word, so that networks with those are compared below. It saves variables, of which a frozen
    graph has none: one without use is added. Without `feed_dict={}` it fails.""",
    has_plain_relus,
)
def guided_by_pair(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    import tensorflow as tf
    from saliency.tf1 import GuidedBackprop

    graph, folder = tf.Graph(), tempfile.TemporaryDirectory()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session, folder:
        tf.graph_util.import_graph_def(case.network.graph, name="")
        unused = tf.compat.v1.get_variable("unused", [1])
        session.run(unused.initializer)
        pixels = graph.get_tensor_by_name(f"{source_of(case.network.graph)}:0")
        logit = graph.get_tensor_by_name(case.model.head.logits)[0, index]
        theirs = GuidedBackprop(graph, session, logit, pixels, str(Path(folder.name) / "saved"))
        taken = point * np.float32(case.network.scale) + np.float32(case.network.shift)
        found = theirs.GetMask(taken, feed_dict={})
    return ours(case, point, index, "guided_backprop()"), found * case.network.scale


@oracle(
    "guided_backprop",
    "The rule of Springenberg and others 2015",
    """Written as gradients of every ReLU into a copy of the network: what comes back, where it is positive,
    times the derivative of the ReLU, which at a ReLU6 is 0 from 6 on.""",
)
def guided(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    ruled = _in_keras if is_keras(case) else _in_graph
    return ours(case, point, index, "guided_backprop()"), ruled(case, point, index, _guided)


@oracle(
    "deconvnet",
    "The rule of Zeiler and Fergus 2014",
    """Written as gradients of every ReLU into a copy of the network: what comes back, where it is positive,
    whatever the ReLU did forward; max pooling passes back to its largest input.""",
)
def deconvnet(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    ruled = _in_keras if is_keras(case) else _in_graph
    return ours(case, point, index, "deconvnet()"), ruled(case, point, index, _deconvnet)


def _guided(below: Any, above: Any, gradient: Any) -> Any:
    """The ReLU's true derivative is 1 where it changes nothing and the input is positive."""
    import tensorflow as tf

    passes = tf.logical_and(gradient > 0, tf.logical_and(below > 0, tf.equal(below, above)))
    return tf.where(passes, gradient, tf.zeros_like(gradient))


def _deconvnet(below: Any, above: Any, gradient: Any) -> Any:
    import tensorflow as tf

    return tf.where(gradient > 0, gradient, tf.zeros_like(gradient))


def _in_keras(case: Case, point: Float, index: int, rule: Rule) -> Array:
    """The gradient by raw pixels of a copy of a Keras model, whose ReLUs pass it back by a rule."""
    import keras
    import tensorflow as tf

    class Ruled(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, largest: float | None) -> None:
            super().__init__()
            self.largest = largest

        def call(self, below: Any) -> Any:
            @tf.custom_gradient
            def forward(x: Any) -> Any:
                y = tf.nn.relu(x) if self.largest is None else tf.clip_by_value(x, 0.0, self.largest)
                return y, lambda gradient: rule(x, y, gradient)

            return forward(below)

    def copied(layer: Any) -> Any:
        if isinstance(layer, keras.layers.ReLU):
            return Ruled(None if layer.max_value is None else float(layer.max_value))
        if getattr(layer, "activation", None) is keras.activations.relu:
            return Ruled(None)
        return type(layer).from_config(layer.get_config())

    network = case.network
    copy = keras.models.clone_model(network.keras, clone_function=copied)
    copy.set_weights(network.keras.get_weights())
    pixels = tf.constant(point[None])
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        logit = copy(pixels * np.float32(network.scale) + np.float32(network.shift), training=False)[0, index]
    return np.asarray(tape.gradient(logit, pixels)[0])


def _in_graph(case: Case, point: Float, index: int, rule: Rule) -> Array:
    """The gradient by raw pixels of a copy of a frozen graph, whose ReLUs pass it back by a rule."""
    graph = type(case.network.graph)()
    graph.CopyFrom(case.network.graph)
    for node in graph.node:
        if node.op in RELUS:
            node.attr["_gradient_op_type"].s = _named(rule).encode()
    network = case.network
    answer = answering(graph, case.model, network.scale, network.shift)
    return Network(answer, network.shape, network.layer).gradient(point, index)


@cache
def _named(rule: Rule) -> str:
    """The name under which TensorFlow knows a rule as a gradient."""
    import tensorflow as tf

    name = f"Oracle{rule.__name__}"
    tf.RegisterGradient(name)(lambda op, gradient: rule(op.inputs[0], op.outputs[0], gradient))
    return name


def is_straight(case: Case) -> bool:
    """Made of ReLUs alone, whose output is their derivative times their input; that of a ReLU6 is not."""
    keras = case.network.keras
    if keras is None:
        return has_plain_relus(case)
    return all(getattr(layer, "max_value", None) is None for layer in keras.layers)


@oracle(
    "lrp",
    "Gradient times network input",
    """The epsilon rule with epsilon 0, which in a network of ReLUs is known to be the gradient times what the
    network takes, biases included; here the gradient of TensorFlow's own run. The other rules have no
    reference here: they are held by the laws in their tests.""",
    is_straight,
)
def lrp(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    network = case.network
    theirs = network.gradient(point, index) * (point + np.divide(network.shift, network.scale))
    return ours(case, point, index, "lrp(rule='epsilon', epsilon=0.0)"), theirs
