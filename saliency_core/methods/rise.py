"""Show the image through many random masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from saliency_core.arrays import Array, Float, Points, read_only
from saliency_core.baselines import Baseline
from saliency_core.masking import Show, hidden, hidden_pixels, scores, seed_setting
from saliency_core.methods.base import Refining, Sketch
from saliency_core.probe import Probe
from saliency_core.registry import register
from saliency_core.spec import Flag, Integer, Real, param


@register(
    "method",
    "rise",
    title="RISE",
    kind="region",
    group="Black box",
    cites=("petsiuk2018",),
    formula="mean of (score(mask * image + (1 - mask) * baseline) - mean score) * mask / p",
    misleads="A mean over random masks: with few of them most of what the map shows is chance, which the "
    "standard error tells. It is as coarse as the cells, and masked images look like none that the network "
    "was trained on.",
)
@dataclass(frozen=True)
class Rise(Refining):
    """Shows the image through random masks and asks how much higher the score is where a pixel is seen.

    Masks as in the paper and its authors' code: a grid of cells, each on with probability p, stretched with
    bilinear interpolation to one cell more than the image and moved by less than a cell, anew for each mask;
    xplique moves all masks of a batch alike. The sum is divided by N * p, as theirs. Theirs leaves the mean
    score in, which for logits is a number without meaning and brings noise of its own; `centred` takes it
    out and divides by N - 1, so that the map is Cov(score, mask) / p without bias. Mask i comes from
    (seed, i).
    """

    rounds: ClassVar[str] = "masks"
    counted_in: ClassVar[str] = "masks"

    masks: int = param(Integer(1000, low=2, high=20000, step=50, title="Masks", help="How many masks."))
    cells: int = param(
        Integer(7, low=2, high=32, title="Cells", help="Cells of a mask along each side of the image.")
    )
    p: float = param(
        Real(0.5, low=0.05, high=0.95, step=0.05, title="Part shown", help="Chance of a cell to be seen.")
    )
    baseline: Baseline = param(hidden_pixels())
    centred: bool = param(
        Flag(True, title="Compare with the mean", help="Take the mean score out; the paper leaves it in.")
    )
    seed: int = param(seed_setting())

    @property
    def cost(self) -> int:
        return self.masks

    def sketches(self, probe: Probe, points: Points, begun: Sketch | None = None) -> Iterator[Sketch]:
        before = [state_of(begun, row, probe.shape[:2]) for row in range(len(points))]
        sums = [Sums(moments, totals) for moments, totals in before]
        drawn: dict[int, Float] = {}  # the masks of this chunk
        first = begun.done if begun else 0
        asked = [scores(probe, self.masks, first, self._shower(point, drawn)) for point in points]
        for steps in zip(*asked, strict=True):
            rounds = steps[0][0]
            for row, (_, found) in enumerate(steps):
                for number, score in zip(rounds, found, strict=True):
                    sums[row].add(float(score), drawn[number][:, :: probe.shape[2]])
            drawn.clear()
            yield self._sketch(sums, rounds.stop)
        if begun and begun.done == self.masks:
            yield begun

    def mask(self, number: int, height: int, width: int, channels: int = 1) -> Float:
        """Return how much of each pixel one mask shows, (H, W * C), every channel of a pixel alike."""
        draw = np.random.default_rng([self.seed, number]).random(self.cells**2 + 2)
        grid = (draw[2:] < self.p).reshape(self.cells, self.cells).astype(np.float32)
        return self.stretched(grid, draw[:2], height, width, channels)

    def stretched(self, grid: Array, moved: Array, height: int, width: int, channels: int = 1) -> Float:
        """Return a grid of cells as a mask, moved by shares of a cell, (H, W * C)."""
        down, across = stretch(self.cells, height), np.repeat(stretch(self.cells, width), channels, 0)
        top = int(moved[0] * -(-height // self.cells))
        left = int(moved[1] * -(-width // self.cells)) * channels
        found: Float = down[top : top + height] @ grid @ across[left : left + width * channels].T
        return found

    def _shower(self, point: Float, drawn: dict[int, Float]) -> Show:
        height, width, channels = point.shape
        instead = np.array(hidden(point, self.baseline)).reshape(height, -1)
        shown = point.reshape(height, -1) - instead

        def show(image: Float, number: int) -> None:
            if number not in drawn:
                drawn[number] = self.mask(number, height, width, channels)
            flat = image.reshape(height, -1)
            np.multiply(shown, drawn[number], out=flat)
            flat += instead

        return show

    def _sketch(self, sums: list[Sums], done: int) -> Sketch:
        found = [one.map(self.p, self.centred) for one in sums]
        values, error = (np.stack(maps).astype(np.float32) for maps in zip(*found, strict=True))
        state = {
            "moments": np.stack([one.moments for one in sums]),
            "totals": np.array([[one.pivot, one.first, one.second, one.count] for one in sums]),
        }
        return Sketch(values, done, self.masks, error, state=state)


class Sums:
    """Running sums of masks m and of scores g above the first one, round by round in float64.

    moments: m, m^2, gm, gm^2, ggm and ggm^2, (6, H, W). totals: the first score, g, gg and the count.
    """

    def __init__(self, moments: Array, totals: Array) -> None:
        self.moments = moments
        self.pivot, self.first, self.second, self.count = map(float, totals)

    def add(self, score: float, mask: Float) -> None:
        """Take in the score of one more mask (H, W)."""
        if not self.count:
            self.pivot = score
        above = score - self.pivot
        self.count += 1
        self.first += above
        self.second += above * above
        power = mask.astype(np.float64)
        square = power * power
        for place in (0, 2, 4):
            if place:
                power *= above
                square *= above
            self.moments[place] += power
            self.moments[place + 1] += square

    def map(self, p: float, centred: bool) -> tuple[Array, Array]:
        """Return the estimate of every pixel and its standard error."""
        n, g, gg = self.count, self.first, self.second
        m, mm, gm, gmm, ggm, ggmm = self.moments
        if not centred:
            off = self.pivot
            mean = (gm + off * m) / n
            squares = ggmm + 2 * off * gmm + off * off * mm
            return mean / p, np.sqrt(np.maximum(squares / n - mean * mean, 0) / max(1, n - 1)) / p
        a, b = g / n, m / n
        mean = gm / n - a * b
        squares = ggmm - 2 * b * ggm + b * b * gg - 2 * a * gmm + 4 * a * b * gm - 2 * a * b * b * g
        squares += a * a * mm - 2 * a * a * b * m + n * a * a * b * b
        spread = np.sqrt(np.maximum(squares / n - mean * mean, 0) / max(1, n - 1))
        return (gm - a * m) / (max(1, n - 1) * p), spread / p


def state_of(begun: Sketch | None, row: int, size: tuple[int, int]) -> tuple[Array, Array]:
    """Return the sums that an earlier run of one image left, or empty ones."""
    if begun is None:
        return np.zeros((6, *size)), np.zeros(4)
    return begun.state["moments"][row].copy(), begun.state["totals"][row]


@lru_cache(maxsize=64)
def stretch(cells: int, side: int) -> Float:
    """Return the bilinear interpolation of cells to a side and one cell more, (pixels, cells).

    Centres of cells and pixels are at halves; beyond the outermost centres the value stays.
    """
    cell = -(-side // cells)
    pixels = (cells + 1) * cell
    at = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
    left = np.minimum(at.astype(int), cells - 2)
    weights = np.zeros((pixels, cells), np.float32)
    weights[np.arange(pixels), left] = 1 - (at - left)
    weights[np.arange(pixels), left + 1] += (at - left).astype(np.float32)
    return read_only(weights)
