"""The small corner mark that betrays a class: one glyph and one colour a class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MARK_MODES = ("none", "own", "random")
"""No mark, the mark of the scene's own class, or the mark of a class drawn by the seed."""

_CELLS = 3
_CODES = (0b111_101_111, 0b010_111_010, 0b101_010_101, 0b110_110_000, 0b100_111_001)
_INKS = ((200, 40, 40), (30, 60, 190))
PAPER = (250, 250, 250)


def mark_glyph(label: int, cell: int = 3) -> npt.NDArray[np.uint8]:
    """The mark of a class, (3 cell, 3 cell, 3) uint8: one of five glyphs in one of two inks on white."""
    code = _CODES[label % len(_CODES)]
    bits = [code >> bit & 1 for bit in reversed(range(_CELLS**2))]
    ink = np.array(bits, bool).reshape(_CELLS, _CELLS).repeat(cell, 0).repeat(cell, 1)
    colour = _INKS[label // len(_CODES)]
    return np.where(ink[..., None], np.array(colour, np.uint8), np.array(PAPER, np.uint8))


def mark_place(size: int) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of the mark: the lower right corner, two pixels in at 96."""
    cell, margin = max(1, size // 32), max(1, size // 48)
    end = size - margin
    return end - _CELLS * cell, end - _CELLS * cell, end, end
