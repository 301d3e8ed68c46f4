"""Shapley values of superpixels by least squares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from saliency_core.arrays import Array
from saliency_core.registry import register
from saliency_core.superpixels import Coalitions, Solved, shapley


@register(
    "method",
    "kernel_shap",
    title="Kernel SHAP",
    kind="region",
    group="Black box",
    cites=("lundberg2017", "covert2021", "achanta2012"),
    formula="Shapley values: the mean, over all orders in which superpixels appear, of what each adds",
    misleads="The values add up whatever the network does, which makes them no more right. They are shares "
    "of the difference between the image and the hidden image, most of whose mixtures look like nothing "
    "that the network was trained on.",
)
@dataclass(frozen=True)
class KernelShap(Coalitions):
    """Shares the score out among superpixels so that the shares add up to what the whole image adds.

    Least squares under the exact constraint that values add up to score(image) - score(nothing shown), as
    Lundberg and Lee define it. Coalitions are drawn in proportion to the Shapley kernel, (K - 1) /
    (s * (K - s)) over sizes s, each followed by its complement, as Covert and Lee advise; so they are fitted
    with equal weights. The package shap enumerates small and large sizes first and selects features: it
    does neither here. Values are per superpixel: each pixel shows its superpixel's.
    """

    fixed: ClassVar[int] = 2

    def coalition(self, number: int, count: int) -> Array:
        if number < self.fixed or count < 2:
            return np.full(count, number != 1)
        pair, second = divmod(number - self.fixed, 2)
        draw = np.random.default_rng([self.seed, pair])
        sizes = np.arange(1, count)
        chances = np.cumsum(1 / (sizes * (count - sizes)))
        size = 1 + np.searchsorted(chances, draw.random() * chances[-1], side="right")
        shown = np.zeros(count, bool)
        shown[draw.permutation(count)[:size]] = True
        return ~shown if second else shown

    def told(self, facts: Mapping[str, float]) -> tuple[str, ...]:
        return (
            f"Their values add up to {facts['whole']:.4g}, by which the image scores above the hidden one.",
        )

    def solved(self, shown: Array, found: Array) -> Solved:
        whole, nothing = found[0], found[1]
        values, error = shapley(shown[2:], found[2:] - nothing, whole - nothing)
        return values, error, {"whole": float(whole - nothing)}
