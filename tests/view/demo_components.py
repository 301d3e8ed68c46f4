"""A small app that mounts every component on known numbers; the browser tests drive it."""

from __future__ import annotations

import json

import numpy as np
import streamlit as st

from saliency_core.render.palettes import palettes
from saliency_view.components import Bar, bars, grid, viewer

HOSTILE = "<img src=x onerror=\"document.title='owned'\"> & <b>bold</b>"
SHAPES = {
    "tiny": (1, 1, 1),
    "four": (4, 4, 1),
    "digit": (28, 28, 1),
    "scene": (224, 224, 3),
    "tall": (512, 300, 3),
}


def picture(name: str) -> np.ndarray:
    """Return a smooth photo with texture, uint8 (H, W, C)."""
    height, width, depth = SHAPES[name]
    down, across = np.mgrid[0:height, 0:width] / max(height, width, 2)
    waves = [np.sin((3 + c) * down * 3 + c) * np.cos((4 - c) * across * 3) for c in range(depth)]
    noise = np.random.default_rng(3).normal(0, 0.05, (height, width, depth))
    return np.clip(128 + 100 * (np.stack(waves, -1) + noise), 0, 255).astype(np.uint8)


def gradient(name: str) -> np.ndarray:
    """Return signed numbers per channel, strongest on a ring, float32 (H, W, C)."""
    height, width, depth = SHAPES[name]
    down, across = np.mgrid[0:height, 0:width].astype(np.float64)
    far = np.hypot(down - 0.45 * height, across - 0.55 * width) / max(height, width)
    ring = np.exp(-(((far - 0.25) / 0.08) ** 2))
    noise = np.random.default_rng(5).normal(0, 1, (height, width, depth))
    return (2e-3 * (ring[..., None] * (0.3 + noise) + 0.05 * noise)).astype(np.float32)


def maps(name: str, family: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return photo, reduced map, channels and limit."""
    channels = gradient(name)
    values = channels.sum(-1) if family == "diverging" else np.abs(channels).max(-1)
    return picture(name), values.astype(np.float32), channels, float(np.percentile(np.abs(values), 99))


def show_viewer() -> None:
    ask = st.query_params
    name, family = ask.get("shape", "scene"), ask.get("family", "diverging")
    photo, values, channels, limit = maps(name, family)
    st.session_state.setdefault("opacity", 0.9)
    left, middle, right = st.columns(3)
    left.button("Rerun")
    if middle.button("Page sets opacity"):
        st.session_state["opacity"] = 0.25
    busy = right.toggle("Busy")
    hostile = "hostile" in ask
    state = viewer(
        key="viewer",
        photo=photo,
        values=values,
        channels=channels,
        limit=limit,
        family=family,
        palettes=[(p.id, p.title, p.family, p.lut) for p in palettes()],
        palette="blue_orange" if family == "diverging" else "inferno",
        opacity=st.session_state["opacity"],
        threshold=0.0,
        backdrop="grey",
        units=HOSTILE if hostile else "logit per grey level",
        title=HOSTILE if hostile else "Gradient of the logit of “coffee mug”",
        note=HOSTILE if hostile else None,
        selected=None,
        busy=busy,
    )
    if "echo" in ask:
        st.session_state["opacity"] = state.opacity
    st.code(json.dumps(state.__dict__), language=None)


def show_bars() -> None:
    hostile = "hostile" in st.query_params
    labels = [
        "coffee mug",
        "cup",
        "espresso",
        "a very long label that has to be cut somewhere, sooner or later",
    ]
    if hostile:
        labels[1] = HOSTILE
    shares = (0.871, 0.092, 0.021, 0.004)
    rows = [
        Bar(i * 10, label, share, f"{share:.1%}")
        for i, (label, share) in enumerate(zip(labels, shares, strict=True))
    ]
    st.session_state.setdefault("explained", 0)
    picked = bars(
        key="bars",
        rows=rows,
        selected=st.session_state["explained"],
        unit=HOSTILE if hostile else "Share of the softmax; press a bar to explain it",
        title=HOSTILE if hostile else "Predictions",
    )
    if picked is not None:
        st.session_state["picks"] = [*st.session_state.get("picks", []), picked]
        st.session_state["explained"] = picked
        st.rerun()
    st.code(json.dumps(st.session_state.get("picks", [])), language=None)


def show_grid() -> None:
    hostile = "hostile" in st.query_params
    lut = next(p.lut for p in palettes("diverging"))
    size = int(st.query_params.get("size", 4))
    ones = np.pad(np.ones((size, size)), 1)
    outputs = sum(ones[r : r + size, c : c + size] for r in range(3) for c in range(3))
    seed = np.zeros((size, size))
    if "seed" in st.session_state:
        seed = st.session_state["seed"]
    elif size > 1:
        seed[1, 1] = 1
    if st.button("All cells"):
        seed = np.ones((size, size))
    left, right = st.columns(2)
    with left:
        weights = grid(
            key="grid",
            values=outputs,
            weights=seed,
            title=HOSTILE if hostile else "Outputs: press cells to choose what is explained",
            unit=HOSTILE if hostile else "output value; ×1 is its weight",
            limit=9.0,
            lut=lut,
        )
    chosen = np.zeros((size, size))
    for row, column, weight in weights:
        chosen[row, column] = weight
    st.session_state["seed"] = chosen
    spread = np.pad(chosen, 1)
    pixels = sum(spread[r : r + size, c : c + size] for r in range(3) for c in range(3))
    with right:
        grid(
            key="pixels",
            values=pixels,
            title="Gradient of the pixels",
            unit="per grey level",
            limit=2.0,
            lut=lut,
        )
    st.code(json.dumps(weights), language=None)


if __name__ == "__main__":
    st.set_page_config(page_title="components", layout="wide")
    st.session_state["reruns"] = st.session_state.get("reruns", 0) + 1
    {"viewer": show_viewer, "bars": show_bars, "grid": show_grid}[st.query_params.get("show", "viewer")]()
    st.text(f"reruns {st.session_state['reruns']}")
