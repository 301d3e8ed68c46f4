"""Facts about a network that pages and targets need: its head and its tappable layers."""

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
