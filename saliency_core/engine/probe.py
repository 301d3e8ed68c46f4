"""The engine's probe: one graph, one question, any number of points."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from saliency_core.arrays import Array, Points, Values, joined_rows
from saliency_core.engine import relevance, rules
from saliency_core.engine.compiled import Compiled, Form
from saliency_core.engine.inspect import Anatomy
from saliency_core.errors import ModelError, SaliencyError, TargetError
from saliency_core.models.anatomy import Head, Layer
from saliency_core.probe import RuleFacts, Shares, joined
from saliency_core.targets import OUTPUT, Question, TopClass

HALF_RELUS = ("hard sigmoid",)  # made of a ReLU6, and no rectifier
MOST_LANES = 2
FEW = 5  # rows of a call of a large network
CALLS = 2  # in each lane before anybody looks up: between rounds a core may stand idle
NO_DOUBLE = (ValueError, TypeError, NotImplementedError, SaliencyError, RuntimeError)


class Reading:
    """Answers what a target may ask: the head, the layers, and values on one clean image."""

    def __init__(self, compiled: Compiled, labels: Sequence[str], point: Points | None = None) -> None:
        self._compiled = compiled
        self._point = point
        self._known: dict[str, Array] = {}
        self.labels = labels

    @property
    def head(self) -> Head:
        """Where the logits are."""
        return self._compiled.anatomy.head

    def find(self, name: str) -> Layer:
        """Return a layer, a tensor, or the network's `output`."""
        anatomy = self._compiled.anatomy
        if name == OUTPUT and all(layer.name != OUTPUT for layer in anatomy.layers):
            tensor = self._compiled.frozen.output
            if tensor not in anatomy.tensors:
                raise TargetError("The shape of the network's output is not known.", "Choose a layer.")
            return replace(anatomy.find(tensor), name=OUTPUT, op="output")
        return anatomy.find(name)

    def clean(self, *tensors: str) -> Array:
        """Return the last of these tensors on the clean image; what is not known yet is read in one pass."""
        if self._point is None:
            raise TargetError(
                "This target looks at the image to decide what it explains, and none was given.",
                "Give the image: model.probe(target, image).",
            )
        if missing := tuple(name for name in tensors if name not in self._known):
            rows = self._compiled.anatomy.batch or 1
            found = self._compiled.run(Form("read", missing, rows), np.repeat(self._point[None], rows, 0))
            self._known.update({name: one[0] for name, one in zip(missing, found, strict=True)})
        return self._known[tensors[-1]]

    def remember(self, values: dict[str, Array]) -> None:
        """Keep values of the clean image that came along with another call."""
        self._known.update(values)


class EngineProbe:
    """Scores and gradients of one question on one graph, in chunks of a fixed size."""

    def __init__(self, compiled: Compiled, question: Question, *, double: bool = False) -> None:
        self._compiled = compiled
        self._double = double
        self.question = question
        self.shape = compiled.frozen.shape
        self.rows = chunk_for(compiled.anatomy)
        self.singly = lanes() == 1 and self.rows == FEW  # a lone core is quicker with one large map at a time
        self._lanes = 1 if getattr(compiled, "alone", False) else lanes()
        self.chunk = self.rows * (1 if self._lanes == 1 else self._lanes * CALLS)
        self.tensors = tuple(question.seeds)
        self._seeds = [seed[None] for seed in question.seeds.values()]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Layers computed before what is asked, in order; all of them where that is no layer's tensor."""
        known = self._compiled.anatomy.layers
        asked = [place for place, layer in enumerate(known) if layer.tensor in self.tensors]
        return known[: max(asked)] if asked else known

    def _form(self, kind: str, rows: int, at: str = "", rule: str = "") -> Form:
        return Form(kind, self.tensors, rows, at, rule, self._double)

    def _in_chunks(
        self, points: Points, kind: str, at: str = "", rule: str = "", more: Sequence[Array] = ()
    ) -> list[list[Array]]:
        """Run all points with only two row counts, 1 and `rows`; the last rows are filled up.

        Several such calls run side by side, as one of them cannot keep more than a core busy all the time.
        """
        if len(points) == 1 and not self._compiled.anatomy.batch:
            return [self._compiled.run(self._form(kind, 1, at, rule), points, *self._seeds, *more)]
        rows = 1 if kind == "gradient" and self.singly else self.rows
        form = self._form(kind, rows, at, rule)

        def run(part: Points) -> list[Array]:
            missing = rows - len(part)
            full = np.concatenate([part, np.repeat(part[-1:], missing, 0)]) if missing else part
            found = self._compiled.run(form, full, *self._seeds, *more)
            return [one[: len(part)] for one in found]

        parts = [points[first : first + rows] for first in range(0, len(points), rows)]
        if len(parts) == 1 or self._lanes == 1:
            return [run(part) for part in parts]
        return list(side_by_side().map(run, parts))

    def score(self, points: Points) -> Array:
        """Return the score of each point, (B,) float64."""
        if not self.tensors:
            return np.full(len(points), self.question.offset)
        parts = self._in_chunks(points, "score")
        return joined_rows([part[0] for part in parts]) + self.question.offset

    def gradient(self, points: Points, rule: str = "") -> Values:
        """Return the derivative of each score by each raw pixel, (B, H, W, C) float32."""
        if not self.tensors:
            return np.zeros(points.shape, np.float32)
        if rule:
            self._changes_something(rule)
        return joined_rows([part[1] for part in self._in_chunks(points, "gradient", rule=rule)])

    def shares(self, points: Points) -> Shares:
        """Return each score as shares of the pixels and of the network's biases."""
        offset = self.question.offset
        if not self.tensors:
            return Shares(np.full(len(points), offset), np.zeros(points.shape, np.float32), (), offset)
        biases = self._compiled.anatomy.biases
        parts = [
            Shares(score + offset, pixels, tuple(zip(biases, shares, strict=True)), offset)
            for score, pixels, *shares in self._in_chunks(points, "biases")
        ]
        return joined(parts)

    def relevance(self, points: Points, rule: str, numbers: Sequence[float]) -> tuple[Array, Values]:
        """Hand each score back by a rule of LRP; see saliency_core.engine.relevance."""
        relevance.known(rule)
        if not self.tensors:
            return np.zeros(len(points)), np.zeros(points.shape, np.float32)
        settings = np.asarray(numbers, np.float64)
        parts = self._in_chunks(points, "relevance", rule=rule, more=[settings])
        return joined_rows([part[0] for part in parts]), joined_rows([part[1] for part in parts])

    def rule_facts(self, rule: str) -> RuleFacts:
        """Count what a backward rule changes between the pixels and the tensors that are asked."""
        rules.known(rule)
        steps = self._compiled.anatomy.steps
        (inside,) = self._compiled.run(Form("between", self.tensors, 1)) if self.tensors else ((),)
        asked = [step for step, there in zip(steps, inside, strict=False) if there]
        others = Counter(step.kind for step in asked if not step.before)
        left = sum(count for kind, count in others.items() if kind in HALF_RELUS)
        return RuleFacts(rule, sum(bool(step.before) for step in asked), left, tuple(others.most_common()))

    def _changes_something(self, rule: str) -> None:
        facts = self.rule_facts(rule)
        if facts.patched == 0:
            named = ", ".join(f"{count} {kind}" for kind, count in facts.others) or "no activation at all"
            raise ModelError(
                f"The rule {rule} changes ReLUs, and there is none between the pixels and what is explained "
                f"({named}).",
                "It would give the plain gradient: choose the method gradient, or another layer.",
            )

    def full(self, point: Points) -> tuple[float, Values, list[Array]]:
        """Return score, gradient and head of one point (1, H, W, C) from a single call."""
        score, gradient, *head = self._in_chunks(point, "gradient")[0]
        return float(score[0]) + self.question.offset, gradient, head

    def at_layer(self, points: Points, layer: str) -> tuple[Array, Array]:
        """Return the activations of a layer and the score's gradient there."""
        tensor = Reading(self._compiled, ()).find(layer).tensor
        parts = self._in_chunks(points, "layer", tensor)
        return joined_rows([part[2] for part in parts]), joined_rows([part[1] for part in parts])


class Remembered:
    """A probe that knows the clean image's score and gradient from the call that chose the class.

    gradient: None where the network has none; asking for it then says why.
    """

    def __init__(self, base: EngineProbe, point: Points, score: float, gradient: Values | None) -> None:
        self.base, self._point, self._score, self._gradient = base, point, score, gradient
        self.shape, self.chunk, self.rows = base.shape, base.chunk, base.rows
        self.question = base.question
        self.layers = base.layers

    def _is_clean(self, points: Points) -> bool:
        return len(points) == 1 and (points.base is self._point or np.array_equal(points[0], self._point))

    def score(self, points: Points) -> Array:
        """Return the score of each point; the clean one is known."""
        return np.array([self._score]) if self._is_clean(points) else self.base.score(points)

    def gradient(self, points: Points, rule: str = "") -> Values:
        """Return the gradient of each point; the clean one is known."""
        if self._gradient is not None and not rule and self._is_clean(points):
            return self._gradient
        return self.base.gradient(points, rule)

    def at_layer(self, points: Points, layer: str) -> tuple[Array, Array]:
        """Pass on."""
        return self.base.at_layer(points, layer)

    def shares(self, points: Points) -> Shares:
        """Pass on."""
        return self.base.shares(points)

    def rule_facts(self, rule: str) -> RuleFacts:
        """Pass on."""
        return self.base.rule_facts(rule)

    def relevance(self, points: Points, rule: str, numbers: Sequence[float]) -> tuple[Array, Values]:
        """Pass on."""
        return self.base.relevance(points, rule, numbers)


def ask(
    compiled: Compiled, target: Any, point: Points, labels: Sequence[str], slope: bool = True
) -> tuple[Any, Any, list[Array]]:
    """Return the frozen target, a probe for it, and the head's values, from one pass over the image.

    `point` is (H, W, C). Head values are [logits] or [logits, probabilities], with batch axis. Without
    `slope` the pass ends at the scores, as it does for a network that cannot be differentiated, whose scores
    are enough for methods that hide pixels.
    """
    reading = Reading(compiled, labels, point)
    if slope:
        with contextlib.suppress(ModelError):
            return _with_gradient(compiled, reading, target, point)
    return _forward(compiled, reading, target, point)


def _forward(
    compiled: Compiled, reading: Reading, target: Any, point: Points
) -> tuple[Any, Any, list[Array]]:
    head = reading.head
    names = [name for name in (head.logits, head.probabilities) if name and head.outputs]
    if names:
        reading.clean(*names)
    frozen = target.freeze(reading)
    probe = EngineProbe(compiled, frozen.ask(reading))
    score = probe.question.offset
    for name, seed in probe.question.seeds.items():
        score += float((reading.clean(name).astype(np.float64) * seed).sum())
    return frozen, Remembered(probe, point, score, None), [reading.clean(name)[None] for name in names]


def _with_gradient(
    compiled: Compiled, reading: Reading, target: Any, point: Points
) -> tuple[Any, Any, list[Array]]:
    batch = point[None]
    if isinstance(target, TopClass) and reading.head.outputs:
        rows = compiled.anatomy.batch or 1
        found = compiled.run(Form("top", (), rows), np.repeat(batch, rows, 0))
        _, gradient, *head = (one[:1] for one in found)
        reading.remember({reading.head.logits: head[0][0]})
        frozen = target.freeze(reading)
        probe = EngineProbe(compiled, frozen.ask(reading))
        seed = probe.question.seeds[reading.head.logits]
        score = float((head[0][0].astype(np.float64) * seed).sum())
        return frozen, Remembered(probe, point, score, gradient), head
    frozen = target.freeze(reading)
    probe = EngineProbe(compiled, frozen.ask(reading))
    if not probe.tensors:
        return frozen, probe, []
    score, gradient, head = probe.full(batch)
    return frozen, Remembered(probe, point, score, gradient), head


@cache
def lanes() -> int:
    """Return how many calls run side by side: one where TensorFlow was given a single thread."""
    alone = os.environ.get("TF_NUM_INTRAOP_THREADS") == "1"
    return 1 if alone else min(MOST_LANES, os.cpu_count() or 1)


@cache
def side_by_side() -> ThreadPoolExecutor:
    """Return the threads that wait for calls that run side by side."""
    return ThreadPoolExecutor(lanes(), "chunks")


def chunk_for(anatomy: Anatomy) -> int:
    """Return how many points go through the network in one call: many for small ones, few for large ones."""
    if anatomy.batch:
        return anatomy.batch
    if anatomy.activations < 600_000:
        return 25
    return 10 if anatomy.activations < 3_000_000 else FEW


def exact(compiled: Compiled, target: Any, point: Points, labels: Sequence[str]) -> tuple[Any, str]:
    """Return a float64 probe and its precision in words; float32 where an operation has no double form."""
    question = target.ask(Reading(compiled, labels, point))
    probe = EngineProbe(compiled, question, double=True)
    try:
        probe.score(point[None].astype(np.float64))
    except NO_DOUBLE:
        return EngineProbe(compiled, question), "float32"
    return probe, "float64"
