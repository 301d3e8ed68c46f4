"""The mean of squared maps of noisy images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saliency_core.arrays import Values
from saliency_core.registry import register
from saliency_core.sampling import Sampling


@register(
    "method",
    "smoothgrad_squared",
    title="SmoothGrad squared",
    cites=("hooker2019", "smilkov2017"),
    formula="mean of base(pixel + noise)^2",
    misleads="The sign is lost, and squares make strong places look alone: a pixel with half the gradient "
    "gets a quarter of the value.",
)
@dataclass(frozen=True)
class SmoothGradSquared(Sampling):
    """Shows the mean of a method's squared maps on noisy copies of the image, so that signs cannot cancel.

    The second moment, as PAIR's SmoothGrad gives it by default.
    """

    @property
    def kind(self) -> str:  # type: ignore[override]
        """Squares have no sign, whatever the base."""
        return "squared"

    @property
    def degree(self) -> int:  # type: ignore[override]
        """Twice the base gives four times the square."""
        return 2 * self.base.degree

    def taken(self, values: Values) -> Values:
        return np.square(values, dtype=np.float64)

    def units(self, score_unit: str) -> str:
        return f"({self.base.units(score_unit)}) squared"
