"""The variance of maps of noisy images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from saliency_core.arrays import Values
from saliency_core.registry import register
from saliency_core.sampling import FourMoments, Moments, Sampling


@register(
    "method",
    "vargrad",
    title="VarGrad",
    cites=("adebayo2018",),
    formula="variance of base(pixel + noise)",
    misleads="A pixel that matters alike in every noisy image gets nothing: the map shows where the network "
    "is curved, not where it is steep.",
)
@dataclass(frozen=True)
class VarGrad(Sampling):
    """Shows how much a method's maps vary over noisy copies of the image.

    The unbiased variance, the sum of squares over n - 1 as in xplique; captum divides by n. Its standard
    error comes from the fourth moment of the maps, whatever their distribution.
    """

    moments: ClassVar[type[Moments]] = FourMoments

    @property
    def kind(self) -> str:  # type: ignore[override]
        """A variance has no sign, whatever the base."""
        return "squared"

    @property
    def degree(self) -> int:  # type: ignore[override]
        """Twice the base gives four times the variance."""
        return 2 * self.base.degree

    def found(self, moments: FourMoments) -> tuple[Values, Values | None]:
        return moments.variance.astype(np.float32), moments.error_of_variance

    def units(self, score_unit: str) -> str:
        return f"({self.base.units(score_unit)}) squared"
