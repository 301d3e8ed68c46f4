"""What sampling methods share: seeded noise, rounds that fill the probe's chunks, running moments."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from statistics import NormalDist
from typing import Any, ClassVar, TypeVar

import numpy as np

from saliency_core.arrays import Array, Float, Points, Values, read_only
from saliency_core.methods.base import Method, Refining, Sketch
from saliency_core.methods.gradient import Gradient
from saliency_core.probe import Probe
from saliency_core.spec import Flag, Integer, Part, Real, param

T = TypeVar("T")
R = TypeVar("R")
BRIGHTEST = 255.0
GRADIENT = Gradient()  # what wrappers wrap unless told otherwise
LARGEST_SEED = 2**32 - 1
LEVELS = 2**16  # of noise


def spans(done: int, total: int, at_once: int) -> Iterator[tuple[int, int]]:
    """Yield the rounds that are asked together, as (first, end), without a single one left over.

    One point alone goes through another compiled form than several, whose last bits may differ.
    """
    at_once = max(2, at_once)
    while done < total:
        end = min(total, done + at_once)
        if total - end == 1:
            end = total
        yield done, end
        done = end


def in_company(base: Method, probe: Probe, points: Points) -> Values:
    """Return the maps of points, where a single point is asked twice so that it is not alone."""
    if len(points) > 1:
        return base.attribute(probe, points)
    return base.attribute(probe, np.repeat(points, 2, 0))[:1]


def scores_of(probe: Probe, points: Points) -> Array:
    """Return the scores of points, (B,), a single one in company as well."""
    if len(points) > 1:
        return probe.score(points)
    return probe.score(np.repeat(points, 2, 0))[:1]


def ahead(rounds: Iterable[T], make: Callable[[T], R]) -> Iterator[tuple[T, R]]:
    """Yield each round with what is made of it; the next one is made while this one is dealt with.

    What making raises is raised here. Who stops in between waits for what is being made, and no longer.
    """
    waiting: deque[tuple[T, Future[R]]] = deque()
    thread = ThreadPoolExecutor(1, "ahead")
    try:
        for one in rounds:
            waiting.append((one, thread.submit(make, one)))
            if len(waiting) > 1:
                first, made = waiting.popleft()
                yield first, made.result()
        for last, made in waiting:
            yield last, made.result()
    finally:
        thread.shutdown(wait=True, cancel_futures=True)


def rounds_at_once(probe: Probe, points: Points, cost: int) -> int:
    """Return how many rounds of such a cost fill what the probe takes at once."""
    return max(1, probe.chunk // (len(points) * max(1, cost)))


def drawn(seed: int, sample: int, shape: tuple[int, ...]) -> Float:
    """Return the standard normal noise of one sample: the same whatever was drawn before it.

    Sixteen random bits choose one of `normals`: several times as fast as numpy's own normal numbers, and the
    same with any version of numpy, which promises that for the bits of a generator alone.
    """
    numbers = math.prod(shape)
    bits = np.random.PCG64([seed, sample]).random_raw(-(-numbers // 4))
    picks = bits.astype("<u8", copy=False).view("<u2")[:numbers]
    return np.asarray(normals().take(picks).reshape(shape), np.float32)


@cache
def normals() -> Float:
    """Return 65,536 equally likely values in rising order: the standard normal distribution in small steps.

    Mean 0 and variance 1, at most 4.3; within two standard deviations a step is below 0.0003.
    """
    half = LEVELS // 2
    below = np.array([NormalDist().inv_cdf((place + 0.5) / LEVELS) for place in range(half)])
    values = np.concatenate([below, -below[::-1]])
    return read_only((values / values.std()).astype(np.float32))


def spread_of(points: Points, percent: float) -> Float:
    """Return a share of each point's own range in grey levels, (B,)."""
    rows = points.reshape(len(points), -1)
    return np.asarray((rows.max(1) - rows.min(1)) * np.float32(percent / 100), np.float32)


@cache
def threads() -> ThreadPoolExecutor:
    """Return the threads that draw noise, which takes a tenth of the time of a small gradient."""
    return ThreadPoolExecutor(min(4, os.cpu_count() or 1), "noise")


class Moments:
    """Mean and variance of maps that come one after another, in float64; any cut gives the same bits."""

    def __init__(self, state: Mapping[str, Array] | None = None) -> None:
        self.count = int(state["count"][0]) if state else 0
        self.mean: Array = state["mean"].copy() if state else np.zeros(())
        self.squares: Array = state["squares"].copy() if state else np.zeros(())
        self._away: Array | None = None  # kept, as fresh memory costs more than the sums

    def add(self, values: Array) -> None:
        """Take in one more map, by Welford's recurrence."""
        if not self.count:
            self.mean, self.squares = np.zeros(values.shape), np.zeros(values.shape)
        self.count += 1
        self._away = away = np.subtract(values, self.mean, out=self._away, dtype=np.float64)
        away /= self.count
        self.mean += away
        away *= away
        away *= self.count * (self.count - 1)
        self.squares += away

    @property
    def variance(self) -> Array:
        """The unbiased variance, n/(n-1) times the mean square distance from the mean."""
        return np.asarray(self.squares / max(1, self.count - 1))

    @property
    def error(self) -> Values | None:
        """The standard error of the mean, (B, ...); None while there is one map only."""
        if self.count < 2:
            return None
        return np.asarray(np.sqrt(self.variance / self.count), np.float32)

    @property
    def state(self) -> dict[str, Array]:
        """What is needed to go on."""
        return {"count": np.array([self.count]), "mean": self.mean.copy(), "squares": self.squares.copy()}


class FourMoments(Moments):
    """Moments up to the fourth power, which tell how far off a variance may be."""

    def __init__(self, state: Mapping[str, Array] | None = None) -> None:
        super().__init__(state)
        self.cubes: Array = state["cubes"].copy() if state else np.zeros(())
        self.fourths: Array = state["fourths"].copy() if state else np.zeros(())

    def add(self, values: Array) -> None:
        """Take in one more map: the recurrence of Pébay (2008) for a single value."""
        n = self.count + 1
        step = (values - self.mean) / n
        squares = step * step
        whole = squares * (n * (n - 1))  # what the sum of squares gains
        gained = whole * squares * (n * n - 3 * n + 3)
        self.fourths = self.fourths + gained + 6 * squares * self.squares - 4 * step * self.cubes
        self.cubes = self.cubes + whole * step * (n - 2) - 3 * step * self.squares
        super().add(values)

    @property
    def error_of_variance(self) -> Values | None:
        """The standard error of the variance, (B, ...); None below four maps, which say nothing of it."""
        n = self.count
        if n < 4:
            return None
        square = self.fourths / n - self.variance**2 * ((n - 3) / (n - 1))
        return np.asarray(np.sqrt(np.maximum(square, 0) / n), np.float32)

    @property
    def state(self) -> dict[str, Array]:
        """What is needed to go on."""
        return {**super().state, "cubes": self.cubes, "fourths": self.fourths}


@dataclass(frozen=True)
class Sampling(Refining):
    """A base method on noisy copies of the image; a subclass says what becomes of the maps.

    The noise is normal, its standard deviation a share of the image's own range of raw pixel values, as in
    the reference implementation of SmoothGrad; other tools take an absolute one. The noise of sample i comes
    from (seed, i) alone, so that more samples or another spread keep what was drawn.
    """

    group: ClassVar[str] = "Sampling"
    rounds: ClassVar[str] = "samples"
    moments: ClassVar[type[Moments]] = Moments

    base: Method = param(Part(GRADIENT, title="Base", help="The method that sees the noisy images."))
    samples: int = param(Integer(50, low=2, high=1000, title="Samples", help="How many noisy images."))
    noise: float = param(
        Real(
            15.0,
            low=0.0,
            high=100.0,
            step=1.0,
            unit="%",
            title="Noise",
            help="Standard deviation of the noise, as a share of the image's range of pixel values.",
        )
    )
    clip: bool = param(
        Flag(False, title="Keep within 0 to 255", help="Cut noisy pixels off at black and white.")
    )
    seed: int = param(Integer(0, low=0, high=LARGEST_SEED, title="Seed", help="Which noise is drawn."))

    @property
    def cost(self) -> int:
        return self.samples * self.base.cost

    def cost_on(self, probe: Probe) -> int:
        return self.samples * self.base.cost_on(probe)

    def sketches(self, probe: Probe, points: Points, begun: Sketch | None = None) -> Iterator[Sketch]:
        moments = self.moments(begun.state if begun else None)
        spread = spread_of(points, self.noise)
        facts, notes = {"noise": float(spread[0])}, self._notes(float(spread[0]))
        at_once = rounds_at_once(probe, points, self.base.cost_on(probe))
        rounds = spans(moments.count, self.samples, at_once)
        shown = ahead(rounds, lambda span: self.noisy(points, spread, range(*span)))
        for ((first, end), _), maps in ahead(shown, lambda made: in_company(self.base, probe, made[1])):
            for one in maps.reshape(end - first, len(points), *maps.shape[1:]):
                moments.add(self.taken(one))
            values, error = self.found(moments)
            yield Sketch(values, end, self.samples, error, facts, notes, moments.state)
        if begun and begun.done == self.samples:
            yield replace(begun, facts=facts, notes=notes)

    def noisy(self, points: Points, spread: Float, samples: range) -> Points:
        """Return every point with the noise of each sample, sample after sample, (samples * B, H, W, C)."""
        points = points.astype(np.float32, copy=False)
        found = np.empty((len(samples), *points.shape), np.float32)

        def draw(place: int) -> None:
            normal = drawn(self.seed, samples[place], points.shape[1:])
            for row, point in enumerate(points):
                np.multiply(normal, spread[row], out=found[place, row])
                found[place, row] += point

        list(threads().map(draw, range(len(samples))))
        if self.clip:
            np.clip(found, 0, BRIGHTEST, out=found)
        return found.reshape(-1, *points.shape[1:])

    def taken(self, values: Values) -> Values:
        """Return what is averaged of one map."""
        return values

    def found(self, moments: Any) -> tuple[Values, Values | None]:
        """Return the map so far and its standard error."""
        return np.asarray(moments.mean, np.float32), moments.error

    def _notes(self, spread: float) -> tuple[str, ...]:
        kept = ", cut off at black and white" if self.clip else ""
        return (f"Noise of {spread:.1f} grey levels ({self.noise:g} % of the image's range){kept}.",)
