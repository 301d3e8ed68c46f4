"""Opens a file or a live model and returns it as one compiled graph, with what is known of it."""

from __future__ import annotations

from typing import Any

from saliency_core.engine.compiled import Compiled
from saliency_core.engine.formats.describe import described
from saliency_core.engine.formats.opening import open_file, open_keras
from saliency_core.engine.freeze import Frozen
from saliency_core.errors import ModelError
from saliency_core.models.description import Choices, Description, Place, Port

Opened = tuple[Compiled, Description]


def compile_frozen(frozen: Frozen, words: str) -> Opened:
    """Return a frozen graph that needs no opening, such as one that ships with the lab."""
    height, width, channels = frozen.shape
    known = Description(
        format=words,
        inputs=(Port(frozen.input, (None, height, width, channels), "float32"),),
        outputs=(Port(frozen.output.removesuffix(":0"), None, "float32"),),
        output=frozen.output.removesuffix(":0"),
        places=(Place(frozen.input, 0, 0, height, width, channels),),
    )
    return Compiled(frozen), described(frozen, known)


def is_keras(model: Any) -> bool:
    """Tell whether an object is a Keras model, without importing Keras for anything else."""
    return any(
        base.__module__.startswith(("keras.", "keras.src.")) and base.__name__ == "Model"
        for base in type(model).__mro__
    )


def compile_keras(model: Any, choices: Choices, words: str = "") -> Opened:
    """Freeze and compile a live Keras model."""
    if not is_keras(model):
        raise ModelError(
            f"A {type(model).__name__} is not a model that can be opened.",
            "Give a name from the catalogue, a path to a .keras file, or a Keras model.",
        )
    frozen, known = open_keras(model, choices, words)
    return Compiled(frozen), known


def compile_file(path: str, format: str, choices: Choices) -> Opened:
    """Open and compile a file in this process."""
    frozen, known = open_file(path, format, choices)
    return Compiled(frozen), known
