"""The reference page: every model, method and target, from the same tables as the menus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from saliency_core.kinds import kind
from saliency_core.models.catalogue import CATALOGUE
from saliency_core.models.opening import menu
from saliency_core.references import BIBLIOGRAPHY
from saliency_core.registry import Registered
from saliency_core.spec import REQUIRED, specs
from saliency_view.controls import by_group
from saliency_view.tables import text_table
from saliency_view.text import counted, plain


def draw() -> None:
    """Draw the page."""
    st.title("Models and methods")
    models, methods, targets = st.tabs(["Models", "Methods", "Targets"])
    with models:
        _models()
    with methods:
        _methods()
    with targets:
        for cls in by_group("target").values():
            _entry(cls)


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


def _methods() -> None:
    """Draw every method under the heading of its group."""
    st.write("What each method shows, how it is computed, whose it is, and when it misleads.")
    group = ""
    for cls in by_group("method").values():
        one: Any = cls()
        if one.group != group:
            group = one.group
            st.header(plain(group))
        _entry(cls, {"Values": _values(one), "Formula": one.formula, "Misleads": one.misleads})


def _values(one: Any) -> str:
    """Return what the numbers of a method are, in words."""
    depends = " (with another base, accordingly)" if "base" in specs(one) else ""
    points = counted(one.cost, "points")
    return f"{kind(one.kind).quantity.lower()}, in {one.units('score')}{depends}; {points} of the network"


def _entry(cls: type[Registered], facts: Mapping[str, str] | None = None) -> None:
    st.subheader(plain(cls.title))
    st.write(plain(cls.summary()))
    for title, text in (facts or {}).items():
        st.markdown(f"**{title}:** {plain(text)}")
    for key in cls.cites:
        st.markdown(f"**Source:** {_paper(key)}")
    settings = [
        {
            "Setting": name,
            "Default": "needed" if spec.default is REQUIRED else _short(spec.default),
            "Allowed": spec.allowed,
            "What it does": spec.help,
        }
        for name, spec in specs(cls).items()
    ]
    text_table(settings)
    st.code(cls.pattern(), language=None)


def _short(default: Any) -> str:
    """Return a default as it is written in a spelling."""
    return default.spelling if isinstance(default, Registered) else str(default)
