"""Foreign text on its way into markdown: file names, labels and messages stay text."""

from __future__ import annotations

import re

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_SPACE = re.compile(r"\s+")


def plain(text: object) -> str:
    """Return text that markdown shows exactly as it is: one line, every punctuation mark escaped."""
    return _PUNCTUATION.sub(r"\\\1", _SPACE.sub(" ", str(text)))
