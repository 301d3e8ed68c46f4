"""Does the map tell the truth? The score is moved along random directions and compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from saliency_core.arrays import Array, Points, Values
from saliency_core.probe import Probe

DIRECTIONS = 3
STEP = {"float64": 1e-5, "float32": 0.05}  # grey levels: few kinks on the way, yet more than rounding
NEARER = 1e-7  # the step in float64 where a kink lies within the first one
ASIDE = 0.5  # grey levels to step beside a kink on which an image sits exactly
GOOD = {"float64": 1e-3, "float32": 0.05}
ROUNDING = 16  # units in the last place that a sum over a network may lose
KINKED = 0.1  # a kink explains a gap when the slopes of its two sides differ by more than this part of it
SEED = 20_150


@dataclass(frozen=True)
class Evidence:
    """A central finite difference along three random directions beside what the map predicts.

    error: |predicted - measured| / |measured|, both as vectors over the directions. rounding: the part
    of that which the rounding of the scores alone can make. precision: "float64", or "float32" where
    the network has a step that TensorFlow computes in single precision only; that check is coarser.
    beside: the image sits on a kink of the network (ties in max pooling, a ReLU at exactly 0), where
    no derivative exists, so the check was made about half a grey level beside it. exactly: the error of
    the same map computed in float64, found where the map itself is too far off: an image so near to a
    kink that single precision sees its other side.
    """

    error: float
    predicted: tuple[float, ...]
    measured: tuple[float, ...]
    step: float
    precision: str
    rounding: float = 0.0
    beside: bool = False
    kinked: bool = False  # the slopes to both sides differ here
    exactly: float | None = None

    @property
    def good(self) -> bool:
        """True when map and network agree to one part in a thousand; to one in twenty in float32."""
        if self.exactly is not None:
            return self.exactly < GOOD["float64"] and self.error < GOOD["float32"]
        return self.error < max(GOOD[self.precision], self.rounding)

    @property
    def sentence(self) -> str:
        """The result in words."""
        place = " (half a grey level beside the image, which sits on a kink)" if self.beside else ""
        place += ", in single precision" if self.precision == "float32" else ""
        place += ", as rounding allows" if GOOD[self.precision] <= self.error < self.rounding else ""
        if self.exactly is not None:
            place += f", {self.exactly:.1e} for the map in double precision; the image is next to a kink"
        verdict = "agree" if self.good else "do NOT agree"
        return f"Map and finite difference {verdict}: relative difference {self.error:.1e}{place}."


Attribute = Callable[[Points], Values]
AttributeExactly = Callable[[Array], Values]
Tangent = Callable[[Points, Points], Points | None]


def directional_check(
    exact: Probe,
    values: Values,
    point: Points,
    attribute: Attribute,
    tangent: Tangent,
    precision: str,
    in_double: AttributeExactly | None = None,
) -> Evidence | None:
    """Compare a map (H, W, C) with finite differences of the score at a point (H, W, C).

    `exact` gives scores, in float64 where the graph allows it; `attribute` computes the map anew
    when the image sits on a kink and the check has to step beside it, `in_double` with the exact probe.
    Where a kink is near, a shorter step is tried before that.
    """
    draw = np.random.default_rng(SEED)
    directions = draw.standard_normal((DIRECTIONS, *point.shape))
    first = _compare(exact, values, point.astype(np.float64), directions, tangent, precision)
    if first is None or first.good:
        return first
    if first.kinked and precision == "float64":
        nearer = _compare(exact, values, point.astype(np.float64), directions, tangent, precision, NEARER)
        if nearer is not None and nearer.error < GOOD["float64"]:
            return nearer
    if not _alike(values, attribute(point)):
        return first
    if first.kinked:
        aside = point + (ASIDE * draw.standard_normal(point.shape)).astype(np.float32)
        fresh = attribute(aside)
        moved = _compare(exact, fresh, aside.astype(np.float64), directions, tangent, precision)
        if moved is not None and moved.good:
            return replace(moved, beside=True)
    if in_double is None or precision != "float64":
        return first
    there = point.astype(np.float64)
    doubled = _compare(exact, in_double(there), there, directions, tangent, precision)
    told = replace(first, exactly=doubled.error) if doubled is not None else first
    return told if told.good else first


def _alike(values: Values, fresh: Values) -> bool:
    """Tell whether a map is what its method gives, so that a kink or rounding alone can be to blame."""
    return float(np.linalg.norm(values - fresh)) < GOOD["float64"] * float(np.linalg.norm(fresh))


def _compare(
    exact: Probe,
    values: Values,
    point: Array,
    directions: Array,
    tangent: Tangent,
    precision: str,
    step: float | None = None,
) -> Evidence | None:
    moves = tangent(point[None], directions)
    if moves is None or values.shape != point.shape:
        return None
    scale = np.abs(moves).max(axis=(1, 2, 3), keepdims=True)
    moves, along = _normalised(moves, scale), _normalised(directions, scale)
    predicted = (values.astype(np.float64) * along).sum(axis=(1, 2, 3))
    step = step or STEP[precision]
    points = np.concatenate([point + step * moves, point - step * moves, point[None]])
    scores = np.asarray(exact.score(points), np.float64)
    ahead, behind, here = scores[:DIRECTIONS], scores[DIRECTIONS:-1], scores[-1]
    measured = (ahead - behind) / (2 * step)
    gap = float(np.linalg.norm(predicted - measured))
    jump = float(np.linalg.norm(ahead + behind - 2 * here)) / (2 * step)
    size = float(np.linalg.norm(measured) or np.linalg.norm(predicted)) or 1.0
    last_place = float(np.finfo(precision).eps * np.abs(scores).max())
    return Evidence(
        error=gap / size,
        predicted=tuple(predicted.tolist()),
        measured=tuple(measured.tolist()),
        step=step,
        precision=precision,
        rounding=ROUNDING * last_place / (step * size),
        kinked=jump > KINKED * gap,
    )


def _normalised(moves: Array, scale: Array) -> Array:
    """Scale so that the largest move of a pixel is one; an image of zeros cannot be moved."""
    return np.divide(moves, scale, out=np.zeros_like(moves), where=scale > 0)
