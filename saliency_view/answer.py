"""The answer to a question as it becomes known: waited for, sharpening, finished, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from saliency_core.attribution import Attribution
from saliency_core.baselines import pictures_in
from saliency_core.grammar import parse
from saliency_core.methods.base import Refining
from saliency_core.workers.answers import PICTURE
from saliency_core.workers.jobs import Job, Result
from saliency_view import compute, own_models, panels, pictures, state
from saliency_view.components.viewer import Box
from saliency_view.reading import reading
from saliency_view.refinement import figures, refinement
from saliency_view.state import View

REDRAWN_S = 0.3
SHOWN = "shown"  # the job on screen, kept while the next one runs
Shown = tuple[Job, View, Box | None]


def ask(params: Mapping[str, Any], pixels: np.ndarray) -> Job:
    """Ask for a map; one that was begun with fewer rounds is gone on from."""
    named = pictures_in(parse("method", params["method"]))
    also = {f"{PICTURE}{name}": kept for name, kept in pictures.beside().items() if name in named}
    return compute.ask("explain", "explain", params, {"image": pixels, **also}, begun=_begun(params))


def _begun(params: Mapping[str, Any]) -> Result | None:
    """Return what was shown last, where it is the beginning of what is asked now."""
    shown: Shown | None = st.session_state.get(SHOWN)
    if shown is None:
        return None
    before, now = shown[0].request.params, own_models.for_worker(params)[0]
    method, earlier = (parse("method", one["method"]) for one in (now, before))
    if {**before, "method": ""} != {**now, "method": ""} or not isinstance(method, Refining):
        return None
    return (shown[0].result or shown[0].partial) if method.continues(earlier) else None


def known(job: Job) -> Attribution | None:
    """Return the map of a job, finished or not, or None where there is none yet."""
    return panels.attribution(job) if job.result or job.partial else None


def wait(job: Job, view: View, key: str, words: str) -> bool:
    """Say that a map is under way, with the last one of the same picture dimmed, or why there is none.

    Returns whether anything of the picture is on screen.
    """
    if job.ended:
        panels.failure(job)
        return True
    compute.follow(job, words)
    shown: Shown | None = st.session_state.get(SHOWN)
    if shown is None or (shown[1].model, shown[1].image, shown[1].fit) != (view.model, view.image, view.fit):
        return False
    last = known(shown[0])
    if last is not None:
        panels.map_viewer(last, panels.look_controls(view, last), key, busy=True, box=shown[2])
    return last is not None


def draw(job: Job, view: View, key: str, box: Box | None = None) -> None:
    """Draw a map that is known, with its controls; one that is under way sharpens on screen."""
    st.session_state[SHOWN] = (job, view, box)
    if job.ended:
        _map(job, key, box)
    else:
        st.fragment(_sharpening, run_every=REDRAWN_S)(job, key, box)


def _sharpening(job: Job, key: str, box: Box | None) -> None:
    if job.ended:
        st.rerun()
    _map(job, key, box)


def _map(job: Job, key: str, box: Box | None) -> None:
    made, view = panels.attribution(job), state.current()
    refinement(job, made)
    look = panels.look_controls(view, made)
    look = panels.map_viewer(made, look, key, box=box)
    panels.facts_line(made, view)
    figures(job, made)
    reading(made)
    if job.ended:
        panels.downloads(made, look)
