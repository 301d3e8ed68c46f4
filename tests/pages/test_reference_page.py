"""The reference page shows every paper that a method or a network cites, as a link."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from saliency_core.models.catalogue import CATALOGUE
from saliency_core.references import BIBLIOGRAPHY
from saliency_core.registry import table
from saliency_view.text import plain
from tests.pages.conftest import fine


def test_papers_are_shown_as_links(visit: Callable[..., AppTest]) -> None:
    page = visit("reference")
    fine(page)
    shown = "\n".join(one.value for one in page.markdown)
    cited = {key for cls in table("method").values() for key in cls.cites}
    cited |= {key for entry in CATALOGUE.values() for key in entry.cites}
    assert "simonyan2014" in cited
    assert [key for key in cited if f"]({BIBLIOGRAPHY[key].url})" not in shown] == []
    assert plain("Karen Simonyan, Andrea Vedaldi and Andrew Zisserman") in shown
