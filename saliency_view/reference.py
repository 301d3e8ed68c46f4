"""The reference page: every model, method and target, from the same tables as the menus."""

from __future__ import annotations

import streamlit as st

from saliency_core.models.catalogue import CATALOGUE
from saliency_core.models.opening import menu
from saliency_core.references import BIBLIOGRAPHY
from saliency_core.registry import Registered, table
from saliency_core.spec import REQUIRED, specs
from saliency_view.tables import text_table
from saliency_view.text import plain


def draw() -> None:
    """Draw the page."""
    st.title("Models and methods")
    models, methods, targets = st.tabs(["Models", "Methods", "Targets"])
    with models:
        _models()
    with methods:
        for cls in _offered("method"):
            _entry(cls, [("Values", "kind"), ("Formula", "formula"), ("Misleads", "misleads")])
    with targets:
        for cls in _offered("target"):
            _entry(cls, [])


def _models() -> None:
    st.write("Bundled models run at once. ImageNet networks are downloaded when they are first chosen.")
    text_table({"Model": f"{e.title} ({e.name})", "Facts": e.facts, "About": e.about} for e in menu())
    st.subheader("Papers of the ImageNet networks")
    for entry in CATALOGUE.values():
        for key in entry.cites:
            st.markdown(f"**{plain(entry.title)}:** {_paper(key)}")


def _paper(key: str) -> str:
    """Return a reference as markdown, with the title as a link."""
    one = BIBLIOGRAPHY[key]
    return f"{plain(one.who)}: [{plain(one.title)}]({one.url}). {plain(one.venue)}, {one.year}."


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
    text_table(settings)
    st.code(cls.pattern(), language=None)
