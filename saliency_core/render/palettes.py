"""Palettes that colour-blind people can read: dark to light for sizes, two hues for signs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from saliency_core.arrays import Bytes8, read_only
from saliency_core.errors import SettingError

SEQUENTIAL = "sequential"
DIVERGING = "diverging"
SIZES = {SEQUENTIAL: 256, DIVERGING: 257}  # odd, so that zero has an entry of its own


@dataclass(frozen=True)
class Palette:
    """A named row of colours; `source` is a Matplotlib name or evenly spaced colours written #rrggbb."""

    id: str
    title: str
    family: str
    source: str | tuple[str, ...]

    @property
    def lut(self) -> Bytes8:
        """The colours, (256, 3) uint8 from zero up, or (257, 3) with zero at entry 128; read-only."""
        return _lut(self)


def palette(id: str) -> Palette:
    """Return a palette by its id, or raise SettingError that lists what there is."""
    if id not in _BY_ID:
        raise SettingError(f"There is no palette {id[:60]!r}.", f"Choose one of: {', '.join(_BY_ID)}.")
    return _BY_ID[id]


def palettes(family: str = "") -> tuple[Palette, ...]:
    """Return all palettes, or those of one family; the first is the one to start with."""
    return tuple(found for found in _BY_ID.values() if family in ("", found.family))


@cache
def _lut(chosen: Palette) -> Bytes8:
    steps = _steps(chosen)
    at = np.linspace(0, len(steps) - 1, SIZES[chosen.family])
    colours = [np.interp(at, np.arange(len(steps)), channel) for channel in steps.T]
    return read_only(np.floor(np.stack(colours, -1) + 0.5).astype(np.uint8))


def _steps(chosen: Palette) -> NDArray[np.float64]:
    """The colours that a palette is drawn through, (n, 3) in 0..255, evenly spaced."""
    if isinstance(chosen.source, tuple):
        return np.array([list(bytes.fromhex(colour[1:])) for colour in chosen.source], np.float64)
    from matplotlib import colormaps  # a quarter of a second, so only when one of its palettes is drawn

    drawn = colormaps[chosen.source]
    if chosen.family == DIVERGING:
        drawn = drawn.resampled(SIZES[DIVERGING])
    return np.asarray(drawn(np.arange(drawn.N)), np.float64)[:, :3] * 255


_BY_ID = {
    made.id: made
    for made in (
        Palette("inferno", "Inferno: black, red, yellow", SEQUENTIAL, "inferno"),
        Palette("viridis", "Viridis: purple, green, yellow", SEQUENTIAL, "viridis"),
        Palette("magma", "Magma: black, pink, cream", SEQUENTIAL, "magma"),
        Palette("cividis", "Cividis: blue, gray, yellow", SEQUENTIAL, "cividis"),
        Palette("gray", "Black to white", SEQUENTIAL, ("#000000", "#ffffff")),
        Palette("blues", "White to blue, for paper", SEQUENTIAL, "Blues"),
        Palette(
            "blue_orange",
            "Blue, white, orange",
            DIVERGING,
            ("#0046dc", "#3c82ff", "#96beff", "#f0f0f0", "#ffbe82", "#ff781e", "#dc3c00"),
        ),
        Palette(
            "blue_orange_dark",
            "Blue, black, orange",
            DIVERGING,
            ("#5abeff", "#1e6ee6", "#193c82", "#1c1c1c", "#82370a", "#e6640a", "#ffb45a"),
        ),
        Palette("blue_red", "Blue, white, red", DIVERGING, "RdBu_r"),
        Palette("purple_orange", "Purple, white, brown", DIVERGING, "PuOr_r"),
    )
}
