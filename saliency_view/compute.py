"""The page's way to the workers: ask for a result, wait a moment, come back for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from saliency_core.workers.jobs import Job, JobTable, Request, Result
from saliency_core.workers.pool import Pool
from saliency_view import own_models

PATIENCE = 0.45  # seconds that a page waits for a quick result before it shows progress
STAGGER = 1.2  # two imports of TensorFlow at once take twice as long as one after the other
GONE_S = 150.0  # a browser that was cut off may come back to its session within two minutes
_lock = threading.Lock()
_tables: list[JobTable] = []
_sessions: set[str] = set()
_uploads: dict[str, set[str]] = {}  # ids of the models that a session has brought
_left: dict[str, float] = {}  # since when a session with models is seen to be gone


def table() -> JobTable:
    """Return the server's job table; the first call starts the workers."""
    with _lock:
        if not _tables:
            _tables.append(JobTable(Pool(stagger_s=STAGGER, wall_limit_s=600.0)))
        return _tables[0]


def close() -> None:
    """End the workers."""
    with _lock:
        while _tables:
            found = _tables.pop()
            found.close()
            found.pool.close()


def session() -> str:
    """Return the id of the visitor's session; it is a key, never shown."""
    context = get_script_run_ctx()
    found = context.session_id if context else "no session"
    if found not in _sessions:
        forget_the_gone()
        _sessions.add(found)
    return found


def forget_the_gone() -> None:
    """Drop the jobs of sessions that have ended, and, when they stay away, the models that they brought.

    Looked at whenever a new session comes, and every now and then.
    """
    if not runtime.exists():
        return
    now = time.monotonic()
    for one in (*_sessions, *_uploads):  # a copy: other sessions come at the same time
        if runtime.get_instance().is_active_session(one):
            _left.pop(one, None)
            continue
        _sessions.discard(one)
        table().forget(one)
        if one in _uploads and now - _left.setdefault(one, now) >= GONE_S:
            del _left[one]
            for upload in _uploads.pop(one, ()):
                forget_upload(upload)


def stand_by() -> None:
    """Keep a process ready for the next model that is brought, as long as there are visitors who may."""
    if _sessions and own_models.allowed():
        table().pool.stand_by()


def note_upload(id: str) -> None:
    """Remember that this session has stored a model, so that it goes with the session."""
    _uploads.setdefault(session(), set()).add(id)


def forget_upload(id: str) -> None:
    """Remove a model that a visitor brought, and end its process."""
    table().forget_upload(id)


def ask(
    panel: str,
    task: str,
    params: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray] | None = None,
    *,
    background: bool = False,
    wait: float = PATIENCE,
    begun: Result | None = None,
) -> Job:
    """Ask for a result in place of what this panel asked before; waits at most `wait` seconds.

    `begun` is an earlier answer that the task can go on from.
    Raises BusyError when too many jobs wait. A job that was stopped or has failed stays so until it
    is asked again by `again`.
    """
    known, upload = own_models.for_worker(params)
    request = Request(task, known, dict(arrays or {}), background, upload, begun)
    if upload is not None:
        note_upload(upload.id)
    key = (session(), panel)
    before = table().latest(key)
    if (
        before is not None
        and before.fingerprint == request.fingerprint
        and before.state in ("failed", "cancelled")
    ):
        return before
    job = table().submit(key, request)
    if wait:
        job.wait(wait)
    return job


def again(job: Job) -> None:
    """Ask once more for a job that failed or was stopped; what was known by then is gone on from."""
    table().retry(job)


def stop(job: Job) -> None:
    """Stop a job on the visitor's word."""
    table().cancel(job)


def ready() -> bool:
    """Tell whether any worker has loaded TensorFlow."""
    return table().pool.status().ready


@st.fragment(run_every=0.2)
def follow(job: Job, words: str, *, narrow: bool = False) -> None:
    """Show how far a job is, offer to stop it, and draw the page anew when it has ended.

    In a `narrow` place the button stands below.
    """
    if job.ended or job.partial is not None:
        st.rerun()
    progress, eta = job.progress, ""
    if progress is not None and progress.eta_s is not None and progress.eta_s > 0.5:
        eta = f", about {progress.eta_s:.0f} s left"
    share = min(1.0, progress.done / progress.total) if progress is not None and progress.total else 0.0
    line = f"{progress.message or words}{eta}" if progress is not None else _waiting(words)
    left, right = (st, st) if narrow else st.columns([5, 1], vertical_alignment="center")
    left.progress(share, text=line)
    if right.button("Stop", key=f"stop-{job.key[1]}", width="stretch"):
        stop(job)
        st.rerun()


@st.fragment(run_every=0.3)
def wait_for(job: Job, words: str) -> None:
    """Say in one small line what is being looked at, and draw the page anew when the job has ended."""
    if job.ended:
        st.rerun()
    st.caption(words)


def _waiting(words: str) -> str:
    return words if ready() else "TensorFlow is loading; the first map follows in a few seconds"
