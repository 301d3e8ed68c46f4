"""List the layers of a network, with a filter, to choose one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from saliency_view.components.assets import joined

_layers = st.components.v2.component(
    "saliency_layers",
    css=joined("shared.css", "layers.css"),
    js=joined("shared.js", "layers.js") + "\nexport default keepOnePerRoot(Layers);\n",
)


@dataclass(frozen=True)
class Row:
    """One layer as text: its name, what computes it, its shape, what a unit sees, in short and in full.

    `tall` and `wide` are the shares of the image that it sees, 0..1.
    """

    name: str
    step: str
    shape: str
    sees: str
    detail: str
    tall: float
    wide: float


def layer_list(*, key: str, rows: Sequence[Row], selected: str, title: str) -> str | None:
    """Mount the list and return the name that was pressed in this run, else None."""
    data = {"key": key, "title": title, "rows": [asdict(row) for row in rows], "selected": selected}
    picked = _layers(key=key, data=data, on_picked_change=_nothing).get("picked")
    return picked if isinstance(picked, str) and picked in {row.name for row in rows} else None


def _nothing() -> None:
    """Stand in for a callback: naming the trigger makes it part of the component's result."""
