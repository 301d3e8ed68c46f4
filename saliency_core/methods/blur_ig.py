"""Gradients added up while the image comes into focus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from saliency_core.arrays import Array, Points, read_only
from saliency_core.methods.base import Method, Sketch
from saliency_core.paths import Path, course, is_slope, score_of, told
from saliency_core.probe import Probe
from saliency_core.registry import register
from saliency_core.sampling import GRADIENT, in_company, rounds_at_once, spans
from saliency_core.spec import Choice, Integer, Part, Real, param

CHORDS, FORWARD = "chords", "forward"
TRUNCATED = 4.0  # standard deviations of the blur that are taken into account
NUDGE = 0.01  # pixels: how much more blur the forward difference looks at


@register(
    "method",
    "blur_ig",
    title="Blur IG",
    cites=("xu2020",),
    formula="sum over widths of the blur of base(blurred) * change of the blurred image",
    misleads="What survives the strongest blur, such as large areas of one colour, gets nothing; the blur "
    "darkens the border, and that counts as well.",
)
@dataclass(frozen=True)
class BlurIG(Path):
    """Shows how much each pixel adds to the score while the image comes into focus from a strong blur.

    Blurs from 0 to 50 pixels in equal steps over a black surrounding, as in PAIR's implementation. By default
    the path is made of chords, whose changes add up to the whole exactly; "forward" is PAIR's sum: the slope
    at the sharper end times a forward difference of 0.01 pixels, which need not be complete.
    """

    base: Method = param(Part(GRADIENT, title="Base", help="The method that sees the blurred images."))
    steps: int = param(Integer(100, low=2, high=2000, title="Steps", help="Blurred images on the way."))
    widest: float = param(
        Real(
            50.0,
            low=1.0,
            high=200.0,
            step=1.0,
            unit="pixels",
            title="Widest blur",
            help="Where the way begins.",
        )
    )
    rule: str = param(
        Choice(
            CHORDS,
            options=(CHORDS, FORWARD),
            titles=("Chords", "Forward difference"),
            title="Rule",
            help="Chords add up to the score's difference; the forward difference is PAIR's.",
        )
    )

    def reference(self, points: Points) -> Points:
        return blurred(points.astype(np.float32, copy=False), self.widest)

    def sketches(self, probe: Probe, points: Points, begun: Sketch | None = None) -> Iterator[Sketch]:
        points = points.astype(np.float32, copy=False)
        at_once = rounds_at_once(probe, points, self.base.cost_on(probe))
        done, total, whole = 0, np.zeros(1), np.zeros(len(points))
        if begun:
            done, total, whole = begun.done, begun.state["total"], begun.state["whole"]
        elif is_slope(self.base):
            whole = score_of(probe, points) - score_of(probe, blurred(points, self.widest))
        if done == self.steps:
            yield self._seen(total, whole, done)
        for first, end in spans(done, self.steps, at_once):
            spots, changes = zip(
                *(self._step(points, step) for step in course(self.steps)[first:end]), strict=True
            )
            maps = in_company(self.base, probe, np.concatenate(spots))
            for one, change in zip(maps.reshape(end - first, -1, *maps.shape[1:]), changes, strict=True):
                total = total + (one.astype(np.float64) * change if is_slope(self.base) else one)
            yield self._seen(total, whole, end)

    def _step(self, points: Points, step: int) -> tuple[Array, Array]:
        """Return where the slope of a step is asked, and by how much the image changes towards focus."""
        width = self.widest / self.steps
        sharp = blurred(points, step * width)
        if self.rule == FORWARD:
            wide = points.astype(np.float64)  # two blurs so close differ by less than float32 can tell
            change = blurred(wide, step * width) - blurred(wide, step * width + NUDGE)
            return sharp, change * (width / NUDGE)
        soft = blurred(points, (step + 1) * width)
        return (sharp + soft) / np.float32(2), sharp - soft

    def _seen(self, total: Array, whole: Array, done: int) -> Sketch:
        share = done / self.steps if is_slope(self.base) else done
        values = total / share
        facts, notes = told(self.base, float(whole[0]), float(values[0].sum()))
        state = {"total": total, "whole": whole}
        return Sketch(values.astype(np.float32), done, self.steps, facts=facts, notes=notes, state=state)


def blurred(points: Array, sigma: float) -> Array:
    """Return points (B, H, W, C), of their type, blurred by a Gaussian both ways, black all around."""
    return np.stack([_both_ways(point, sigma) for point in points])


def _both_ways(point: Array, sigma: float) -> Array:
    """Blur a point (H, W, C) down and across; alone, so that its bits depend on no other."""
    for _ in range(2):
        size, other, channels = point.shape
        matrix = _blur(size, sigma).astype(point.dtype, copy=False)
        point = (matrix @ point.reshape(size, -1)).reshape(size, other, channels)
        point = np.ascontiguousarray(point.transpose(1, 0, 2))
    return point


@lru_cache(64)
def _blur(size: int, sigma: float) -> Array:
    """Return the matrix that blurs a line of pixels, (size, size)."""
    reach = int(TRUNCATED * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-12)) ** 2)
    weights /= weights.sum()
    away = np.subtract.outer(np.arange(size), np.arange(size))
    near = np.abs(away) <= reach
    return read_only(np.where(near, weights[np.where(near, away + reach, 0)], 0.0))
