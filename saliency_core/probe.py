"""A probe is a graph asked one question: scores, gradients and inner tensors over batches of points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

from saliency_core.arrays import Array, Points, Values

OnPoints = Callable[[int], None]
T = TypeVar("T")


@runtime_checkable
class Probe(Protocol):
    """One score a point, and its derivatives. Points are (B, H, W, C) float32 raw pixels."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a point."""

    @property
    def chunk(self) -> int:
        """Rows that go through the network at once."""

    def score(self, points: Points) -> Array:
        """Return the score of each point, (B,) float64."""

    def gradient(self, points: Points, rule: str = "") -> Values:
        """Return the derivative of each score by each pixel, (B, H, W, C) float32."""

    def at_layer(self, points: Points, layer: str) -> tuple[Array, Array]:
        """Return a layer's activations and the score's gradient there, both (B, ...) float32."""


@dataclass
class counted:
    """A probe that counts the points it is asked and reports them chunk by chunk.

    `on_points` is called with the count so far after each chunk; what it raises stops the work.
    """

    base: Probe
    on_points: OnPoints | None = None
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
        """Return the scores of the base probe."""
        return np.concatenate([self._count(part, self.base.score(part)) for part in self._chunks(points)])

    def gradient(self, points: Points, rule: str = "") -> Values:
        """Return the gradients of the base probe."""
        parts = [self._count(part, self.base.gradient(part, rule)) for part in self._chunks(points)]
        return np.concatenate(parts)

    def at_layer(self, points: Points, layer: str) -> tuple[Array, Array]:
        """Return the layer and its gradients from the base probe."""
        parts = [self._count(part, self.base.at_layer(part, layer)) for part in self._chunks(points)]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def _chunks(self, points: Points) -> list[Points]:
        return [points[first:last] for first, last in pieces(len(points), self.chunk)]

    def _count(self, part: Points, answer: T) -> T:
        self.points += len(part)
        if self.on_points is not None:
            self.on_points(self.points)
        return answer


def pieces(count: int, size: int, first: int = 0) -> list[tuple[int, int]]:
    """Return where to cut `first` to `count` into pieces of a size; a single one left over joins the last.

    A network computes one point in another form than several, whose last digits may differ.
    """
    starts = list(range(first, count, size))
    if len(starts) > 1 and count - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts, count][1:], strict=True))
