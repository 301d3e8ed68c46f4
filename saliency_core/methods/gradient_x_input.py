"""The gradient times the pixel values."""

from __future__ import annotations

from dataclasses import dataclass

from saliency_core.arrays import Points, Values
from saliency_core.methods.base import Method
from saliency_core.probe import Probe
from saliency_core.registry import register


@register(
    "method",
    "gradient_x_input",
    title="Gradient x input",
    kind="contribution",
    cites=("shrikumar2016",),
    formula="pixel * d score / d pixel",
    misleads="Black pixels get zero whatever they mean; the values add up to the score only for a "
    "network without biases.",
)
@dataclass(frozen=True)
class GradientXInput(Method):
    """Shows each pixel's first-order contribution, compared with a black pixel in its place."""

    def attribute(self, probe: Probe, points: Points) -> Values:
        return probe.gradient(points) * points

    def tangent(self, points: Points, directions: Points) -> Points:
        return points * directions
