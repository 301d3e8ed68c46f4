"""Tables of foreign text: every cell stays text, and long ones wrap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import streamlit as st

from saliency_view.text import plain


def text_table(rows: Iterable[Mapping[str, str]]) -> None:
    """Show rows of texts under the names of their columns; nothing where there are none."""
    shown = [{name: plain(text) for name, text in row.items()} for row in rows]
    if shown:
        st.table(shown, hide_index=True)
