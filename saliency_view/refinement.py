"""A map that sharpens while it is looked at: how far it is, how sure it is, stop and go on."""

from __future__ import annotations

from typing import Any

import streamlit as st

from saliency_core.attribution import Attribution
from saliency_core.checks.certainty import Figures, certainty
from saliency_core.grammar import parse
from saliency_core.methods.base import Refining
from saliency_core.render.numbers import number_text
from saliency_core.render.reduce import CERTAIN
from saliency_core.workers.jobs import Job
from saliency_view import compute, state
from saliency_view.panels import mishap
from saliency_view.text import counted, plain

COURSES = "courses"  # how the figures fell, by the fingerprint of a job
KEPT = 8
TITLES = {
    "error": ("Standard error", "Root mean square of the standard error of all values, as a share of the "
              "root mean square of the values themselves. It falls with the square root of the samples."),
    "distinct": ("Told from noise", f"Share of all values that are larger than {CERTAIN:g} standard errors."),
    "gap_relative": ("Completeness gap", "By how much the sum of the map misses the difference of the score "
                     "between image and baseline, as a share of that difference. It should be near 0."),
}  # fmt: skip


def refinement(job: Job, made: Attribution) -> None:
    """Show how far a map is that is made in rounds, its certainty so far, and the next step."""
    method = parse("method", made.recipe["method"])
    if not isinstance(method, Refining):
        return
    mishap(job)
    left, right = st.columns([5, 2], vertical_alignment="center")
    said = f"{made.done} of {counted(made.total, method.counted_in)}"
    sure = "".join(
        f" · {TITLES[name][0].lower()} {_percent(value)}" for name, value in certainty(made).items()
    )
    if not job.ended:
        eta = job.progress.eta_s if job.progress is not None else None
        late = f" · about {eta:.0f} s left" if eta is not None and eta > 0.5 else ""
        left.progress(made.done / made.total, text=plain(f"{said}{late}{sure}"))
        if right.button("Stop", key=f"stop-{job.key[1]}", width="stretch"):
            compute.stop(job)
            st.rerun()
    elif made.done < made.total:
        left.markdown(f":material/pause_circle: **Stopped after {plain(said)}**{plain(sure)}")
        if right.button("Go on", key=f"go-on-{job.key[1]}", icon=":material/play_arrow:", width="stretch"):
            compute.again(job)
            st.rerun()
    else:
        left.markdown(f":material/check: {plain(counted(made.total, method.counted_in) + sure)}")
        _longer(method, made.total, right)


def _longer(method: Refining, total: int, place: Any) -> None:
    """Offer more rounds of a finished map, unless there were fewer to be had than asked for."""
    longer = method.longer
    if longer is None or total < getattr(method, method.rounds):
        return
    wanted = getattr(longer, longer.rounds)
    why = "Goes on from here; the result is the same as if so many had been asked for at once."
    if place.button(
        f"Continue to {wanted}", key="continue", icon=":material/add:", width="stretch", help=why
    ):
        state.change(method=longer.spelling)
        st.rerun()


def figures(job: Job, made: Attribution) -> None:
    """Show how sure the map is, and how that came about while it was made."""
    now = certainty(made)
    if not now:
        return
    course = _remember(job, made.done, now)
    with st.container(horizontal=True):
        for name, value in now.items():
            title, help = TITLES[name]
            line = [100 * one[name] for _, one in course if name in one]
            st.metric(title, _percent(value), help=help, chart_data=line if len(line) > 2 else None,
                      chart_type="line", width=200, border=True)  # fmt: skip


def _percent(share: float) -> str:
    return f"{number_text(float(f'{100 * share:.2g}'))}\N{NO-BREAK SPACE}%"


def _remember(job: Job, done: int, now: Figures) -> list[tuple[int, Figures]]:
    """Keep how the figures fell while a job ran, for the last few jobs."""
    courses = st.session_state.setdefault(COURSES, {})
    course: list[tuple[int, Figures]] = courses.pop(job.fingerprint, [])
    courses[job.fingerprint] = course
    for old in list(courses)[:-KEPT]:
        del courses[old]
    if not course or course[-1][0] != done:
        course.append((done, now))
    return course
