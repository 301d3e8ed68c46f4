"""Functions over a frozen graph, each traced once for a form of question and a number of rows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from saliency_core.arrays import Array
from saliency_core.engine import backward, fold, nodes, pad, precision, rules, signs
from saliency_core.engine.freeze import Frozen
from saliency_core.engine.inspect import Anatomy, examine
from saliency_core.engine.program import Form, Program
from saliency_core.engine.runtime import tensorflow
from saliency_core.errors import ModelError

MOST_FUNCTIONS = 24  # forms whose functions are kept for one graph; the oldest goes first
LARGEST_KERNEL = 4_000_000  # elements of a kernel that goes into each traced function
CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")
__all__ = ["Compiled", "Form"]
SOFTMAX = "added_softmax"


class Compiled:
    """One graph, its anatomy, and its compiled functions; safe to share between threads.

    The model needs of it `frozen` (shape, digest, output), `anatomy`, `norms_folded`, `traces` and `run`,
    no more: another process may stand behind the same five.
    """

    def __init__(self, frozen: Frozen) -> None:
        self.frozen = frozen.slim()
        self._weights = dict(frozen.weights)
        graph = nodes.parse_graph(frozen.graph)
        self._weights.update(nodes.take_weights(graph))
        norm = signs.first_norm(frozen, graph)  # tidying leaves nothing of what it met in training
        graph = fold.tidy(graph, [frozen.output], self._weights)
        anatomy = examine(frozen, graph, nodes.constants(graph, self._weights))
        anatomy = replace(anatomy, signs=replace(anatomy.signs, norm=norm))
        self.plain, self.anatomy = _with_probabilities(frozen, graph, anatomy)
        shapes = {nodes.tensor_of(frozen.input): frozen.shape, **self.anatomy.tensors}
        folded = fold.fold_norms(self.plain, self._ends(), self._weights)
        self.norms_folded = len(folded.node) < len(self.plain.node)
        self.folded = pad.fold_pads(folded, self._ends(), shapes, self._weights)
        self._in_folded = {node.name for node in self.folded.node}
        used = self._in_folded | {node.name for node in self.plain.node}
        self._weights = {name: value for name, value in self._weights.items() if name in used}
        self._constants: dict[str, Any] = {}  # tensors of the large weights, shared by all functions
        self._functions: OrderedDict[Form, list[Callable[..., Any]]] = OrderedDict()  # those that are idle
        self._impossible: dict[Form, tuple[str, str]] = {}  # why a form could not be traced, told again
        self._lock = threading.Lock()
        self.traces = 0

    def _ends(self) -> list[str]:
        head = self.anatomy.head
        return [name for name in {self.frozen.output, head.logits, head.probabilities} if name]

    def run(self, form: Form, *arrays: Array) -> list[Array]:
        """Run a form on arrays of its row count; returns NumPy arrays."""
        if form.kind == "constant":
            known = nodes.constants(self.plain, self._weights)
            return [_wide(np.asarray(known[name])) for name in form.tensors]
        if form.kind == "between":
            return [np.array(rules.between(self.plain, self.anatomy.steps, form.tensors), np.float32)]
        function = self._taken(form)
        tf = tensorflow()
        kind = tf.float64 if form.double else tf.float32
        try:
            return [
                _wide(np.asarray(one)) for one in function(*(tf.constant(array, kind) for array in arrays))
            ]
        finally:
            with self._lock:
                self._functions.get(form, []).append(function)

    def _taken(self, form: Form) -> Callable[..., Any]:
        """Return a function of a form that nobody runs: oneDNN's kernels crash where two runs share them."""
        with self._lock:
            idle = self._functions.setdefault(form, [])
            self._functions.move_to_end(form)
            while len(self._functions) > MOST_FUNCTIONS:
                self._functions.popitem(last=False)
            return idle.pop() if idle else self._trace_once(form)

    def graph_for(self, names: Sequence[str], rule: str = "") -> Any:
        """Return the folded graph, or the plain one when a tensor between was asked for; ruled if need be."""
        inside = all(nodes.node_of(name) in self._in_folded for name in names if name)
        graph = self.folded if inside else self.plain
        return rules.patched(graph, self.anatomy.steps, rule) if rule else graph

    def _trace_once(self, form: Form) -> Callable[..., Any]:
        """Trace a form; what cannot be traced is not tried again at every question."""
        if form in self._impossible:
            raise ModelError(*self._impossible[form])
        try:
            return self._trace(form)
        except ModelError as problem:
            self._impossible[form] = problem.problem, problem.hint
            raise

    def _trace(self, form: Form) -> Callable[..., Any]:
        tf = tensorflow()
        kind = tf.float64 if form.double else tf.float32
        rule = "" if form.kind == "relevance" else form.rule
        whole = form.kind in ("kernel", "carried", "back", "biases")  # a folded graph holds other kernels
        graph = self.plain if whole else self.graph_for([*form.tensors, form.at], rule)
        graph = precision.doubled(graph, self._weights) if form.double else graph
        graph = graph if whole else backward.quick_backward(graph, self._weights)
        if not form.double and form.kind != "relevance":  # which would cut each kernel anew into its signs
            graph = self._with_kernels(graph)
        program = Program(graph, self.frozen.input, form, self.anatomy, self._tensors(graph))
        signature = [tf.TensorSpec(shape, kind) for shape in self._shapes_for(form, program)]

        def body(*arrays: Any) -> Any:
            self.traces += 1
            return program.build(*arrays)

        traced = tf.function(body, input_signature=signature, autograph=False).get_concrete_function()
        return cast("Callable[..., Any]", traced)

    def _shapes_for(self, form: Form, program: Program) -> list[list[int]]:
        """Return the shapes of what a form is called with: pixels, seeds, and what the kind adds."""
        shapes = self.anatomy.tensors
        found = [[form.rows, *self.frozen.shape]]
        if form.kind in ("score", "gradient", "layer", "biases", "kernel", "relevance"):
            found += [[1, *shapes[name]] for name in form.tensors]
        if form.kind == "kernel":
            found.append(program.kernel_shape(form.at))
        if form.kind == "relevance":
            found.append([3])
        if form.kind in ("carried", "back"):
            found.append([form.rows, *shapes.get(form.at, self.frozen.shape)])
        return found

    def _tensors(self, graph: Any) -> dict[str, Any]:
        """Return the large weights of a graph as TensorFlow's tensors, made once for all functions."""
        for node in graph.node:
            missing = node.name in self._weights and node.name not in self._constants
            if missing and node.op != "Const":
                self._constants[node.name] = tensorflow().constant(self._weights[node.name])
        return {
            node.name: self._constants[node.name]
            for node in graph.node
            if node.name in self._constants and node.op != "Const"
        }

    def _with_kernels(self, graph: Any) -> Any:
        """Put kernels of convolutions into the graph: TensorFlow arranges constant ones only once."""
        kernels = {nodes.node_of(node.input[1]) for node in graph.node if node.op in CONVOLUTIONS}
        found = {
            name: value
            for name, value in self._weights.items()
            if name in kernels and value.size <= LARGEST_KERNEL
        }
        return nodes.whole(graph, found)


def _wide(array: Array) -> Array:
    """Half precision leaves the engine as float32, so that everybody computes with the same type."""
    return array.astype(np.float32) if array.dtype.itemsize == 2 else array


def _with_probabilities(frozen: Frozen, graph: Any, anatomy: Anatomy) -> tuple[Any, Anatomy]:
    """Append a softmax to a graph that ends in several logits, so that probabilities can be asked for."""
    head = anatomy.head
    if head.kind not in ("logits", "log_softmax") or head.outputs < 2:
        return graph, anatomy
    softmax = graph.node.add(name=SOFTMAX, op="Softmax", input=[nodes.node_of(head.logits)])
    _, _, port = head.logits.partition(":")
    if port not in ("", "0"):
        softmax.input[0] = head.logits
    softmax.attr["T"].type = tensorflow().float32.as_datatype_enum
    tensor = nodes.tensor_of(SOFTMAX)
    tensors = {**anatomy.tensors, tensor: anatomy.tensors[head.logits]}
    return graph, replace(anatomy, head=replace(head, probabilities=tensor), tensors=tensors)
