"""Gradients added up along a path that moves the pixels with the smallest slopes first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from saliency_core.arrays import Array, Points
from saliency_core.baselines import Baseline, Black
from saliency_core.errors import SettingError
from saliency_core.methods.base import Method, Sketch
from saliency_core.paths import Path, is_slope, score_of, told
from saliency_core.probe import Probe
from saliency_core.registry import register
from saliency_core.sampling import GRADIENT, rounds_at_once
from saliency_core.spec import Integer, Part, Real, param

CLOSE = 1e-9  # of the whole way: rounding, not distance


@register(
    "method",
    "guided_ig",
    title="Guided IG",
    kind="contribution",
    cites=("kapishnikov2021",),
    formula="sum of base(path) * step of the path, pixels with small slopes moving first",
    misleads="The path is chosen by the network itself, so two networks are not asked the same question.",
)
@dataclass(frozen=True)
class GuidedIG(Path):
    """Adds up contributions along a path that goes around steep places, which makes the map less noisy.

    The paper's algorithm with the numbers of PAIR's implementation: 200 steps, a quarter of the pixels at a
    time, no pixel further than 2 % from the straight line. The baseline is a named one of raw pixels.
    """

    base: Method = param(Part(GRADIENT, title="Base", help="The method whose slopes guide the path."))
    steps: int = param(Integer(200, low=2, high=2000, title="Steps", help="Steps of the path."))
    baseline: Baseline = param(Part(Black(), of="baseline", title="Baseline", help="Where the path begins."))
    fraction: float = param(
        Real(
            25.0,
            low=1.0,
            high=100.0,
            step=1.0,
            unit="%",
            title="Share that moves",
            help="Of all pixels, at a time.",
        )
    )
    distance: float = param(
        Real(
            2.0,
            low=0.0,
            high=100.0,
            step=0.5,
            unit="%",
            title="Distance",
            help="How far ahead of the straight line, or behind it, a pixel may be.",
        )
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_slope(self.base):
            raise SettingError(
                f"guided_ig: {self.base.id} gives no slopes to guide a path.",
                "Choose a base such as gradient().",
            )

    def reference(self, points: Points) -> Points:
        return self.baseline.of(points)

    def sketches(self, probe: Probe, points: Points, begun: Sketch | None = None) -> Iterator[Sketch]:
        image = points.astype(np.float64)
        start = self.baseline.of(points).astype(np.float64)
        if begun:
            done, at = begun.done, begun.state["at"].copy()
            total, whole = begun.state["total"].copy(), begun.state["whole"]
        else:
            done, at, total = 0, start.copy(), np.zeros(points.shape)
            whole = score_of(probe, points) - score_of(probe, start.astype(np.float32))
        between = rounds_at_once(probe, points, self.base.cost_on(probe))
        if done == self.steps:
            yield self._seen(total, at, whole, done)
        for step in range(done, self.steps):
            slopes = self.base.attribute(probe, at.astype(np.float32)).astype(np.float64)
            for row in range(len(points)):
                self._advance(
                    at[row], total[row], slopes[row], start[row], image[row], (step + 1) / self.steps
                )
            if (step + 1) % between == 0 or step + 1 == self.steps:
                yield self._seen(total, at, whole, step + 1)

    def _advance(
        self, at: Array, total: Array, slopes: Array, start: Array, image: Array, place: float
    ) -> None:
        """Move a point on, in place, until `place` of the way is gone, and add up what that contributes."""
        way = image - start
        whole = np.abs(way).sum()
        behind = start + max(0.0, place - self.distance / 100) * way
        ahead = start + (1.0 if place + self.distance / 100 >= 1 else place + self.distance / 100) * way
        ahead = np.where(ahead == start + way, image, ahead)
        goal = whole * (1 - place)
        moved = np.where((behind - at) * way > 0, behind, at)
        while True:
            total += (moved - at) * slopes
            at[...] = moved
            left = np.abs(image - at).sum()
            sizes = np.where(at == ahead, np.inf, np.abs(slopes))
            chosen = (sizes <= np.quantile(sizes, self.fraction / 100, method="lower")) & np.isfinite(sizes)
            if left - goal <= CLOSE * whole or not chosen.any():
                return
            room = np.abs(ahead - at)[chosen].sum()
            share = (left - goal) / room if room > left - goal else 1.0
            moved = np.where(chosen, ahead if share == 1 else at + share * (ahead - at), at)

    def _seen(self, total: Array, at: Array, whole: Array, done: int) -> Sketch:
        facts, notes = told(self.base, float(whole[0]), float(total[0].sum()))
        state = {"at": at.copy(), "total": total.copy(), "whole": whole}
        return Sketch(total.astype(np.float32), done, self.steps, facts=facts, notes=notes, state=state)
