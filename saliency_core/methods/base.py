"""What every method is: frozen settings and one function over a probe, in NumPy."""

from __future__ import annotations

from typing import ClassVar

from saliency_core.arrays import Points, Values
from saliency_core.probe import Probe
from saliency_core.registry import Registered


class Method(Registered):
    """A way to attribute a score to pixels.

    kind says what the values are: "sensitivity" (score per grey level), "contribution" (score),
    "region" (score, on coarse areas). cost is the number of points asked for each image.
    """

    family: ClassVar[str] = "method"
    kind: ClassVar[str] = "sensitivity"
    formula: ClassVar[str] = ""
    misleads: ClassVar[str] = ""

    @property
    def cost(self) -> int:
        """Points evaluated for one image."""
        return 1

    def attribute(self, probe: Probe, points: Points) -> Values:
        """Return one signed map a point, (B, H, W, C) or (B, h, w) float32."""
        raise NotImplementedError

    def tangent(self, points: Points, directions: Points) -> Points | None:
        """Return the pixel moves along which the score must change by <values, directions>.

        None where the values are no derivative, so that no finite difference can confirm them.
        """
        return None

    def units(self, score_unit: str) -> str:
        """Return the unit of the values."""
        return f"{score_unit} per grey level" if self.kind == "sensitivity" else score_unit
