"""Output gradient: weigh classes, or paint weights on a feature map, and see the map of the weighted sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from saliency_core.grammar import parse
from saliency_core.images import Image
from saliency_core.targets import LayerChannel, LayerUnit, OutputSeed, Target
from saliency_core.workers.jobs import Job
from saliency_view import answer, compute, panels, pictures, seed_classes, seed_mask, state
from saliency_view.controls import Options, choose
from saliency_view.explaining import image_params, params_of
from saliency_view.facts import facts
from saliency_view.state import View
from saliency_view.text import plain
from saliency_view.unit_page import Opened, opened_model, values_of

INTRO = (
    "A gradient needs one number to start from. The output gradient, `grad_ys` in TensorFlow, says which: a "
    "weight for every output, or for every cell inside the network. The map belongs to the weighted sum."
)
WAYS = {"classes": "Weigh classes", "mask": "Paint on a layer"}
PREDICTED = "seed-predicted"  # the model and its predictions on the image, as last seen
NEAREST = 5  # likely classes that the buttons work with
Parts = list[tuple[float, Target]]


def draw() -> None:
    """Draw the page for the session's view."""
    view = state.current()
    picture = pictures.seen(view)
    opened = opened_model(view, "Any weighting of outputs")
    if opened is None:
        return
    st.caption(INTRO)
    job = answer.ask(params_of(view, picture, view.target), picture.pixels)
    left, right = st.columns([4, 7], gap="medium")
    with left:
        parts = _editor(view, picture, opened, job)
        _spelling(view)
        if parts:
            _linearity(view, picture, parts)
    with right:
        if answer.known(job) is None:
            answer.wait(job, view, "seed-map", f"Explaining with {facts(view.model).title}")
        else:
            answer.draw(job, view, "seed-map")


def _editor(view: View, picture: Image, opened: Opened, job: Job) -> Parts:
    """Draw the way of asking that suits the target, and return the target in parts."""
    target = parse("target", view.target)
    inside = isinstance(target, OutputSeed | LayerUnit | LayerChannel)
    ways = [way for way in WAYS if facts(view.model).classes or way == "mask"]
    way = "mask" if inside or len(ways) == 1 else "classes"

    def take(chosen: str) -> None:
        if chosen != way:
            first = seed_mask.first_target(opened.layers)
            state.change(target="top_class()" if chosen == "classes" else first.spelling)
            st.session_state[seed_mask.START] = first.layer

    choose("Way", "seed-way", Options(ways, WAYS.__getitem__), way, take, flat=True, bare=True)
    return _mask(view, picture, opened, target) if way == "mask" else _classes(target, view, opened, job)


def _classes(target: Target, view: View, opened: Opened, job: Job) -> Parts:
    known = facts(view.model)
    if job.state == "done":
        st.session_state[PREDICTED] = (view.model, panels.attribution(job).predictions)
    model, predicted = st.session_state.get(PREDICTED, ("", ()))
    if model != view.model:
        return []
    lines = seed_classes.lines_of(target, predicted)
    if lines is None:
        st.info(f"The question is {plain(view.target[:120])}, which is no weighting of logits. "
                "A change here takes its place.")  # fmt: skip
    shown = lines or [(1.0, [predicted[0].index if predicted else 0])]
    labels = opened.labels or list(known.labels)
    seed_classes.class_editor(shown, known, labels, [one.index for one in predicted[:NEAREST]])
    return seed_classes.parts_of(lines, [one.index for one in predicted]) if lines else []


def _mask(view: View, picture: Image, opened: Opened, target: Any) -> Parts:
    layer_name = getattr(target, "layer", "")
    if not layer_name:
        target = seed_mask.first_target(opened.layers)
        layer_name = target.layer
    seed_mask.layer_choice(opened.layers, layer_name)
    found = values_of(view, picture, layer_name)
    if found is None:
        return []
    layer, values = found
    if seed_mask.started(layer_name, values):
        st.rerun()
    seed = seed_mask.seed_of(target, layer, values)
    seed_mask.mask_editor(view, layer_name, layer, values, seed)
    return seed_mask.parts_of(np.asarray(seed), layer_name)


def _spelling(view: View) -> None:
    """Show the question as text, for notebooks and the command line."""
    if len(view.target) <= 400:
        st.code(view.target, language=None, wrap_lines=True)
    else:
        st.code(f"{view.target[:200]} …", language=None, wrap_lines=True)
        st.caption(f"{len(view.target)} characters; the raw map's file holds them all.")


def _linearity(view: View, picture: Image, parts: Parts) -> None:
    """Show whether the map of the sum is the sum of the maps; computed when the map is on screen."""
    params = {
        "model": view.model,
        "fit": view.fit,
        "parts": [[weight, target.spelling] for weight, target in parts],
        **image_params(view, picture),
    }
    job = compute.ask("linearity", "linearity", params, {"image": picture.pixels}, background=True, wait=0)
    if not job.ended:
        compute.wait_for(job, "Checking that maps add up …")
        return
    if job.state != "done" or job.result is None:
        st.caption("The check of the sum did not finish.")
        return
    found = job.result.message
    mark, colour = (":material/check_circle:", "green") if found["good"] else (":material/error:", "red")
    left, right = equation([weight for weight, _ in parts])
    gap = f"differ by {found['difference']:.1e}" if found["difference"] else "are equal to the last bit"
    st.markdown(
        f":{colour}[{mark}] **Linear:** {plain(left)} and {plain(right)} {plain(gap)}",
        help=plain(
            f"Both sides were computed with the plain gradient. {named(parts)} The figure is the largest "
            "difference in any pixel, relative to the largest value of any term; below 1e-5 is rounding."
        ),
    )


def equation(weights: Sequence[float]) -> tuple[str, str]:
    """Return both sides as text: the map of the sum, and the sum of the maps."""
    one, many = "", ""
    for place, weight in enumerate(weights):
        sign = ("-" if weight < 0 else "") if not place else (" - " if weight < 0 else " + ")
        size = sign + ("" if abs(weight) == 1 else f"{abs(weight):.3g} ")
        one += f"{size}{_letter(place)}"
        many += f"{size}map({_letter(place)})"
    return f"map({one})", many


def named(parts: Sequence[tuple[float, Target]]) -> str:
    """Return what the letters of the equation stand for."""
    return " ".join(f"{_letter(n)} is {target.spelling[:80]}." for n, (_, target) in enumerate(parts[:4]))


def _letter(place: int) -> str:
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[place % 26] + str(place // 26 or "")
