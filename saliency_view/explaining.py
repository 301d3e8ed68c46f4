"""The main page: the question in the sidebar, the map and its evidence beside the predictions."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import streamlit as st

from saliency_core.attribution import Attribution
from saliency_core.errors import DownloadError
from saliency_core.grammar import parse
from saliency_core.images import Image, to_png
from saliency_core.workers.jobs import BusyError, Job
from saliency_view import answer, compute, panels, pictures, sentences, state
from saliency_view.doctor import at_sight, doctor
from saliency_view.facts import facts
from saliency_view.reading import model_card
from saliency_view.sidebar import sidebar
from saliency_view.state import View
from saliency_view.text import plain
from saliency_view.units import unit_grid

AHEAD = 4  # classes computed before they are asked for
AHEAD_COST = 60  # points of the network, more than which no map is made unasked
NOTHING: Mapping[str, Any] = {"card": {"labels": []}, "layers": [], "findings": []}  # until it is open


def draw() -> None:
    """Draw the page for the session's view."""
    view = state.current()
    picture = pictures.seen(view)
    job = answer.ask(params_of(view, picture, view.target), picture.pixels)
    opened = compute.ask("open", "open", {"model": view.model}, wait=0.3 if job.state == "done" else 0)
    told = opened.result.message if opened.result else NOTHING
    sidebar(view, told["card"]["labels"], told["layers"])
    for wrong in state.problems("address"):
        st.warning(plain(wrong))
    st.title("Which pixels does the answer depend on?")
    _answer(view, picture, job, told)


def params_of(view: View, picture: Image, target: str) -> dict[str, Any]:
    """Return what a worker needs to explain a target in this view."""
    return {
        "model": view.model,
        "target": target,
        "method": view.method,
        "fit": view.fit,
        "image_name": picture.name,
        "image_digest": picture.digest,
        "format": picture.format,
        "image_facts": pictures.decoded(view),
    }


def _answer(view: View, picture: Image, job: Job, told: Mapping[str, Any]) -> None:
    """Show the map as far as it is known, or how far it is with the last one dimmed behind."""
    made = answer.known(job)
    if made is not None:
        _known(view, picture, job, made, told)
        return
    if not job.ended:
        at_sight(told["findings"], view.target, st.container())
    if not answer.wait(job, view, "map", f"Explaining with {facts(view.model).title}"):
        # Inside the message: a file of its own may be gone before the browser has asked for it.
        st.image(f"data:image/png;base64,{b64encode(to_png(picture.pixels)).decode()}", width=400)
    if job.state == "failed" and not job.retryable and not isinstance(job.error, DownloadError):
        doctor(view, image_params(view, picture), picture.pixels, st.container(), told["findings"])


def _known(view: View, picture: Image, job: Job, made: Attribution, told: Mapping[str, Any]) -> None:
    st.session_state["top_classes"] = [one.index for one in made.predictions[:2]]
    st.markdown(sentences.sentence(made, parse("look", view.look), final=job.ended))
    above = st.container()
    left, right = st.columns([3, 1], gap="medium")
    with left:
        answer.draw(job, view, "map")
    with right:
        unit_grid(view, image_params(view, picture), picture.pixels)
        panels.predictions(made, "predictions")
        if job.state == "done":
            panels.findings(made, view)
            doctor(view, image_params(view, picture), picture.pixels, above, told["findings"])
        else:
            at_sight(told["findings"], view.target, above)
        if told is not NOTHING:
            model_card(told["card"])
    if job.state == "done" and parse("method", view.method).cost <= AHEAD_COST:
        _ahead(view, picture, made)


def image_params(view: View, picture: Image) -> dict[str, str]:
    """Return what names the picture."""
    return {"image_name": picture.name, "image_digest": picture.digest, "format": picture.format}


def _ahead(view: View, picture: Image, made: Attribution) -> None:
    """Compute the next likely classes while the visitor looks at this one."""
    with suppress(BusyError):  # a busy server has better things to do
        for place, one in enumerate(made.predictions[:AHEAD]):
            params = params_of(view, picture, f"class_logit({one.index})")
            compute.ask(
                f"ahead-{place}", "explain", params, {"image": picture.pixels}, background=True, wait=0
            )
