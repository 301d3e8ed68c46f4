"""Read the scripts and styles that a component is made of."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def joined(*names: str) -> str:
    """Return the named asset files as one text, in the order given."""
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)
