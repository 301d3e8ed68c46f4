"""The gradient itself."""

from __future__ import annotations

from dataclasses import dataclass

from saliency_core.arrays import Points, Values
from saliency_core.methods.base import Method
from saliency_core.probe import Probe
from saliency_core.registry import register


@register(
    "method",
    "gradient",
    title="Gradient",
    cites=("simonyan2014",),
    formula="d score / d pixel",
    misleads="Shows what the score is sensitive to right here; a saturated or textured network gives "
    "noisy maps, and a large gradient is not a large contribution.",
)
@dataclass(frozen=True)
class Gradient(Method):
    """Shows how much the score would change if one pixel became one grey level brighter."""

    def attribute(self, probe: Probe, points: Points) -> Values:
        return probe.gradient(points)

    def tangent(self, points: Points, directions: Points) -> Points:
        return directions
