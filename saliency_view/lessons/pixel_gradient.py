"""The first lesson: from an output to the pixels, by hand, on a network, and in TensorFlow."""

from __future__ import annotations

import streamlit as st

from saliency_view.lessons.figures import STYLE
from saliency_view.lessons.first_layer import first_layer
from saliency_view.lessons.one_filter import one_filter
from saliency_view.lessons.prose import read

LESSON = "pixel_gradient"
WIDE = 1200  # pixels: figures side by side
READABLE = 760  # pixels: the longest comfortable line


def draw() -> None:
    """Draw the page; words and code first, so that there is something to read while numbers are computed."""
    st.html(STYLE)
    with st.container(width=WIDE):
        st.title("From an output to the pixels")
        _say("intro.md")
        question, layer, code = (st.container(gap="medium") for _ in range(3))
    with code:
        _code()
    with question:
        st.header("1. The question")
        _say("question.md")
        one_filter()
        _say("question_try.md")
    with layer:
        st.header("2. Why the optimiser's gradient is another thing")
        _say("kernels.md")
        first_layer(lambda: _say("way_back.md"))
        _say("kernels_try.md")


def _code() -> None:
    st.header("3. In TensorFlow")
    _say("tensorflow.md")
    left, right = st.columns([3, 2], gap="medium")
    left.code(read(LESSON, "example.py"), language="python")
    with right:
        st.caption("What it prints")
        st.code(read(LESSON, "example_output.txt"), language=None)
    _say("tensorflow_try.md")


def _say(file: str) -> None:
    with st.container(width=READABLE):
        st.markdown(read(LESSON, file))
