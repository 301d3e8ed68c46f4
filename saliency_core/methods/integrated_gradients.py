"""Gradients added up along a straight line from a baseline to the image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from saliency_core.arrays import Array, Points, Values
from saliency_core.baselines import Baseline, Black
from saliency_core.errors import SettingError
from saliency_core.methods.base import Method, Sketch
from saliency_core.paths import (
    GAUSS,
    MIDPOINT,
    TRIPLED,
    Path,
    WeightedMean,
    course,
    is_slope,
    rule,
    score_of,
    told,
)
from saliency_core.probe import Probe
from saliency_core.registry import register
from saliency_core.sampling import GRADIENT, ahead, in_company, rounds_at_once, spans
from saliency_core.spec import Choice, Integer, Part, Real, param

MOST = 2000  # steps


@register(
    "method",
    "integrated_gradients",
    title="Integrated Gradients",
    cites=("sundararajan2017",),
    formula="(pixel - baseline) * mean of base along the line from baseline to image",
    misleads="Everything depends on the baseline: what looks like it gets nothing. The images between are "
    "none that the network knows.",
)
@dataclass(frozen=True)
class IntegratedGradients(Path):
    """Shows how much each pixel adds to the score on the way from a baseline, such as black, to the image.

    The midpoint rule, or Gauss-Legendre as in captum, with weights that add up to 1; PAIR and tf-explain give
    both ends full weight. Multiplied by image minus baseline, signed, as in the paper; tf-explain leaves that
    out. The baseline is a named one of raw pixels; most tools take zero after preprocessing.
    """

    grows: ClassVar[int] = TRIPLED

    base: Method = param(Part(GRADIENT, title="Base", help="The method that sees the images on the way."))
    steps: int = param(Integer(50, low=2, high=MOST, title="Steps", help="Images on the way."))
    rule: str = param(
        Choice(
            MIDPOINT,
            options=(MIDPOINT, GAUSS),
            titles=("Midpoints", "Gauss-Legendre"),
            title="Rule",
            help="Midpoints can be refined later; Gauss-Legendre is more exact on smooth paths.",
        )
    )
    baseline: Baseline = param(Part(Black(), of="baseline", title="Baseline", help="Where the way begins."))
    tolerance: float = param(
        Real(
            0.0,
            low=0.0,
            high=100.0,
            step=0.01,
            unit="%",
            title="Tolerance",
            help=f"Triple the steps, up to {MOST}, until the gap is below this share of the score's "
            "difference; 0: never.",
        )
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tolerance and self.rule == GAUSS:
            raise SettingError(
                f"integrated_gradients: a tolerance of {self.tolerance:g} % needs the rule {MIDPOINT}.",
                f"Gauss-Legendre steps cannot be refined; choose {MIDPOINT}, or a tolerance of 0.",
            )

    @property
    def refinable(self) -> bool:
        return self.rule == MIDPOINT

    def extends(self, rounds: int) -> bool:
        while self.rule == MIDPOINT and rounds < self.steps:
            rounds *= TRIPLED
        return rounds == self.steps

    def reference(self, points: Points) -> Points:
        return self.baseline.of(points)

    def attribute(self, probe: Probe, points: Points) -> Values:
        if not self.tolerance or len(points) == 1:
            return super().attribute(probe, points)
        alone = (
            super(IntegratedGradients, self).attribute(probe, points[row : row + 1])
            for row in range(len(points))
        )
        return np.concatenate(list(alone))

    def sketches(self, probe: Probe, points: Points, begun: Sketch | None = None) -> Iterator[Sketch]:
        points = points.astype(np.float32, copy=False)
        start = self.baseline.of(points)
        way, at_once = points - start, rounds_at_once(probe, points, self.base.cost_on(probe))
        mean = WeightedMean(begun.state if begun else None)
        whole = begun.state["whole"] if begun else self._whole(probe, points, start)
        done, steps = 0, self.steps
        if begun:
            done = begun.done
            sketch, steps = self._seen(mean, whole, way, done)
            if done == steps:
                yield sketch
        while done < steps:
            positions, weights = (one[list(course(steps))] for one in rule(self.rule, steps))

            def path(span: tuple[int, int], positions: Array = positions) -> Points:
                at = positions[slice(*span)].astype(np.float32).reshape(-1, 1, 1, 1, 1)
                return (start + at * way).reshape(-1, *points.shape[1:])

            shown = ahead(spans(done, steps, at_once), path)
            for ((first, end), _), maps in ahead(shown, lambda made: in_company(self.base, probe, made[1])):
                several = maps.reshape(end - first, -1, *maps.shape[1:])
                for weight, one in zip(weights[first:end], several, strict=True):
                    mean.add(one, float(weight))
                done = end
                sketch, longer = self._seen(mean, whole, way, done)
                yield sketch
            steps = longer

    def _whole(self, probe: Probe, points: Points, start: Points) -> Array:
        """Return by how much the score of each point differs from that of its baseline, (B,)."""
        if not is_slope(self.base):
            return np.zeros(len(points))
        return score_of(probe, points) - score_of(probe, start)

    def _seen(self, mean: WeightedMean, whole: Array, way: Points, done: int) -> tuple[Sketch, int]:
        """Return the map after so many steps, and how many it takes: more while the gap is too large."""
        values = mean.value * way if is_slope(self.base) else mean.value
        totals = values.reshape(len(values), -1).sum(1)
        facts, notes = told(self.base, float(whole[0]), float(totals[0]))
        steps = self.steps
        while steps < done and steps * TRIPLED <= MOST:
            steps *= TRIPLED
        rough = is_slope(self.base) and bool(
            (np.abs(whole - totals) > self.tolerance / 100 * np.abs(whole)).any()
        )
        if done == steps and self.tolerance and rough and steps * TRIPLED <= MOST:
            steps *= TRIPLED
        state = {**mean.state, "whole": whole}
        return Sketch(values.astype(np.float32), done, steps, facts=facts, notes=notes, state=state), steps
