"""Feature maps weighed cell by cell with what raises the score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saliency_core.arrays import Array
from saliency_core.regions import LayerMethod
from saliency_core.registry import register


@register(
    "method",
    "layer_cam",
    title="LayerCAM",
    cites=("jiang2021",),
    formula="ReLU( sum over k of A_k * ReLU(d score / d A_k) )",
    misleads="Only what raises the score is counted, so the map never adds up to it, and it looks as sure "
    "for a class that the network rejects.",
)
@dataclass(frozen=True)
class LayerCam(LayerMethod):
    """Shows the cells of a layer that are active and raise the score, also of early and fine layers.

    As in the paper for a single layer; its rescaling of early layers before several are added up is not
    needed here.
    """

    def signed(self, activations: Array, gradients: Array) -> Array:
        found: Array = (np.maximum(gradients, 0) * activations).sum(-1)
        return found
