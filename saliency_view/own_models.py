"""The models that a visitor brought: kept for the visit, each in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import streamlit as st

from saliency_core.errors import ModelError
from saliency_core.workers.private import Upload

PREFIX = "own-"
KEY = "own_models"  # by id: upload, path, name, choices, labels, and the card once it is open
OPENING = "own_opening"  # what is being opened: id, choices, labels
COUNT = "own_opened"  # how often a model was opened
MOST = 2  # models of one visit; the oldest is let go
SWITCH = "SALIENCY_MODEL_UPLOADS"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
Record = dict[str, Any]


def allowed() -> bool:
    """Tell whether visitors may bring models: as the operator says, else where only this machine listens."""
    said = os.environ.get(SWITCH, "").strip().lower()
    return said == "on" if said in ("on", "off") else st.get_option("server.address") in LOOPBACK


def is_own(name: str) -> bool:
    """Tell whether a model's id is that of a model that somebody brought."""
    return name.startswith(PREFIX)


def records() -> dict[str, Record]:
    """Return the models of this visit by id, the oldest first."""
    found: dict[str, Record] = st.session_state.setdefault(KEY, {})
    return found


def record(name: str) -> Record:
    """Return a model of this visit; raises ModelError for another's, or one that is gone."""
    if name not in records():
        raise ModelError(
            "This address was made with an own model, which stays with the visit that opened it.",
            "Open the file again to go on with it.",
        )
    return records()[name]


def opened() -> list[str]:
    """Return the ids of the models of this visit that are open."""
    return [name for name, one in records().items() if one["card"] is not None]


def add(upload: Upload, name: str, shown: str = "") -> list[Upload]:
    """Take a stored file as a model of this visit, to be opened; returns what was let go for it.

    What was never open goes first, then the oldest; the model that is `shown` stays.
    """
    id = f"{PREFIX}{upload.id[:12]}"
    records()[id] = {"upload": upload.id, "path": upload.path, "name": name, "choices": {}, "labels": [],
                     "card": None}  # fmt: skip
    want(id, {}, [])
    others = [old for old in records() if old not in (id, shown)]
    others.sort(key=lambda old: records()[old]["card"] is not None)
    gone = [records().pop(old) for old in others[: max(0, len(records()) - MOST)]]
    return [Upload(one["upload"], one["path"]) for one in gone]


def want(name: str, choices: Mapping[str, Any], labels: list[str]) -> None:
    """Ask for a model to be opened in a certain way; what is shown stays until it is."""
    st.session_state[OPENING] = {"id": name, "choices": dict(choices), "labels": list(labels)}


def opening() -> Record | None:
    """Return what is being opened, or None."""
    found: Record | None = st.session_state.get(OPENING)
    return found if found is not None and found["id"] in records() else None


def settle(card: Mapping[str, Any]) -> str:
    """Note that the model being opened is open; returns its id."""
    done = st.session_state.pop(OPENING)
    st.session_state[COUNT] = opened_so_far() + 1
    records()[done["id"]].update(choices=done["choices"], labels=done["labels"], card=dict(card))
    return str(done["id"])


def opened_so_far() -> int:
    """Return how often this visit has opened a model."""
    return int(st.session_state.get(COUNT, 0))


def give_up() -> None:
    """Stop opening; a model that was never open is forgotten."""
    left = st.session_state.pop(OPENING, None)
    if left is not None and records().get(left["id"], {}).get("card") is None:
        records().pop(left["id"], None)


def for_worker(params: Mapping[str, Any]) -> tuple[dict[str, Any], Upload | None]:
    """Return what a worker needs to know, and the stored file where the model is one that was brought."""
    name = params.get("model", "")
    if not isinstance(name, str) or not is_own(name):
        return dict(params), None
    known = record(name)
    how = {"choices": known["choices"], "labels": known["labels"], "name": known["name"]}
    return {**how, **params}, Upload(known["upload"], known["path"])
