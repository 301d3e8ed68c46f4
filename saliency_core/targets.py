"""What is asked of a network: one number, as a weighting of its outputs or of any tensor inside.

Every target is linear in tensors of the graph: score = offset + sum over tensors of <seed, tensor>.
The seed is the output gradient that TensorFlow calls `grad_ys`. Targets add and scale:
`ClassLogit(3) - 0.5 * ClassLogit(8)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from saliency_core.arrays import Array, Float
from saliency_core.errors import SettingError, TargetError
from saliency_core.models.anatomy import Head, Layer
from saliency_core.registry import Registered, register
from saliency_core.spec import Choice, Integer, Real, Text, check_setting, param
from saliency_core.weights import Weights, unpacked

OUTPUT = "output"
FLAT = 32  # terms that a sum is written with before it is put into parentheses
TOLD = 4  # terms that a heading has room for


class Reader(Protocol):
    """What a target may ask of a model to become a question."""

    @property
    def head(self) -> Head:
        """Where the logits are."""

    @property
    def labels(self) -> Sequence[str]:
        """Names of the classes; may be empty."""

    def find(self, name: str) -> Layer:
        """Return a layer or tensor by name, or raise TargetError."""

    def clean(self, tensor: str) -> Array:
        """Return a tensor's value on the clean image, without the batch axis."""


@dataclass(frozen=True)
class Question:
    """A target made concrete for one model: seeds by tensor name, and what the score is called."""

    seeds: dict[str, Float] = field(default_factory=dict)
    offset: float = 0.0
    unit: str = ""
    words: str = ""

    def plus(self, other: Question, weight: float) -> Question:
        """Return this question plus a weighted other one."""
        seeds = dict(self.seeds)
        for tensor, seed in other.seeds.items():
            scaled = np.float32(weight) * seed
            seeds[tensor] = seeds[tensor] + scaled if tensor in seeds else scaled
        unit = self.unit if self.unit in ("", other.unit) else "mixed units"
        return Question(seeds, self.offset + weight * other.offset, unit or other.unit, self.words)


class Target(Registered):
    """One number to explain; `+`, `-` and `*` build new targets."""

    family: ClassVar[str] = "target"

    def freeze(self, reader: Reader) -> Target:
        """Return the target with every choice made on the clean image, so that noise cannot change it."""
        return self

    def ask(self, reader: Reader) -> Question:
        """Return seeds, offset, unit and words for a model; raises TargetError when it does not fit."""
        raise NotImplementedError

    def __add__(self, other: Target) -> Target:
        return Combined((*_terms(self), *_terms(other))) if isinstance(other, Target) else NotImplemented

    def __sub__(self, other: Target) -> Target:
        return self + (-1.0) * other

    def __mul__(self, weight: float) -> Target:
        factor = check_setting("A product of a target", "the factor", Real(), weight)
        terms = tuple((factor * old, part) for old, part in _terms(self))
        if not all(np.isfinite(product) for product, _ in terms):
            raise SettingError(f"A product of a target: {factor} makes a weight too large to hold.")
        return Combined(terms)

    __rmul__ = __mul__

    def __neg__(self) -> Target:
        return -1.0 * self


@register("target", "top_class", title="Top class")
@dataclass(frozen=True)
class TopClass(Target):
    """Explains the class that the network finds most likely, chosen once on the clean image."""

    def freeze(self, reader: Reader) -> Target:
        head = reader.head
        _need_classes(head)
        return ClassLogit(top_index(head, reader.clean(head.logits)))

    def ask(self, reader: Reader) -> Question:
        return self.freeze(reader).ask(reader)


@register("target", "class_logit", title="Class")
@dataclass(frozen=True)
class ClassLogit(Target):
    """Explains the logit of one class: the network's evidence for it before softmax."""

    index: int = param(Integer(low=0, title="Class", help="Number of the class, counted from 0."))

    def ask(self, reader: Reader) -> Question:
        head = reader.head
        sign, position = _output_of_class(head, self.index)
        seed = _one_hot(reader, head.logits, position, sign)
        return Question({head.logits: seed}, 0.0, "logit", f"logit of {_class_words(reader, self.index)}")


@register("target", "class_probability", title="Class probability")
@dataclass(frozen=True)
class ClassProbability(Target):
    """Explains the probability of one class, after softmax or sigmoid."""

    index: int = param(Integer(low=0, title="Class", help="Number of the class, counted from 0."))

    def ask(self, reader: Reader) -> Question:
        head = reader.head
        sign, position = _output_of_class(head, self.index)
        if not head.probabilities:
            raise TargetError("The model has no probabilities.", "Explain the logit: class_logit(...).")
        seed = _one_hot(reader, head.probabilities, position, sign)
        words = f"probability of {_class_words(reader, self.index)}"
        return Question({head.probabilities: seed}, 1.0 if sign < 0 else 0.0, "probability", words)


@register("target", "class_difference", title="Class A minus class B")
@dataclass(frozen=True)
class ClassDifference(Target):
    """Explains why one class and not the other: the difference of two logits."""

    this: int = param(Integer(low=0, help="Class A, counted from 0.", title="Class A"))
    that: int = param(Integer(low=0, help="Class B, counted from 0.", title="Class B"))

    def ask(self, reader: Reader) -> Question:
        first, second = ClassLogit(self.this).ask(reader), ClassLogit(self.that).ask(reader)
        this, that = _class_words(reader, self.this), _class_words(reader, self.that)
        together = first.plus(second, -1.0)
        return Question(together.seeds, together.offset, "logit", f"logit of {this} minus logit of {that}")


@register("target", "layer_unit", title="Unit of a layer")
@dataclass(frozen=True)
class LayerUnit(Target):
    """Explains one unit: a single cell of a feature map, or one neuron of a dense layer."""

    layer: str = param(Text(help="Name of the layer, as in the list of the model's layers."))
    row: int = param(Integer(0, low=0, help="Row in the feature map; 0 for a dense layer."))
    col: int = param(Integer(0, low=0, help="Column in the feature map; 0 for a dense layer."))
    channel: int = param(Integer(0, low=0, help="Channel of the map, or number of the neuron."))

    def ask(self, reader: Reader) -> Question:
        layer = reader.find(self.layer)
        index: tuple[int, ...] = (self.row, self.col, self.channel)
        if len(layer.shape) == 1:
            _inside(layer.name, (1, 1, layer.shape[0]), index)
            index = index[2:]
        elif len(layer.shape) == 2:  # cells in a row, each with its channels
            _inside(layer.name, (layer.shape[0], 1, layer.shape[1]), index)
            index = index[::2]
        else:
            _inside(layer.name, layer.shape, index)
        seed = np.zeros(layer.shape, np.float32)
        seed[index] = 1.0
        cell = "neuron" if len(layer.shape) == 1 else f"row {self.row}, column {self.col}, channel"
        words = f"activation of {self.layer}, {cell} {self.channel}"
        return Question({layer.tensor: seed}, 0.0, "activation", words)


@register("target", "layer_channel", title="Channel of a layer")
@dataclass(frozen=True)
class LayerChannel(Target):
    """Explains a whole channel of a layer: its mean, its sum, or its strongest cell on the clean image."""

    layer: str = param(Text(help="Name of the layer, as in the list of the model's layers."))
    channel: int = param(Integer(0, low=0, help="Number of the channel."))
    how: str = param(
        Choice(
            "mean",
            options=("mean", "sum", "max", "activation"),
            help="mean and sum weigh every cell alike; max takes the strongest cell of the clean image; "
            "activation weighs each cell by its own value on the clean image.",
        )
    )

    def ask(self, reader: Reader) -> Question:
        layer = reader.find(self.layer)
        if not layer.spatial:
            return LayerUnit(self.layer, 0, 0, self.channel).ask(reader)
        _inside(layer.name, layer.shape, (0, 0, self.channel))
        seed = np.zeros(layer.shape, np.float32)
        seed[..., self.channel] = self._weights(reader, layer)
        words = f"{self.how} of {self.layer}, channel {self.channel}"
        return Question({layer.tensor: seed}, 0.0, "activation", words)

    def _weights(self, reader: Reader, layer: Layer) -> Any:
        if self.how == "sum":
            return 1.0
        if self.how == "mean":
            return 1.0 / (layer.shape[0] * layer.shape[1])
        values = reader.clean(layer.tensor)[..., self.channel]
        return (
            values
            if self.how == "activation"
            else (np.arange(values.size) == values.argmax()).reshape(values.shape)
        )


@register("target", "output_seed", title="Any weighting of outputs (grad_ys)")
@dataclass(frozen=True)
class OutputSeed(Target):
    """Explains any weighting of any tensor: the output gradient that TensorFlow calls grad_ys."""

    weights: Any = param(Weights(help="Index and weight of each cell, or a dense NumPy array."))
    layer: str = param(Text(OUTPUT, help="Name of the layer; 'output' is the end of the network."))

    def ask(self, reader: Reader) -> Question:
        layer = reader.find(self.layer)
        seed = self.dense(layer.shape)
        places = np.argwhere(seed)
        words = f"weighted sum of {len(places)} cells of {self.layer}"
        if len(places) == 1 and seed[tuple(places[0])] == 1:
            words = f"activation of {self.layer}, cell {', '.join(str(place) for place in places[0])}"
        return Question({layer.tensor: seed}, 0.0, "activation", words)

    def dense(self, shape: Sequence[int]) -> Float:
        """Return the weight of every cell of a tensor of this shape; raises TargetError for another's."""
        if isinstance(self.weights, str):
            return unpacked(self.weights, shape, self.layer)
        seed = np.zeros(shape, np.float32)
        for row in self.weights:
            index = tuple(int(i) for i in row[:-1])
            if len(index) == len(shape) + 1 and index[0] == 0:
                index = index[1:]
            _inside(self.layer, shape, index)
            seed[index] += row[-1]
        return seed


@dataclass(frozen=True)
class Combined(Target):
    """A weighted sum of targets, made by + - and *."""

    terms: tuple[tuple[float, Target], ...] = ()
    id: ClassVar[str] = "combined"
    title: ClassVar[str] = "Combination"
    hidden: ClassVar[bool] = True

    def freeze(self, reader: Reader) -> Target:
        return Combined(tuple((weight, part.freeze(reader)) for weight, part in self.terms))

    def ask(self, reader: Reader) -> Question:
        total, words = Question(), ""
        for weight, part in self.terms:
            asked = part.ask(reader)
            total = total.plus(asked, weight)
            sign = ("minus " if weight < 0 else "") if not words else (" minus " if weight < 0 else " plus ")
            words += sign + ("" if abs(weight) == 1 else f"{abs(weight):.4g} x ") + asked.words
        if len(self.terms) > TOLD:
            words = f"weighted sum of {len(self.terms)} targets"
        return Question(total.seeds, total.offset, total.unit, words)

    def spelled(self) -> str:
        """The sum as text that parses back."""
        return _spelled([(weight, part.spelling) for weight, part in self.terms])


def _spelled(terms: Sequence[tuple[float, str]]) -> str:
    """Return a sum as text; a long one as the sum of its halves, since readers follow only so many levels."""
    if len(terms) > FLAT:
        half = len(terms) // 2
        return f"({_spelled(terms[:half])}) + ({_spelled(terms[half:])})"
    first, *others = terms
    text = f"{first[0]!r}*{first[1]}"
    for weight, part in others:
        text += f" {'-' if weight < 0 else '+'} {abs(weight)!r}*{part}"
    return text


def top_index(head: Head, logits: Array) -> int:
    """Return the class with the largest logit; a single output decides between 1 and 0 by its sign."""
    flat = np.asarray(logits).reshape(-1)
    return int(flat[0] >= 0) if head.outputs == 1 else int(flat.argmax())


def class_name(labels: Sequence[str], index: int) -> str:
    """Return the label of a class, or `class 3` where there is none."""
    return labels[index] if index < len(labels) else f"class {index}"


def _terms(target: Target) -> tuple[tuple[float, Target], ...]:
    return target.terms if isinstance(target, Combined) else ((1.0, target),)


def _need_classes(head: Head) -> None:
    if not head.outputs:
        raise TargetError(
            "This model has no classes.",
            "Choose a unit: layer_unit(layer='output', row=0, col=0, channel=0).",
        )


def _output_of_class(head: Head, index: int) -> tuple[float, int]:
    """Return the sign and the output number of a class; class 0 of one output is its negative."""
    _need_classes(head)
    if index >= head.classes:
        raise TargetError(f"There is no class {index}.", f"The model has classes 0 to {head.classes - 1}.")
    return (1.0 if index else -1.0, 0) if head.outputs == 1 else (1.0, index)


def _one_hot(reader: Reader, tensor: str, position: int, sign: float) -> Float:
    seed = np.zeros(reader.find(tensor).shape, np.float32)
    seed.reshape(-1)[position] = sign
    return seed


def _class_words(reader: Reader, index: int) -> str:
    if reader.head.outputs == 1 and not reader.labels:
        return f"the output, toward {index}"
    name = class_name(reader.labels, index)
    return f"class {index}" if name in (f"class {index}", str(index)) else f"class {index} ({name})"


def _inside(name: str, shape: Sequence[int], index: Sequence[int]) -> None:
    if len(index) != len(shape) or any(not 0 <= i < extent for i, extent in zip(index, shape, strict=True)):
        size = " x ".join(str(extent) for extent in shape)
        raise TargetError(
            f"{name} has no unit {', '.join(str(i) for i in index)}.",
            f"Its size is {size}; each index counts from 0.",
        )
