"""Show a small grid of numbers in colour; its cells can be given weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
import streamlit as st

from saliency_view.components.assets import joined
from saliency_view.components.payload import pack
from saliency_view.components.settle import settle

Weights = list[tuple[int, int, float]]
LARGEST = 32

_grid = st.components.v2.component(
    "saliency_grid",
    css=joined("shared.css", "grid.css"),
    js=joined("shared.js", "colour.js", "grid.js") + "\nexport default keepOnePerRoot(Grid);\n",
)


def grid(
    *,
    key: str,
    values: np.ndarray,
    weights: np.ndarray | None = None,
    title: str,
    unit: str,
    limit: float,
    lut: np.ndarray,
) -> Weights:
    """Mount the grid and return the weights as (row, column, weight), row by row, without the zeros.

    values: numbers (rows, columns), up to 32 each way, coloured by `lut`, a uint8 (257, 3) table from
    -limit to +limit. weights: numbers of the same shape the page wants; a press on a cell switches its weight
    between 0 and 1, shift and press lets the visitor type one. Without weights the grid is for reading
    and the answer is empty. Raises ValueError for anything else.
    """
    arrays = {"values": _checked(values, "values").astype(np.float32), "lut": _checked_lut(lut)}
    if not (math.isfinite(limit) and limit >= 0):
        raise ValueError(f"The grid's limit must be finite and not negative, not {limit!r}.")
    chosen, revision = _weights(key, values, weights)
    header = {
        "key": key,
        "revision": revision,
        "weights": chosen,
        "limit": float(limit),
        "title": title,
        "unit": unit,
    }
    _grid(key=key, data=pack(header, arrays), on_weights_change=_nothing)
    return [(row, column, float(weight)) for row, column, weight in chosen or []]


def _weights(key: str, values: np.ndarray, weights: np.ndarray | None) -> tuple[list[list[Any]] | None, int]:
    if weights is None:
        return None, 0
    if np.shape(weights) != np.shape(values):
        raise ValueError(f"Weights are {np.shape(weights)}, the grid's values {np.shape(values)}.")
    held = _checked(weights, "weights").astype(float)
    given = [[int(row), int(column), held[row, column].item()] for row, column in np.argwhere(held)]
    sent = st.session_state.get(key) or {}
    chosen, revision = settle(key, {"weights": given}, sent, _legal(np.shape(values)))
    return chosen["weights"], revision


def _checked(numbers: np.ndarray, name: str) -> np.ndarray:
    numbers = np.asarray(numbers)
    if numbers.ndim != 2 or not numbers.size or max(numbers.shape) > LARGEST:
        raise ValueError(f"A grid's {name} are 1x1 to {LARGEST}x{LARGEST}, not {numbers.shape}.")
    if numbers.dtype.kind not in "iuf" or not np.isfinite(numbers).all():
        raise ValueError(f"A grid's {name} must be finite numbers.")
    return numbers


def _checked_lut(lut: np.ndarray) -> np.ndarray:
    if lut.dtype != np.uint8 or lut.shape != (257, 3):
        raise ValueError(f"A grid's palette is diverging, uint8 (257, 3), not {lut.dtype} {lut.shape}.")
    return lut


def _legal(shape: tuple[int, ...]) -> Callable[[str, Any], bool]:
    """Return the test that weights from the browser must pass."""

    def legal(name: str, value: Any) -> bool:
        if not isinstance(value, list) or len(value) > shape[0] * shape[1]:
            return False
        return all(_entry(entry, shape) for entry in value) and len({(r, c) for r, c, _ in value}) == len(
            value
        )

    return legal


def _entry(entry: Any, shape: tuple[int, ...]) -> bool:
    if not isinstance(entry, list) or len(entry) != 3:
        return False
    *place, weight = entry
    inside = all(type(at) is int and 0 <= at < end for at, end in zip(place, shape, strict=True))
    return inside and isinstance(weight, Real) and not isinstance(weight, bool) and math.isfinite(weight)


def _nothing() -> None:
    """Stand in for a callback: naming the state makes it part of the component's result."""
