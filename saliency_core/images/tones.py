"""Numbers of any width to 8 bits, and colours with alpha to colours without.

Wide grey values (16 bits, 32 bits, floating point) are scaled linearly, smallest value to 0 and largest to
255: such files hold measurements that seldom fill their range. 16-bit colours keep their upper 8 bits, as
every viewer shows them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from saliency_core.arrays import Array, Bytes8
from saliency_core.errors import ImageError

Colour = tuple[int, int, int]
Notices = tuple[str, ...]
BLOCK = 1 << 20  # values scaled at once, so that 40 million of them need no second large array


def scale_wide(name: str, values: Array, visible: NDArray[np.bool_] | None = None) -> tuple[Bytes8, Notices]:
    """Scale wide grey values to 0..255, and say from what range.

    values: (H, W) integers or floats; visible: bool (H, W), pixels that count for the range, all by default.
    NaN and minus infinity become 0, plus infinity 255.
    """
    counted = values if visible is None else values[visible]
    notices: Notices = ()
    if values.dtype.kind == "f":
        finite = counted[np.isfinite(counted)]
        if finite.size == 0:
            raise ImageError(f"{name} holds no finite number, only NaN or infinity.", "Export it anew.")
        if lost := counted.size - finite.size:
            notices = (f"{lost} of {counted.size} values are NaN or infinite: NaN shown as black",)
        counted = finite
    if counted.size == 0:
        return np.zeros(values.shape, np.uint8), ()
    low, high = float(counted.min()), float(counted.max())
    if low == high:
        level = _flat_level(values.dtype, low)
        return np.full(values.shape, level, np.uint8), (*notices, f"every value is {low:g}: one even grey")
    bits = 8 * values.dtype.itemsize
    return _stretch(values, low, high), (*notices, f"{bits}-bit values {low:g} to {high:g} scaled to 0..255")


def _stretch(values: Array, low: float, high: float) -> Bytes8:
    """Map low..high linearly to 0..255, rounded to the nearest, in blocks."""
    flat, out = values.reshape(-1), np.empty(values.size, np.uint8)
    for start in range(0, flat.size, BLOCK):
        block = flat[start : start + BLOCK].astype(np.float64)
        block = np.nan_to_num(block, copy=False, nan=low, neginf=low, posinf=high)
        levels = (block - low) * 255.0 / (high - low) + 0.5
        out[start : start + BLOCK] = np.clip(levels, 0.0, 255.0)
    return out.reshape(values.shape)


def _flat_level(dtype: np.dtype[np.generic], value: float) -> int:
    """Return the grey for a picture of one value, which has no range of its own to be scaled from."""
    if dtype == np.uint16:
        return int(value / 257 + 0.5)
    if dtype.kind == "f" and 0 <= value <= 1:
        return int(value * 255 + 0.5)
    return int(value + 0.5) if 0 <= value <= 255 else 128


def over(colours: Bytes8, alpha: Bytes8, background: Colour) -> tuple[Bytes8, Notices]:
    """Lay colours (H, W, 1 or 3) with alpha (H, W) over a background; what alpha 0 hides never shows.

    Grey over a neutral background stays grey. Exact integers, rounded to the nearest.
    """
    if int(alpha.min()) == 255:
        return colours, ()
    if colours.shape[2] == 1 and len(set(background)) > 1:
        colours = np.repeat(colours, 3, axis=2)
    out = np.empty_like(colours)
    wide = alpha.astype(np.uint16)
    for channel in range(colours.shape[2]):
        mixed = colours[:, :, channel] * wide  # at most 255 * 255 in all: uint16 holds the sum
        mixed += (255 - wide) * np.uint16(background[channel])
        mixed += 127
        out[:, :, channel] = (mixed + 1 + (mixed >> 8)) >> 8  # mixed // 255, exact below 65535 and faster
    return out, (f"transparent areas shown on {colour_name(background)}",)


def colour_name(colour: Colour) -> str:
    """Say a colour in words: white, black, or its numbers."""
    named = {(255, 255, 255): "white", (0, 0, 0): "black"}
    return named.get(colour, "rgb({}, {}, {})".format(*colour))
