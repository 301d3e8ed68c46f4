"""The app with workers that can be slow and wrong: `streamlit run tests/browser/slow_app.py`."""

import sys
from functools import partial
from pathlib import Path

import streamlit as st

sys.path.insert(0, str(Path(__file__).parents[2]))

from saliency_core.workers.pool import Pool
from saliency_view import compute, server

compute.Pool = partial(Pool, tasks="tests.browser.slow_tasks")

if server.drawing():
    from saliency_view.frame import draw

    draw()
else:
    app = st.App(
        __file__,
        lifespan=server.lifespan,
        middleware=server.middleware(),
        on_script_error=server.on_script_error,
    )
