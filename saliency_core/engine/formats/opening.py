"""One function for every file: a path and what was chosen in, the frozen graph and its description out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from saliency_core.engine.formats.describe import described
from saliency_core.engine.freeze import Frozen, freeze_keras
from saliency_core.errors import ModelError
from saliency_core.grammar import parse
from saliency_core.models.description import Choices, Description

KERAS, HDF5, SAVED_MODEL, GRAPH = "keras", "hdf5", "saved_model", "graph"
ENDINGS = {".keras": KERAS, ".h5": HDF5, ".hdf5": HDF5, ".pb": GRAPH}


def format_of(path: str | Path) -> str:
    """Return "keras", "hdf5", "saved_model" or "graph" for a path; raises ModelError for anything else."""
    given = Path(path)
    if given.is_dir():
        return SAVED_MODEL
    if given.name in ("saved_model.pb", "saved_model.pbtxt"):
        raise ModelError(
            f"{given.name} is one part of a SavedModel.",
            "Give the folder that it lies in, with its variables.",
        )
    if given.suffix.lower() in ENDINGS:
        return ENDINGS[given.suffix.lower()]
    raise ModelError(
        f"A file ending in {given.suffix or 'nothing'!r} cannot be opened.",
        "Give a .keras file, an .h5 file with the whole model, a SavedModel folder, or a frozen graph (.pb).",
    )


def open_file(path: str, format: str, choices: Choices) -> tuple[Frozen, Description]:
    """Open a file in this process, which runs what it holds: only after a check, or where it is trusted.

    format: as `format_of` says it. Raises ModelError with what is wrong and what can be chosen.
    """
    if format in (KERAS, HDF5):
        from saliency_core.engine.formats.keras_files import load_keras_file

        _no_choice(choices, "signature", "input")
        model, words = load_keras_file(path)
        return open_keras(model, choices, words)
    if format == SAVED_MODEL:
        from saliency_core.engine.formats.saved_model import open_saved_model

        return _told(*open_saved_model(path, choices))
    if format == GRAPH:
        from saliency_core.engine.formats.frozen_pb import open_pb

        _no_choice(choices, "signature")
        return _told(*open_pb(path, choices))
    raise ModelError(f"There is no format {format!r}.", "Formats: keras, hdf5, saved_model, graph.")


def open_keras(model: Any, choices: Choices, words: str = "") -> tuple[Frozen, Description]:
    """Open a live Keras model."""
    from saliency_core.engine.formats.keras_files import settings_kept

    with settings_kept():
        frozen, known = freeze_keras(
            model,
            parse("preprocessing", choices.preprocessing),
            size=choices.size,
            output=choices.output,
            others=choices.others,
        )
    return _told(frozen, replace(known, format=words or known.format))


def _told(frozen: Frozen, known: Description) -> tuple[Frozen, Description]:
    return frozen, described(frozen, known)


def _no_choice(choices: Choices, *names: str) -> None:
    for name in names:
        if getattr(choices, name):
            raise ModelError(
                f"{name}={getattr(choices, name)!r} has no meaning for this kind of file.",
                "It belongs to SavedModels and frozen graphs.",
            )
