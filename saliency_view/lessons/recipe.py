"""The second lesson: three ways back through a network, and the four classic pictures of each."""

from __future__ import annotations

import numpy as np
import streamlit as st

from saliency_core.attribution import Attribution
from saliency_core.grammar import parse
from saliency_core.render.recipe import METHODS, RecipePanel, recipe_figure, recipe_panels
from saliency_core.workers.jobs import Job
from saliency_view import compute, panels, pictures, state
from saliency_view.explaining import params_of
from saliency_view.facts import facts
from saliency_view.lessons.asking import finished
from saliency_view.lessons.prose import read
from saliency_view.sidebar import sidebar
from saliency_view.state import View
from saliency_view.text import plain

LESSON = "recipe"
READABLE = 760  # pixels: the longest comfortable line
SHARP = 320  # pixels that a side has at least, by whole repeats


def draw() -> None:
    """Draw the page for the session's view."""
    view = state.current()
    picture = pictures.seen(view)
    jobs = [
        compute.ask(
            f"recipe-{place}",
            "explain",
            {**params_of(view, picture, view.target), "method": method},
            {"image": picture.pixels},
        )
        for place, method in enumerate(METHODS)
    ]
    opened = compute.ask("open", "open", {"model": view.model}, wait=0.3 if jobs[0].state == "done" else 0)
    told = opened.result.message if opened.result else {"card": {"labels": []}, "layers": []}
    sidebar(view, told["card"]["labels"], told["layers"], method=False)
    st.title("One gradient, many pictures")
    _say("intro.md")
    made = [_row(method, job) for method, job in zip(METHODS, jobs, strict=True)]
    _say("scales.md")
    st.header("What a ReLU lets through")
    _say("rules.md")
    _figure(view, [one for one in made if one is not None])


def _row(method: str, job: Job) -> Attribution | None:
    """Draw the four pictures of one method, two by two on a phone, or why there are none."""
    st.subheader(plain(parse("method", method).title))
    if not finished(job, f"Explaining with {method}"):
        return None
    made = panels.attribution(job)
    st.caption(plain(" ".join([f"{made.words[:1].upper()}{made.words[1:]}.", *made.notes])))
    shown = recipe_panels(made.values, _photo(made), made.units)
    with st.container(horizontal=True):  # columns would be stacked on a phone
        for part in shown:
            with st.container():
                st.image(_sharp(part), caption=f"{part.name}: {plain(part.scale)}", output_format="PNG",
                         width="stretch")  # fmt: skip
    return made


def _photo(made: Attribution) -> np.ndarray:
    return np.clip(np.rint(made.point), 0, 255).astype(np.uint8)


def _sharp(part: RecipePanel) -> np.ndarray:
    """Return the pixels, each repeated as often as a sharp picture needs."""
    times = max(1, -(-SHARP // max(part.pixels.shape[:2])))
    return part.pixels.repeat(times, 0).repeat(times, 1)


def _figure(view: View, made: list[Attribution]) -> None:
    """Offer all that was drawn as one figure for print."""
    if not made:
        return

    def figure() -> bytes:
        from saliency_core.render.figures import figure_bytes

        named = [(parse("method", one.recipe["method"]).title, one) for one in made]
        title = f"{facts(view.model).title}: {made[0].words}"
        return figure_bytes(recipe_figure(named, _photo(made[0]), title), "pdf")

    name = f"recipe-{made[0].recipe['model']}-{made[0].recipe['image_sha256'][:8]}.pdf"
    st.download_button("All of it as PDF", figure, name, "application/pdf", on_click="ignore",
                       icon=":material/download:", key="recipe-pdf")  # fmt: skip


def _say(file: str) -> None:
    with st.container(width=READABLE):
        st.markdown(read(LESSON, file))
