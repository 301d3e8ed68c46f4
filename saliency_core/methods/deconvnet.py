"""The way back of a deconvolutional network: ReLUs act on the gradient alone."""

from __future__ import annotations

from dataclasses import dataclass

from saliency_core.arrays import Points, Values
from saliency_core.methods.base import Method
from saliency_core.probe import Probe
from saliency_core.registry import register


@register(
    "method",
    "deconvnet",
    title="Deconvnet",
    kind="signal",
    cites=("zeiler2014", "springenberg2015"),
    formula="d score / d pixel, where each ReLU passes back max(0, g)",
    misleads="Draws the patterns that filters look for rather than what is in the image, above all in "
    "networks without max pooling.",
)
@dataclass(frozen=True)
class Deconvnet(Method):
    """Shows what a deconvolutional network draws: ReLUs cut the negative gradient whatever went in.

    The gate of the forward pass is left out; the switches of max pooling are kept. Smooth activations
    are left as they are and named; with no ReLU at all the method is refused.
    """

    def attribute(self, probe: Probe, points: Points) -> Values:
        return probe.gradient(points, "deconvnet")

    def notes(self, probe: Probe) -> tuple[str, ...]:
        return (probe.rule_facts("deconvnet").sentence,)
