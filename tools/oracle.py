"""What an oracle is: a method of ours and a reference, asked the same question, and how far they differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from saliency_core.arrays import Array, Float, Points, Values
from saliency_core.grammar import parse
from saliency_core.methods.base import Method
from tools.oracle_networks import Case

GOOD = 1e-4
"""Largest difference allowed, as a share of the reference's largest value."""

CLOSE = 1e-3
"""Points as far apart as this, in grey levels, are the same up to rounding."""

Compare = Callable[[Case, Float, int], tuple[Array, Array]]
Suits = Callable[[Case], bool]


@dataclass(frozen=True)
class Oracle:
    """How a method is compared: `compare(case, point, class)` gives our map and the reference's.

    convention: what had to be aligned for both to mean the same. suits: on which models it can be asked.
    """

    method: str
    reference: str
    convention: str
    compare: Compare
    suits: Suits

    def error(self, case: Case) -> float:
        """The largest difference over a case's images, as a share of the reference's largest value."""
        return max(difference(*self.compare(case, point, index)) for point, index in case.points)


ORACLES: list[Oracle] = []


def oracle(
    method: str, reference: str, convention: str, suits: Suits = lambda case: True
) -> Callable[[Compare], Compare]:
    """Enter a comparison in the list of oracles."""

    def enter(compare: Compare) -> Compare:
        ORACLES.append(Oracle(method, reference, " ".join(convention.split()), compare, suits))
        return compare

    return enter


def ours(case: Case, point: Float, index: int, spelling: str) -> Array:
    """Our map of a class's logit by a method as spelled."""
    return watched(case, point, index, spelling)[0]


def watched(case: Case, point: Float, index: int, spelling: str) -> tuple[Array, Asked]:
    """Our map, and what the network was asked for on the way."""
    method: Method = parse("method", spelling)
    _, probe, _ = case.model.ask(parse("target", f"class_logit({index})"), point)
    watch = _Watched(probe)
    mine = method.attribute(watch, point[None])[0]
    return mine, Asked(*(np.concatenate(some) for some in (watch.points, watch.gradients)))


@dataclass(frozen=True)
class Asked:
    """The points that ours asked the network for, and the gradients that it got."""

    points: Points
    gradients: Values

    def nearest(self, point: Array) -> int:
        """Which of them is a point that theirs asks for; ValueError where it is none of them."""
        away = np.abs(self.points - point).reshape(len(self.points), -1).max(1)
        if away.min() > CLOSE:
            raise ValueError(f"Theirs asks for a point {away.min()} grey levels away from all of ours.")
        return int(away.argmin())


class _Watched:
    """A probe that remembers the points whose gradient it was asked for."""

    def __init__(self, base: Any) -> None:
        nothing = np.empty((0, *base.shape), np.float32)
        self._base, self.points, self.gradients = base, [nothing], [nothing]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._base, name)

    def gradient(self, points: Points, rule: str = "") -> Values:
        found = self._base.gradient(points, rule)
        self.points.append(points.copy())
        self.gradients.append(found)
        return found


def difference(found: Array, wanted: Array) -> float:
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    if found.shape != wanted.shape:
        raise ValueError(f"Our map is {found.shape}, the reference's {wanted.shape}.")
    largest = float(np.abs(wanted).max())
    if not largest:
        return float(np.abs(found).max())
    return float(np.abs(found - wanted).max()) / largest
