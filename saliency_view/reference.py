"""The reference page: every model, method and target, from the same tables as the menus."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version

import streamlit as st

from saliency_core.models.catalogue import CATALOGUE
from saliency_core.models.opening import menu
from saliency_core.references import BIBLIOGRAPHY
from saliency_core.registry import Registered, table
from saliency_core.spec import REQUIRED, specs
from saliency_view import compute
from saliency_view.text import plain

PARTS = ("streamlit", "tensorflow", "keras", "numpy", "matplotlib", "pillow")


def draw() -> None:
    """Draw the page."""
    st.title("Models and methods")
    models, methods, targets, system = st.tabs(["Models", "Methods", "Targets", "This server"])
    with models:
        _models()
    with methods:
        for cls in _offered("method"):
            _entry(cls, [("Values", "kind"), ("Formula", "formula"), ("Misleads", "misleads")])
    with targets:
        for cls in _offered("target"):
            _entry(cls, [])
    with system:
        _system()


def _models() -> None:
    st.write("Bundled models run at once. ImageNet networks are downloaded when they are first chosen.")
    _rows({"Model": f"{e.title} ({e.name})", "Facts": e.facts, "About": e.about} for e in menu())
    st.subheader("Papers of the ImageNet networks")
    for entry in CATALOGUE.values():
        for key in entry.cites:
            st.markdown(f"**{plain(entry.title)}:** {_paper(key)}")


def _paper(key: str) -> str:
    """Return a reference as markdown, with the title as a link."""
    one = BIBLIOGRAPHY[key]
    return f"{plain(one.who)}: [{plain(one.title)}]({one.url}). {plain(one.venue)}, {one.year}."


def _rows(rows: Iterable[Mapping[str, str]]) -> None:
    """Show a table whose long texts wrap."""
    shown = [{name: plain(text) for name, text in row.items()} for row in rows]
    if shown:
        st.table(shown, hide_index=True)


def _offered(family: str) -> list[type[Registered]]:
    return [cls for cls in table(family).values() if not cls.hidden]


def _entry(cls: type[Registered], facts: list[tuple[str, str]]) -> None:
    st.subheader(plain(cls.title))
    st.write(plain(cls.summary()))
    for title, name in facts:
        if text := getattr(cls, name, ""):
            st.markdown(f"**{title}:** {plain(text)}")
    for key in cls.cites:
        st.markdown(f"**Source:** {_paper(key)}")
    settings = [
        {
            "Setting": name,
            "Default": "needed" if spec.default is REQUIRED else str(spec.default),
            "Allowed": spec.allowed,
            "What it does": spec.help,
        }
        for name, spec in specs(cls).items()
    ]
    _rows(settings)
    st.code(cls.pattern(), language=None)


def _system() -> None:
    status = compute.table().pool.status()
    st.write(
        "TensorFlow runs in worker processes of its own; a worker that ends costs one job and is replaced."
    )
    columns = st.columns(3)
    columns[0].metric(
        "Workers ready",
        f"{sum(w.state in ('ready', 'busy') for w in status.workers)} of {len(status.workers)}",
    )
    columns[1].metric("Jobs done", status.jobs_done)
    columns[2].metric("Restarts", status.restarts)
    if status.trouble:
        st.error(plain(status.trouble))
    rows = [{"Part": "Python", "Version": platform.python_version()}]
    rows += [{"Part": name, "Version": version(name)} for name in PARTS]
    _rows(rows)
    st.caption(
        "Pictures stay in memory and leave this machine never; the only thing fetched from the network are "
        "weights of ImageNet networks, when one is chosen."
    )
