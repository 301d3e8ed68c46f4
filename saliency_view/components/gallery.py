"""Show pictures to choose from as a grid of thumbnails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import streamlit as st

from saliency_view.components.assets import joined
from saliency_view.components.payload import pack

_gallery = st.components.v2.component(
    "saliency_gallery",
    css=joined("shared.css", "gallery.css"),
    js=joined("shared.js", "gallery.js") + "\nexport default keepOnePerRoot(Gallery);\n",
)


class Shot(NamedTuple):
    """One picture to choose: id, title, and a small PNG."""

    id: str
    title: str
    png: bytes


def gallery(*, key: str, shots: Sequence[Shot], selected: str, title: str) -> str | None:
    """Mount the gallery and return the id that was pressed in this run, else None."""
    header = {
        "title": title,
        "rows": [{"id": shot.id, "title": shot.title} for shot in shots],
        "selected": selected,
    }
    arrays = {f"png_{place}": np.frombuffer(shot.png, np.uint8) for place, shot in enumerate(shots)}
    picked = _gallery(key=key, data=pack(header, arrays), on_picked_change=_nothing).get("picked")
    return picked if isinstance(picked, str) and picked in {shot.id for shot in shots} else None


def _nothing() -> None:
    """Stand in for a callback: naming the trigger makes it part of the component's result."""
