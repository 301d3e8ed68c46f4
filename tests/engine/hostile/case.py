"""One file of the corpus, and what must become of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """A model file; `expect` is "refuse", "open" or "either", `word` must stand in the refusal."""

    name: str
    path: Path
    expect: str
    word: str = ""
