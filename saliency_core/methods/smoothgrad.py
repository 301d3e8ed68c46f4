"""The mean of maps of noisy images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from saliency_core.registry import register
from saliency_core.sampling import Sampling


@register(
    "method",
    "smoothgrad",
    title="SmoothGrad",
    cites=("smilkov2017",),
    formula="mean of base(pixel + noise)",
    misleads="Noise takes the image off what the network was trained on, and the map is of the noisy images; "
    "it looks cleaner with more noise, not truer.",
)
@dataclass(frozen=True)
class SmoothGrad(Sampling):
    """Shows the mean of a method's maps on noisy copies of the image, so that accidents average out.

    The signed mean, as in the paper and in captum and xplique. PAIR's implementation averages squares unless
    told otherwise, and tf-keras-vis absolute values: those are other maps.
    """

    aside: ClassVar[str] = "Here it is the mean over noisy copies of the image, not the number of the image."

    @property
    def kind(self) -> str:  # type: ignore[override]
        """What the base gives."""
        return self.base.kind

    @property
    def degree(self) -> int:  # type: ignore[override]
        """The law of the base holds for its mean."""
        return self.base.degree

    def units(self, score_unit: str) -> str:
        return self.base.units(score_unit)
