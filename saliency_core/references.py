"""The papers behind methods and networks, by the key under which these cite them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Reference:
    """One paper: who wrote it, what it is called, where and when it came out, and where to read it."""

    authors: tuple[str, ...]
    title: str
    venue: str
    year: int
    url: str

    @property
    def who(self) -> str:
        """The authors in words; more than three are the first one and others."""
        if len(self.authors) > 3:
            return f"{self.authors[0]} and others"
        return " and ".join(filter(None, (", ".join(self.authors[:-1]), self.authors[-1])))

    @property
    def text(self) -> str:
        """The reference as one line."""
        return f"{self.who}: {self.title}. {self.venue}, {self.year}. {self.url}"


def _read() -> dict[str, Reference]:
    rows = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return {key: Reference(**{**row, "authors": tuple(row["authors"])}) for key, row in rows.items()}


BIBLIOGRAPHY = _read()
