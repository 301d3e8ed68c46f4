"""The model doctor on the page: quiet about a healthy model, readable lines about any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import streamlit as st

from saliency_view import compute, own_models
from saliency_view.state import View
from saliency_view.text import plain

VISIBLE = 3  # findings; the rest waits behind a press
MARKS = {"warning": ":orange[:material/warning:]", "note": ":material/info:"}
HEALTHY = "The doctor found nothing unusual."
Facts = Mapping[str, Any]
Place = AbstractContextManager[Any]  # where on the page


def doctor(
    view: View, image: Mapping[str, str], pixels: np.ndarray, above: Place, seen: Sequence[Facts] = ()
) -> None:
    """Show what the doctor says of the view's model on its picture; it looks once the map is on screen.

    What makes a map worthless goes `above`, the rest here. What was `seen` at once stays until then.
    """
    params = {"model": view.model, "fit": view.fit, **image}
    job = compute.ask("doctor", "doctor", params, {"image": pixels}, background=True, wait=0)
    if job.state != "done":
        at_sight(seen, view.target, above)
    if not job.ended:
        compute.wait_for(job, "The doctor looks at the model …")
    elif job.state != "done" or job.result is None:
        st.caption("The doctor did not finish.")
    else:
        found = job.result.message["findings"]
        findings(found, view.target, above)
        _prescription(view, found)


def _prescription(view: View, found: Sequence[Facts]) -> None:
    """Offer to open a visitor's own model with the preprocessing that fits it better."""
    better = next((one["numbers"].get("better") for one in found if one["id"] == "preprocessing"), None)
    if better is None or not own_models.is_own(view.model):
        return
    if own_models.opening() is not None:
        st.caption("The model is being opened anew; the sidebar shows how far it is.")
        return
    if st.button(f"Open with {better.removesuffix('()')}", icon=":material/healing:", key="prescription"):
        known = own_models.record(view.model)
        own_models.want(view.model, {**known["choices"], "preprocessing": better}, known["labels"])
        st.rerun()


def at_sight(seen: Sequence[Facts], target: str, above: Place) -> None:
    """Draw what shows without running the network; silent where nothing does, for more may be found."""
    if seen:
        findings(seen, target, above)


def findings(found: Sequence[Facts], target: str, above: Place) -> None:
    """Draw findings, the gravest first, at most three at once; a healthy model gets one small line."""
    ordered = [_for_target(one, target) for one in found]
    stops = [one for one in ordered if one["severity"] == "stop"]
    warnings = [one for one in ordered if one["severity"] == "warning"]
    notes = [one for one in ordered if one not in stops and one not in warnings]
    with above:
        _lines(stops)
    if warnings:
        st.markdown("**The doctor found**")
    elif not stops:
        st.caption(f":material/check: {HEALTHY}")
    _lines([*warnings, *notes])


def _lines(rows: Sequence[Facts]) -> None:
    for one in rows[:VISIBLE]:
        _line(one)
    if rest := rows[VISIBLE:]:
        with st.expander(f"{len(rest)} more from the doctor"):
            for one in rest:
                _line(one)


def _for_target(one: Facts, target: str) -> Facts:
    """A saturated probability matters where a probability is explained, and else is only good to know."""
    asked = one["id"] == "saturated" and "class_probability" in target
    return {**one, "severity": "warning"} if asked else one


def _line(one: Facts) -> None:
    said, advice = plain(one["sentence"]), plain(one["advice"])
    if one["severity"] == "stop":
        st.error(f"{said} {advice}", icon=":material/error:")
    elif one["severity"] == "warning":
        st.markdown(f"{MARKS['warning']} {said} :gray[{advice}]")
    else:
        st.caption(f"{MARKS['note']} {said} {advice}")
