"""The gradient with every ReLU passing back only what is positive."""

from __future__ import annotations

from dataclasses import dataclass

from saliency_core.arrays import Points, Values
from saliency_core.methods.base import Method
from saliency_core.probe import Probe
from saliency_core.registry import register


@register(
    "method",
    "guided_backprop",
    title="Guided backpropagation",
    kind="signal",
    cites=("springenberg2015", "adebayo2018"),
    formula="d score / d pixel, where each ReLU passes back max(0, g) * d ReLU / d input",
    misleads="Looks sharp because it recovers edges: later tests found that it hardly changes when the "
    "weights are drawn anew, much like an edge detector.",
)
@dataclass(frozen=True)
class GuidedBackpropagation(Method):
    """Shows the gradient with its negative parts cut off at every ReLU on the way back.

    The gate is the true derivative: 0 < x < 6 at a ReLU6, the slope below zero at a leaky ReLU. Smooth
    activations (swish, GELU, ELU, sigmoid, tanh ...) are left as they are and named; with no ReLU at all the
    method is refused.
    """

    def attribute(self, probe: Probe, points: Points) -> Values:
        return probe.gradient(points, "guided")

    def notes(self, probe: Probe) -> tuple[str, ...]:
        return (probe.rule_facts("guided").sentence,)
