"""The main page: the question in the sidebar, the map and its evidence beside the predictions."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import streamlit as st

from saliency_core.attribution import Attribution
from saliency_core.errors import DownloadError
from saliency_core.images import Image, to_png
from saliency_core.workers.jobs import BusyError, Job
from saliency_view import compute, panels, pictures, state
from saliency_view.doctor import at_sight, doctor
from saliency_view.facts import facts
from saliency_view.reading import model_card, reading
from saliency_view.sidebar import sidebar
from saliency_view.state import View
from saliency_view.text import plain
from saliency_view.units import unit_grid

AHEAD = 4  # classes computed before they are asked for
NOTHING: Mapping[str, Any] = {"card": {"labels": []}, "layers": [], "findings": []}  # until it is open
SHOWN = "shown"  # the job on screen, kept while the next one runs


def draw() -> None:
    """Draw the page for the session's view."""
    view = state.current()
    picture = pictures.seen(view)
    job = compute.ask("explain", "explain", params_of(view, picture, view.target), {"image": picture.pixels})
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
    """Show the finished map, or how far it is with the last one dimmed behind, or why there is none."""
    if job.state == "done":
        st.session_state[SHOWN] = (job, view)
        _finished(view, picture, job, told)
        return
    if job.ended:
        panels.failure(job)
        if job.state == "failed" and not job.retryable and not isinstance(job.error, DownloadError):
            doctor(view, image_params(view, picture), picture.pixels, st.container(), told["findings"])
        return
    compute.follow(job, f"Explaining with {facts(view.model).title}")
    at_sight(told["findings"], view.target, st.container())
    last: tuple[Job, View] | None = st.session_state.get(SHOWN)
    if last is not None and last[1].model == view.model and last[1].image == view.image:
        made = panels.attribution(last[0])
        panels.map_viewer(made, panels.look_controls(view, made.point.shape[2]), "map", busy=True)
    else:
        # Inside the message: a file of its own may be gone before the browser has asked for it.
        st.image(f"data:image/png;base64,{b64encode(to_png(picture.pixels)).decode()}", width=400)


def _finished(view: View, picture: Image, job: Job, told: Mapping[str, Any]) -> None:
    made = panels.attribution(job)
    st.session_state["top_classes"] = [one.index for one in made.predictions[:2]]
    st.markdown(panels.sentence(made))
    above = st.container()
    left, right = st.columns([3, 1], gap="medium")
    with left:
        look = panels.look_controls(view, made.point.shape[2])
        look = panels.map_viewer(made, look, "map")
        panels.facts_line(made, view)
        reading(made)
        panels.downloads(made, look)
    with right:
        unit_grid(view, image_params(view, picture), picture.pixels)
        panels.predictions(made, "predictions")
        panels.evidence(made, view)
        doctor(view, image_params(view, picture), picture.pixels, above, told["findings"])
        if told is not NOTHING:
            model_card(told["card"])
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
