"""Regions of the image in the order in which they matter."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from saliency_core.arrays import Array, Points, Values
from saliency_core.baselines import Black, White
from saliency_core.cells import STRETCHED, Cells, enlarged
from saliency_core.methods.base import Method
from saliency_core.probe import Probe
from saliency_core.registry import register
from saliency_core.segments import least_gain, ranked, regions
from saliency_core.spec import Choice, Part, param, specs

BOTH, OWN = "black_and_white", "own"


@register(
    "method",
    "xrai",
    title="XRAI",
    kind="region",
    group="Regions",
    cites=("kapishnikov2019", "felzenszwalb2004"),
    formula="mean over a region of the largest channel of base; regions come by falling mean of what they "
    "add",
    misleads="The edges are those of a segmentation that knows nothing of the network. Small regions with a "
    "few strong pixels come first, large ones are diluted.",
)
@dataclass(frozen=True)
class Xrai(Method):
    """Shows which regions of the image matter, by the mean contribution of their pixels.

    The constants of PAIR's implementation: Felzenszwalb's segments at six scales, integrated gradients from
    black and from white, the largest channel of each pixel. On images smaller than 224 pixels the distances
    shrink in proportion.
    """

    base: Method = param(
        Part("integrated_gradients()", title="Base", help="The method whose values are gathered by region.")
    )
    baselines: str = param(
        Choice(
            BOTH,
            options=(BOTH, OWN),
            titles=("Black and white", "The base's own"),
            title="Baselines",
            help="Black and white as in the paper, so that neither dark nor bright pixels get nothing; only "
            "for a base that has a baseline.",
        )
    )

    @property
    def degree(self) -> int:  # type: ignore[override]
        """A mean grows as its base does; the order of regions stays."""
        return self.base.degree

    @property
    def cost(self) -> int:
        return sum(base.cost for base in self._bases())

    def cost_on(self, probe: Probe) -> int:
        return sum(base.cost_on(probe) for base in self._bases())

    def units(self, score_unit: str) -> str:
        return f"{self.base.units(score_unit)}, mean over a region"

    def notes(self, probe: Probe) -> tuple[str, ...]:
        height, width, _ = probe.shape
        started = " from black and from white" if len(self._bases()) > 1 else ""
        return (
            f"Each pixel shows the mean of {self.base.name}{started} over the region it came with; a region "
            f"came only while it added {least_gain(height, width)} or more pixels.",
        )

    def cells_on(self, probe: Probe) -> Cells:
        return STRETCHED  # a number for every pixel, however coarse the base

    def attribute(self, probe: Probe, points: Points) -> Values:
        maps = np.stack([base.attribute(probe, points) for base in self._bases()]).mean(0, np.float64)
        flat = [_flat(one, points.shape[1:3], self.base.cells_on(probe)) for one in maps]
        pairs = zip(flat, points, strict=True)
        return np.stack([ranked(one, regions(point)) for one, point in pairs]).astype(np.float32)

    def _bases(self) -> tuple[Method, ...]:
        if self.baselines == OWN or "baseline" not in specs(self.base):
            return (self.base,)
        return tuple(replace(self.base, baseline=one) for one in (Black(), White()))  # type: ignore[type-var]


def _flat(values: Array, shape: tuple[int, ...], cells: Cells) -> Array:
    """Return one number a pixel: the largest channel; a coarse map at the size of the image."""
    return values.max(-1) if values.ndim == 3 else enlarged(values, shape[0], shape[1], cells)
