"""Where the numbers of a coarse map lie on the image, and the map at the size of the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saliency_core.arrays import Array, Float
from saliency_core.models.anatomy import SLACK, Layer, Span


@dataclass(frozen=True)
class Line:
    """The cells along one axis: the middle of cell i lies at pixel `first + step * i`."""

    first: float
    step: float

    @classmethod
    def stretched(cls, cells: int, extent: int) -> Line:
        """Return cells that share all pixels of an axis evenly, from edge to edge."""
        return cls(extent / cells / 2 - 0.5, extent / cells)

    @classmethod
    def seen(cls, span: Span | None) -> Line | None:
        """Return where the middles lie of what the cells of a layer see; None where they see everything."""
        return None if span is None or span.step <= 0 else cls((span.first + span.last) / 2, span.step)

    def weights(self, cells: int, extent: int, smooth: bool = True) -> Array:
        """Return how much of each cell a pixel shows, (extent, cells) float64; each row adds up to 1.

        Between two middles the cells mix in proportion, beyond the first and the last nothing changes;
        not `smooth`, a pixel shows the cell whose middle is nearest.
        """
        place = np.clip((np.arange(extent) - self.first) / self.step, 0, cells - 1)
        place = place if smooth else np.rint(place)
        below = np.minimum(place.astype(int), max(cells - 2, 0))
        pixels, part = np.arange(extent), place - below
        made = np.zeros((extent, cells))
        made[pixels, below] = 1 - part
        made[pixels, np.minimum(below + 1, cells - 1)] += part
        return made

    def shares(self, cells: int, extent: int) -> Array:
        """Return how a cell is spread over pixels, (extent, cells) float64; each column adds up to 1."""
        made = self.weights(cells, extent)
        for lost in np.flatnonzero(made.sum(0) == 0):  # its middle lies outside the image
            made[int(np.clip(round(self.first + self.step * lost), 0, extent - 1)), lost] = 1
        shares: Array = made / made.sum(0)
        return shares


@dataclass(frozen=True)
class Cells:
    """Where the cells of a map (h, w) lie on the image; None along an axis: stretched from edge to edge."""

    # The theoretical middle is where a cell lies if all of its field counts alike. Networks learn otherwise:
    # where the cells divide the image evenly, stretching lay nearer to the gradients of trained ones.

    rows: Line | None = None
    cols: Line | None = None

    @classmethod
    def of(cls, layer: Layer, image: tuple[int, ...]) -> Cells:
        """Return the cells of a layer on an image (H, W, ...).

        Stretched where they divide the image evenly, as behind SAME padding; else, as behind VALID, each in
        the middle of what it can see.
        """
        seen = cls.seen(layer)
        rows, cols = (_even(span, layer.shape[axis], image[axis]) for axis, span in enumerate(_spans(layer)))
        return cls(None if rows else seen.rows, None if cols else seen.cols)

    @classmethod
    def seen(cls, layer: Layer) -> Cells:
        """Return the middles of what the cells of a layer can see."""
        return cls(*map(Line.seen, _spans(layer)))

    def lines(self, cells: tuple[int, ...], extents: tuple[int, ...]) -> tuple[Line, Line]:
        """Return where the cells (h, w) lie on an image (H, W)."""
        rows, cols = map(Line.stretched, cells, extents)
        return self.rows or rows, self.cols or cols

    def beside(self, cells: tuple[int, ...], extents: tuple[int, ...]) -> float:
        """Return the pixels by which a cell lies beside where stretching the map would put it, at most."""
        stretched = map(Line.stretched, cells, extents)
        ends = zip(self.lines(cells, extents), stretched, cells, strict=True)
        return max(
            abs(here.first + here.step * i - there.first - there.step * i)
            for here, there, count in ends
            for i in (0, count - 1)
        )


STRETCHED = Cells()


def _spans(layer: Layer) -> tuple[Span | None, Span | None]:
    return layer.field.rows, layer.field.cols


def _even(span: Span | None, cells: int, extent: int) -> bool:
    return span is not None and abs(span.step * cells - extent) < SLACK


def enlarged(maps: Array, height: int, width: int, cells: Cells = STRETCHED, smooth: bool = True) -> Float:
    """Return maps (..., h, w) at the size of the image, (..., height, width) float32.

    Bilinear between the middles of the cells; in blocks of one value if not `smooth`.
    """
    rows, cols = cells.lines(maps.shape[-2:], (height, width))
    down = rows.weights(maps.shape[-2], height, smooth)
    across = cols.weights(maps.shape[-1], width, smooth)
    found: Float = (down @ maps.astype(np.float64) @ across.T).astype(np.float32)
    return found


def spread(maps: Array, height: int, width: int, cells: Cells = STRETCHED) -> Array:
    """Return maps (..., h, w) spread over the image, (..., height, width) float64, with the same sums."""
    rows, cols = cells.lines(maps.shape[-2:], (height, width))
    down, across = rows.shares(maps.shape[-2], height), cols.shares(maps.shape[-1], width)
    found: Array = down @ maps.astype(np.float64) @ across.T
    return found
