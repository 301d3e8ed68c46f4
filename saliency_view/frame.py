"""What every page has around it: title, menu, and the address bar that holds the state."""

from __future__ import annotations

import numpy as np
import streamlit as st
from PIL import Image
from streamlit.navigation.page import Page

from saliency_core.errors import SaliencyError
from saliency_view import panels, state
from saliency_view.sitemap import PAGES, Place


def draw() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="Saliency Lab", page_icon=ICON, layout="wide")
    st.html(STYLE)
    pages = [_page(place) for place in PAGES]
    chosen = st.navigation(pages, position="top")
    try:
        state.follow_address(chosen.url_path)
        chosen.run()
        if not state.travels():
            st.caption(TOO_LONG)
    except SaliencyError as problem:
        panels.problem(problem)
    _footer([page for page in pages if page.url_path != chosen.url_path])
    state.write_address(chosen.url_path)


def _footer(others: list[Page]) -> None:
    """Lead on to the other pages, which a phone hides in its menu; one press of Back leads here again."""
    st.divider()
    with st.container(horizontal=True, gap="medium"):
        for page in others:
            st.page_link(page, width="content", query_params=state.address())


TOO_LONG = (
    f":material/link_off: The spelling of this question is longer than the {state.LONGEST} characters that "
    "an address can hold, so the address bar leaves it out. The raw map's file keeps it, under *recipe*."
)


def _page(place: Place) -> Page:
    icon = f":material/{place.icon}:"
    return st.Page(place.path, title=place.title, icon=icon, url_path=place.url_path, default=place.default)


# The pixel gradient of the worked example, four by four, as the icon of the page.
REACHED = np.kron(np.array([[1, 1, 1, 0]] * 3 + [[0, 0, 0, 0]], bool), np.ones((16, 16), bool))[..., None]
ICON = Image.fromarray(np.where(REACHED, [11, 110, 125], [200, 214, 219]).astype(np.uint8))

STYLE = """<style>
.stMainBlockContainer { padding: 4.25rem 2.5rem 3rem; max-width: 100rem; }
[data-testid="stSidebarHeader"]::before { content: "Saliency Lab"; font-weight: 700; font-size: 1.05rem; }
[data-testid="stSidebarHeader"] { height: 3.75rem; margin-bottom: 0; }
[data-testid="stSidebarUserContent"] { padding-top: 0.25rem; }
.stMainBlockContainer h1 { font-size: 1.75rem; padding: 0 0 0.25rem; }
[data-testid="stButtonGroup"] button { min-height: 2.5rem; }
.stMainBlockContainer h2 { font-size: 1.3rem; }
.stMainBlockContainer h3 { font-size: 1.05rem; }
[data-testid="stTable"] td { vertical-align: top; overflow-wrap: anywhere; }
.st-key-narrow-screen { display: none; }
@media (max-width: 640px) { .stMainBlockContainer { padding-left: 1rem; padding-right: 1rem; } }
</style>"""
