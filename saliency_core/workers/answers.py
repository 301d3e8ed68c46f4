"""An explanation as the message and arrays that travel between processes, there and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from saliency_core.arrays import Array
from saliency_core.attribution import Attribution, Prediction
from saliency_core.cells import Cells
from saliency_core.revive import revive

SHOWN = 10  # classes that travel with a map
STATE = "state "
PICTURE = "picture "  # and the digest: the name of an array with another picture's pixels, uint8 (H, W, C)
PLAIN = ("kind", "score", "units", "words", "seconds", "done", "total")
Answer = tuple[Mapping[str, Any], Mapping[str, Array]]


def answer(made: Attribution, **recipe: Any) -> Answer:
    """Return an explanation as plain data and arrays; `recipe` replaces parts of its recipe."""
    message = {
        **{name: getattr(made, name) for name in PLAIN},
        "recipe": {**made.recipe, **recipe},
        "facts": dict(made.facts),
        "notes": list(made.notes),
        "cells": asdict(made.cells),
        "predictions": [asdict(one) for one in made.predictions[:SHOWN]],
    }
    arrays = {"values": made.values, "point": made.point}
    if made.error is not None:
        arrays["error"] = made.error
    return message, {**arrays, **{f"{STATE}{name}": array for name, array in made.state.items()}}


def attribution(message: Mapping[str, Any], arrays: Mapping[str, Array]) -> Attribution:
    """Return what `answer` has made plain data of, without the check by finite differences."""
    return Attribution(
        **{name: message[name] for name in PLAIN},
        values=arrays["values"],
        point=arrays["point"],
        recipe=dict(message["recipe"]),
        predictions=tuple(Prediction(**row) for row in message["predictions"]),
        error=arrays.get("error"),
        facts=message["facts"],
        notes=tuple(message["notes"]),
        cells=revive(Cells, message.get("cells", {})),
        state={name.removeprefix(STATE): array for name, array in arrays.items() if name.startswith(STATE)},
    )
