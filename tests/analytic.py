"""Probes whose scores and gradients are known on paper, in NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saliency_core.arrays import Array, Points, Values


@dataclass
class LinearProbe:
    """score = <weights, x>, so the gradient is the weights everywhere."""

    weights: Array
    chunk: int = 3

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.weights.shape

    def score(self, points: Points) -> Array:
        return (points.astype(np.float64) * self.weights).sum((1, 2, 3))

    def gradient(self, points: Points, rule: str = "") -> Values:
        return np.broadcast_to(self.weights, points.shape).astype(np.float32)

    def at_layer(self, points: Points, layer: str) -> tuple[Array, Array]:
        return points, self.gradient(points)


class QuadraticProbe(LinearProbe):
    """score = <weights, x * x> / 2, so the gradient is weights * x."""

    def score(self, points: Points) -> Array:
        return (points.astype(np.float64) ** 2 * self.weights).sum((1, 2, 3)) / 2

    def gradient(self, points: Points, rule: str = "") -> Values:
        return (points * self.weights).astype(np.float32)


class SineProbe(LinearProbe):
    """score = <weights, sin(x / 50)>: curved everywhere, so that every setting has something to change."""

    def score(self, points: Points) -> Array:
        return (np.sin(points.astype(np.float64) / 50) * self.weights).sum((1, 2, 3))

    def gradient(self, points: Points, rule: str = "") -> Values:
        return (np.cos(points.astype(np.float64) / 50) / 50 * self.weights).astype(np.float32)


class MixedProbe(SineProbe):
    """score = s + s^3 / 10000 of the sine score s: what a pixel adds hangs on all others."""

    def score(self, points: Points) -> Array:
        plain = super().score(points)
        return plain + plain**3 / 10000

    def gradient(self, points: Points, rule: str = "") -> Values:
        slope = 1 + 3 * super().score(points) ** 2 / 10000
        return (super().gradient(points) * slope[:, None, None, None]).astype(np.float32)


class StepProbe(LinearProbe):
    """score = number of weighted pixels above 100: flat almost everywhere, so the gradient is 0."""

    def score(self, points: Points) -> Array:
        return ((points > 100) * self.weights).sum((1, 2, 3))

    def gradient(self, points: Points, rule: str = "") -> Values:
        return np.zeros(points.shape, np.float32)


def weights(shape: tuple[int, int, int], seed: int = 0) -> Array:
    """Return weights whose products and sums float32 holds exactly: quarters from -2 to 2."""
    return np.random.default_rng(seed).integers(-8, 9, shape).astype(np.float64) / 4


def points(count: int, shape: tuple[int, int, int], seed: int = 1) -> Points:
    """Return whole grey levels."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.float32)
