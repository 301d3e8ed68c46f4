"""How large is large: the end of the colour scale, and what to say when there is nothing to scale."""

from __future__ import annotations

import numpy as np

from saliency_core.arrays import Array
from saliency_core.render.look import Look
from saliency_core.render.numbers import number_text
from saliency_core.render.reduce import reduce_channels, signed_map


def limit(map2d: Array, clip: float) -> float:
    """Return the end of the scale: the size that `clip` percent of the pixels other than 0 stay within.

    Zeros do not count, so a map with a few lit pixels keeps its scale. 0.0 for a map of zeros.
    """
    sizes = np.abs(np.asarray(map2d, np.float64))
    sizes = sizes[sizes > 0]
    return float(np.percentile(sizes, clip)) if sizes.size else 0.0


def is_flat(map2d: Array) -> bool:
    """Say whether all pixels have the same value."""
    return bool(np.min(map2d) == np.max(map2d))


def explain_flat(values: Array, look: Look) -> str | None:
    """Return why a map (H, W, C) or (H, W) looks flat, in one or two sentences; None if it does not."""
    shown = reduce_channels(values, look)
    if not is_flat(shown):
        return None
    if shown.flat[0]:
        same = float(-shown.flat[0] if look.sign == "negative" else shown.flat[0])
        return f"Every pixel has the same value, {number_text(same)}."
    if not np.any(values):
        return "Every value is exactly 0: by this map, no pixel changes the score."
    signed = signed_map(values, look).astype(np.float32)
    if signed.any():
        low, high = number_text(float(signed.min())), number_text(float(signed.max()))
        return f"Nothing is {look.sign}: the signed values run from {low} to {high}. Show both signs."
    largest = number_text(float(np.abs(values).max()))
    if look.reduce == "channel":
        return f"Channel {look.channel} is exactly 0 everywhere; other channels reach {largest}."
    return f"The channels cancel in every pixel; single ones reach {largest}. Show the largest channel."
