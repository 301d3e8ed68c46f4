"""Foreign text on its way into markdown: file names, labels and messages stay text."""

from __future__ import annotations

import re

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_SPACE = re.compile(r"\s+")
JOINER = "\N{WORD JOINER}"
"""Has no width and breaks no line; it parts what is turned into links, icons and arrows after escaping."""
_TURNED = re.compile(r"(?<=:)(?=\S)|(?<=www)(?=\.)|(?=@)|(?<=[-<>=~])(?=[-<>=~])", re.IGNORECASE)


def counted(number: int, things: str) -> str:
    """Return how many there are of what has a plural in s: `1 window`, `9 windows`."""
    return f"{number} {things.removesuffix('s') if number == 1 else things}"


def plain(text: object) -> str:
    """Return text that markdown shows exactly as it is: one line, every punctuation mark escaped."""
    parted = _TURNED.sub(JOINER, _SPACE.sub(" ", str(text)))
    return _PUNCTUATION.sub(r"\\\1", parted)
