"""Choose a unit by pressing its cell: a layer's values on this image as a small grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from saliency_core.errors import TargetError
from saliency_core.grammar import parse
from saliency_core.render.palettes import DIVERGING, palettes
from saliency_core.targets import LayerUnit, OutputSeed
from saliency_core.weights import MOST_WEIGHTS
from saliency_view import compute, state
from saliency_view.components.grid import LARGEST, grid
from saliency_view.state import View


def unit_grid(view: View, image: Mapping[str, Any], pixels: np.ndarray) -> None:
    """Draw the layer that the target names as cells to press, if the target is a unit or a weighting."""
    target = parse("target", view.target)
    if not isinstance(target, LayerUnit | OutputSeed):
        return
    params = {"model": view.model, "layer": target.layer, "fit": view.fit, **image}
    job = compute.ask("units", "activation", params, {"image": pixels})
    if not job.ended:
        compute.wait_for(job, "Reading the layer …")
        return
    if job.state != "done" or job.result is None:
        return
    values = job.result.arrays["values"]
    seed = _seed(target, values.shape) if values.ndim == 3 else None
    if seed is None or max(values.shape[:2]) > LARGEST:
        return
    channel = target.channel if isinstance(target, LayerUnit) else _channel_of(target, seed)
    plane, weights = values[..., channel], seed[..., channel].astype(float)
    end = float(np.abs(plane).max())
    chosen = grid(key=f"units-{view.model}-{target.layer}-{channel}", values=plane, weights=weights,
                  title=_title(target, channel), unit="activation", limit=end,
                  lut=palettes(DIVERGING)[0].lut)  # fmt: skip
    _take(target, seed, chosen, channel)


def _channel_of(target: OutputSeed, seed: np.ndarray) -> int:
    """Return the first channel with a weight, or the one that a row of weights names."""
    used = np.flatnonzero(seed.reshape(-1, seed.shape[-1]).any(0))
    named = 0 if isinstance(target.weights, str) else int(target.weights[0][-2])
    return int(used[0]) if len(used) else named


def _seed(target: LayerUnit | OutputSeed, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return the output gradient on the layer, or None where the target does not fit it."""
    if isinstance(target, LayerUnit):
        target = OutputSeed([[target.row, target.col, target.channel, 1.0]], target.layer)
    try:
        return target.dense(shape)
    except TargetError:
        return None


def _title(target: LayerUnit | OutputSeed, channel: int) -> str:
    where = f"{target.layer}, channel {channel}"
    if isinstance(target, LayerUnit):
        return f"Units of {where}: press one to explain it"
    return f"Output gradient on {where}: press cells to switch them, shift and press to give a weight"


def _take(target: Any, seed: np.ndarray, chosen: list[tuple[int, int, float]], channel: int) -> None:
    """Turn pressed cells into a new target."""
    before, after = seed[..., channel], np.zeros(seed.shape[:2], np.float32)
    for row, col, weight in chosen:
        after[row, col] = weight
    if np.array_equal(before, after):
        return
    if isinstance(target, LayerUnit):
        added = np.argwhere((after != 0) & (before == 0))
        if not len(added):
            return
        row, col = (int(n) for n in added[-1])
        state.change(target=LayerUnit(target.layer, row, col, channel).spelling)
    else:
        others = seed.copy()
        others[..., channel] = 0
        rows = [[*place, float(others[tuple(place)])] for place in np.argwhere(others).tolist()]
        rows += [[row, col, channel, weight] for row, col, weight in chosen]
        rows = rows or [[0, 0, channel, 0.0]]  # nothing is asked: a gradient of zeros
        many = len(rows) > MOST_WEIGHTS
        others[..., channel] = after
        state.change(target=OutputSeed(others if many else rows, target.layer).spelling)
    st.rerun()
