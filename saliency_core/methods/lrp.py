"""Layer-wise relevance propagation: the score itself, shared out layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from saliency_core.arrays import Array, Points, Values
from saliency_core.methods.base import Method, Sketch
from saliency_core.probe import Probe
from saliency_core.registry import register
from saliency_core.spec import Choice, Real, param


@register(
    "method",
    "lrp",
    title="Layer-wise relevance propagation",
    kind="relevance",
    group="Layer relevance",
    cites=("bach2015", "montavon2019", "andol2021"),
    formula="R_j = sum over k of (share of input j in output k) * R_k, from the score down to the pixels",
    misleads="The map depends on the rule as much as on the network, and no change of the score follows "
    "from it. Biases keep what falls to them: in deep networks with batch norms that can be nearly all, as "
    "the gap tells.",
)
@dataclass(frozen=True)
class LayerwiseRelevance(Method):
    """Shares the score out among the inputs of each layer, backwards, until it lies on the pixels.

    Batch norms are folded into the convolutions first. "composite" follows Montavon and others (2019): gamma
    in convolutions, epsilon in dense layers, and plain proportion in the dense layer that is asked; there
    is no rule of its own for the first layer. Epsilon is a part of the layer's root mean square, as in
    their tutorial; gamma is the form of Andéol and others for inputs of either sign; alpha and beta are those
    of Bach and others (2015), beta = alpha - 1. Epsilon 0 is gradient times network input, where there are
    no biases. Spreading what biases would keep, by the size of each part, is a choice of this library; it
    suits deep networks, where folded batch norms leave large biases. The preprocessing passes relevance
    on: what it maps to 0 is neutral, not black. Networks with other steps than convolutions, dense layers,
    pooling, sums, concatenation and ReLUs are refused by name.
    """

    rule: str = param(
        Choice(
            "composite",
            help="How a layer shares out what it gets.",
            options=("composite", "epsilon", "gamma", "alpha_beta"),
            titles=("Composite", "Epsilon everywhere", "Gamma everywhere", "Alpha-beta everywhere"),
        )
    )
    epsilon: float = param(
        Real(0.1, low=0.0, high=10.0, help="What is lost in dense layers, as a part of their size (rms).")
    )
    gamma: float = param(
        Real(0.25, low=0.0, high=1000.0, help="How much parts of the output's own sign are favoured.")
    )
    alpha: float = param(
        Real(2.0, low=1.0, high=10.0, help="Weight of the positive parts; the negative ones get alpha - 1.")
    )
    biases: str = param(
        Choice(
            "keep",
            help="What becomes of the share that falls to a bias in a layer shared by gamma or alpha-beta.",
            options=("keep", "spread"),
            titles=("The bias keeps it", "Spread over the inputs, by the size of their parts"),
        )
    )

    def _shared(self, probe: Probe, points: Points) -> tuple[Array, Values]:
        rule = f"{self.rule}+bias" if self.biases == "spread" else self.rule
        return probe.relevance(points, rule, (self.epsilon, self.gamma, self.alpha))

    def attribute(self, probe: Probe, points: Points) -> Values:
        return self._shared(probe, points)[1]

    def sketches(self, probe: Probe, points: Points, begun: Sketch | None = None) -> Iterator[Sketch]:
        given, values = self._shared(probe, points)
        score, arrived = float(given[0]), float(values[0].sum(dtype="float64"))
        others = "one-sided units" if self.rule == "alpha_beta" else "epsilon"
        told = f"The map adds up to {arrived:.4g} of {score:.4g}; biases and {others} keep the rest."
        yield Sketch(values, facts={"gap": score - arrived}, notes=(told, *self.notes(probe)))
