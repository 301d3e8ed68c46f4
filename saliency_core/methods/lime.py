"""A weighted ridge over superpixels that are shown or hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from saliency_core.arrays import Array
from saliency_core.registry import register
from saliency_core.spec import Real, param
from saliency_core.superpixels import Coalitions, Solved, weighted_ridge


@register(
    "method",
    "lime",
    title="LIME",
    kind="region",
    group="Black box",
    cites=("ribeiro2016", "achanta2012"),
    formula="weights w that minimise sum of kernel * (score - w . shown - constant)^2 + ridge * |w|^2",
    misleads="A straight sum is fitted to a network that is none: see how much of the spread it explains. "
    "Other superpixels, another kernel width or baseline give another map, and no superpixel is smaller than "
    "its map.",
)
@dataclass(frozen=True)
class Lime(Coalitions):
    """Hides random superpixels and fits how much each of them adds to the score near the whole image.

    Conventions of the authors' code for images: each superpixel is on with chance 1/2, the first sample is
    the whole image, the kernel is exp(-d^2 / (2 * width^2)) of the cosine distance d to the whole image,
    with width 0.25, and the ridge is 1. All superpixels are kept, and they are those of SLIC, where theirs
    come from quickshift.
    """

    width: float = param(
        Real(
            0.25,
            low=0.05,
            high=5.0,
            step=0.05,
            title="Kernel width",
            help="Small: images with little hidden count most.",
        )
    )
    ridge: float = param(
        Real(1.0, low=1e-6, high=100.0, step=0.5, title="Ridge", help="Holds the weights small.")
    )

    def coalition(self, number: int, count: int) -> Array:
        if number == 0:
            return np.ones(count, bool)
        return np.random.default_rng([self.seed, number]).random(count) < 0.5

    def told(self, facts: Mapping[str, float]) -> tuple[str, ...]:
        if "fit" not in facts:
            return ()
        return (f"Their sum explains {100 * facts['fit']:.3g} % of the spread of the scores.",)

    def solved(self, shown: Array, found: Array) -> Solved:
        distance = 1 - np.sqrt(shown.mean(1))
        return weighted_ridge(shown, found, np.exp(-0.5 * (distance / self.width) ** 2), self.ridge)
