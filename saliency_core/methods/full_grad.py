"""The whole score laid over the image: the pixels' share and that of every bias."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from saliency_core.arrays import Array, Points, Values
from saliency_core.cells import Cells, spread
from saliency_core.methods.base import Method, Sketch
from saliency_core.probe import Probe, Shares
from saliency_core.registry import register
from saliency_core.spec import Flag, param

SLACK = 1e-3  # of the score: what float32 may lose on the way through many layers


@register(
    "method",
    "full_grad",
    title="FullGrad",
    group="Regions",
    cites=("srinivas2019",),
    formula="|x * d score / d x| + sum over layers and channels of |b * d score / d b|, spread over the "
    "image; score = sum of the same without | |",
    misleads="Sizes alone are added, so what speaks for and against the score looks the same. A deep layer's "
    "share is spread over much of the image.",
)
@dataclass(frozen=True)
class FullGrad(Method):
    """Lays the whole score over the image: the share of the pixels and the share of every bias.

    As in the paper the sizes of the shares are added, the input is the image as the first layer sees it,
    and batch norms count by their shift. Unlike there no layer is rescaled to 0..1: each share is spread
    over the pixels around its cell with its sum kept, so the map stays in the unit of the score.
    """

    signed: bool = param(
        Flag(
            False,
            title="Keep the signs",
            help="Off as in the paper: sizes are added. On, the map adds up to the score, less the biases "
            "that belong to no place.",
        )
    )

    @property
    def kind(self) -> str:  # type: ignore[override]
        """Sizes mark regions; with their signs they are shares of the score."""
        return "relevance" if self.signed else "region"

    def sketches(self, probe: Probe, points: Points, begun: Sketch | None = None) -> Iterator[Sketch]:
        shares = probe.shares(points)
        total = _laid(shares.pixels.sum(-1, dtype=np.float64), probe, Cells())
        sizes = _laid(np.abs(shares.pixels).sum(-1, dtype=np.float64), probe, Cells())
        for layer, values in shares.biases:
            if layer.spatial:
                cells = Cells.of(layer, probe.shape)
                total = total + _laid(values[..., 0], probe, cells)
                sizes = sizes + _laid(values[..., 1], probe, cells)
        facts = _facts(shares)
        shown = total if self.signed else sizes
        yield Sketch(shown.astype(np.float32), facts=facts, notes=_notes(facts, shares, probe))

    def attribute(self, probe: Probe, points: Points) -> Values:
        *_, last = self.sketches(probe, points)
        return last.values


def _laid(maps: Array, probe: Probe, cells: Cells) -> Array:
    """Return maps (B, h, w) over the image, (B, H, W), with the same sums."""
    height, width, _ = probe.shape
    whole = maps.shape[1:] == (height, width) and cells == Cells()
    return maps.astype(np.float64) if whole else spread(maps, height, width, cells)


def _facts(shares: Shares) -> dict[str, float]:
    """Return how the first point's score is shared out."""
    sums = [(layer, float(values[0, ..., 0].sum(dtype=np.float64))) for layer, values in shares.biases]
    found = {
        "score": float(shares.score[0]),
        "pixels": float(shares.pixels[0].sum(dtype=np.float64)),
        "biases": sum(value for layer, value in sums if layer.spatial),
        "placeless": shares.offset + sum(value for layer, value in sums if not layer.spatial),
    }
    return {**found, "gap": found["score"] - found["pixels"] - found["biases"] - found["placeless"]}


def _notes(facts: dict[str, float], shares: Shares, probe: Probe) -> tuple[str, ...]:
    told = [
        f"Of the score {facts['score']:.4g}, the pixels have {facts['pixels']:.4g}, the biases of feature "
        f"maps {facts['biases']:.4g}, and the biases of dense layers, which belong to no place, "
        f"{facts['placeless']:.4g}."
    ]
    if not shares.biases:
        told = ["The network has no biases: this is the size of gradient times input."]
    size = max(abs(facts[name]) for name in ("score", "pixels", "biases", "placeless"))
    if abs(facts["gap"]) > SLACK * size:
        bent = ", ".join(kind for kind, _ in probe.rule_facts("guided").others) or "a softmax or the like"
        told.append(
            f"{facts['gap']:.4g} of the score is in no share: the network is not made of straight pieces "
            f"({bent}), so the method does not explain all of it."
        )
    return tuple(told)
