"""The model doctor: looks at a model and an image before the first map, and says what it found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from saliency_core.arrays import Array, Float, Points
from saliency_core.checks.finding import Finding, Visit
from saliency_core.checks.symptoms import AT_SIGHT, SYMPTOMS
from saliency_core.checks.trials import as_if, candidates, drive_of, surprise_of, trial
from saliency_core.errors import SaliencyError, SettingError
from saliency_core.grammar import parse
from saliency_core.models.anatomy import Signs
from saliency_core.models.model import Model
from saliency_core.models.preprocessing import Preprocessing
from saliency_core.targets import LayerChannel

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
    return _sorted(finding for symptom in SYMPTOMS for finding in symptom(visit))


def look_over(model: Model, labels: Sequence[str] | None = None) -> tuple[Finding, ...]:
    """Return what is unusual about a model and shows without running it, the gravest first.

    `examine` finds all of it again, with numbers, under the same ids.
    """
    visit = Visit.at_sight(model.signs, model.card.classes, model.labels if labels is None else labels)
    return _sorted(finding for symptom in AT_SIGHT for finding in symptom(visit))


def measure(model: Model, point: Points, labels: Sequence[str]) -> Visit:
    """Measure everything that the doctor looks at, for raw pixels (H, W, C)."""
    signs = model.signs
    company = np.concatenate([point[None], probe_images(point)])
    tried = _tried(model, point.shape[-1])
    fed = [as_if(point[None], tried[0], one) for one in tried]
    befores = [one.before for one in signs.rectifiers]
    answers, chances, channels = model.survey(
        np.concatenate([company, *fed]), befores if signs.norm is None else [*befores, signs.norm.before]
    )
    answers = answers.reshape(len(answers), -1)
    once, gradient = model.answer(point)
    again, _ = model.answer(point)
    seen = len(company)
    return Visit(
        signs=signs,
        classes=model.card.classes,
        labels=labels,
        twice=np.stack([once.reshape(-1), again.reshape(-1)]),
        company=answers[:seen],
        probability=_top_probability(chances[0], model.head.outputs) if chances is not None else None,
        highest=[rows[:seen, 2] for rows in channels[: len(befores)]],
        largest_gradient=_largest(model, point, gradient),
        trials=[
            trial(
                one.spelling,
                place == 0,
                answers[seen + place],
                None if chances is None else chances[seen + place],
                *_first_layers(signs, [rows[seen + place] for rows in channels]),
            )
            for place, one in enumerate(tried)
        ],
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


def _sorted(found: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(found, key=lambda one: ORDER.index(one.severity)))


def _top_probability(chances: Array, outputs: int) -> float | None:
    sure = float(chances.max()) if np.isfinite(chances).all() else None
    return max(sure, 1 - sure) if sure is not None and outputs == 1 else sure


def _largest(model: Model, point: Points, gradient: Float | None) -> float | None:
    """Return the largest size of the gradient of the top class, or of the first channel of a map."""
    if gradient is None and not model.head.outputs:
        try:
            gradient = model.probe(LayerChannel("output", 0, "sum"), point).gradient(point[None])
        except SaliencyError:
            return None
    largest = np.nan if gradient is None else float(np.abs(gradient).max())
    return largest if np.isfinite(largest) else None


def _tried(model: Model, channels: int) -> list[Preprocessing]:
    """Return the preprocessings to compare, the model's own first; none where nothing could be concluded."""
    if model.head.outputs < 2:
        return []
    if model.head.kind == "logits" and model.signs.norm is None:
        return []  # plain outputs may be numbers of any size
    try:
        own: Preprocessing = parse("preprocessing", model.card.preprocessing)
    except SettingError:
        return []
    return candidates(own, channels)


def _first_layers(signs: Signs, channels: Sequence[Array]) -> tuple[float | None, float | None]:
    """Return surprise and drive of one trial from its rows of the ReLUs and, last, the first batch norm."""
    first = signs.rectifiers[0] if signs.rectifiers else None
    surprise = None if signs.norm is None else surprise_of(channels[-1], signs.norm)
    drive = drive_of(channels[0], first.cap) if first is not None and first.cap else None
    return surprise, drive
