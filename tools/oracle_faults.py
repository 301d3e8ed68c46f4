"""What references get wrong, as measured here: why a comparison was aligned or made with the paper."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import saliency.core as pair

from saliency_core.arrays import Array
from tools.oracle import difference, ours
from tools.oracle_networks import Case
from tools.oracle_pair import PAIR, model_function
from tools.oracle_rules import guided_by_pair

Cases = Mapping[str, Case]
STEPS = 50
RELU6, RELU_LAYERS = "mobilenet_v1_0.25_224_tf1_frozen", "resnet20_cifar10"


@dataclass(frozen=True)
class Fault:
    """One thing that a reference does wrong; `measured` tells what it does, or None without the models."""

    reference: str
    what: str
    instead: str
    measured: Callable[[Cases], str | None]


FAULTS: list[Fault] = []


def fault(reference: str, what: str, instead: str) -> Callable[[Callable[[Cases], str | None]], None]:
    """Enter a measurement in the list of faults."""

    def enter(measured: Callable[[Cases], str | None]) -> None:
        FAULTS.append(Fault(reference, what, instead, measured))

    return enter


@fault(
    f"{PAIR}, IntegratedGradients",
    "Weighs both ends of the way as much as its inside, which is no quadrature rule.",
    "Asked between the midpoints, where its weights are right.",
)
def unfair_ends(cases: Cases) -> str:
    case = cases["scenes"]
    gaps = []
    for point, index in case.points:
        whole = case.network.score(point, index) - case.network.score(np.zeros_like(point), index)
        theirs = pair.IntegratedGradients().GetMask(point, model_function(case, index), x_steps=STEPS)
        mine = ours(case, point, index, f"integrated_gradients(steps={STEPS})")
        gaps.append([abs(one.sum(dtype=np.float64) / whole - 1) for one in (theirs, mine)])
    theirs, mine = 100 * np.max(gaps, 0)
    return f"`scenes`, {STEPS} steps: a gap of {theirs:.1f} %; ours {mine:.1f} %."


@fault(
    f"{PAIR}, GuidedIG",
    "Calls `np.quantile` with an argument that NumPy has removed.",
    "The argument is renamed for the comparison.",
)
def no_interpolation(cases: Cases) -> str:
    (point, index), *_ = cases["digits"].points
    return _refusal(lambda: pair.GuidedIG().GetMask(point, model_function(cases["digits"], index), x_steps=2))


@fault(
    f"{PAIR}, BlurIG",
    "Adds up in the type of the image.",
    "Given the image in float64.",
)
def whole_numbers(cases: Cases) -> str:
    (point, index), *_ = cases["digits"].points
    call = model_function(cases["digits"], index)
    return "Whole numbers: " + _refusal(lambda: pair.BlurIG().GetMask(point.astype(np.uint8), call, steps=2))


@fault(
    f"{PAIR}, tf1.GuidedBackprop",
    "Leaves every ReLU6 as it is, without a word: on MobileNets it gives the plain gradient.",
    "The rule of the paper, as gradients of every ReLU and ReLU6.",
)
def relu6(cases: Cases) -> str | None:
    if RELU6 not in cases:
        return None
    case = cases[RELU6]
    point, index = case.points[0]
    mine, theirs = guided_by_pair(case, point, index)
    return _apart(case, theirs, case.network.gradient(point, index), mine)


@fault(
    "tf-keras-vis 0.8.7, GuidedBackpropagation",
    "Replaces activations given by name alone; layers of class ReLU stay as they are, without a word.",
    "The rule of the paper, as gradients of every ReLU.",
)
def relu_layers(cases: Cases) -> str | None:
    if RELU_LAYERS not in cases or not importlib.util.find_spec("tf_keras_vis"):
        return None
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.model_modifiers import GuidedBackpropagation
    from tf_keras_vis.utils.scores import CategoricalScore

    from tools.oracle_tkv import seen

    case = cases[RELU_LAYERS]
    point, index = case.points[0]
    how = {"keepdims": True, "gradient_modifier": None, "normalize_map": False}
    asked = Saliency(case.network.keras, model_modifier=GuidedBackpropagation(), clone=True)
    theirs = np.asarray(asked(CategoricalScore([index]), seen(case, point), **how))[0] * case.network.scale
    plain, mine = case.network.gradient(point, index), ours(case, point, index, "guided_backprop()")
    return _apart(case, theirs, plain, mine)


def _apart(case: Case, theirs: Array, plain: Array, ruled: Array) -> str:
    near, far = difference(theirs, plain), difference(ruled, theirs)
    return (
        f"`{case.name}`: {100 * near:.1g} % of its largest value from the plain gradient, "
        f"{100 * far:.0f} % from the rule."
    )


def _refusal(call: Callable[[], object]) -> str:
    try:
        call()
    except (TypeError, ValueError) as problem:
        return f"{type(problem).__name__}, {str(problem).splitlines()[0][:120]}"
    return "No failure here."
