"""Show a feature map of any size as cells in colour: choose one, or paint weights over them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import streamlit as st

from saliency_core.render.palettes import DIVERGING, palettes
from saliency_view.components.assets import joined
from saliency_view.components.payload import pack
from saliency_view.components.settle import settle

LARGEST = 1024  # rows and columns
Cell = tuple[int, int]

_plane = st.components.v2.component(
    "saliency_plane",
    css=joined("shared.css", "scale_bar.css", "plane.css"),
    js=joined("shared.js", "colour.js", "scale_bar.js", "plane.js")
    + "\nexport default keepOnePerRoot(Plane);\n",
)


@dataclass(frozen=True)
class Colours:
    """How numbers become colours: the value at the palette's end, its family and its table."""

    limit: float
    family: str
    lut: np.ndarray


def plane(*, key: str, values: np.ndarray, colours: Colours, title: str, unit: str, cell: Cell) -> Cell:
    """Mount a map (rows, columns) whose cells can be pressed, and return the chosen one.

    `cell` is what the page wants chosen; `unit` says what the numbers are. Raises ValueError for anything
    that cannot be drawn.
    """
    values = _checked(values)
    sent = st.session_state.get(key) or {}
    chosen, revision = settle(key, {"cell": [int(place) for place in cell]}, sent, _legal(values.shape))
    header = {"key": key, "revision": revision, "cell": chosen["cell"], "runs": None}
    _mount(key, header, values, colours, title, unit)
    row, column = chosen["cell"]
    return row, column


def mask(
    *, key: str, values: np.ndarray, colours: Colours, title: str, unit: str, weights: np.ndarray
) -> np.ndarray:
    """Mount a map (rows, columns) that weights can be painted on, and return the weights, float64.

    `weights` are what the page wants, of the same shape. Raises ValueError for anything else.
    """
    values = _checked(values)
    if np.shape(weights) != values.shape or not np.isfinite(weights).all():
        raise ValueError(f"Weights are finite and of shape {values.shape}, not {np.shape(weights)}.")
    sent = st.session_state.get(key) or {}
    chosen, revision = settle(key, {"runs": runs_of(weights)}, sent, _legal(values.shape))
    header = {"key": key, "revision": revision, "cell": None, "runs": chosen["runs"]}
    _mount(key, header, values, colours, title, unit)
    return weights_of(chosen["runs"], values.shape)


def runs_of(weights: np.ndarray) -> list[list[Any]]:
    """Return weights (rows, columns) as runs of equal cells, [start, length, weight], without the zeros."""
    flat = np.asarray(weights, float).reshape(-1)
    starts = np.flatnonzero(np.diff(flat, prepend=np.nan) != 0)
    lengths = np.diff(np.append(starts, flat.size))
    found = zip(starts.tolist(), lengths.tolist(), flat[starts].tolist(), strict=True)
    return [[start, length, weight] for start, length, weight in found if weight]


def weights_of(runs: list[list[Any]], shape: tuple[int, ...]) -> np.ndarray:
    """Return runs as weights of a shape."""
    flat = np.zeros(math.prod(shape))
    for start, length, weight in runs:
        flat[start : start + length] = weight
    return flat.reshape(shape)


def _mount(
    key: str, header: dict[str, Any], values: np.ndarray, colours: Colours, title: str, unit: str
) -> None:
    if not (math.isfinite(colours.limit) and colours.limit >= 0):
        raise ValueError(f"The limit must be finite and not negative, not {colours.limit!r}.")
    told = {"limit": float(colours.limit), "family": colours.family, "title": title, "unit": unit}
    arrays = {"values": values, "lut": colours.lut, "lut_weights": palettes(DIVERGING)[0].lut}
    data = pack({**header, **told}, arrays)
    _plane(key=key, data=data, on_cell_change=_nothing, on_runs_change=_nothing)


def _checked(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 2 or not values.size or max(values.shape) > LARGEST:
        raise ValueError(f"A map is 1x1 to {LARGEST}x{LARGEST}, not {values.shape}.")
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise ValueError("A map must be finite numbers.")
    return values.astype(np.float32)


def _legal(shape: tuple[int, ...]) -> Callable[[str, Any], bool]:
    """Return the test that what comes from the browser must pass."""

    def legal(name: str, value: Any) -> bool:
        if not isinstance(value, list) or len(value) > shape[0] * shape[1]:
            return False
        if name == "cell":
            pairs = zip(value, shape, strict=False)
            return len(value) == 2 and all(type(at) is int and 0 <= at < end for at, end in pairs)
        end = 0
        for run in value:
            if not _is_run(run) or run[0] < end or run[0] + run[1] > shape[0] * shape[1]:
                return False
            end = run[0] + run[1]
        return True

    return legal


def _is_run(run: Any) -> bool:
    if not isinstance(run, list) or len(run) != 3 or type(run[0]) is not int or type(run[1]) is not int:
        return False
    weight = run[2]
    return run[1] > 0 and isinstance(weight, Real) and not isinstance(weight, bool) and math.isfinite(weight)


def _nothing() -> None:
    """Stand in for a callback: naming the state makes it part of the component's result."""
