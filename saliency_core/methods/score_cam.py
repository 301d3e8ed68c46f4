"""Feature maps weighed by what the network says when it sees only where each is active."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from saliency_core.arrays import Array, Points
from saliency_core.baselines import Baseline, Black
from saliency_core.cells import Cells, enlarged
from saliency_core.masking import hidden, hidden_pixels
from saliency_core.methods.base import Refining, Sketch
from saliency_core.probe import Probe
from saliency_core.regions import LAYER, cells_of, chosen, feature_map, silence, told
from saliency_core.registry import register
from saliency_core.spec import Integer, param

ALONE = 5  # a call of so many points and one more would leave a single one behind, which rounds otherwise


@register(
    "method",
    "score_cam",
    title="Score-CAM",
    kind="region",
    group="Regions",
    degree=0,
    answers_silence=True,
    rounds="channels",
    counted_in="channels",
    cites=("wang2020",),
    formula="ReLU( sum over k of w_k A_k ), w = softmax over k of score(image * mask_k + baseline * "
    "(1 - mask_k)), mask_k = A_k enlarged and brought to 0..1",
    misleads="A softmax over channels lets the few highest scores take nearly all of the weight, and more "
    "so for logits than for probabilities. Masked images look like nothing the network was trained on.",
)
@dataclass(frozen=True)
class ScoreCam(Refining):
    """Shows where a layer is active, each channel weighed by the score of the image seen through it.

    As in the paper: one softmax, over the channels, of the score that was asked for; what a mask hides is
    black unless another baseline is chosen. The channels whose activations span the widest range come first.
    """

    channels: int = param(
        Integer(
            256,
            low=2,
            high=4096,
            title="Channels",
            help="How many channels are tried, one masked image for each; a layer with fewer gives all.",
        )
    )
    layer: str = param(LAYER)
    baseline: Baseline = param(hidden_pixels(Black()))

    @property
    def cost(self) -> int:
        return 1 + self.channels

    def cost_on(self, probe: Probe) -> int:
        layer = chosen(probe, self.layer)
        return self.cost if layer is None else 1 + min(self.channels, layer.shape[-1])

    def units(self, score_unit: str) -> str:
        return f"activation, weighed by the {score_unit}"

    def notes(self, probe: Probe) -> tuple[str, ...]:
        return told(probe, self.layer)

    def cells_on(self, probe: Probe) -> Cells:
        return cells_of(probe, self.layer)

    def sketches(self, probe: Probe, points: Points, begun: Sketch | None = None) -> Iterator[Sketch]:
        maps = np.moveaxis(feature_map(probe, points, self.layer)[0].astype(np.float64), -1, 1)
        among = maps.shape[1]
        order = np.argsort(-np.ptp(maps, (2, 3)), axis=1, kind="stable")[:, : self.channels]
        maps = np.take_along_axis(maps, order[:, :, None, None], 1)
        known = np.zeros((len(points), 0)) if begun is None else begun.state["scores"]
        start, notes = known.shape[1], self.notes(probe)
        if start == order.shape[1]:
            yield self._sketch(maps, known, among, notes)
        for first, stop in _calls(start, order.shape[1], probe.chunk):
            asked = [
                self._scores(probe, point, few[first:stop]) for point, few in zip(points, maps, strict=True)
            ]
            known = np.concatenate([known[:, :first], asked], 1)
            yield self._sketch(maps, known, among, notes)

    def _scores(self, probe: Probe, point: Array, maps: Array) -> Array:
        """Return the score of the image seen through each map (h, w)."""
        low, wide = maps.min((1, 2), keepdims=True), np.ptp(maps, (1, 2))[:, None, None]
        masks = (maps - low) / np.where(wide, wide, 1)
        shown = enlarged(masks, *probe.shape[:2], cells=self.cells_on(probe))
        shown = shown[..., None]
        return probe.score(shown * point + (1 - shown) * hidden(point, self.baseline))

    def _sketch(self, maps: Array, scores: Array, among: int, notes: tuple[str, ...]) -> Sketch:
        done = scores.shape[1]
        weights = np.exp(scores - scores.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        signed = (weights[..., None, None] * maps[:, :done]).sum(1)
        largest = float(weights[0].max())
        tried = f"All {done}" if done == among else f"{done} of {among}"
        share = f"{tried} channels were tried; one of them has {100 * largest:.3g} % of the weight."
        return Sketch(
            np.maximum(signed, 0).astype(np.float32),
            done,
            maps.shape[1],
            facts={"tried": done, "largest_weight": largest},
            notes=(*notes, share, *silence(signed[0], True)),
            state={"scores": scores},
        )


def _calls(start: int, stop: int, chunk: int) -> Iterator[tuple[int, int]]:
    """Yield from where to where to ask at once, never for a single point where there are several."""
    while start < stop:
        left = stop - start
        size = min(chunk, left)
        if size > 2 and left - size == 1:
            size -= 1
        elif size > 2 and size % ALONE == 1:
            size -= 2
        first = start - 1 if size == 1 < chunk and start else start
        yield first, start + size
        start += size
