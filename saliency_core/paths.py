"""What path methods share: the order of the steps, the weights of a rule, and how complete a map is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar, Self

import numpy as np

from saliency_core.arrays import Array, Points, Values
from saliency_core.methods.base import Method, Refining
from saliency_core.probe import Probe

MIDPOINT, GAUSS = "midpoint", "gauss_legendre"
TRIPLED = 3  # the midpoints of n steps are among those of 3 n


@lru_cache(64)
def course(steps: int) -> tuple[int, ...]:
    """Return the order of the steps: spread over the path from the beginning, those of a third first."""
    if steps % TRIPLED == 0:
        earlier = tuple(TRIPLED * step + 1 for step in course(steps // TRIPLED))
        known = set(earlier)
        return earlier + tuple(step for step in _scattered(steps) if step not in known)
    return _scattered(steps)


@lru_cache(64)
def rule(name: str, steps: int) -> tuple[Array, Array]:
    """Return positions on the path from 0 to 1 and relative weights, step by step."""
    if name == GAUSS:
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        return (nodes + 1) / 2, weights / weights.sum()
    return (np.arange(steps) + 0.5) / steps, np.ones(steps)


def completeness(whole: float, total: float) -> tuple[Mapping[str, float], str]:
    """Return facts and a sentence: how much of the score's difference `whole` the map's sum explains."""
    gap = whole - total
    facts = {"whole": whole, "gap": gap}
    sentence = f"The map adds up to {total:.6g}; the scores of image and baseline differ by {whole:.6g}"
    if not whole:
        return facts, f"{sentence}."
    facts["gap_relative"] = abs(gap / whole)
    percent = float(f"{100 * facts['gap_relative']:.2g}")
    return facts, f"{sentence}: a gap of {percent:g} %."


class WeightedMean:
    """A mean of maps by weight, taken in one after another in float64; any cut gives the same bits."""

    def __init__(self, state: Mapping[str, Array] | None = None) -> None:
        self.sum: Array = state["sum"].copy() if state else np.zeros(())
        self.weight = float(state["weight"][0]) if state else 0.0
        self._part: Array | None = None  # kept, as fresh memory costs more than the sum

    def add(self, values: Values, weight: float) -> None:
        """Take in one more map."""
        if not self.weight:
            self.sum = np.zeros(values.shape)
        self._part = np.multiply(values, weight, out=self._part, dtype=np.float64)
        self.sum += self._part
        self.weight += weight

    @property
    def value(self) -> Array:
        """The mean so far, float64."""
        return np.asarray(self.sum / self.weight)

    @property
    def state(self) -> dict[str, Array]:
        """What is needed to go on."""
        return {"sum": self.sum.copy(), "weight": np.array([self.weight])}


def score_of(probe: Probe, points: Points) -> Array:
    """Return the scores of points, each asked alone, so that a batch changes no bit."""
    return np.concatenate([probe.score(points[row : row + 1]) for row in range(len(points))])


def told(base: Method, whole: float, total: float) -> tuple[Mapping[str, float], tuple[str, ...]]:
    """Return the facts and the notes of a map that adds up to `total` along a path that raises by `whole`."""
    if not is_slope(base):
        return {}, (averaged(base),)
    facts, sentence = completeness(whole, total)
    return facts, (sentence,)


def averaged(base: Method) -> str:
    """Return what a reader must know of a base that gives no slopes."""
    return (
        f"{base.name} gives no slopes: its maps are averaged along the path and not multiplied by it, so "
        "they need not add up to the score."
    )


def is_slope(base: Method) -> bool:
    """Tell whether a base gives slopes, which times a way make contributions."""
    return base.kind == "sensitivity"


def _scattered(steps: int) -> tuple[int, ...]:
    """Return 0 to steps - 1 by their mirrored binary digits: any beginning is spread over the whole."""
    digits = max(1, (steps - 1).bit_length())
    mirrored = (int(f"{step:0{digits}b}"[::-1], 2) for step in range(2**digits))
    return tuple(step for step in mirrored if step < steps)


class Path(Refining):
    """A method that adds up the maps of a base along a way to the image.

    Slopes times the way are contributions; maps of another kind are averaged and stay what they are.
    """

    group: ClassVar[str] = "Paths"
    rounds: ClassVar[str] = "steps"
    counted_in: ClassVar[str] = "steps"
    base: Method

    @property
    def kind(self) -> str:  # type: ignore[override]
        """Contributions where the base gives slopes."""
        return "contribution" if is_slope(self.base) else self.base.kind

    @property
    def degree(self) -> int:  # type: ignore[override]
        """The law of the base holds for its sum."""
        return self.base.degree

    @property
    def cost(self) -> int:
        return self._points(self.base.cost)

    def cost_on(self, probe: Probe) -> int:
        return self._points(self.base.cost_on(probe))

    def _points(self, each: int) -> int:
        """Return the points of all rounds, and of both ends where the gap is told."""
        return int(getattr(self, self.rounds)) * each + (2 if is_slope(self.base) else 0)

    @property
    def refinable(self) -> bool:
        """Tell whether more rounds can use those that there are."""
        return False

    @property
    def longer(self) -> Self | None:
        return super().longer if self.refinable else None

    def extends(self, rounds: int) -> bool:
        return super().extends(rounds) if self.refinable else rounds == int(getattr(self, self.rounds))

    def units(self, score_unit: str) -> str:
        return super().units(score_unit) if is_slope(self.base) else self.base.units(score_unit)
