"""Facts about a network that pages, targets and the doctor need: head, tappable layers, warning signs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

SLACK = 1e-6  # pixels, so that a third of a pixel written as a float never makes a box too small


@dataclass(frozen=True)
class Span:
    """What the cells along one axis can see: cell i sees pixels `first + step * i` to `last + step * i`.

    `first` is the offset: negative where padding comes before the image.
    """

    first: float
    last: float
    step: float

    @property
    def size(self) -> float:
        """How many pixels a cell can see, before the image ends."""
        return self.last - self.first + 1

    def pixels(self, cell: int, extent: int) -> tuple[int, int]:
        """Return the first pixel that a cell can see and the one after the last, within the image."""
        start = math.ceil(self.first + self.step * cell - SLACK)
        stop = math.floor(self.last + self.step * cell + SLACK) + 1
        start, stop = min(max(start, 0), extent), min(max(stop, 0), extent)
        return start, max(start, stop)


@dataclass(frozen=True)
class Field:
    """The theoretical receptive field of a tensor's units; None along an axis means all of the image."""

    rows: Span | None = None
    cols: Span | None = None

    @property
    def whole(self) -> bool:
        """True where every unit may depend on every pixel."""
        return self.rows is None and self.cols is None

    def box(self, row: int, col: int, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Return what a unit can see of an image (H, W, ...): top, left, bottom, right, ends not included."""
        top, bottom = (0, shape[0]) if self.rows is None else self.rows.pixels(row, shape[0])
        left, right = (0, shape[1]) if self.cols is None else self.cols.pixels(col, shape[1])
        return top, left, bottom, right

    @classmethod
    def from_json(cls, told: Any) -> Field:
        """Return the field that `dataclasses.asdict` has made plain data of."""
        spans = [None if told[name] is None else Span(**told[name]) for name in ("rows", "cols")]
        return cls(*spans)


WHOLE = Field()


@dataclass(frozen=True)
class Layer:
    """One tensor of the network that can be explained."""

    name: str
    tensor: str
    shape: tuple[int, ...]  # without the batch: (h, w, channels) or (units,)
    op: str
    field: Field = WHOLE

    @classmethod
    def from_json(cls, told: Any) -> Layer:
        """Return the layer that `dataclasses.asdict` has made plain data of."""
        return cls(**{**told, "shape": tuple(told["shape"]), "field": Field.from_json(told["field"])})

    @property
    def spatial(self) -> bool:
        """True for a feature map (h, w, channels)."""
        return len(self.shape) == 3

    @property
    def channels(self) -> int:
        """Number of channels or units."""
        return self.shape[-1]


@dataclass(frozen=True)
class Head:
    """Where the answer of the network is: the logits, and the probabilities if the graph has them.

    kind: "softmax", "log_softmax", "sigmoid" (several independent classes), "binary" (one sigmoid
    output: class 1 and class 0), "logits" (no activation at the end), "map" (no classes).
    """

    kind: str
    logits: str
    probabilities: str
    outputs: int
    found: str

    @property
    def classes(self) -> int:
        """Number of classes that can be explained; one output counts as two: toward 0 and toward 1."""
        return 2 if self.outputs == 1 else self.outputs


@dataclass(frozen=True)
class Rectifier:
    """One ReLU: the layer's name, the tensor that goes into it, and where it is capped (0: nowhere)."""

    name: str
    before: str
    cap: float = 0.0


@dataclass(frozen=True)
class Activation:
    """One nonlinear step: its layer, its kind in words, and the tensors before and behind it.

    `before` is empty where it is no rectifier: backward rules leave it as it is.
    """

    name: str
    kind: str
    before: str
    behind: str


@dataclass(frozen=True)
class Norm:
    """The first batch norm: the tensor it takes, and what it met in training, channel by channel."""

    name: str
    before: str
    mean: tuple[float, ...]
    variance: tuple[float, ...]
    epsilon: float


@dataclass(frozen=True)
class Signs:
    """What a graph shows a doctor without being run; nodes are named as in the graph.

    cuts: steps behind which no derivative goes on, (node, operation). cut_off: none reaches the output.
    random: nodes that draw random numbers. training_norms: batch norms that normalise by the batch
    itself. not_finite: weights with (name, how many are NaN, how many are infinite). own_rules: nodes
    with a gradient rule of their own, (node, rule). norm: the first batch norm, where there is one.
    """

    rectifiers: tuple[Rectifier, ...] = ()
    cuts: tuple[tuple[str, str], ...] = ()
    cut_off: bool = False
    random: tuple[str, ...] = ()
    training_norms: tuple[str, ...] = ()
    not_finite: tuple[tuple[str, int, int], ...] = ()
    own_rules: tuple[tuple[str, str], ...] = ()
    norm: Norm | None = None
