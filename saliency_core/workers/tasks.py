"""What a worker can be asked to do with models and images; every answer is JSON and arrays."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from saliency_core.arrays import Array, Points, Values, joined_rows
from saliency_core.attribution import Attribution
from saliency_core.checks.doctor import examine, look_over
from saliency_core.engine.compiled import Form
from saliency_core.explanation import evidence_for, explain, handed_over
from saliency_core.grammar import parse
from saliency_core.images import Image
from saliency_core.models.anatomy import Layer
from saliency_core.models.model import Model
from saliency_core.models.opening import FIRST_MODEL, open_model
from saliency_core.probe import RuleFacts, Shares, pieces
from saliency_core.revive import revive
from saliency_core.workers.answers import PICTURE, Answer, answer, attribution
from saliency_core.workers.brought import at_hand, brought
from saliency_core.workers.job import BEGUN
from saliency_core.workers.parting import parted
from saliency_core.workers.report import Report, Task

Params = dict[str, Any]
Arrays = dict[str, Array]
POINTS = "points of the network"
BETWEEN_S = 0.4  # seconds between two sketches of a map
TRACING = 120.0  # seconds that opening and tracing a model may take without looking up


def warm_up() -> None:
    """Load TensorFlow and trace the first model, so that the first map is quick."""
    model = open_model(FIRST_MODEL)
    blank = np.zeros(model.card.input, np.uint8)
    for target in ("top_class()", "class_logit(0)"):
        explain(model, blank, target)


def prepare() -> None:
    """Load TensorFlow and open nothing: so begins the worker of an uploaded model."""
    from saliency_core.engine.runtime import tensorflow

    tensorflow()


def open_task(params: Params, arrays: Arrays, report: Report) -> Answer:
    """Open a model; answers with its card, its layers and what the doctor sees without running it."""
    model = _model(params, report)
    layers = [asdict(layer) for layer in model.layers]
    seen = [one.facts() for one in look_over(model)]
    return {"card": model.card.facts(), "layers": layers, "findings": seen}, {}


def lay_open_task(params: Params, arrays: Arrays, report: Report) -> Answer:
    """Open a model for another process, which will ask it form by form."""
    model = _model(params, report)
    return {"card": model.card.facts(), **model.outline()}, {}


def run_task(params: Params, arrays: Arrays, report: Report) -> Answer:
    """Run one form on the graph; arrays go in and come back by their places.

    Of a file that somebody brought it is the graph that was laid open, with the choices it was opened with.
    """
    model = at_hand() if "upload" in params else _model(params, report)
    found = model.run(revive(Form, params["form"]), *(arrays[str(place)] for place in range(len(arrays))))
    answer: Arrays = {}
    for place, array in enumerate(found):
        answer[str(place)], strange = parted(array)
        if strange.any():
            answer[f"not finite {place}"] = strange
    return {"traces": model.traces}, answer


def explain_task(params: Params, arrays: Arrays, report: Report) -> Answer:
    """Explain one target on one image; answers with the map, the pixels seen and the predictions.

    A method that refines its map tells now and then what the answer would be so far.
    """
    model = _model(params, report)
    made = explain(
        model,
        _image(params, arrays),
        params["target"],
        params["method"],
        how=params.get("fit"),
        around=lambda probe, frozen: SharingProbe(probe, model.name, frozen.spelling, report),
        resume=_begun(params, arrays),
        pictures=_pictures(arrays),
        **_telling(params, report),
    )
    return answer(made, **_named(params))


def _named(params: Params) -> Params:
    return {"image_facts": params["image_facts"]} if "image_facts" in params else {}


def _telling(params: Params, report: Report) -> dict[str, Any]:
    """Return what a method calls: progress by points, and sketches, no more than can be looked at."""
    last: list[Any] = [0, 1, 0.0]

    def on_progress(done: int, total: int) -> None:
        last[:2] = done, total
        report.progress(done, total, POINTS)

    def on_sketch(made: Attribution) -> None:
        now = time.monotonic()
        if now - last[2] >= BETWEEN_S:
            last[2] = now
            report.progress(last[0], last[1], POINTS, answer(made, **_named(params)))

    return {"on_progress": on_progress, "on_sketch": on_sketch}


def _begun(params: Params, arrays: Arrays) -> Attribution | None:
    """Return the earlier answer that a request goes on from."""
    if BEGUN not in params:
        return None
    carried = {name.removeprefix(f"{BEGUN} "): array for name, array in arrays.items()}
    return attribution(params[BEGUN], carried)


def evidence_task(params: Params, arrays: Arrays, report: Report) -> Answer:
    """Check a map by finite differences; answers with the evidence, or with nothing where none applies."""
    model = _model(params, report)
    frozen, method = parse("target", params["target"]), parse("method", params["method"])
    method = handed_over(model, method, _pictures(arrays), params.get("fit"))
    found = evidence_for(model, frozen, method, arrays["values"], arrays["point"])
    return {} if found is None else {**asdict(found), "good": found.good, "sentence": found.sentence}, {}


def doctor_task(params: Params, arrays: Arrays, report: Report) -> Answer:
    """Look for what is unusual about a model on an image; answers with the findings, gravest first."""
    found = examine(_model(params, report), _image(params, arrays), how=params.get("fit"))
    return {"findings": [one.facts() for one in found]}, {}


def kernel_task(params: Params, arrays: Arrays, report: Report) -> Answer:
    """Compare the gradient of the first kernels with that of the pixels."""
    found = _model(params, report).kernel_gradient(_image(params, arrays), params["target"])
    shown = ("kernel", "at_output", "carried_back", "gradient")
    message = {"layer": found.layer, "difference": found.difference}
    return message, {name: getattr(found, name) for name in shown}


def way_back_task(params: Params, arrays: Arrays, report: Report) -> Answer:
    """Carry a gradient at the first convolution's output, (h, w, M), back to the pixels, (H, W, C)."""
    model = _model(params, report)
    return {}, {"values": model.way_back(_image(params, arrays), arrays["delta"])}


def activation_task(params: Params, arrays: Arrays, report: Report) -> Answer:
    """Return one layer's values on an image, (h, w, channels) or (units,)."""
    model = _model(params, report)
    layer, values = model.activation(_image(params, arrays), params["layer"], params.get("fit"))
    return {"layer": asdict(layer)}, {"values": values}


def linearity_task(params: Params, arrays: Arrays, report: Report) -> Answer:
    """Compare the gradient of a weighted sum with the weighted sum of gradients, part by part."""
    from saliency_core.checks.linearity import linearity

    parts = [(float(weight), parse("target", text)) for weight, text in params["parts"]]
    found = linearity(_model(params, report), _image(params, arrays), parts, how=params.get("fit"))
    return {**asdict(found), "good": found.good}, {}


def chunk_task(params: Params, arrays: Arrays, report: Report) -> Answer:
    """Compute one chunk of another worker's job: scores or gradients of a frozen target."""
    probe = _model(params, report).probe(params["target"])
    return {}, {"values": getattr(probe, params["what"])(arrays["points"], *params.get("rule", ()))}


def patiently(task: Task) -> Task:
    """Return a task whose worker is not ended while it traces a graph, which cannot stop half-way.

    A stop is still heeded between chunks; without this patience a worker would be killed and TensorFlow
    loaded anew because a check in the background was in the middle of a trace.
    """

    def run(params: Params, arrays: Arrays, report: Report) -> Answer:
        with report.uninterrupted(TRACING):
            return task(params, arrays, report)

    return run


TASKS: dict[str, Task] = {
    name: patiently(task)
    for name, task in {
        "open": open_task,
        "lay_open": lay_open_task,
        "run": run_task,
        "explain": explain_task,
        "evidence": evidence_task,
        "doctor": doctor_task,
        "kernel": kernel_task,
        "way_back": way_back_task,
        "activation": activation_task,
        "linearity": linearity_task,
        "chunk": chunk_task,
    }.items()
}


class SharingProbe:
    """A probe that lets idle workers compute chunks of a batch larger than one chunk."""

    def __init__(self, base: Any, model: str, target: str, report: Report) -> None:
        self.base, self.shape, self.report = base, base.shape, report
        self.params = {"model": model, "target": target}
        self.own_chunk: int = base.rows

    @property
    def chunk(self) -> int:
        """A round of chunks, so that progress is told between rounds and others can help within one."""
        return 4 * self.own_chunk

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Layers between the image and what is asked."""
        found: tuple[Layer, ...] = self.base.layers
        return found

    def score(self, points: Points) -> Array:
        """Return the score of each point, (B,) float64."""
        return self._shared("score", points)

    def gradient(self, points: Points, rule: str = "") -> Values:
        """Return the gradient of each point, (B, H, W, C) float32."""
        return self._shared("gradient", points, rule)

    def at_layer(self, points: Points, layer: str) -> tuple[Array, Array]:
        """Pass on: inner tensors are too large to travel."""
        found: tuple[Array, Array] = self.base.at_layer(points, layer)
        return found

    def shares(self, points: Points) -> Shares:
        """Pass on: there are many, and one point is usual."""
        found: Shares = self.base.shares(points)
        return found

    def rule_facts(self, rule: str) -> RuleFacts:
        """Pass on."""
        found: RuleFacts = self.base.rule_facts(rule)
        return found

    def relevance(self, points: Points, rule: str, numbers: Sequence[float]) -> tuple[Array, Values]:
        """Pass on."""
        found: tuple[Array, Values] = self.base.relevance(points, rule, numbers)
        return found

    def _shared(self, what: str, points: Points, *rule: str) -> Array:
        if len(points) <= self.own_chunk:
            return np.asarray(getattr(self.base, what)(points, *rule))
        params = {**self.params, "what": what, "rule": list(rule)}
        cuts = pieces(len(points), self.own_chunk)
        parts = [(params, {"points": points[first:last]}) for first, last in cuts]
        return joined_rows([arrays["values"] for _, arrays in self.report.share("chunk", parts)])


def _model(params: Params, report: Report) -> Model:
    def on_progress(done: float, total: float, words: str) -> None:
        report.progress(done, total, words)

    if "upload" in params:
        return brought(params, on_progress)
    return open_model(params["model"], on_progress=on_progress)


def _image(params: Params, arrays: Arrays) -> Image:
    return Image(arrays["image"], params["image_name"], params["image_digest"], params.get("format", ""), ())


def _pictures(arrays: Arrays) -> dict[str, Image]:
    """Return the pictures that a method may speak of beside the image, by their digests."""
    found = {name.removeprefix(PICTURE): array for name, array in arrays.items() if name.startswith(PICTURE)}
    return {digest: Image(pixels, digest, digest, "", ()) for digest, pixels in found.items()}
