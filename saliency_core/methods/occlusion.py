"""Hide a window, see how far the score falls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from saliency_core.arrays import Array, Float, Points
from saliency_core.baselines import Baseline
from saliency_core.masking import Show, hidden, hidden_pixels, scores
from saliency_core.methods.base import Refining, Sketch
from saliency_core.probe import Probe
from saliency_core.registry import register
from saliency_core.spec import Integer, param

Window = tuple[slice, slice]
SIDE = 1 / 7  # of the shorter side: a window of 32 pixels on 224, of 4 on 28
SMALLEST = 4


@register(
    "method",
    "occlusion",
    title="Occlusion",
    kind="region",
    group="Black box",
    cites=("zeiler2014",),
    formula="mean over the windows over a pixel of score(image) - score(image with the window hidden)",
    misleads="A hidden window is itself something to see: its edges and colour move the score too. What "
    "two places show alike is not missed when one of them is hidden, and the window's size decides what "
    "is found.",
)
@dataclass(frozen=True)
class Occlusion(Refining):
    """Hides one window after another and shows how far the score falls without it.

    Values are drops of the score, averaged over the windows that cover a pixel, so that a finer stride and
    the borders of the image change no scale; PAIR's implementation adds them up, tf-explain shows 1 - p. The
    last window of a row and of a column lies flush with the edge: nothing is left out, where xplique drops
    the rest. Windows come coarse to fine: a map that was stopped is a coarser one, with 0 where no window
    has been. A window that changes nothing gives 0 exactly, as the clean image is asked with the windows.
    """

    counted_in: ClassVar[str] = "windows"

    window: int = param(
        Integer(
            0,
            low=0,
            high=256,
            unit="pixels",
            title="Window",
            help="Side of the window; 0 for a seventh of the image's shorter side, no less than 4 pixels.",
        )
    )
    stride: int = param(
        Integer(
            0,
            low=0,
            high=256,
            unit="pixels",
            title="Stride",
            help="From one window to the next; 0 for half a window. No more than the window.",
        )
    )
    baseline: Baseline = param(hidden_pixels())

    @property
    def cost(self) -> int:
        """Points for an image of 224 x 224 pixels; `cost_on` knows the size."""
        return 1 + self._count(224, 224)

    def cost_on(self, probe: Probe) -> int:
        return 1 + self.total(probe)

    def total(self, probe: Probe) -> int:
        return self._count(*probe.shape[:2])

    def notes(self, probe: Probe) -> tuple[str, ...]:
        height, width, stride = self._sizes(*probe.shape[:2])
        return (f"{self.total(probe)} windows of {width} x {height} pixels, {stride} pixels apart.",)

    def sketches(self, probe: Probe, points: Points, begun: Sketch | None = None) -> Iterator[Sketch]:
        windows, notes = self.windows(*probe.shape[:2]), self.notes(probe)
        clean = begun.state["clean"].copy() if begun else np.zeros(len(points))
        drops = begun.state["drops"].copy() if begun else np.zeros((len(points), *probe.shape[:2]))
        cover = np.zeros(probe.shape[:2])
        for window in windows[: begun.done if begun else 0]:
            cover[window] += 1
        first = begun.done + 1 if begun else 0  # round 0 is the clean image
        asked = [scores(probe, len(windows) + 1, first, self._shower(point, windows)) for point in points]
        for steps in zip(*asked, strict=True):
            rounds = steps[0][0]
            for row, (_, found) in enumerate(steps):
                for number, score in zip(rounds, found, strict=True):
                    if number:
                        drops[row][windows[number - 1]] += clean[row] - score
                    else:
                        clean[row] = score
            for window in windows[max(0, rounds.start - 1) : rounds.stop - 1]:
                cover[window] += 1
            values = (drops / np.maximum(cover, 1)).astype(np.float32)
            state = {"drops": drops.copy(), "clean": clean.copy()}
            yield Sketch(values, rounds.stop - 1, len(windows), notes=notes, state=state)
        if begun and begun.done == len(windows):
            yield begun

    def windows(self, height: int, width: int) -> list[Window]:
        """Return every window of an image of this size, coarse to fine: each time at half the distance."""
        high, wide, stride = self._sizes(height, width)
        tops, lefts = _places(height, high, stride), _places(width, wide, stride)
        rows, columns = np.indices((len(tops), len(lefts)))
        turn = np.zeros(rows.shape, np.int64)
        for bit in range(max(rows.shape).bit_length()):  # even places first, and multiples of 4 among them
            turn = 4 * turn + 2 * (rows >> bit & 1) + (columns >> bit & 1)
        order = np.argsort(turn, axis=None, kind="stable")
        corners = zip(tops[rows.flat[order]], lefts[columns.flat[order]], strict=True)
        return [(slice(top, top + high), slice(left, left + wide)) for top, left in corners]

    def _count(self, height: int, width: int) -> int:
        high, wide, stride = self._sizes(height, width)
        return len(_places(height, high, stride)) * len(_places(width, wide, stride))

    def _sizes(self, height: int, width: int) -> tuple[int, int, int]:
        """Return height and width of the window, no larger than the image, and the stride."""
        side = self.window or max(SMALLEST, round(SIDE * min(height, width)))
        high, wide = min(side, height), min(side, width)
        return high, wide, min(self.stride or max(1, side // 2), high, wide)

    def _shower(self, point: Float, windows: list[Window]) -> Show:
        instead = hidden(point, self.baseline)

        def show(image: Float, number: int) -> None:
            image[:] = point
            if number:
                window = windows[number - 1]
                image[window] = instead[window]

        return show


def _places(side: int, window: int, stride: int) -> Array:
    """Return where windows begin along a side; the last one ends with it."""
    return np.array([*range(0, side - window, stride), side - window])
