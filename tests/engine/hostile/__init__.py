"""Hostile, broken and honest model files with harmless payloads, made by hand in a few seconds.

What acts would write the marker file, read `secret.txt` beside it, or connect to this machine.
"""

from __future__ import annotations

from pathlib import Path

from tests.engine.hostile import archives, graphs, hdf5_files, keras_files, others, saved_models
from tests.engine.hostile.case import Case

__all__ = ["Case", "corpus"]
PARTS = (graphs, saved_models, keras_files, hdf5_files, archives, others)


def corpus(folder: Path, marker: Path) -> list[Case]:
    """Write every file below the folder; the marker is the file that a payload would write, elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    marker.parent.mkdir(exist_ok=True)
    (marker.parent / "secret.txt").write_text("a planted secret\n")
    cases = []
    for part in PARTS:
        place = folder / part.__name__.rsplit(".", 1)[-1]
        place.mkdir()
        cases += part.cases(place, marker)
    return cases
