"""Opens what a name, a path or a live model points at, and returns it as one compiled graph."""

from __future__ import annotations

from typing import Any

from saliency_core.engine.compiled import Compiled
from saliency_core.engine.freeze import Frozen, freeze_keras
from saliency_core.errors import ModelError
from saliency_core.models.preprocessing import Preprocessing


def compile_frozen(frozen: Frozen) -> Compiled:
    """Return the compiled form of a frozen graph."""
    return Compiled(frozen)


def is_keras(model: Any) -> bool:
    """Tell whether an object is a Keras model, without importing Keras for anything else."""
    return any(
        base.__module__.startswith(("keras.", "keras.src.")) and base.__name__ == "Model"
        for base in type(model).__mro__
    )


def compile_keras(model: Any, preprocessing: Preprocessing, size: Any = None, output: int = 0) -> Compiled:
    """Freeze and compile a live Keras model."""
    if not is_keras(model):
        raise ModelError(
            f"A {type(model).__name__} is not a model that can be opened.",
            "Give a name from the catalogue, a path to a .keras file, or a Keras model.",
        )
    return Compiled(freeze_keras(model, preprocessing, size=size, output=output)[0])


def load_keras(path: str) -> Any:
    """Load a .keras or .h5 file that the caller made or trusts."""
    import keras

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, OSError, KeyError) as problem:
        raise ModelError(
            f"Keras cannot open this file: {str(problem)[:300]}",
            "Save the whole model with model.save('name.keras') and open that file.",
        ) from problem
