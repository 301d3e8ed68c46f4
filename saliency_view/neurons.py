"""The neurons of a dense layer on one image: the strongest as bars, any other by its number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from saliency_core.models.anatomy import Layer
from saliency_core.render.numbers import number_text
from saliency_core.targets import LayerUnit, class_name
from saliency_view import state
from saliency_view.components.bars import Bar, bars
from saliency_view.state import View

SHOWN = 10


def neurons(view: View, layer: Layer, values: np.ndarray, unit: LayerUnit, labels: Sequence[str]) -> int:
    """Draw the neurons with the largest values and a field for any number; return the chosen one."""
    chosen, name = unit.channel, unit.layer
    names = labels if len(labels) == len(values) else [f"neuron {place}" for place in range(len(values))]
    order = np.argsort(-values, kind="stable")[:SHOWN].tolist()
    if chosen not in order:
        order.append(chosen)
    rows = [Bar(n, class_name(names, n), float(values[n]), number_text(float(values[n]))) for n in order]
    shown = min(SHOWN, len(values))
    picked = bars(
        key=f"neurons-{view.model}-{layer.name}",
        rows=rows,
        selected=chosen,
        unit=f"activation; the {shown} largest of {len(values)}; press one to see its pixels",
        title=f"{layer.name}: {len(values)} neurons",
        full=max(1e-9, float(np.abs(values).max())),
    )
    key = f"neuron-{view.model}-{layer.name}"
    st.session_state[key] = chosen if picked is None else picked
    help = "Its number, counted from 0."
    st.number_input("Neuron", 0, len(values) - 1, key=key, help=help, width=160,
                    on_change=_typed, args=(key, name))  # fmt: skip
    return chosen if picked is None else picked


def _typed(key: str, layer: str) -> None:
    state.change(target=LayerUnit(layer, 0, 0, int(st.session_state[key])).spelling)
