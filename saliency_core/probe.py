"""A probe is a graph asked one question: scores, gradients and inner tensors over batches of points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from saliency_core.arrays import Array, Points, Values


@runtime_checkable
class Probe(Protocol):
    """One score a point, and its derivatives. Points are (B, H, W, C) float32 raw pixels."""

    shape: tuple[int, int, int]
    chunk: int

    def score(self, points: Points) -> Array:
        """Return the score of each point, (B,) float64."""

    def gradient(self, points: Points, rule: str = "") -> Values:
        """Return the derivative of each score by each pixel, (B, H, W, C) float32."""

    def at_layer(self, points: Points, layer: str) -> tuple[Array, Array]:
        """Return a layer's activations and the score's gradient there, both (B, ...) float32."""


@dataclass
class counted:
    """A probe that counts the points it is asked, so that a method's declared cost can be checked."""

    base: Probe
    points: int = 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a point."""
        return self.base.shape

    @property
    def chunk(self) -> int:
        """Rows that go through the network at once."""
        return self.base.chunk

    def score(self, points: Points) -> Array:
        """Count and pass on."""
        self.points += len(points)
        return self.base.score(points)

    def gradient(self, points: Points, rule: str = "") -> Values:
        """Count and pass on."""
        self.points += len(points)
        return self.base.gradient(points, rule)

    def at_layer(self, points: Points, layer: str) -> tuple[Array, Array]:
        """Count and pass on."""
        self.points += len(points)
        return self.base.at_layer(points, layer)
