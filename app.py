"""Saliency Lab: `streamlit run app.py`. The server is made once; the frame draws every page."""

import streamlit as st

from saliency_view import server

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
