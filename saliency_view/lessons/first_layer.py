"""The gradient of the first kernels beside that of the pixels, and the way back that joins them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import streamlit as st

from saliency_core.arrays import Array
from saliency_core.attribution import Attribution
from saliency_core.gallery import IMAGENET, for_model, sample
from saliency_core.models.opening import BUNDLED
from saliency_core.render.numbers import number_text
from saliency_view import panels, pictures, state
from saliency_view.controls import Options, choose
from saliency_view.facts import entries, facts
from saliency_view.lessons.asking import Arrays, arrays_of, asked, attribution_of, explained, finished
from saliency_view.lessons.figures import bar, kernels_figure, largest, map_figure, photo_figure, reduced
from saliency_view.state import OWN, View
from saliency_view.text import plain

FALLBACK = "digits"
CHANNEL, WHOLE = "lesson-channel", "lesson-whole"
ALL, ONE = "All channels", "This channel only"
GRAY_LEVEL = " per grey level"


def first_layer(between: Callable[[], None]) -> None:
    """Draw both gradients of the session's view, `between`, and the way back."""
    view = lesson_view()
    _ask_for(view)
    job = explained("layer-map", view)
    if not finished(job, "Computing the pixel gradient"):
        return
    made = attribution_of(job)
    kernel = asked("kernel", "kernel", view, {"target": made.recipe["explained"]})
    if not finished(kernel, "Computing the gradient of the kernels"):
        return
    found = arrays_of(kernel)
    st.caption(plain(_belongs(view, made)))
    _both(made, found)
    between()
    _way_back(view, made, found)


def lesson_view() -> View:
    """Return the session's view, or one of digits where its model has no convolution."""
    view = state.current()
    return view if view.model in offered(view.model) else View(model=FALLBACK).settled()


def offered(current: str) -> list[str]:
    """Return the models to choose from: those that ship and convolve, and the session's downloaded one."""
    return [name for name in entries() if _convolves(name) or (name == current and not facts(name).bundled)]


@cache
def _convolves(name: str) -> bool:
    """Tell whether a bundled model has a convolution, from the operations that its file names."""
    return facts(name).bundled and b"Conv2D" in (BUNDLED / f"{name}.pb").read_bytes()


def difference(one: Array, other: Array) -> float:
    """Return the largest difference of two maps, relative to the largest value of the second."""
    size, gap = float(np.abs(other).max()), float(np.abs(one - other).max())
    return gap / size if size else gap


def difference_words(gap: float, channels: int, whole: bool) -> str:
    """Say what the difference between the map carried back and the pixel gradient means."""
    size = f"{gap:.0%}" if gap >= 0.01 else f"{gap:.1e}"
    said = f"Largest difference to the pixel gradient: {size} of its largest value."
    if not whole:
        return f"{said} The other {channels - 1} channels are missing." if channels > 1 else said
    if gap < 1e-5:
        return f"{said} That is the rounding of 32-bit numbers: the two maps are the same."
    return f"{said} That is more than rounding: something else than this convolution lies on the way."


def _ask_for(view: View) -> None:
    """Draw the choice of model and image; it is the session's own, so the main page follows."""
    models = Options(offered(view.model), lambda name: entries()[name].title)
    suits = view.model if facts(view.model).bundled else IMAGENET
    images = [one.id for one in for_model(view.model) if suits in one.suits or one.id == view.image]
    if view.image == OWN:
        images = [OWN, *images]
    titles = Options(images, lambda id: "Your own picture" if id == OWN else sample(id).title)
    left, right, _ = st.columns([2, 2, 3])
    with left:
        choose("Model", "lesson-model", models, view.model, lambda name: state.change(model=name))
    with right:
        choose("Image", "lesson-image", titles, view.image,
               lambda id: state.change(model=view.model, image=id))  # fmt: skip


def _belongs(view: View, made: Attribution) -> str:
    model = f"{made.recipe['model']}, SHA-256 {made.recipe['model_sha256'][:12]}"
    score = f"{made.words}, {number_text(made.score)} on this image"
    return f"Score: {score} · Image: {pictures.facts_of(view)} · Model: {model}"


def _both(made: Attribution, found: Arrays) -> None:
    """Draw the gradient of the kernels beside that of the pixels, each with its own scale and unit."""
    kernel = found["kernel"]
    unit = made.units.removesuffix(GRAY_LEVEL)
    stacked = "" if kernel.shape[2] == 1 else "; channels from top to bottom: red, green, blue"
    photo, left, right = st.columns([3, 5, 4], gap="medium")
    with photo:
        pixels = panels.photo_of(made)
        st.html(photo_figure(pixels, "The image", f"{_shape(pixels)} pixels, as the model sees it."))
    with left:
        end = largest(kernel)
        note = f"What the optimiser gets: {_shape(kernel)} numbers, {kernel.shape[3]} kernels{stacked}."
        st.html(kernels_figure(kernel, end, "Gradient of the first layer's kernels", note)
                + bar(end, f"{unit} per kernel weight"))  # fmt: skip
    with right:
        shown = reduced(made.values)
        end = largest(shown)
        note = f"What you asked for: {_shape(made.values)} numbers, one for each pixel."
        st.html(map_figure(shown, end, "Gradient of the pixels", note) + bar(end, made.units))


@st.fragment
def _way_back(view: View, made: Attribution, found: Arrays) -> None:
    """Carry the gradient at the first layer's output back to the pixels; a choice redraws only this part."""
    delta = found["at_output"]
    channels = delta.shape[2]
    strongest = int(np.abs(delta).sum((0, 1)).argmax())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        held = st.session_state.get(CHANNEL, strongest)
        _pick("Channel of the first layer", CHANNEL, list(range(channels)), min(held, channels - 1))
        _pick("Carry back", WHOLE, [ALL, ONE], st.session_state.get(WHOLE, ALL))
    channel, whole = st.session_state[CHANNEL], st.session_state[WHOLE] == ALL
    mask = np.ones(channels, bool) if whole else np.arange(channels) == channel
    job = asked("way-back", "way_back", view, {}, {"delta": delta * mask.astype(np.float32)})
    if not finished(job, "Carrying the gradient back"):
        return
    carried = arrays_of(job)["values"]
    _three(made, delta[..., channel], carried, channel, whole)
    st.markdown(f"**{plain(difference_words(difference(carried, made.values), channels, whole))}**")


def _pick(label: str, key: str, values: list[object], value: object) -> None:
    def kept(_: object) -> None:
        """The widget's own key holds the choice."""

    choose(label, key, Options(values), value, kept, flat=isinstance(values[0], str), width=240)


def _three(made: Attribution, delta: Array, carried: Array, channel: int, whole: bool) -> None:
    """Draw the gradient at the first layer's output, the map carried back, and the pixel gradient."""
    back, pixels = reduced(carried), reduced(made.values)
    end, inner = largest(back, pixels), largest(delta)
    unit = made.units.removesuffix(GRAY_LEVEL)
    first, second, third = st.columns(3, gap="medium")
    with first:
        note = f"Channel {channel}, {_shape(delta)} positions."
        st.html(map_figure(delta, inner, "Gradient at the first layer's output", note)
                + bar(inner, f"{unit} per unit of that output"))  # fmt: skip
    with second:
        note = "All channels, by transposed convolution." if whole else f"Channel {channel} alone."
        st.html(map_figure(back, end, "Carried back to the pixels", note) + bar(end, made.units))
    with third:
        note = "Straight from TensorFlow, on the same scale."
        st.html(map_figure(pixels, end, "Pixel gradient", note) + bar(end, made.units))


def _shape(array: Array) -> str:
    return " x ".join(str(extent) for extent in array.shape)
