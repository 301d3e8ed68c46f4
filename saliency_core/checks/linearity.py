"""Is the map of a weighted sum the weighted sum of the maps? For gradients it must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saliency_core.errors import SettingError
from saliency_core.explanation import explain
from saliency_core.targets import Combined, Target

GOOD = 1e-5


@dataclass(frozen=True)
class Linearity:
    """The largest gap between both sides, as a share of the largest value on either.

    largest: the largest size in the map of the sum; 0 where everything cancels.
    """

    difference: float
    largest: float

    @property
    def good(self) -> bool:
        """Whether the gap is no more than rounding."""
        return self.difference <= GOOD


def linearity(
    model: Any, image: Any, parts: Sequence[tuple[float, Target]], *, how: str | None = None
) -> Linearity:
    """Compare the gradient of `a*A + b*B + ...` with the sum of the gradients of A, B, ..., each weighted.

    The parts' own maps are added up in float64. The gap is measured against the largest single term, so that
    parts which cancel are not held to the size of what is left. Raises SettingError without parts.
    """
    if not parts:
        raise SettingError("Linearity needs at least one weighted target.")
    whole = explain(model, image, Combined(tuple(parts)), "gradient()", how=how).values
    added = np.zeros(whole.shape)
    scale = float(np.abs(whole).max())
    for weight, target in parts:
        term = weight * explain(model, image, target, "gradient()", how=how).values.astype(np.float64)
        scale = max(scale, float(np.abs(term).max()))
        added += term
    gap = float(np.abs(whole - added).max())
    return Linearity(gap / scale if scale else 0.0, float(np.abs(whole).max()))
