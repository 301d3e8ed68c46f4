"""Probes whose scores and gradients are known on paper, in NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saliency_core.arrays import Array, Points, Values
from saliency_core.probe import RuleFacts


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

    def rule_facts(self, rule: str) -> RuleFacts:
        return RuleFacts(rule, 0)

    def relevance(self, points: Points, rule: str, numbers: Sequence[float]) -> tuple[Array, Values]:
        """One dense unit over all pixels: each gets its part of the sum."""
        return self.score(points), (points * self.weights).astype(np.float32)


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

    def relevance(self, points: Points, rule: str, numbers: Sequence[float]) -> tuple[Array, Values]:
        """Sines as pixels of a network: a convolution whose units are rows with a bias, then two dense layers."""
        epsilon, gamma, alpha = numbers
        parts = (np.sin(points.astype(np.float64) / 50) * self.weights).reshape(*points.shape[:2], -1)
        bias = self.weights.mean((1, 2))[None, :, None] + 0 * parts[..., :1]
        parts = np.concatenate([parts, bias], 2)
        units = parts.sum(2, keepdims=True)
        size = np.sqrt((units**2).mean(1, keepdims=True))
        given = units * _part(units, units + epsilon * size * np.sign(units))
        base = rule.removesuffix("+bias")
        up, down = np.maximum(parts, 0), np.minimum(parts, 0)
        shares = {
            "epsilon": lambda: _part(parts, units + epsilon * size * np.sign(units)),
            "alpha_beta": lambda: (
                alpha * _part(up, up.sum(2, keepdims=True))
                - (alpha - 1) * _part(down, down.sum(2, keepdims=True))
            ),
        }
        favoured = parts + gamma * np.where(units > 0, up, down)
        share = shares[base]() if base in shares else _part(favoured, favoured.sum(2, keepdims=True))
        found = share * given
        spread = found[..., -1:] / (parts.shape[2] - 1) if rule != base else 0
        return self.score(points), (found[..., :-1] + spread).reshape(points.shape).astype(np.float32)


def _part(some: Array, whole: Array) -> Array:
    return np.divide(some, whole, out=np.zeros_like(some), where=whole != 0)


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
