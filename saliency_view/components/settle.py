"""Decide who moved a component's setting last: the page or the visitor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st


def settle(
    key: str,
    given: Mapping[str, Any],
    sent: Mapping[str, Any],
    legal: Callable[[str, Any], bool],
) -> tuple[dict[str, Any], int]:
    """Return the settings in force and a revision that grows whenever the page overrules the visitor.

    `given` is what the page asks for in this run, `sent` what the browser last sent: for each setting
    `{"revision": n, "value": x}`. A page that hands back what it was told is an echo and changes nothing,
    even when the visitor has moved on meanwhile; a page that asks for something new wins, and what was
    sent under an older revision is void. What the browser sends is a stranger's: values that `legal`
    refuses count as not sent.
    """
    memory = st.session_state.get(f"{key}:settled")
    before = memory["given"] if memory else dict(given)
    values = dict(memory["values"]) if memory else dict(given)
    revision = memory["revision"] if memory else 0
    last = dict(values)
    for name in given:
        answer = sent.get(name)
        if isinstance(answer, dict) and answer.get("revision") == revision:
            value = answer.get("value")
            values[name] = value if legal(name, value) else values[name]
    moved = {name for name in given if given[name] != before[name] and given[name] != last[name]}
    moved |= {name for name in given if not legal(name, values[name])}
    values.update({name: given[name] for name in moved})
    revision += bool(moved)
    st.session_state[f"{key}:settled"] = {"given": dict(given), "values": values, "revision": revision}
    return dict(values), revision
