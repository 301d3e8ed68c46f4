"""Foreign text is shown as it is: no markdown, no line breaks, nothing lost."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saliency_view.text import plain


def unescaped(markdown: str) -> str:
    """Take the backslashes away that markdown takes away."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown)


@given(st.text())
def test_one_line_comes_back_with_nothing_lost(text: str) -> None:
    shown = plain(text)
    assert unescaped(shown) == re.sub(r"\s+", " ", text)
    assert "\n" not in shown
    assert "\r" not in shown


@pytest.mark.parametrize("mark", string.punctuation)
def test_every_mark_that_markdown_may_read_is_escaped(mark: str) -> None:
    assert plain(f"a{mark}b") == f"a\\{mark}b"


def test_whatever_is_no_text_is_written_out() -> None:
    assert plain(12) == "12"
    assert plain(ValueError("a*b")) == "a\\*b"
