"""Facts about a network that pages, targets and the doctor need: head, tappable layers, warning signs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """One tensor of the network that can be explained."""

    name: str
    tensor: str
    shape: tuple[int, ...]  # without the batch: (h, w, channels) or (units,)
    op: str

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
