"""The model doctor on the page: quiet about a healthy model, readable lines about any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from saliency_core.workers.jobs import Job
from saliency_view import compute
from saliency_view.state import View
from saliency_view.text import plain

VISIBLE = 3  # findings; the rest waits behind a press
MARKS = {
    "stop": ":red[:material/error:]",
    "warning": ":orange[:material/warning:]",
    "note": ":material/info:",
}
HEALTHY = "The doctor found nothing unusual."
Facts = Mapping[str, Any]


def doctor(view: View, image: Mapping[str, str], pixels: np.ndarray) -> None:
    """Show what the doctor says of the view's model on its picture; it looks once the map is on screen."""
    params = {"model": view.model, "fit": view.fit, **image}
    job = compute.ask("doctor", "doctor", params, {"image": pixels}, background=True, wait=0)
    if not job.ended:
        _await(job)
    elif job.state != "done" or job.result is None:
        st.caption("The doctor did not finish.")
    else:
        findings(job.result.message["findings"], view.target)


def findings(found: Sequence[Facts], target: str) -> None:
    """Draw findings, the gravest first, at most three at once."""
    ordered = [_for_target(one, target) for one in found]
    grave = [one for one in ordered if one["severity"] != "note"]
    if not grave:
        st.caption(f":material/check: {HEALTHY}")
    else:
        st.markdown("**The doctor found**")
    ordered = grave + [one for one in ordered if one["severity"] == "note"]
    for one in ordered[:VISIBLE]:
        _line(one)
    if rest := ordered[VISIBLE:]:
        with st.expander(f"{len(rest)} more from the doctor"):
            for one in rest:
                _line(one)


def _for_target(one: Facts, target: str) -> Facts:
    """A saturated probability matters where a probability is explained, and else is only good to know."""
    asked = one["id"] == "saturated" and "class_probability" in target
    return {**one, "severity": "warning"} if asked else one


def _line(one: Facts) -> None:
    mark = MARKS.get(one["severity"], MARKS["note"])
    said, advice = plain(one["sentence"]), plain(one["advice"])
    if one["severity"] == "note":
        st.caption(f"{mark} {said} {advice}")
    else:
        st.markdown(f"{mark} {said} :gray[{advice}]")


@st.fragment(run_every=0.3)
def _await(job: Job) -> None:
    if job.ended:
        st.rerun()
    st.caption("The doctor looks at the model …")
