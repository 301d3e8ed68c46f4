"""Small signed maps as pixels: large squares, one palette, one scale."""

from __future__ import annotations

import numpy as np

from saliency_core.render.compose import layer
from saliency_core.render.palettes import DIVERGING, palettes

CELL = 14  # pixels of one kernel weight on screen


def signed_tile(values: np.ndarray, end: float | None, side: int) -> tuple[np.ndarray, float]:
    """Return a map (h, w) or (h, w, C) as uint8 pixels about `side` high, and the end of its scale."""
    plane = values if values.ndim == 2 else _largest(values)
    limit = end if end is not None else float(np.abs(plane).max())
    factor = max(1, side // plane.shape[0])
    return _colours(plane, limit).repeat(factor, 0).repeat(factor, 1), limit


def signed_tiles(kernel: np.ndarray) -> tuple[np.ndarray, float]:
    """Return kernels (k, k, Cin, M) as M tiles across and Cin down, on one scale, and its end."""
    rows, cols, inputs, outputs = kernel.shape
    limit = float(np.abs(kernel).max())
    gap = CELL // 3
    height, width = rows * CELL + gap, cols * CELL + gap
    sheet = np.full((inputs * height - gap, outputs * width - gap, 4), 0, np.uint8)
    for i in range(inputs):
        for m in range(outputs):
            tile = _colours(kernel[:, :, i, m], limit).repeat(CELL, 0).repeat(CELL, 1)
            sheet[i * height : i * height + tile.shape[0], m * width : m * width + tile.shape[1], :3] = tile
            sheet[i * height : i * height + tile.shape[0], m * width : m * width + tile.shape[1], 3] = 255
    return sheet, limit


def _largest(values: np.ndarray) -> np.ndarray:
    """Return, for each pixel, the value of its largest channel with its sign."""
    place = np.abs(values).argmax(-1)[..., None]
    return np.take_along_axis(values, place, -1)[..., 0]


def _colours(plane: np.ndarray, limit: float) -> np.ndarray:
    chosen = palettes(DIVERGING)[0]
    return layer(plane.astype(np.float32), limit, chosen.lut, chosen.family, 1.0, 0.0)[..., :3]
