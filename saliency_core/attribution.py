"""The answer: signed numbers for every pixel, with unit, score, recipe and evidence."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, overload

import numpy as np

from saliency_core.arrays import Array, Points, Values
from saliency_core.cells import STRETCHED, Cells
from saliency_core.checks.differences import Evidence
from saliency_core.targets import class_name


@dataclass(frozen=True, slots=True)
class Prediction:
    """One class of the model's answer; probability is None where the model gives none."""

    index: int
    label: str
    logit: float
    probability: float | None


@dataclass(frozen=True, eq=False, repr=False)
class Ranking(Sequence[Prediction]):
    """Every class of an answer, the likeliest first; a class is made when it is looked at.

    logits: (classes,). chances: (classes,), or None where the model gives no probabilities.
    """

    logits: Array
    chances: Array | None
    labels: Sequence[str] = ()

    @cached_property
    def order(self) -> Array:
        """The numbers of the classes by falling logit; of equal ones the first comes first."""
        return np.argsort(-self.logits, kind="stable")

    def __len__(self) -> int:
        return len(self.logits)

    @overload
    def __getitem__(self, place: int) -> Prediction: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Prediction, ...]: ...
    def __getitem__(self, place: int | slice) -> Prediction | tuple[Prediction, ...]:
        found = self.order[place]
        return tuple(map(self._of, found.tolist())) if isinstance(place, slice) else self._of(int(found))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(tuple(self))

    def _of(self, index: int) -> Prediction:
        chance = None if self.chances is None else float(self.chances[index])
        return Prediction(index, class_name(self.labels, index), float(self.logits[index]), chance)


@dataclass(frozen=True)
class Attribution:
    """A map of signed numbers and everything needed to read it.

    values: (H, W, C) or (h, w) float32, signed. kind: one of saliency_core.kinds.
    score: the explained number. units: what one unit of `values` means, such as
    "logit per grey level". recipe: model, image, target and method as text and digests. done of total
    rounds are in it; `explain(..., resume=this)` goes on. error: the standard error of `values`, where
    they are a mean of samples. facts and notes: what the method found out beside the map. cells: where
    the numbers of a map (h, w) lie on the image.
    """

    values: Values
    kind: str
    score: float
    units: str
    recipe: dict[str, Any]
    seconds: float
    words: str  # what was explained, for people
    point: Points  # (H, W, C), the raw pixels the model saw
    predictions: Sequence[Prediction] = ()
    done: int = 1
    total: int = 1
    error: Values | None = None
    facts: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    state: Mapping[str, Array] = field(default_factory=dict, repr=False)
    cells: Cells = STRETCHED
    check: Callable[[], Evidence | None] = field(default=lambda: None, repr=False, compare=False)

    @cached_property
    def evidence(self) -> Evidence | None:
        """A finite-difference check of the map, computed when first asked for; None where none applies."""
        return self.check()

    def to_npz(self) -> bytes:
        """Return the map, the pixels and the recipe as the bytes of an .npz file."""
        about = {
            **self.recipe,
            "kind": self.kind,
            "score": self.score,
            "units": self.units,
            "seconds": self.seconds,
            "done": self.done,
            "total": self.total,
            **self.facts,
        }
        return npz(self.values, self.point, about, self.error)


def npz(values: Values, point: Points, recipe: dict[str, Any], error: Values | None = None) -> bytes:
    """Return arrays and recipe as the bytes of an .npz file; the recipe is JSON text in `recipe`.

    A standard error goes in as `standard_error`.
    """
    buffer = io.BytesIO()
    arrays = {"values": values, "pixels": point, "recipe": np.array(json.dumps(recipe))}
    if error is not None:
        arrays["standard_error"] = error
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
