"""What one form computes: the graph, imported into a function being traced and differentiated there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saliency_core.engine import biases, nodes, relevance
from saliency_core.engine.inspect import Anatomy
from saliency_core.engine.runtime import tensorflow
from saliency_core.errors import ModelError

OUTPUT_LEAKS = (KeyError, ValueError)


@dataclass(frozen=True)
class Form:
    """What makes two questions different programs: everything else enters as a tensor."""

    kind: str  # a method of Program, or constant or between, which need no run
    tensors: tuple[str, ...]
    rows: int
    at: str = ""
    rule: str = ""
    double: bool = False


@dataclass(frozen=True)
class Program:
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
        if form.kind == "biases":
            return self._biases(pixels, rest)
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

    def _biases(self, pixels: Any, seeds: Sequence[Any]) -> list[Any]:
        """Return score, input times gradient where the weights first see it, and what each bias adds."""
        tf = tensorflow()
        known, asked = self.anatomy, len(self.form.tensors)
        wanted = [*self.form.tensors, *biases.names(self.graph, known.biases, known.tensors)]
        found = self._import(pixels, [*wanted, *([known.start] if known.start else [])])
        start, given = found[len(wanted)] if known.start else pixels, found[asked : len(wanted)]
        outputs = _seeds_for(found[:asked], seeds)
        gradients = tf.gradients(found[:asked], [start, *given[::2]], grad_ys=outputs)
        shares = biases.terms(self.graph, known.biases, known.tensors, given, gradients[1:])
        if gradients[0] is None:
            raise _cut_off(self.form)
        return [_score(found[:asked], seeds), gradients[0] * start, *shares]

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


def _seeds_for(tensors: Sequence[Any], seeds: Sequence[Any]) -> list[Any]:
    """Return the seeds in the shapes and types of their tensors."""
    tf = tensorflow()
    pairs = zip(seeds, tensors, strict=True)
    return [tf.cast(tf.broadcast_to(seed, tf.shape(tensor)), tensor.dtype) for seed, tensor in pairs]


def _derivative(tensors: Sequence[Any], wanted: Any, seeds: Sequence[Any], form: Form) -> Any:
    tf = tensorflow()
    try:
        found = tf.gradients(tensors, wanted, grad_ys=_seeds_for(tensors, seeds))[0]
    except LookupError as problem:
        raise ModelError(f"The network cannot be differentiated: {str(problem)[:200]}") from problem
    if found is None and form.kind == "layer":
        raise ModelError(
            f"What is explained does not depend on {form.at} in a differentiable way.",
            "Choose a layer between the image and what is explained, or layer='auto'.",
        )
    if found is None:
        raise _cut_off(form)
    return tf.convert_to_tensor(found)


def _cut_off(form: Form) -> ModelError:
    return ModelError(
        f"{form.tensors[0] if form.tensors else 'The score'} does not depend on the image in a "
        "differentiable way.",
        "Choose an output or layer without rounding, argmax or comparison before it, or a method that "
        "needs no gradient, such as occlusion.",
    )


def _by_channel(tensor: Any) -> Any:
    """Return mean, variance and largest value of each channel of each row, (rows, 3, channels)."""
    tf = tensorflow()
    values = tf.cast(tensor, tf.float32)
    values = tf.reshape(values, [tf.shape(values)[0], -1, tf.shape(values)[-1]])
    mean, variance = tf.nn.moments(values, [1])
    return tf.stack([mean, variance, tf.reduce_max(values, 1)], 1)
