"""Probes whose scores and gradients are known on paper, in NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saliency_core.arrays import Array, Points, Values
from saliency_core.models.anatomy import Field, Layer, Span
from saliency_core.probe import RuleFacts, Shares

COPIES = 128  # of each channel in the layer "copies": a power of two divides without rounding
ONE_PIXEL = Field(Span(0, 0, 1), Span(0, 0, 1))


@dataclass
class LinearProbe:
    """score = <weights, x>, so the gradient is the weights everywhere."""

    weights: Array
    chunk: int = 3

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.weights.shape

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The pixels themselves, and many copies of each channel, whose mean the score takes."""
        high, wide, channels = self.shape
        return (
            Layer("pixels", "pixels:0", (high, wide, channels), "Identity", ONE_PIXEL),
            Layer("copies", "copies:0", (high, wide, channels * COPIES), "Tile", ONE_PIXEL),
        )

    def score(self, points: Points) -> Array:
        return (points.astype(np.float64) * self.weights).sum((1, 2, 3))

    def gradient(self, points: Points, rule: str = "") -> Values:
        return np.broadcast_to(self.weights, points.shape).astype(np.float32)

    def at_layer(self, points: Points, layer: str) -> tuple[Array, Array]:
        gradient = self.gradient(points)
        if layer != "copies":
            return points, gradient
        return points.repeat(COPIES, -1), (gradient / np.float32(COPIES)).repeat(COPIES, -1)

    def shares(self, points: Points) -> Shares:
        return Shares(self.score(points), self.gradient(points) * points)

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
        sizes = np.abs(parts[..., :-1])
        spread = (
            _part(sizes, sizes.sum(2, keepdims=True)) * found[..., -1:]
            if rule != base and base != "epsilon"
            else 0
        )
        return self.score(points), (found[..., :-1] + spread).reshape(points.shape).astype(np.float32)


def _part(some: Array, whole: Array) -> Array:
    return np.divide(some, whole, out=np.zeros_like(some), where=whole != 0)


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


@dataclass
class PooledProbe(LinearProbe):
    """score = <mix, mean over cells of features>, features = ReLU(every second pixel times weights).

    `weights` are (H, W, C) as for the others and give only the shape; `kernel` is (C, K), `mix` is (K,).
    """

    kernel: Array = None
    mix: Array = None

    @property
    def layers(self) -> tuple[Layer, ...]:
        high, wide, _ = self.shape
        every_second = Field(Span(0, 0, 2), Span(0, 0, 2))
        shape = (-(-high // 2), -(-wide // 2), len(self.mix))
        pooled = Layer("mean", "mean:0", (len(self.mix),), "Mean")
        return (Layer("features", "features:0", shape, "Relu", every_second), pooled)

    def _before(self, points: Points) -> Array:
        return points[:, ::2, ::2].astype(np.float64) @ self.kernel

    def score(self, points: Points) -> Array:
        return np.maximum(self._before(points), 0).mean((1, 2)) @ self.mix

    def gradient(self, points: Points, rule: str = "") -> Values:
        before = self._before(points)
        found = np.zeros(points.shape)
        found[:, ::2, ::2] = (before > 0) * (self.mix / before[0, ..., 0].size) @ self.kernel.T
        return found.astype(np.float32)

    def at_layer(self, points: Points, layer: str) -> tuple[Array, Array]:
        before = self._before(points)
        gradient = np.broadcast_to(self.mix / before[0, ..., 0].size, before.shape)
        return np.maximum(before, 0), gradient


def pooled(shape: tuple[int, int, int] = (7, 4, 3), seed: int = 5, features: int = 6) -> PooledProbe:
    """Return a network of one convolution, a global mean and a dense layer, in quarters."""
    draw = np.random.default_rng(seed)
    kernel, mix = draw.integers(-8, 9, (shape[2], features)) / 4, draw.integers(-8, 9, features) / 4
    return PooledProbe(weights(shape), kernel=kernel, mix=mix)
