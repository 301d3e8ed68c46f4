"""One filter of ones over sixteen ones: choose outputs, and read the gradient of every pixel."""

from __future__ import annotations

from urllib.parse import urlencode

import numpy as np
import streamlit as st

from saliency_core.arrays import Array
from saliency_core.render.numbers import number_text
from saliency_core.render.palettes import DIVERGING, palettes
from saliency_core.targets import OUTPUT, OutputSeed
from saliency_view.components.grid import Weights, grid
from saliency_view.facts import facts
from saliency_view.lessons.asking import arrays_of, asked, attribution_of, explained, finished
from saliency_view.state import View
from saliency_view.text import plain

MODEL, IMAGE = "conv4x4", "ones_4x4"
KEY = "lesson-weights"  # the output gradient that the visitor has chosen, (row, column, weight)
FIRST: Weights = [(1, 1, 1.0)]
OPEN = ":material/open_in_new:"
PROGRESS = "Computing the gradient of the small example"


@st.fragment
def one_filter() -> None:
    """Draw output, output gradient and pixel gradient side by side; a press redraws only this part."""
    rows, columns, _ = facts(MODEL).input
    every = [(row, column, 1.0) for row in range(rows) for column in range(columns)]
    with st.container(horizontal=True):
        for label, key, chosen in (
            ("One cell [0, 1, 1, 0]", "one", FIRST),
            ("All cells (what TensorFlow does without grad_ys)", "all", every),
            ("Clear", "clear", []),
        ):
            st.button(plain(label), key=f"lesson-{key}", on_click=_choose, args=(chosen,))
    outputs = asked("outputs", "activation", view_of([]), {"layer": OUTPUT})
    if not finished(outputs, PROGRESS):
        return
    left, middle, right = st.columns(3, gap="medium")
    with left:
        weights = _press(arrays_of(outputs)["values"][..., 0])
    with middle:
        seed = dense(weights, (rows, columns))
        _show("seed-grid", "Output gradient (grad_ys)", seed, "weight of each output")
    with right:
        said = _answer(weights)
    if said:
        st.markdown(plain(said))
    st.link_button("Open this question on the Explain page", link_of(view_of(weights)), icon=OPEN)


def _answer(weights: Weights) -> str:
    """Draw the pixel gradient for these weights and return what it says, or nothing while it is computed."""
    job = explained("seed", view_of(weights))
    reached = explained("reach", view_of([(row, column, 1.0) for row, column, _ in weights]))
    if not (finished(job, PROGRESS) and finished(reached, PROGRESS)):
        return ""
    made = attribution_of(job)
    gradient = made.values[..., 0]
    _show("pixel-grid", "Pixel gradient", gradient, made.units)
    return reach_words(gradient, np.rint(attribution_of(reached).values[..., 0]).astype(int), len(weights))


def view_of(weights: Weights) -> View:
    """Return what the main page would be asked for these weights; no weight at all is one weight of 0."""
    rows = [[row, column, 0, weight] for row, column, weight in weights] or [[0, 0, 0, 0.0]]
    return View(model=MODEL, image=IMAGE, target=OutputSeed(rows, OUTPUT).spelling).settled()


def link_of(view: View) -> str:
    """Return the address, relative to this page, that opens a view on the main page."""
    return "./?" + urlencode({"model": view.model, "image": view.image, "target": view.target})


def dense(weights: Weights, shape: tuple[int, int]) -> Array:
    """Return the weights as an array."""
    full = np.zeros(shape, np.float32)
    for row, column, weight in weights:
        full[row, column] = weight
    return full


def reach_words(gradient: Array, reach: Array, chosen: int) -> str:
    """Say what the numbers mean, from the numbers.

    gradient: (rows, columns). reach: the same shape, how many of the chosen outputs each pixel goes into.
    """
    if not chosen:
        return (
            "No output is chosen, so nothing is asked: the output gradient is 0 everywhere, and so is the "
            "gradient of every pixel."
        )
    corner = number_text(gradient[0, 0])
    if chosen == 1:
        reaches = "reaches the chosen output" if reach[0, 0] else "does not reach the chosen output"
    else:
        reaches = f"reaches {reach[0, 0]} of the {chosen} chosen outputs"
    said = [f"Pixel (0, 0) {reaches}, so its gradient is {corner}."]
    row, column = (int(n) for n in np.unravel_index(np.abs(gradient).argmax(), gradient.shape))
    if gradient[row, column] != gradient[0, 0]:
        value = number_text(gradient[row, column])
        many = reach[row, column]
        said.append(
            f"Pixel ({row}, {column}) reaches {many}; no gradient is larger in size than its {value}."
        )
    none, cancelled = int((reach == 0).sum()), int(((reach > 0) & (gradient == 0)).sum())
    if none:
        what = "it" if chosen == 1 else "any"
        said.append(f"{none} of the {reach.size} pixels do not reach {what}: changing them changes nothing.")
    if cancelled:
        said.append(f"In {cancelled} the weights cancel: the outputs change, their weighted sum does not.")
    return " ".join(said)


def _choose(weights: Weights) -> None:
    st.session_state[KEY] = list(weights)


def _press(outputs: Array) -> Weights:
    """Draw the outputs as cells to press and return the weights that they have now."""
    wanted = dense(st.session_state.get(KEY, FIRST), (outputs.shape[0], outputs.shape[1]))
    chosen = grid(
        key="lesson-outputs-grid",
        values=outputs,
        weights=wanted,
        title="Output: press cells to choose them",
        unit="output value; the badge is its weight",
        limit=float(np.abs(outputs).max()),
        lut=palettes(DIVERGING)[0].lut,
    )
    st.session_state[KEY] = chosen
    return chosen


def _show(key: str, title: str, values: Array, unit: str) -> None:
    grid(
        key=f"lesson-{key}",
        values=values,
        title=title,
        unit=unit,
        limit=float(np.abs(values).max()),
        lut=palettes(DIVERGING)[0].lut,
    )
