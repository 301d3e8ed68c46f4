"""The words of the lessons: Markdown files and example programs under content/."""

from __future__ import annotations

from functools import cache

from saliency_view.sitemap import ROOT

CONTENT = ROOT / "content"


@cache
def read(lesson: str, file: str) -> str:
    """Return one file of a lesson as text; both names come from the code, never from a visitor."""
    return (CONTENT / lesson / file).read_text(encoding="utf-8").strip()
