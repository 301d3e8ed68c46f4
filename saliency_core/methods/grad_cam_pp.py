"""Feature maps weighed by their positive gradients, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from saliency_core.arrays import Array
from saliency_core.regions import LayerMethod
from saliency_core.registry import register


@register(
    "method",
    "grad_cam_pp",
    title="Grad-CAM++",
    degree=0,
    cites=("chattopadhay2018",),
    formula="ReLU( sum over k of A_k * sum over cells of alpha_k ReLU(g_k) ), g_k = d score / d A_k, "
    "alpha_k = g_k^2 / (2 g_k^2 + g_k^3 * sum over cells of A_k)",
    misleads="The weights hold for an exponential of the score, which no network here computes, and change "
    "when the score is scaled. Only positive gradients count, so it looks as sure for a rejected class.",
)
@dataclass(frozen=True)
class GradCamPlusPlus(LayerMethod):
    """Shows where a layer is active, with a share for each place that raises the score.

    Equation 19 of the paper, with the sum of the activations in the denominator. The factor exp(score),
    the same for all weights, is left out: it overflows and changes no proportion.
    """

    aside: ClassVar[str] = "A factor is left out of all numbers alike, so they compare among themselves only."

    def units(self, score_unit: str) -> str:
        return f"{score_unit}, up to a factor"

    def signed(self, activations: Array, gradients: Array) -> Array:
        total = activations.sum((1, 2), keepdims=True)
        below = 2 + gradients * total  # both sides of the fraction divided by g^2, so that none overflows
        shares = np.maximum(gradients, 0) / np.where(below == 0, 1, below)
        weights = np.where(below == 0, 0, shares).sum((1, 2), keepdims=True)
        found: Array = (weights * activations).sum(-1)
        return found
