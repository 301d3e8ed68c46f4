"""The about page: the workers, what shuts in a stranger's model, and the versions of the parts."""

from __future__ import annotations

import platform
from importlib.metadata import version

import streamlit as st

from saliency_core.workers.protections import Protections, protections
from saliency_view import compute, own_models
from saliency_view.tables import text_table
from saliency_view.text import plain

PARTS = ("streamlit", "tensorflow", "keras", "numpy", "matplotlib", "pillow", "h5py")
TIERS = {
    "full": ":green[:material/verified_user:] **All protections hold.** A model that somebody brings is "
    "checked, and then runs where it can neither read, write nor connect.",
    "partial": ":orange[:material/gpp_maybe:] **Some protections do not hold on this system.** Only those "
    "marked below can be counted on.",
    "none": ":red[:material/gpp_bad:] **This system cannot shut in a process.** Open only models you trust.",
}


def draw() -> None:
    """Draw the page."""
    st.title("About this server")
    _workers()
    st.header("Models that visitors bring")
    _brought(protections())
    st.header("Pictures and data")
    st.write(
        "Pictures stay in memory and are never written to disk. A model file lies in a folder that only this "
        "server can read, as long as the visit lasts. Nothing leaves this machine; the only thing fetched "
        "from the network are weights of ImageNet networks, when one is chosen."
    )
    st.header("Versions")
    rows = [{"Part": "Python", "Version": platform.python_version()}]
    text_table(rows + [{"Part": name, "Version": version(name)} for name in PARTS])


def _workers() -> None:
    status = compute.table().pool.status()
    st.write(
        "TensorFlow runs in worker processes of its own; a worker that ends costs one job and is replaced."
    )
    ready = sum(worker.state in ("ready", "busy") for worker in status.workers)
    columns = st.columns(4)
    columns[0].metric("Workers ready", f"{ready} of {len(status.workers)}")
    columns[1].metric("Models of visitors", sum(one.pid is not None for one in status.private))
    columns[2].metric("Jobs done", status.jobs_done)
    columns[3].metric("Restarts", status.restarts)
    if status.trouble:
        st.error(plain(status.trouble))


def _brought(found: Protections) -> None:
    """Say whether models may be brought, and which protections hold, as tried when the server started."""
    if not own_models.allowed():
        st.write(
            f"Bringing a model is switched off on this server. Whoever runs it can set "
            f"{own_models.SWITCH}=on."
        )
    st.markdown(TIERS[found.tier])
    if not found.graphs_allowed:
        st.markdown("SavedModels and frozen graphs are not opened here; .keras and .h5 files are.")
    st.write(
        "Each was tried in a process made for it. They keep a model from doing harm; they do not tell "
        "whether its author is honest, and they are no promise against faults of the operating system itself."
    )
    text_table(
        {"Holds": "yes" if row.holds else "no", "Protection": row.title, "How it was tried": row.how}
        for row in found.rows
    )
