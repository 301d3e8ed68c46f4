"""Foreign text is shown as it is: no markdown, no line breaks, nothing lost."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saliency_core.methods.base import Refining
from saliency_core.registry import table
from saliency_view.text import JOINER, counted, plain


def test_one_is_one_and_all_else_are_many() -> None:
    assert [counted(number, "windows") for number in (0, 1, 2)] == ["0 windows", "1 window", "2 windows"]


def test_whatever_a_method_counts_its_rounds_in_has_a_singular() -> None:
    things = {cls().counted_in for cls in table("method").values() if issubclass(cls, Refining)}
    assert {"samples", "windows"} <= things
    assert all(counted(1, name) == f"1 {name[:-1]}" for name in things)


def unescaped(markdown: str) -> str:
    """Take the backslashes away that markdown takes away, and what nobody sees."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown).replace(JOINER, "")


@given(st.text())
def test_one_line_comes_back_with_nothing_lost(text: str) -> None:
    shown = plain(text)
    assert unescaped(shown) == re.sub(r"\s+", " ", text).replace(JOINER, "")
    assert "\n" not in shown
    assert "\r" not in shown


@pytest.mark.parametrize("mark", string.punctuation)
def test_every_mark_that_markdown_may_read_is_escaped(mark: str) -> None:
    assert plain(f"a{mark}b").replace(JOINER, "") == f"a\\{mark}b"


def test_whatever_is_no_text_is_written_out() -> None:
    assert plain(12) == "12"
    assert plain(ValueError("a*b")) == "a\\*b"


@pytest.mark.parametrize(
    ("text", "parted"),
    [
        ("www.evil.com", "www|.evil.com"),
        ("WWW.evil.com", "WWW|.evil.com"),
        ("https://evil.com", "https:|//evil.com"),
        ("me@evil.com", "me|@evil.com"),
        (":material/home: :smile:", ":|material/home: :|smile:"),
        ("a -> b <- c <-> d --- e >= f", "a -|> b <|- c <|-|> d -|-|- e >|= f"),
        ("12.5 px: a - b", "12.5 px: a - b"),
    ],
)
def test_what_is_made_into_links_icons_and_arrows_is_parted(text: str, parted: str) -> None:
    assert re.sub(r"\\(?=[!-~])", "", plain(text)).replace(JOINER, "|") == parted
