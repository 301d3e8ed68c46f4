"""A layer's values on one image as maps: where they end, in which colours, and small enough to compare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saliency_core.render.palettes import DIVERGING, SEQUENTIAL, palettes
from saliency_core.render.scale import limit
from saliency_view.components.plane import Colours

SMALL = 32  # cells along the longer side of a thumbnail
CLIP = 99.5  # percent of the values other than 0 that the colours tell apart


@dataclass(frozen=True)
class Thumbnails:
    """The channels of a layer as small pictures on one scale.

    levels: uint8 (n, h, w), places in the palette. peaks: (n,), the value of the largest size in each.
    side: how many cells each way one pixel is the mean of.
    """

    levels: np.ndarray
    peaks: np.ndarray
    side: int
    colours: Colours


def thumbnails(maps: np.ndarray) -> Thumbnails:
    """Return small pictures of maps (h, w, n)."""
    colours = colours_of(maps, CLIP)
    small, side = shrunk(maps)
    flat = maps.reshape(-1, maps.shape[2])
    peaks = flat[np.abs(flat).argmax(0), np.arange(maps.shape[2])]
    return Thumbnails(levels(small, colours), peaks, side, colours)


def as_maps(values: np.ndarray) -> np.ndarray | None:
    """Return values as (h, w, channels), a row of cells with one column; None for neurons."""
    return values if values.ndim == 3 else values[:, None, :] if values.ndim == 2 else None


def colours_of(values: np.ndarray, clip: float = 100.0, *, among: np.ndarray | None = None) -> Colours:
    """Return colours for values: two hues where some are negative, dark to light where none is.

    `among` are the values of the whole layer, so that all its channels have the same hues.
    """
    family = DIVERGING if float((values if among is None else among).min()) < 0 else SEQUENTIAL
    return Colours(limit(values, clip), family, palettes(family)[0].lut)


def shrunk(maps: np.ndarray) -> tuple[np.ndarray, int]:
    """Return maps (h, w, n) as small ones, (n, h, w), each cell the mean of a block, and the block's side."""
    height, width = maps.shape[:2]
    side = -(-max(height, width) // SMALL)
    if side == 1:
        return np.ascontiguousarray(np.moveaxis(maps, 2, 0)), 1
    rows, cols = np.arange(0, height, side), np.arange(0, width, side)
    added = np.add.reduceat(np.add.reduceat(maps.astype(np.float64), rows, 0), cols, 1)
    tall = np.diff(np.append(rows, height))
    wide = np.diff(np.append(cols, width))
    return np.moveaxis(added / (tall[:, None, None] * wide[None, :, None]), 2, 0), side


def levels(maps: np.ndarray, colours: Colours) -> np.ndarray:
    """Return numbers as places in a palette of 256 colours, uint8."""
    share = np.clip(maps / colours.limit, -1, 1) if colours.limit else np.zeros(maps.shape)
    steps, zero = (128, 128) if colours.family == DIVERGING else (255, 0)
    return np.minimum(zero + np.floor(share * steps + 0.5), 255).astype(np.uint8)


def strongest(maps: np.ndarray, channel: int | None = None) -> tuple[int, int, int]:
    """Return row, column and channel of the largest value, of one channel or of all."""
    if channel is not None:
        row, col = np.unravel_index(int(maps[..., channel].argmax()), maps.shape[:2])
        return int(row), int(col), channel
    row, col, most = np.unravel_index(int(maps.argmax()), maps.shape)
    return int(row), int(col), int(most)
