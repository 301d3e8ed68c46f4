"""Show the channels of a layer as small pictures to choose from."""

from __future__ import annotations

import numpy as np
import streamlit as st

from saliency_view.components.assets import joined
from saliency_view.components.payload import pack
from saliency_view.components.plane import Colours

_tiles = st.components.v2.component(
    "saliency_tiles",
    css=joined("shared.css", "scale_bar.css", "tiles.css"),
    js=joined("shared.js", "colour.js", "scale_bar.js", "tiles.js")
    + "\nexport default keepOnePerRoot(Tiles);\n",
)


def tiles(
    *,
    key: str,
    levels: np.ndarray,
    peaks: np.ndarray,
    colours: Colours,
    selected: int,
    title: str,
    unit: str,
) -> int | None:
    """Mount the tiles and return the number that was pressed in this run, else None.

    levels: uint8 (n, h, w), places in the palette. peaks: (n,), the largest value of each, which they can be
    ordered by. Raises ValueError for other shapes and types.
    """
    if levels.dtype != np.uint8 or levels.ndim != 3 or not levels.size or peaks.shape != levels.shape[:1]:
        raise ValueError(f"Tiles are uint8 (n, h, w) with n peaks, not {levels.dtype} {levels.shape}.")
    header = {
        "key": key,
        "title": title,
        "unit": unit,
        "limit": float(colours.limit),
        "family": colours.family,
        "selected": int(selected),
    }
    arrays = {"levels": levels, "peaks": peaks.astype(np.float32), "lut": colours.lut}
    picked = _tiles(key=key, data=pack(header, arrays), on_picked_change=_nothing).get("picked")
    return picked if type(picked) is int and 0 <= picked < len(levels) else None


def _nothing() -> None:
    """Stand in for a callback: naming the trigger makes it part of the component's result."""
