"""Graphs made by hand from whole numbers: every sum is exact, so that two ways to it must agree to the bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

INPUT = "pixels"


def whole(shape: Sequence[int], seed: int, largest: int = 3) -> np.ndarray:
    """Return whole numbers other than zero, of either sign."""
    draw = np.random.default_rng(seed)
    return (draw.integers(1, largest + 1, shape) * draw.choice([-1, 1], shape)).astype(np.float64)


def graph_of(build: Callable[[Any], Any], shape: Sequence[int], kind: Any = None) -> tuple[Any, str]:
    """Return the GraphDef of a function of the pixels (B, *shape), and the name of its output tensor."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        pixels = tf.compat.v1.placeholder(kind or tf.float32, [None, *shape], name=INPUT)
        output = build(pixels)
    return graph.as_graph_def(), output.name


def run(graph: Any, name: str, pixels: np.ndarray, seed: np.ndarray | None = None) -> list[np.ndarray]:
    """Return a tensor of a graph; with `seed`, also the derivative of sum <seed, tensor> by the pixels."""
    import tensorflow as tf

    with tf.Graph().as_default() as space:
        given = tf.constant(pixels)
        (output,) = tf.graph_util.import_graph_def(graph, {f"{INPUT}:0": given}, [name], name="")
        wanted = [output]
        if seed is not None:
            wanted += tf.gradients(output, given, grad_ys=tf.constant(seed, output.dtype))
        with tf.compat.v1.Session(graph=space) as session:
            return [np.asarray(one) for one in session.run(wanted)]


def operations(graph: Any) -> list[str]:
    """Return what a graph computes, in order, without its constants."""
    return [node.op for node in graph.node if node.op not in ("Const", "Placeholder")]
