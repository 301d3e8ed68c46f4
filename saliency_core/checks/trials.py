"""The image under other preprocessings: would another range of pixels suit the network better?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from saliency_core.arrays import Array, Float, Points
from saliency_core.checks.finding import Finding, Trial
from saliency_core.models.anatomy import Norm
from saliency_core.models.preprocessing import Caffe, Preprocessing, Raw, Symmetric, Torch, Unit

LOUD = 40.0  # standard deviation of logits; trained classifiers stayed below 12 on 230 images of 7 networks
CALM = 20.0
SURPRISED = 1.0  # nats; ten times that of most images that suit a network
LESS_SURPRISED = 5.0  # times; chance alone made 1.7 where the surprise was above 0.8
DRIVEN = 2.0  # times the cap; 90 images that suited a network made at most 0.5
WITHIN = 1.0
DEAF = 0.02  # largest difference in probability between any two probe images; sound networks: 0.3 to 1
HEARING = 0.5  # more probability for the top class


def candidates(own: Preprocessing, channels: int) -> list[Preprocessing]:
    """Return the preprocessing of a model and the common ones that differ from it."""
    known: list[Preprocessing] = [Raw(), Unit(), Symmetric()]
    if channels == 3:
        known += [Caffe(), Torch()]
    return [own, *(one for one in known if not _same(one, own, channels))]


def _same(one: Preprocessing, other: Preprocessing, channels: int) -> bool:
    first, second = one.affine_for(channels), other.affine_for(channels)
    alike = all(np.allclose(a, b, rtol=1e-6) for a, b in zip(first[:2], second[:2], strict=True))
    return alike and first[2] == second[2]


def as_if(points: Points, own: Preprocessing, other: Preprocessing) -> Float:
    """Return the pixels for which a network with `own` preprocessing sees what `other` would give it.

    The own step is part of the graph, so its inverse goes before it. The result leaves 0..255.
    """
    channels = points.shape[-1]
    scale, shift, order = other.affine_for(channels)
    seen = (points[..., ::-1] if order == "bgr" else points).astype(np.float64) * scale + shift
    scale, shift, order = own.affine_for(channels)
    back = (seen - shift) / scale
    return np.ascontiguousarray(back[..., ::-1] if order == "bgr" else back, np.float32)


def trial(
    spelling: str,
    own: bool,
    logits: Array,
    chances: Array | None = None,
    surprise: float | None = None,
    drive: float | None = None,
) -> Trial:
    """Return what one row of logits (n,) says, n at least 2."""
    values = logits.astype(np.float64).reshape(-1)
    sure = softmax(values[None])[0] if chances is None else chances.reshape(-1)
    ranked = np.sort(values)
    return Trial(
        preprocessing=spelling,
        own=own,
        top=int(values.argmax()),
        probability=float(sure.max()),
        margin=float(ranked[-1] - ranked[-2]),
        spread=float(values.std()),
        surprise=surprise,
        drive=drive,
    )


def softmax(logits: Array) -> Array:
    """Return probabilities (B, n) of logits (B, n)."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def surprise_of(met: Array, norm: Norm) -> float:
    """Return the median over channels of KL(image || training), for rows (mean, variance, ...)."""
    usual = np.asarray(norm.variance, np.float64) + norm.epsilon
    found = met[1].astype(np.float64) + norm.epsilon
    apart = (met[0].astype(np.float64) - np.asarray(norm.mean)) ** 2
    with np.errstate(all="ignore"):
        return float(np.median((found / usual + apart / usual - 1 - np.log(found / usual)) / 2))


def drive_of(met: Array, cap: float) -> float:
    """Return the root mean square of what goes into a capped ReLU over its cap, median of the channels."""
    return float(np.median(np.sqrt(met[0].astype(np.float64) ** 2 + met[1])) / cap)


def wrong_preprocessing(trials: Sequence[Trial], company: Array) -> Finding | None:
    """Compare the trials; speaks only where the difference is far beyond what images make.

    Four signs, each against the model's own preprocessing. The first batch norm meets numbers unlike
    those of its training, and another preprocessing is five times closer; this sign decides where there
    is one. The first capped ReLU is driven to twice its cap, and by another stays below it. The logits
    spread beyond 40, and with another below 20. The network hardly tells any two images apart, and with
    another gives the image a clear answer.
    """
    if len(trials) < 2 or not trials[0].own:
        return None
    own, others = trials[0], trials[1:]
    if own.surprise is not None:
        return _if_surprised(own.surprise, trials)
    fitting = [one for one in others if one.spread < CALM and (one.drive is None or one.drive < WITHIN)]
    if not fitting:
        return None
    best = max(fitting, key=lambda one: one.probability)
    if own.drive is not None and best.drive is not None and own.drive > DRIVEN:
        why = (
            f"With {own.preprocessing} the first layer is driven to {own.drive:.1f} times the cap of its "
            f"ReLU, with {best.preprocessing} to {best.drive:.1f}"
        )
    elif own.spread > LOUD:
        why = (
            f"With {own.preprocessing} the logits spread by {_short(own.spread)}, "
            f"with {best.preprocessing} by {_short(best.spread)}"
        )
    elif _deaf(company) and best.probability > own.probability + HEARING:
        why = (
            f"With {own.preprocessing} the network hardly tells {len(company)} very different images apart, "
            f"with {best.preprocessing} it has a clear answer; an untrained network does the same"
        )
    else:
        return None
    return _finding(why, own, best, trials, [one.preprocessing for one in fitting if one is not best])


def _if_surprised(surprise: float, trials: Sequence[Trial]) -> Finding | None:
    own, least = trials[0], min(map(_surprise, trials[1:]))
    if not surprise > max(SURPRISED, LESS_SURPRISED * least):
        return None
    # the norm does not part those that are about as close; the answer does
    fitting = [one for one in trials[1:] if _surprise(one) <= max(SURPRISED, LESS_SURPRISED * least)]
    best = max(fitting, key=lambda one: one.probability)
    why = (
        f"With {own.preprocessing} the first batch norm meets numbers unlike those of its training "
        f"(divergence {_short(surprise)}; with {best.preprocessing} {_short(_surprise(best))})"
    )
    return _finding(why, own, best, trials, [one.preprocessing for one in fitting if one is not best])


def _surprise(one: Trial) -> float:
    return np.inf if one.surprise is None or np.isnan(one.surprise) else one.surprise


def _deaf(company: Array) -> bool:
    """Tell whether no two images of the company differ in any probability; all alike is another finding."""
    if company.shape[1] < 2 or not np.isfinite(company).all():
        return False
    return 0 < float(np.ptp(softmax(company), axis=0).max()) < DEAF


def _finding(why: str, own: Trial, best: Trial, trials: Sequence[Trial], also: Sequence[str] = ()) -> Finding:
    other = f"; {' and '.join(also)} would fit as well" if also else ""
    return Finding(
        "preprocessing",
        "warning",
        f"The pixels probably reach the network in the wrong range. {why}. Its top class is at "
        f"{own.probability:.1%} with {own.preprocessing}, at {best.probability:.1%} with "
        f"{best.preprocessing}.",
        f"Open the model with the preprocessing of its training; {best.preprocessing} seems to fit{other}.",
        {"better": best.preprocessing, "trials": [vars(one) for one in trials]},
    )


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.2g}"
