"""Show predictions as bars; a press on one asks for that class to be explained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from saliency_view.components.assets import joined

_bars = st.components.v2.component(
    "saliency_bars",
    css=joined("shared.css", "bars.css"),
    js=joined("shared.js", "bars.js") + "\nexport default keepOnePerRoot(Bars);\n",
)


@dataclass(frozen=True)
class Bar:
    """One bar: the class's index, its label, its value (the length), and the value as text."""

    index: int
    label: str
    value: float
    text: str


def bars(
    *,
    key: str,
    rows: Sequence[Bar],
    selected: int | None,
    unit: str,
    title: str,
    full: float | None = None,
) -> int | None:
    """Mount the bars and return the index that was pressed in this run, else None.

    A press is reported exactly once. `full` is the value of a bar that fills its track; left out, it is 1
    or the largest value, whichever is more. Negative values show an empty track and their text.
    Raises ValueError for repeated indices and numbers that are not finite.
    """
    indices = [int(row.index) for row in rows]
    if len(set(indices)) != len(indices):
        raise ValueError(f"Bars need one row per index, these repeat: {indices}.")
    if not all(math.isfinite(row.value) for row in rows):
        raise ValueError("Bars need finite values.")
    scale = max([1.0, *(row.value for row in rows)]) if full is None else full
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"A full bar must be finite and above 0, not {full!r}.")
    data = {
        "rows": [{**asdict(row), "index": int(row.index), "value": float(row.value)} for row in rows],
        "selected": None if selected is None else int(selected),
        "unit": unit,
        "title": title,
        "scale": float(scale),
    }
    picked = _bars(key=key, data=data, on_picked_change=_nothing).get("picked")
    return picked if type(picked) is int and picked in indices else None


def _nothing() -> None:
    """Stand in for a callback: naming the trigger makes it part of the component's result."""
