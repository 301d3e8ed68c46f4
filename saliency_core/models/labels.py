"""Names of the classes, from a sequence or a file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from saliency_core.errors import ModelError

LARGEST = 8_000_000  # bytes of a file of names


def read_labels(source: Sequence[str] | str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the names of the classes in class order: as given, or from a file.

    A text file holds one name a line, the first for class 0; a .json file holds a list of names or an
    object from numbers to names. A network with a background class has one more line, for that class.
    """
    if not isinstance(source, str | os.PathLike):
        return tuple(str(name) for name in source)
    path = Path(source)
    try:
        if path.stat().st_size > LARGEST:
            raise ModelError(f"The file of names {path.name!r} is larger than {LARGEST:,} bytes.")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise ModelError(
            f"The names of the classes cannot be read from {path.name!r}.",
            "Give a text file in UTF-8 with one name a line, or a sequence of names.",
        ) from problem
    if path.suffix.lower() == ".json":
        return _from_json(text, path.name)
    return tuple(line.strip() for line in text.strip("\r\n").splitlines())


def _from_json(text: str, name: str) -> tuple[str, ...]:
    try:
        found = json.loads(text)
        if isinstance(found, dict):
            found = [found[str(number)] for number in range(len(found))]
        return tuple(str(one[1]) if isinstance(one, list) else str(one) for one in found)
    except (ValueError, KeyError, TypeError, IndexError) as problem:
        raise ModelError(
            f"{name!r} does not list the names of the classes.",
            'Give a list of names, or an object from "0", "1", ... to names.',
        ) from problem
