"""The model doctor: looks at a model and an image before the first map, and says what it found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from saliency_core.arrays import Array, Float, Points
from saliency_core.checks.finding import Finding, Trial, Visit
from saliency_core.checks.symptoms import SYMPTOMS
from saliency_core.checks.trials import as_if, candidates, drive_of, surprise_of, trial
from saliency_core.errors import ModelError, SettingError
from saliency_core.grammar import parse
from saliency_core.models.model import Model
from saliency_core.targets import LayerChannel, Target, TopClass

SEED = 20_151
SHIFT = 16  # the image is shifted by its side over this
ORDER = ("stop", "warning", "note")


def examine(
    model: Model, image: Any, *, labels: Sequence[str] | None = None, how: str | None = None
) -> tuple[Finding, ...]:
    """Return what is unusual about a model on one image, the gravest first; nothing for a healthy one.

    `labels` are the names meant for the classes, the model's own where None. Takes about as long as
    fifteen forward passes and one gradient. Raises ImageError for an image that does not fit.
    """
    visit = measure(model, model.prepare(image, how), model.labels if labels is None else labels)
    found = [finding for symptom in SYMPTOMS for finding in symptom(visit)]
    return tuple(sorted(found, key=lambda one: ORDER.index(one.severity)))


def measure(model: Model, point: Points, labels: Sequence[str]) -> Visit:
    """Measure everything that the doctor looks at, for raw pixels (H, W, C)."""
    signs, classes = model.signs, model.head.outputs
    others = probe_images(point)
    company = np.concatenate([point[None], others])
    befores = [one.before for one in signs.rectifiers]
    twice = np.concatenate([model.answers(point[None]), model.answers(point[None])])
    head = model.head_values(point[None])
    return Visit(
        signs=signs,
        classes=model.card.classes,
        labels=labels,
        twice=twice.reshape(2, -1),
        company=model.answers(company).reshape(len(company), -1),
        probability=_top_probability(head[1], classes) if len(head) > 1 else None,
        highest=[rows[:, 2] for rows in model.by_channel(befores, company)],
        largest_gradient=_largest_gradient(model, point),
        trials=_trials(model, point) if classes > 1 and np.isfinite(twice).all() else (),
    )


def probe_images(point: Points) -> Float:
    """Return images of the size of a point (H, W, C) that look nothing alike, (P, H, W, C) in 0..255.

    Black, noise, a gradient across and one down, the negative, and the image shifted down and across.
    """
    height, width, _ = point.shape
    across = np.broadcast_to(np.linspace(0, 255, width)[None, :, None], point.shape)
    down = np.broadcast_to(np.linspace(0, 255, height)[:, None, None], point.shape)
    noise = np.random.default_rng(SEED).uniform(0, 255, point.shape)
    shifted = [np.roll(point, max(1, point.shape[axis] // SHIFT), axis) for axis in (0, 1)]
    return np.stack([np.zeros_like(point), noise, across, down, 255 - point, *shifted]).astype(np.float32)


def _top_probability(chances: Array, outputs: int) -> float | None:
    sure = float(chances.max()) if np.isfinite(chances).all() else None
    return max(sure, 1 - sure) if sure is not None and outputs == 1 else sure


def _largest_gradient(model: Model, point: Points) -> float | None:
    """Return the largest size of the derivative of the top class, or of the output's first channel."""
    target: Target = TopClass() if model.head.outputs else LayerChannel("output", 0, "sum")
    try:
        _, probe, _ = model.ask(target, point)
        largest = float(np.abs(probe.gradient(point[None])).max())
    except ModelError:
        return None
    return largest if np.isfinite(largest) else None


def _trials(model: Model, point: Points) -> list[Trial]:
    """Try the image under the common preprocessings; none where the model's own is not known as one."""
    try:
        own = parse("preprocessing", model.card.preprocessing)
    except SettingError:
        return []
    if model.head.kind not in ("softmax", "log_softmax", "sigmoid") and model.signs.norm is None:
        return []  # plain outputs may be numbers of any size
    tried = candidates(own, point.shape[-1])
    points = np.concatenate([as_if(point[None], own, one) for one in tried])
    logits, *chances = model.head_values(points)
    surprises = _each(model, "surprise", points)
    drives = _each(model, "drive", points)
    return [
        trial(
            one.spelling,
            place == 0,
            logits[place],
            chances[0][place] if chances else None,
            surprises[place],
            drives[place],
        )
        for place, one in enumerate(tried)
    ]


def _each(model: Model, what: str, points: Points) -> list[float | None]:
    """Return one number a point from the first batch norm or the first ReLU, None where there is none."""
    norm, first = model.signs.norm, next(iter(model.signs.rectifiers), None)
    if what == "surprise" and norm is not None:
        return [surprise_of(met, norm) for met in model.by_channel([norm.before], points)[0]]
    if what == "drive" and first is not None and first.cap:
        return [drive_of(met, first.cap) for met in model.by_channel([first.before], points)[0]]
    return [None] * len(points)
