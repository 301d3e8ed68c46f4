"""The outlines of the object classes, and how much of each pixel an outline covers."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Points = npt.NDArray[np.float64]
"""(n, 2) corners as x, y."""

SUPERSAMPLING = 4
"""Each pixel is judged on 4 x 4 sub-pixels, so an outline covers 0, 1/16, ... 16/16 of it."""


@dataclass(frozen=True, eq=False)
class Outline:
    """A closed outline, perhaps with a hole; corners as x, y."""

    edge: Points
    hole: Points | None = None

    def moved(self, matrix: npt.NDArray[np.float64], centre: Points) -> Outline:
        """The outline after a 2 x 2 matrix and a shift."""
        hole = None if self.hole is None else self.hole @ matrix.T + centre
        return Outline(self.edge @ matrix.T + centre, hole)


@dataclass(frozen=True, eq=False)
class Coverage:
    """The share of each pixel that an outline covers, within its box in the frame.

    `share` is (h, w) float32 in 0..1; its upper left pixel is (`row`, `col`) of the frame.
    """

    row: int
    col: int
    share: npt.NDArray[np.float32]

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the frame that `share` belongs to."""
        height, width = self.share.shape
        return slice(self.row, self.row + height), slice(self.col, self.col + width)


def cover(outline: Outline, size: int) -> Coverage:
    """How much of each pixel of a size x size frame the outline covers; clipped at the frame."""
    (low_x, low_y), (high_x, high_y) = outline.edge.min(axis=0).tolist(), outline.edge.max(axis=0).tolist()
    left, top = (min(max(floor(low) - 1, 0), size - 1) for low in (low_x, low_y))
    right, bottom = (max(min(ceil(v) + 1, size), low + 1) for v, low in ((high_x, left), (high_y, top)))
    width, height = right - left, bottom - top
    sheet = Image.new("L", (width * SUPERSAMPLING, height * SUPERSAMPLING))
    draw = ImageDraw.Draw(sheet)
    for points, ink in ((outline.edge, 255), (outline.hole, 0)):
        if points is not None:
            draw.polygon(((points - (left, top)) * SUPERSAMPLING).ravel().tolist(), fill=ink)
    share = np.asarray(sheet.reduce(SUPERSAMPLING), np.float32) / np.float32(255)
    return Coverage(top, left, share)


def _arc(
    start: float, stop: float, corners: int, radius: float = 1.0, centre: tuple[float, float] = (0.0, 0.0)
) -> Points:
    angles = np.radians(np.linspace(start, stop, corners))
    points: Points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius + np.asarray(centre)
    return points


def _polygon(*corners: tuple[float, float]) -> Outline:
    return Outline(np.array(corners, np.float64))


def _star() -> Outline:
    edge = _arc(-90, 270, 11)[:-1]
    edge[1::2] *= 0.42
    return Outline(edge)


def _heart() -> Outline:
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return Outline(np.stack([x, -y], axis=1) / 17)


def _crescent() -> Outline:
    """A disc without a second disc of four fifths its radius, set off to the right."""
    offset, radius = 0.5, 0.8
    x = (1 - radius**2 + offset**2) / (2 * offset)
    horn = float(np.degrees(np.arccos(x)))
    inner = float(np.degrees(np.arctan2(np.sqrt(1 - x**2), x - offset)))
    outside = _arc(horn, 360 - horn, 40)
    inside = _arc(360 - inner, inner, 32, radius, (offset, 0.0))
    return Outline(np.concatenate([outside, inside]))


_A = 0.36
OUTLINES: dict[str, Outline] = {
    "disc": Outline(_arc(0, 360, 49)[:-1] * 0.9),
    "ring": Outline(_arc(0, 360, 49)[:-1], _arc(0, 360, 49)[:-1] * 0.58),
    "square": Outline(_arc(45, 405, 5)[:-1]),
    "triangle": Outline(_arc(-90, 270, 4)[:-1]),
    "star": _star(),
    "cross": _polygon(
        *((_A, 1), (_A, _A), (1, _A), (1, -_A), (_A, -_A), (_A, -1)),
        *((-_A, -1), (-_A, -_A), (-1, -_A), (-1, _A), (-_A, _A), (-_A, 1)),
    ),
    "heart": _heart(),
    "crescent": _crescent(),
    "arrow": _polygon(
        (1, 0), (0.15, 0.8), (0.15, 0.28), (-1, 0.28), (-1, -0.28), (0.15, -0.28), (0.15, -0.8)
    ),
    "bolt": _polygon((0.35, -1), (-0.6, 0.15), (-0.05, 0.15), (-0.35, 1), (0.6, -0.25), (0.05, -0.25)),
}
"""Each class at unit size around 0, 0."""

LABELS: tuple[str, ...] = tuple(OUTLINES)
"""The object classes; a scene's label is an index into this."""
