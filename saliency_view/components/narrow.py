"""Close the sidebar of a narrow screen, where it hides the page; nothing is drawn."""

from __future__ import annotations

import streamlit as st

from saliency_view.components.assets import joined

HIDDEN = "narrow-screen"  # the key of a place that takes no room
_narrow = st.components.v2.component(
    "saliency_narrow", js=joined("narrow.js") + "\nexport default closeSidebar;\n"
)


def close_sidebar(token: str) -> None:
    """Close it once for each `token`; a wide screen, which has room for both, keeps it."""
    with st.container(key=HIDDEN):
        _narrow(key="narrow", data={"token": token})
