"""Functions over a frozen graph, each traced once for a form of question and a number of rows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from saliency_core.arrays import Array
from saliency_core.engine import backward, fold, nodes, pad, precision, relevance, rules, signs
from saliency_core.engine.freeze import Frozen
from saliency_core.engine.inspect import Anatomy, examine
from saliency_core.engine.runtime import tensorflow
from saliency_core.errors import ModelError

MOST_FUNCTIONS = 24  # traced functions kept for one graph; the oldest goes first
LARGEST_KERNEL = 4_000_000  # elements of a kernel that goes into each traced function
CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")
SOFTMAX = "added_softmax"
OUTPUT_LEAKS = (KeyError, ValueError)


@dataclass(frozen=True)
class Form:
    """What makes two questions different programs: everything else enters as a tensor."""

    kind: str  # a method of _Program, or constant or between, which need no run
    tensors: tuple[str, ...]
    rows: int
    at: str = ""
    rule: str = ""
    double: bool = False


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
        self._functions: OrderedDict[Form, Callable[..., Any]] = OrderedDict()
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
        with self._lock:
            function = self._functions.get(form)
            if function is None:
                function = self._functions[form] = self._trace(form)
                while len(self._functions) > MOST_FUNCTIONS:
                    self._functions.popitem(last=False)
            self._functions.move_to_end(form)
        tf = tensorflow()
        kind = tf.float64 if form.double else tf.float32
        return [_wide(one.numpy()) for one in function(*(tf.constant(array, kind) for array in arrays))]

    def graph_for(self, names: Sequence[str], rule: str = "") -> Any:
        """Return the folded graph, or the plain one when a tensor between was asked for; ruled if need be."""
        inside = all(nodes.node_of(name) in self._in_folded for name in names if name)
        graph = self.folded if inside else self.plain
        return rules.patched(graph, self.anatomy.steps, rule) if rule else graph

    def _trace(self, form: Form) -> Callable[..., Any]:
        tf = tensorflow()
        kind = tf.float64 if form.double else tf.float32
        rule = "" if form.kind == "relevance" else form.rule
        whole = form.kind in ("kernel", "carried", "back")  # a folded graph holds other kernels
        graph = self.plain if whole else self.graph_for([*form.tensors, form.at], rule)
        graph = precision.doubled(graph, self._weights) if form.double else graph
        graph = graph if whole else backward.quick_backward(graph, self._weights)
        if not form.double and form.kind != "relevance":  # which would cut each kernel anew into its signs
            graph = self._with_kernels(graph)
        program = _Program(graph, self.frozen.input, form, self.anatomy, self._tensors(graph))
        signature = [tf.TensorSpec(shape, kind) for shape in self._shapes_for(form, program)]

        def body(*arrays: Any) -> Any:
            self.traces += 1
            return program.build(*arrays)

        traced = tf.function(body, input_signature=signature, autograph=False).get_concrete_function()
        return cast("Callable[..., Any]", traced)

    def _shapes_for(self, form: Form, program: _Program) -> list[list[int]]:
        """Return the shapes of what a form is called with: pixels, seeds, and what the kind adds."""
        shapes = self.anatomy.tensors
        found = [[form.rows, *self.frozen.shape]]
        if form.kind in ("score", "gradient", "layer", "kernel", "relevance"):
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


@dataclass(frozen=True)
class _Program:
    """Builds one form inside a tf.function: the graph is imported there and differentiated there."""

    graph: Any
    source: str
    form: Form
    anatomy: Anatomy
    weights: Mapping[str, Any]

    def build(self, pixels: Any, *rest: Any) -> Any:
        form = self.form
        if form.kind == "read":
            return self._import(pixels, form.tensors)
        if form.kind == "channels":
            head = self._head_tensors()
            found = self._import(pixels, [*head, *form.tensors])
            return [*found[: len(head)], *map(_by_channel, found[len(head) :])]
        if form.kind == "top":
            return self._top(pixels)
        if form.kind == "kernel":
            return self._kernel(pixels, rest[:-1], rest[-1])
        if form.kind in ("carried", "back"):
            return [self._back(pixels, rest[0])]
        if form.kind == "relevance":
            return self._relevance(pixels, rest[:-1], rest[-1])
        tensors = self._import(pixels, [*form.tensors, *self._extras()])
        asked, extras = tensors[: len(form.tensors)], tensors[len(form.tensors) :]
        score = _score(asked, rest)
        if form.kind == "score":
            return [score]
        wanted = extras[0] if form.kind == "layer" else pixels
        return [score, _derivative(asked, wanted, rest, form), *extras]

    def _extras(self) -> list[str]:
        """Return the tensors that come along for free: the layer, or the head for the predictions."""
        if self.form.kind == "layer":
            return [self.form.at]
        head = self.anatomy.head
        free = [name for name in (head.logits, head.probabilities) if name and head.outputs]
        return free if self.form.kind == "gradient" and not self.form.double else []

    def _import(self, pixels: Any, names: Sequence[str], also: dict[str, Any] | None = None) -> list[Any]:
        tf = tensorflow()
        inside = tf.compat.v1.get_default_graph()  # the function being traced, which captures them
        weights = {f"{name}:0": inside.capture(tensor) for name, tensor in self.weights.items()}
        replaced = {**weights, f"{self.source}:0": pixels, **(also or {})}
        try:
            found = tf.graph_util.import_graph_def(
                self.graph, replaced, [nodes.tensor_of(name) for name in names], name=""
            )
        except OUTPUT_LEAKS as problem:
            raise ModelError(f"The graph cannot be read: {str(problem)[:300]}") from problem
        return list(found)

    def _top(self, pixels: Any) -> Any:
        """Return head and gradient of the winning logit; the winner is found inside, in one pass."""
        tf = tensorflow()
        head = self.anatomy.head
        extras = self._extras_of_head(pixels)
        logits = extras[0]
        flat = tf.reshape(logits, [self.form.rows, -1])
        if head.outputs == 1:
            winner = tf.where(flat >= 0, tf.ones_like(flat), -tf.ones_like(flat))
        else:
            winner = tf.one_hot(tf.argmax(flat, -1), head.outputs, dtype=flat.dtype)
        seed = tf.reshape(winner, tf.shape(logits))
        return [_score([logits], [seed]), _derivative([logits], pixels, [seed], self.form), *extras]

    def _head_tensors(self) -> list[str]:
        head = self.anatomy.head
        return [name for name in (head.logits, head.probabilities) if name]

    def _extras_of_head(self, pixels: Any) -> list[Any]:
        return self._import(pixels, self._head_tensors())

    def kernel_shape(self, name: str) -> list[int]:
        """Return the shape of the constant that a convolution uses as kernel."""
        if name in self.weights:
            return list(self.weights[name].shape)
        return list(nodes.constants(self.graph, {})[name].shape)

    def _back(self, pixels: Any, given: Any) -> Any:
        """Carry a gradient at a tensor to the pixels; "carried" goes through the first convolution first."""
        tf = tensorflow()
        first = self.anatomy.first
        source, spread = self.form.at, given
        if self.form.kind == "carried" and first is not None:
            source = first.source
            seen, kernel = self._import(pixels, [source, first.kernel_name])
            spread = tf.nn.conv2d_transpose(given, kernel, tf.shape(seen), first.strides, first.padding)
        else:
            (seen,) = self._import(pixels, [source])
        return spread if seen is pixels else tf.gradients(seen, pixels, grad_ys=spread)[0]

    def _relevance(self, pixels: Any, seeds: Sequence[Any], numbers: Any) -> list[Any]:
        """Return the score and how much of it every pixel gets."""
        tf = tensorflow()
        asked = self._import(pixels, self.form.tensors)
        begun = [tensor * tf.cast(seed, tensor.dtype) for tensor, seed in zip(asked, seeds, strict=True)]
        found = relevance.handed_back(asked, begun, pixels, self.form.rule, tf.unstack(numbers))
        return [_score(asked, seeds), found]

    def _kernel(self, pixels: Any, seeds: Sequence[Any], kernel: Any) -> Any:
        asked = self._import(pixels, self.form.tensors, {f"{self.form.at}:0": kernel})
        return [_score(asked, seeds), _derivative(asked, kernel, seeds, self.form)]


def _score(tensors: Sequence[Any], seeds: Sequence[Any]) -> Any:
    """Return sum <seed, tensor> for each row, added up in float64."""
    tf = tensorflow()
    total: Any = 0.0
    for tensor, seed in zip(tensors, seeds, strict=True):
        product = tf.cast(tensor, tf.float64) * tf.cast(seed, tf.float64)
        total += tf.reduce_sum(product, axis=list(range(1, len(product.shape))))
    return total


def _derivative(tensors: Sequence[Any], wanted: Any, seeds: Sequence[Any], form: Form) -> Any:
    tf = tensorflow()
    outputs = [
        tf.cast(tf.broadcast_to(seed, tf.shape(t)), t.dtype) for seed, t in zip(seeds, tensors, strict=True)
    ]
    try:
        found = tf.gradients(tensors, wanted, grad_ys=outputs)[0]
    except LookupError as problem:
        raise ModelError(f"The network cannot be differentiated: {str(problem)[:200]}") from problem
    if found is None:
        raise ModelError(
            f"{form.tensors[0] if form.tensors else 'The score'} does not depend on the image in a "
            "differentiable way.",
            "Choose an output or layer without rounding, argmax or comparison before it.",
        )
    return tf.convert_to_tensor(found)


def _by_channel(tensor: Any) -> Any:
    """Return mean, variance and largest value of each channel of each row, (rows, 3, channels)."""
    tf = tensorflow()
    values = tf.cast(tensor, tf.float32)
    values = tf.reshape(values, [tf.shape(values)[0], -1, tf.shape(values)[-1]])
    mean, variance = tf.nn.moments(values, [1])
    return tf.stack([mean, variance, tf.reduce_max(values, 1)], 1)


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
