"""Feature maps weighed by their mean gradient."""

from __future__ import annotations

from dataclasses import dataclass

from saliency_core.arrays import Array
from saliency_core.regions import LayerMethod
from saliency_core.registry import register
from saliency_core.spec import Flag, param


@register(
    "method",
    "grad_cam",
    title="Grad-CAM",
    cites=("selvaraju2017",),
    formula="ReLU( sum over k of A_k * mean over cells of d score / d A_k )",
    misleads="One weight a channel for all places: a cell may light up because its channel matters "
    "elsewhere. The map is as coarse as the layer, and the smooth picture hides that.",
)
@dataclass(frozen=True)
class GradCam(LayerMethod):
    """Shows where the channels of a layer are active that raise the score on the whole.

    As in the paper: the weight of a channel is the mean of its gradient over all cells, and negative sums
    are dropped. The values stay in the unit of the score and in the size of the layer.
    """

    relu: bool = param(
        Flag(
            True,
            title="Drop the negative part",
            help="As in the paper; off shows also the places that speak against the score.",
        )
    )

    @property
    def rectified(self) -> bool:
        return self.relu

    def signed(self, activations: Array, gradients: Array) -> Array:
        weights = gradients.mean((1, 2), keepdims=True)
        found: Array = (weights * activations).sum(-1)
        return found
