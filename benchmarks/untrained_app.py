"""The app as in app.py, but its workers take the tasks of benchmarks/untrained.py."""

import sys
from functools import partial
from pathlib import Path

import streamlit as st

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from saliency_view import compute, server  # noqa: E402

compute.Pool = partial(compute.Pool, tasks="benchmarks.untrained")  # type: ignore[assignment,misc]
app = st.App(
    ROOT / "app.py",
    lifespan=server.lifespan,
    middleware=server.middleware(),
    on_script_error=server.on_script_error,
)
