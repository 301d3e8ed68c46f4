"""The first lesson: from an output to the pixels, with every number computed by the workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from saliency_core.gallery import for_model
from saliency_core.render.numbers import number_text
from saliency_core.render.palettes import DIVERGING, palettes
from saliency_core.targets import OutputSeed
from saliency_core.workers.jobs import Job
from saliency_view import compute, panels, pictures, state
from saliency_view.components.grid import grid
from saliency_view.facts import entries, facts
from saliency_view.lessons.drawing import signed_tile, signed_tiles
from saliency_view.sitemap import ROOT
from saliency_view.state import View
from saliency_view.text import plain

PROSE = ROOT / "content" / "pixel_gradient"
ONES = np.ones((4, 4, 1), np.uint8)
IMAGE = {"image_name": "sixteen ones", "image_digest": "0" * 64, "format": "array"}
CELLS = "lesson-cells"
FIRST = [[1, 1, 0, 1.0]]
ALL = [[row, col, 0, 1.0] for row in range(4) for col in range(4)]
SEEDS: tuple[tuple[str, list[list[float]]], ...] = (
    ("One cell: [0, 1, 1, 0]", FIRST),
    ("All cells: no grad_ys", ALL),
    ("Clear", []),
)
OUTPUT = {"model": "conv4x4", "layer": "output", **IMAGE}
PICTURE = 288  # pixels on screen


def draw() -> None:
    """Draw the page."""
    st.title("From an output to the pixels")
    _question()
    st.divider()
    _kernels()
    st.divider()
    st.header("The same in TensorFlow")
    st.markdown(_prose("code"))
    st.code((PROSE / "example.py").read_text(encoding="utf-8"), language="python")


def _prose(name: str) -> str:
    return (PROSE / f"{name}.md").read_text(encoding="utf-8")


def _question() -> None:
    """Part one: a grid of outputs to press, and the pixel gradient that answers."""
    st.header("The question")
    st.markdown(_prose("question"))
    with st.container(horizontal=True):
        for label, cells in (
            ("One cell: [0, 1, 1, 0]", FIRST),
            ("All cells: no grad_ys", ALL),
            ("Clear", []),
        ):
            st.button(label, on_click=_choose, args=(cells,))
    weights = np.zeros((4, 4))
    for row, col, _, weight in st.session_state.setdefault(CELLS, FIRST):
        weights[row, col] = weight
    shown = compute.ask(
        "lesson-output", "activation", {"model": "conv4x4", "layer": "output", **IMAGE}, {"image": ONES}
    )
    if not _ready(shown, "Computing the outputs"):
        return
    left, right = st.columns(2, gap="large")
    lut = palettes(DIVERGING)[0].lut
    with left:
        chosen = grid(key="lesson-grid", values=_values(shown)[..., 0], weights=weights, lut=lut, limit=9.0,
                      title="Outputs; press cells to give them weight 1", unit="sum of pixels")  # fmt: skip
    cells = [[row, col, 0, weight] for row, col, weight in chosen]
    if cells != [list(cell) for cell in st.session_state[CELLS]]:
        st.session_state[CELLS] = cells
    target = OutputSeed(cells or [[0, 0, 0, 0.0]], "output").spelling
    params = {"model": "conv4x4", "target": target, "method": "gradient()", **IMAGE}
    job = compute.ask("lesson-pixels", "explain", params, {"image": ONES})
    with right:
        if _ready(job, "Computing the pixel gradient"):
            _answer(_values(job)[..., 0], cells, lut)
    query = {"model": "conv4x4", "image": "ones_4x4", "target": target}
    st.page_link("pages/explain/explain.py", label="Open this on the main page", query_params=query)


def _choose(cells: list[list[float]]) -> None:
    st.session_state[CELLS] = cells


def _answer(gradient: np.ndarray, cells: list[list[Any]], lut: np.ndarray) -> None:
    end = float(np.abs(gradient).max()) or 1.0
    grid(
        key="lesson-gradient",
        values=gradient,
        title="Pixel gradient",
        unit="output per grey level",
        limit=end,
        lut=lut,
    )
    if not cells:
        st.write("No output is asked about, so no pixel can change the answer: the gradient is 0 everywhere.")
        return
    touched = int((gradient != 0).sum())
    row, col = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
    many = f"{len(cells)} outputs are" if len(cells) > 1 else "1 output is"
    st.write(
        f"{many} asked about, and {touched} of 16 pixels reach them. One grey level more at row {row}, "
        f"column {col} changes the weighted sum by {number_text(float(gradient[row, col]), signed=True)}."
    )


def _kernels() -> None:
    """Part two: the kernels' gradient, the pixels' gradient, and the way from one to the other."""
    st.header("Why the kernels' gradient is another thing")
    st.markdown(_prose("kernels"))
    names = [name for name in entries() if facts(name).bundled and name not in ("conv4x4", "template")]
    now = state.current()
    start = names.index(now.model) if now.model in names else 0
    name = st.selectbox("Model", names, index=start, format_func=lambda n: facts(n).title, key="lesson-model")
    image = now.image if now.model == name else for_model(name)[0].id
    view = View(name, image).settled()
    seen = pictures.seen(view)
    about = {"image_name": seen.name, "image_digest": seen.digest, "format": seen.format}
    params = {"model": name, "target": "top_class()", "fit": view.fit, **about}
    job = compute.ask("lesson-kernels", "kernel", params, {"image": seen.pixels})
    if _ready(job, "Computing both gradients"):
        assert job.result is not None
        _both(job.result.message, job.result.arrays, {"model": name, "fit": view.fit, **about}, seen.pixels)


def _both(
    told: Mapping[str, Any], arrays: Mapping[str, np.ndarray], params: dict[str, Any], image: np.ndarray
) -> None:
    kernel, delta, gradient = arrays["kernel"], arrays["at_output"], arrays["gradient"]
    rows, cols, inputs, outputs = kernel.shape
    st.subheader(f"Gradient of the kernels: {rows} x {cols} x {inputs} x {outputs}")
    pixels, end = signed_tiles(kernel)
    st.image(pixels, output_format="PNG", width="content")
    st.caption(
        f"{outputs} kernels side by side, {inputs} input channel{'s' * (inputs > 1)} one below the other; "
        f"blue is {number_text(-end)}, orange {number_text(end, signed=True)} logit per unit of weight. "
        f"Nothing here has the shape of the image, {gradient.shape[0]} x {gradient.shape[1]}."
    )
    st.subheader(f"The way back from {plain(told['layer'])}")
    job = compute.ask("lesson-back", "way_back", params, {"image": image, "delta": delta})
    if _ready(job, "Carrying the gradient back"):
        _back(delta, _values(job), gradient, f"lesson-channel-{params['model']}")


def _back(delta: np.ndarray, carried: np.ndarray, gradient: np.ndarray, key: str) -> None:
    """Show the gradient at the first output, carried back to the pixels, beside the pixel gradient."""
    channel = st.slider("Channel of the first output", 0, delta.shape[2] - 1, 0, key=key)
    shared = float(np.abs(gradient).max())
    unit = "logit per grey level"
    one, two, three = st.columns(3)
    with one:
        _picture(delta[..., channel], "At the first output, this channel", "logit per unit of activation")
    with two:
        _picture(carried, "All channels, carried back to the pixels", unit, shared)
    with three:
        _picture(gradient, "Pixel gradient", unit, shared)
    gap = plain(format(float(np.abs(carried - gradient).max()) / (shared or 1.0), ".1e"))
    st.markdown(
        f"The last two pictures are the same numbers: they differ by at most **{gap}** of the largest "
        "gradient, which is rounding. TensorFlow computed the last one; a transposed convolution written "
        "out by hand carried the other one back."
    )


def _picture(values: np.ndarray, title: str, unit: str, end: float | None = None) -> None:
    """Show one signed map, its largest channel where it has several, with its scale."""
    pixels, limit = signed_tile(values, end, PICTURE)
    st.image(pixels, output_format="PNG", width="stretch", caption=f"{title}; ±{number_text(limit)} {unit}")


def _ready(job: Job, words: str) -> bool:
    """Tell whether a result is there; if not, show how far it is or why it will not come."""
    if job.state == "done":
        return True
    if job.ended:
        panels.failure(job)
    else:
        compute.follow(job, words)
    return False


def _values(job: Job) -> np.ndarray:
    assert job.result is not None
    return np.asarray(job.result.arrays["values"])
