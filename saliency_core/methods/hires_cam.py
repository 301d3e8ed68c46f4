"""Feature maps weighed cell by cell."""

from __future__ import annotations

from dataclasses import dataclass

from saliency_core.arrays import Array
from saliency_core.regions import LayerMethod
from saliency_core.registry import register
from saliency_core.spec import Flag, param


@register(
    "method",
    "hires_cam",
    title="HiResCAM",
    cites=("draelos2020",),
    formula="sum over k of A_k * d score / d A_k",
    misleads="Adds up to the score, less its biases, only where nothing but linear steps follow the layer. "
    "The map is as coarse as the layer, and the smooth picture hides that.",
)
@dataclass(frozen=True)
class HiResCam(LayerMethod):
    """Shows how much each cell of a layer adds to the score, by gradient times activation.

    As in the paper nothing is dropped, so the map has both signs.
    """

    relu: bool = param(
        Flag(
            False,
            title="Drop the negative part",
            help="Off in the paper; on leaves only the places that speak for the score.",
        )
    )

    @property
    def rectified(self) -> bool:
        return self.relu

    def signed(self, activations: Array, gradients: Array) -> Array:
        found: Array = (gradients * activations).sum(-1)
        return found
