"""The doctor's conclusions: each looks at one visit and says at most one thing, or one thing a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from saliency_core.checks.finding import Finding, Visit
from saliency_core.checks.trials import wrong_preprocessing

SATURATED = 0.999
REPEATABLE = 1e-4  # of the largest answer: what the order of sums may change between two equal calls
TOGETHER = 1e-2  # the same between a batch of one and a batch of many, in half precision too
ALIKE = 1e-6  # of the largest answer: float32 holds no smaller difference
MOSTLY_DEAD = 0.75  # share of a layer's channels; healthy networks stayed below 0.4
INFERENCE = "Save the model for inference (training=False), so that it uses the statistics of its training."
NAMED = 3  # names in a sentence; the numbers have them all
PIECEWISE = {"Sign", "ArgMax", "ArgMin", "Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual"}
"""What is left beside these is the right derivative almost everywhere, as in a leaky ReLU written out."""
Symptom = Callable[[Visit], Iterable[Finding]]


def not_finite_weights(visit: Visit) -> Iterable[Finding]:
    """Any weight that is NaN or infinite."""
    found = visit.signs.not_finite
    if found:
        name, nans, infinite = found[0]
        kinds = " and ".join(f"{n} {word}" for n, word in ((nans, "NaN"), (infinite, "infinite")) if n)
        yield Finding(
            "not_finite_weights",
            "stop",
            f"The weights {name} hold numbers that are not finite: {kinds}.{_more(found)}",
            "The training diverged or the file is damaged: take an earlier checkpoint.",
            {"tensors": [{"name": name, "nan": n, "infinite": i} for name, n, i in found]},
        )


def not_finite_output(visit: Visit) -> Iterable[Finding]:
    """Answers to the image that are NaN or infinite, though the weights are sound."""
    wrong = int((~np.isfinite(visit.twice[0])).sum())
    if wrong and not visit.signs.not_finite:
        yield Finding(
            "not_finite_output",
            "stop",
            f"The network overflows on this image: {wrong} of {visit.twice[0].size} outputs are not finite.",
            "Check the preprocessing; a model in half precision overflows above 65504.",
            {"not_finite": wrong, "outputs": int(visit.twice[0].size)},
        )


def cut_off(visit: Visit) -> Iterable[Finding]:
    """No way from the image to the output that has a derivative; or some ways end at a rounding."""
    signs = visit.signs
    cuts = [(name, op) for name, op in signs.cuts if signs.cut_off or op not in PIECEWISE]
    words = _names([f"{name} ({op})" for name, op in cuts])
    numbers = {"nodes": [{"name": name, "operation": op} for name, op in cuts]}
    if signs.cut_off:
        yield Finding(
            "no_derivative",
            "stop",
            f"The output has no derivative by the pixels{f': it ends at {words}' if cuts else ''}.",
            "Explain a layer before that step, or a model without rounding, argmax or comparison.",
            numbers,
        )
    elif cuts:
        yield Finding(
            "partly_cut",
            "warning",
            f"Part of the way from image to output has no derivative: it ends at {words}. "
            "The map shows only the rest.",
            "Compare the map with finite differences before trusting it.",
            numbers,
        )


def constant_output(visit: Visit) -> Iterable[Finding]:
    """The image, black, noise and gradients all get the same finite answer."""
    answers = visit.company.astype(np.float64)
    if len(answers) < 2 or not np.isfinite(answers).all():
        return
    moved = float(np.ptp(answers, axis=0).max())
    if moved <= ALIKE * float(np.abs(answers).max()):
        yield Finding(
            "constant_output",
            "stop",
            f"The network gives {len(answers)} different images the same answer.",
            "It ignores the image: check that its weights were loaded, and its preprocessing.",
            {"images": len(answers), "largest_difference": moved},
        )


def zero_gradient(visit: Visit) -> Iterable[Finding]:
    """The derivative of the top class exists and is exactly zero at every pixel; says which ReLU did it."""
    if visit.largest_gradient != 0 or visit.signs.cut_off:
        return
    dead = _all_silent(visit)
    name, height = dead[0] if dead else ("", 0.0)
    why = f": the ReLU {name} removed everything, the largest value before it is {height:.3g}"
    yield Finding(
        "zero_gradient",
        "stop",
        f"The gradient of the top class is zero at every pixel of this image{why if dead else ''}.",
        f"Explain a layer before {name}, or try another image." if dead else "Try another image or target.",
        {"layer": name, "largest_before": height} if dead else {},
    )


def dead_rectifiers(visit: Visit) -> Iterable[Finding]:
    """A ReLU with no channel awake on this image, or few on this image and all the probe images."""
    silent = _all_silent(visit)
    if silent and visit.largest_gradient != 0:  # a gradient of zero names the layer itself
        name, height = silent[0]
        always = (dict(_heights(visit))[name] <= 0).all()
        yield Finding(
            "silent_layer",
            "warning",
            f"The ReLU {name} gives only zeros on this image{' and on every probe image' * bool(always)}; "
            f"the largest value before it is {height:.3g}.{_more(silent)}",
            "Nothing passes through it, forwards or backwards. Check the preprocessing and the weights.",
            {"layers": [{"name": name, "largest_before": height} for name, height in silent]},
        )
    rows = [(name, float((high <= 0).all(axis=0).mean()), high.shape[1]) for name, high in _heights(visit)]
    dead = [row for row in rows if row[1] >= MOSTLY_DEAD and row[0] not in dict(silent)]
    if dead:
        dead.sort(key=lambda row: -row[1])
        name, share, channels = dead[0]
        yield Finding(
            "dead_relu",
            "warning",
            f"{round(share * channels)} of {channels} channels of the ReLU {name} are zero on this image and "
            f"on every probe image ({share:.0%}).{_more(dead)}",
            "Such channels learn and show nothing; training with a smaller step avoids them.",
            {"layers": [{"name": name, "share": share, "channels": n} for name, share, n in dead]},
        )


def random_steps(visit: Visit) -> Iterable[Finding]:
    """The graph draws random numbers on the way to the output, or two equal calls differ."""
    moved = _moved(visit.twice[0], visit.twice[1])
    drawn = visit.signs.random
    if not drawn and moved <= REPEATABLE:
        return
    at = f" at {_names(drawn)}" if drawn else ""
    differ = ""
    if moved > REPEATABLE:
        differ = f": two passes over this image differ by {moved:.2g} of the largest output"
    elif visit.measured:
        differ = ": the draw is the same every time"
    yield Finding(
        "random",
        "warning",
        f"The network draws random numbers{at}{differ}. Dropout or noise is on as in training.",
        "Save the model for inference (training=False), or average several maps.",
        {"nodes": list(drawn), "difference": moved},
    )


def batch_statistics(visit: Visit) -> Iterable[Finding]:
    """The answer to the image changes with the other images of its batch, or may, before it was measured."""
    norms = visit.signs.training_norms
    if norms and not visit.measured:
        yield Finding(
            "batch_statistics",
            "warning",
            "The answer to an image may depend on the images beside it: a batch norm works as in training "
            f"({_names(norms)}).",
            INFERENCE,
            {"nodes": list(norms)},
        )
        return
    moved = _moved(visit.twice[0], visit.company[0])
    if moved <= TOGETHER or visit.signs.random or _moved(visit.twice[0], visit.twice[1]) > REPEATABLE:
        return
    at = f" ({_names(norms)})" if norms else ""
    yield Finding(
        "batch_statistics",
        "warning",
        f"The answer to this image depends on the images beside it, by {moved:.2g} of the largest output: "
        f"a batch norm works as in training{at}.",
        INFERENCE,
        {"nodes": list(norms), "difference": moved},
    )


def preprocessing(visit: Visit) -> Iterable[Finding]:
    """Another preprocessing suits the network far better; see wrong_preprocessing for the exact rule.

    A network whose answers move by themselves, or with the images beside, cannot be compared.
    """
    if max(_moved(visit.twice[0], visit.twice[1]), _moved(visit.twice[0], visit.company[0])) > TOGETHER:
        return
    found = wrong_preprocessing(visit.trials, visit.company)
    if found is not None:
        yield found


def labels(visit: Visit) -> Iterable[Finding]:
    """Names were given, and not one for each class."""
    given = len(visit.labels)
    if given and given != visit.classes:
        off = given - visit.classes
        hint = " A list that starts with “background” has one name more." if abs(off) == 1 else ""
        yield Finding(
            "labels",
            "warning",
            f"There are {given} names for {visit.classes} classes: names may stand beside the wrong class.",
            f"Give exactly {visit.classes} names, in the order of the outputs.{hint}",
            {"labels": given, "classes": visit.classes},
        )


def own_rules(visit: Visit) -> Iterable[Finding]:
    """The graph names gradient rules of its own."""
    rules = visit.signs.own_rules
    if rules:
        yield Finding(
            "own_gradient_rules",
            "warning",
            "This model brings its own gradient rules: "
            f"{_names([f'{name} ({rule})' for name, rule in rules])}.",
            "A rule may say anything; compare the map with finite differences.",
            {"nodes": [{"name": name, "rule": rule} for name, rule in rules]},
        )


def saturated(visit: Visit) -> Iterable[Finding]:
    """The likeliest class has a probability above 0.999."""
    sure = visit.probability
    if sure is not None and sure > SATURATED:
        yield Finding(
            "saturated",
            "note",
            f"The top class has a probability of {min(sure, 1.0):.5g}: the gradient of a probability almost "
            "vanishes there.",
            "Explain the logit of the class, not its probability.",
            {"probability": sure, "slope": sure * (1 - sure)},
        )


SYMPTOMS: tuple[Symptom, ...] = (
    not_finite_weights,
    not_finite_output,
    cut_off,
    constant_output,
    zero_gradient,
    preprocessing,
    dead_rectifiers,
    random_steps,
    batch_statistics,
    own_rules,
    labels,
    saturated,
)


AT_SIGHT: tuple[Symptom, ...] = (
    not_finite_weights,
    cut_off,
    random_steps,
    batch_statistics,
    own_rules,
    labels,
)
"""What can be told without running the network, in the order of SYMPTOMS."""


def _heights(visit: Visit) -> list[tuple[str, np.ndarray]]:
    return [(one.name, high) for one, high in zip(visit.signs.rectifiers, visit.highest, strict=True)]


def _all_silent(visit: Visit) -> list[tuple[str, float]]:
    """Return the ReLUs that give only zeros on the image, each with the largest value before it."""
    return [(name, float(high[0].max())) for name, high in _heights(visit) if (high[0] <= 0).all()]


def _moved(first: np.ndarray, second: np.ndarray) -> float:
    """Return the largest difference as part of the largest number; 0 where any is not finite."""
    size = float(np.abs(first).max(initial=0.0))
    if not (np.isfinite(first).all() and np.isfinite(second).all() and size):
        return 0.0
    return float(np.abs(first.astype(np.float64) - second).max()) / size


def _more(rows: Sequence[object]) -> str:
    rest = len(rows) - 1
    return f" The same holds for {rest} more." if rest else ""


def _names(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - NAMED} more" if len(every) > NAMED else ""
    return ", ".join(every[:NAMED]) + more
