"""What the doctor reports, and the measurements that a report is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np

from saliency_core.arrays import Array
from saliency_core.models.anatomy import Signs

Severity = Literal["stop", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that the doctor found, in words and in plain JSON numbers.

    severity: "stop", no map of this model on this image can be trusted or seen; "warning", maps may
    mislead; "note", worth knowing. sentence says what is so, advice what to do.
    """

    id: str
    severity: Severity
    sentence: str
    advice: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """The finding as plain JSON data; a number that is not finite becomes None."""
        found: dict[str, Any] = _json({one.name: getattr(self, one.name) for one in fields(self)})
        return found


@dataclass(frozen=True)
class Trial:
    """How the network answers the image under one preprocessing.

    probability: of the class it finds likeliest, `top`. margin: first logit less the second. spread:
    standard deviation of the logits. surprise: how far the first batch norm's input is from what it met
    in training, in nats a channel (median of Kullback-Leibler divergences of Gaussians), None without one.
    drive: what goes into the first ReLU, as part of its cap (root mean square, median of the channels),
    None where the first ReLU has no cap.
    """

    preprocessing: str
    own: bool
    top: int
    probability: float
    margin: float
    spread: float
    surprise: float | None = None
    drive: float | None = None


@dataclass(frozen=True)
class Visit:
    """Everything measured on one image; the doctor's findings are conclusions from this alone.

    Before anything was measured there are no numbers: `at_sight` makes such a visit.

    twice: the answers (2, n) to the image, asked alone and asked again. company: the answers (P, n) to the
    image, first, and the probe images, in one batch. highest: the largest value that goes into each ReLU
    of `signs.rectifiers`, (P, channels). largest_gradient: of the top class, None where it cannot be had.
    """

    signs: Signs
    classes: int
    labels: Sequence[str]
    twice: Array
    company: Array
    probability: float | None
    highest: Sequence[Array]
    largest_gradient: float | None
    trials: Sequence[Trial] = ()

    @property
    def measured(self) -> bool:
        """Whether the network was run."""
        return self.twice.size > 0

    @classmethod
    def at_sight(cls, signs: Signs, classes: int, labels: Sequence[str]) -> Visit:
        """Return a visit on which the network was not run."""
        nothing = np.zeros((2, 0), np.float32)
        return cls(signs, classes, labels, nothing, nothing, None, (), None)


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
