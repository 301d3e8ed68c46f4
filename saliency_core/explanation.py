"""The one door: model, image, target and method in; signed numbers with unit and evidence out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from saliency_core.arrays import Array, Points, Values, read_only
from saliency_core.attribution import Attribution
from saliency_core.baselines import pictures_in, with_pictures
from saliency_core.checks.differences import Evidence, directional_check
from saliency_core.errors import NotFiniteError, SettingError
from saliency_core.grammar import parse
from saliency_core.methods.base import Method, Refining, Sketch
from saliency_core.models.model import Model
from saliency_core.models.opening import open_model
from saliency_core.probe import Probe, counted
from saliency_core.spec import Part, check_setting
from saliency_core.targets import Target

OnProgress = Callable[[int, int], None]
OnSketch = Callable[[Attribution], None]
Around = Callable[[Any, Target], Probe]


def explain(
    model: Model | Any,
    image: Any,
    target: Target | str = "top_class()",
    method: Method | str = "gradient()",
    *,
    how: str | None = None,
    on_progress: OnProgress | None = None,
    on_sketch: OnSketch | None = None,
    resume: Attribution | None = None,
    around: Around | None = None,
    pictures: Mapping[str, Any] | None = None,
) -> Attribution:
    """Explain one output of a model on one image.

    `image` is a path, bytes, a PIL image or a uint8 array; `target` and `method` are objects or
    their spelling, such as "class_logit(3)" and "gradient()". `on_progress(done, total)` is called
    with points of the network; what it raises stops the work. `on_sketch(attribution)` is called with
    the map as far as it is known, by methods that refine it. `resume` is such a map, or one of fewer
    samples, of the same question: the work goes on from there. `around(probe, target)` may put
    another probe before the model's own, such as one that shares its chunks with other workers.
    `pictures` are images by the name under which the method speaks of them: `picture("mine")`; the
    recipe names them by their digests.
    Raises SaliencyError with what to do.
    """
    started = time.perf_counter()
    opened = open_model(model)
    wanted = check_setting("explain", "target", Part(of="target"), target)
    way: Method = check_setting("explain", "method", Part(of="method"), method)
    way = handed_over(opened, way, pictures or {}, how)
    picture = opened.read(image, how)
    point = read_only(opened.prepare(picture, how))
    alone = way.cost == 1  # among many points, the gradient of the clean one saves nothing
    frozen, probe, predictions = opened.ask(wanted, point, slope=alone)
    score = float(probe.score(point[None])[0])
    recipe = {
        "image": picture.name,
        "image_sha256": picture.digest,
        "image_facts": picture.facts,
        "model": opened.name,
        "model_sha256": opened.card.digest,
        "preprocessing": opened.card.preprocessing,
        "fit": how or opened.how,
        "target": wanted.spelling,
        "explained": frozen.spelling,
        "method": way.spelling,
    }

    within = notes_within(way, probe)

    def as_answer(sketch: Sketch) -> Attribution:
        values = np.asarray(sketch.values[0], np.float32)
        _finite(values, score)
        return Attribution(
            values=read_only(values),
            kind=way.kind,
            score=score,
            units=way.units(probe.question.unit),
            recipe=recipe,
            seconds=time.perf_counter() - started,
            words=probe.question.words,
            point=point,
            predictions=predictions,
            done=sketch.done,
            total=sketch.total,
            error=None if sketch.error is None else sketch.error[0],
            facts=sketch.facts,
            notes=(*sketch.notes, *within),
            state=sketch.state,
            cells=way.cells_on(probe),
            check=lambda: evidence_for(opened, frozen, way, values, point),
        )

    begun = None if resume is None else going_on(resume, way, recipe, probe)
    cost = way.cost_on(probe)
    before = 0 if begun is None else round(cost * begun.done / max(1, begun.total))
    watched = counted(
        around(probe, frozen) if around else probe,
        None if on_progress is None else lambda done: on_progress(before + done, max(cost, before + done)),
    )
    answer = None
    for sketch in way.sketches(watched, point[None], begun):
        answer = as_answer(sketch)
        if on_sketch is not None and sketch.done < sketch.total:
            on_sketch(answer)
    if answer is None:
        raise SettingError("This map cannot be continued: it is longer than what is asked.", "Begin anew.")
    return answer


def notes_within(method: Method, probe: Probe) -> tuple[str, ...]:
    """Return what a reader should know of the methods that a method wraps."""
    base = getattr(method, "base", None)
    return (*base.notes(probe), *notes_within(base, probe)) if isinstance(base, Method) else ()


def handed_over(model: Model, method: Method, pictures: Mapping[str, Any], how: str | None = None) -> Method:
    """Return a method with the pixels of the pictures that it speaks of, brought to the model's size."""
    named = set(pictures_in(method)) & set(pictures)
    read = {name: model.read(pictures[name], how) for name in sorted(named)}
    fitted = {name: (one.digest, read_only(model.prepare(one, how))) for name, one in read.items()}
    return with_pictures(method, fitted) if fitted else method


def going_on(made: Attribution, way: Method, recipe: Mapping[str, Any], probe: Probe) -> Sketch:
    """Return what a map brings along for a longer run; SettingError where it is of another question."""
    asked = [name for name in recipe if name not in ("method", "target", "image", "image_facts")]
    other = [name for name in asked if made.recipe.get(name) != recipe[name]]
    earlier = parse("method", made.recipe["method"])
    if other or not isinstance(way, Refining) or not way.continues(earlier):
        other = other or ["method"]
        raise SettingError(
            f"This map cannot be continued: {', '.join(other)} differ.",
            "Continue with the same question and only more rounds, or begin anew.",
        )
    if not made.state:
        raise SettingError("This map cannot be continued: it carries no state.", "Begin anew.")
    return Sketch(made.values[None], made.done, way.total(probe), state=made.state)


def evidence_for(
    model: Model, frozen: Target, method: Method, values: Values, point: Points
) -> Evidence | None:
    """Return the finite-difference check of a map (H, W, C) of a frozen target at a point (H, W, C)."""
    if method.tangent(point[None], point[None]) is None:
        return None
    _, probe, _ = model.ask(frozen, point)
    if not probe.question.seeds:
        return None
    exact, precision = model.exact_probe(frozen, point)

    def again(moved: Points) -> Values:
        _, fresh, _ = model.ask(frozen, moved)
        return np.asarray(method.attribute(fresh, moved[None])[0], np.float32)

    def in_double(there: Array) -> Values:
        found: Values = method.attribute(exact, there[None])[0]
        return found

    return directional_check(exact, values, point, again, method.tangent, precision, in_double)


def _finite(values: Values, score: float) -> None:
    finite = np.isfinite(values)
    if not finite.all() or not np.isfinite(score):
        wrong = int(values.size - finite.sum())
        raise NotFiniteError(
            f"The network overflows on this image: {wrong} of {values.size} values are not finite numbers, "
            f"the score is {score}.",
            "Check the preprocessing and the weights of the model.",
        )
