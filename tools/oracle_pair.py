"""Oracles: PAIR's `saliency` 0.2.1, asked through its own door, a function that runs the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import saliency.core as pair

from saliency_core.arrays import Array, Float, Points
from saliency_core.grammar import parse
from saliency_core.segments import least_gain, regions
from tools.oracle import CLOSE, GOOD, Asked, difference, oracle, ours, watched
from tools.oracle_networks import Case, Network

PAIR = "PAIR saliency 0.2.1"
SAMPLES, STEPS = 10, 20
DRAWS = 10  # how often a point is moved, by about as much as it may be off


def at_kink(network: Network, point: Float, index: int, gradient: Float) -> bool:
    """Tell whether TensorFlow's own gradient jumps when all pixels move by less than anyone could see."""
    for draw in range(DRAWS):
        noise = np.random.default_rng(draw).normal(0, CLOSE, point.shape).astype(np.float32)
        if difference(network.gradient(point + noise, index), gradient) > GOOD:
            return True
    return False


def model_function(case: Case, index: int, asked: Asked | None = None) -> Callable[..., dict[str, Array]]:
    """A network in the form that PAIR asks for.

    `asked` is what ours asked for: theirs must ask for the same points up to rounding, and gets the answer
    there - of TensorFlow's own run, or ours where a case is shared.
    """

    def gradient(point: Array) -> Array:
        if asked is None:
            return case.network.gradient(point, index)
        at = asked.nearest(point)
        if case.shared:
            return asked.gradients[at]
        theirs = case.network.gradient(asked.points[at], index)
        apart = difference(asked.gradients[at], theirs) > GOOD
        if apart and not at_kink(case.network, asked.points[at], index, theirs):
            raise ValueError("The gradients of both runs differ where there is no kink.")
        case.kinks.append(apart)
        return theirs

    def call(batch: Array, call_model_args: Any = None, expected_keys: Any = ()) -> dict[str, Array]:
        found = {}
        if pair.base.INPUT_OUTPUT_GRADIENTS in expected_keys:
            found[pair.base.INPUT_OUTPUT_GRADIENTS] = np.stack([gradient(point) for point in batch])
        if pair.base.OUTPUT_LAYER_VALUES in expected_keys:
            found[pair.base.OUTPUT_LAYER_VALUES] = np.array([case.network.score(x, index) for x in batch])
        if pair.base.CONVOLUTION_LAYER_VALUES in expected_keys:
            activations, gradients = case.network.at_layer(batch[0], index)
            found[pair.base.CONVOLUTION_LAYER_VALUES] = activations[None]
            found[pair.base.CONVOLUTION_OUTPUT_GRADIENTS] = gradients[None]
        return found

    return call


@oracle("gradient", f"{PAIR}, GradientSaliency", "The logit; by raw pixels, signed.")
def gradient(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    theirs = pair.GradientSaliency().GetMask(point, model_function(case, index))
    return ours(case, point, index, "gradient()"), theirs


@oracle(
    "gradient_x_input", f"{PAIR}, GradientSaliency", "Theirs times the raw pixels; PAIR has no such class."
)
def gradient_x_input(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    theirs = pair.GradientSaliency().GetMask(point, model_function(case, index)) * point
    return ours(case, point, index, "gradient_x_input()"), theirs


SAME_NOISE = """Theirs is handed the very noise that ours drew, and would draw it with the same standard
    deviation, 15 % of the image's range; noise not cut off."""


@oracle(
    "smoothgrad",
    f"{PAIR}, GetSmoothedMask",
    f"{SAME_NOISE} `magnitude=False`: PAIR's default averages squares.",
)
def smoothgrad(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    return _smoothed(case, point, index, "smoothgrad", magnitude=False)


@oracle("smoothgrad_squared", f"{PAIR}, GetSmoothedMask", f"{SAME_NOISE} `magnitude=True`, PAIR's default.")
def smoothgrad_squared(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    return _smoothed(case, point, index, "smoothgrad_squared", magnitude=True)


def _smoothed(case: Case, point: Float, index: int, method: str, magnitude: bool) -> tuple[Array, Array]:
    mine, asked = watched(case, point, index, f"{method}(samples={SAMPLES}, noise=15)")
    call = model_function(case, index, asked)
    with drawing(point, asked.points):
        theirs = pair.GradientSaliency().GetSmoothedMask(
            point, call, stdev_spread=0.15, nsamples=SAMPLES, magnitude=magnitude
        )
    return mine, theirs


@contextmanager
def drawing(point: Float, noisy: Points) -> Iterator[None]:
    """Let NumPy's normal noise be that of the points given, if it would be as wide."""
    draws = iter(noisy.astype(np.float64) - point)

    def normal(mean: float, spread: float, shape: tuple[int, ...]) -> Array:
        noise = next(draws)
        if abs(noise.std() / spread - 1) > 5 / np.sqrt(2 * noise.size):
            raise ValueError(f"Ours has a standard deviation of {noise.std()}, theirs of {spread}.")
        return noise.reshape(shape)

    with patch("numpy.random.normal", normal):
        yield


@oracle(
    "vargrad",
    f"{PAIR}, GradientSaliency",
    "PAIR has no VarGrad: NumPy's variance (ddof=1) of its gradients at the points that ours drew.",
)
def vargrad(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    mine, asked = watched(case, point, index, f"vargrad(samples={SAMPLES})")
    call = model_function(case, index, asked)
    theirs = np.stack([pair.GradientSaliency().GetMask(one, call) for one in asked.points[:SAMPLES]])
    return mine, theirs.astype(np.float64).var(0, ddof=1)


@oracle(
    "integrated_gradients",
    f"{PAIR}, IntegratedGradients",
    """Black baseline of raw pixels. Theirs weighs both ends of the way as much as its inside, which is no
    quadrature rule: it is asked between the first and the last midpoint, where equal weights are the midpoint
    rule, and its map is stretched to the whole way.""",
)
def integrated_gradients(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    mine, asked = watched(case, point, index, f"integrated_gradients(steps={STEPS})")
    half = point / np.float32(2 * STEPS)
    theirs = pair.IntegratedGradients().GetMask(
        point - half, model_function(case, index, asked), x_baseline=half, x_steps=STEPS
    )
    return mine, theirs * (STEPS / (STEPS - 1))


@oracle(
    "integrated_gradients",
    f"{PAIR}, GradientSaliency",
    "Gauss-Legendre, which PAIR has not: its gradients at NumPy's nodes, by NumPy's weights.",
)
def integrated_gradients_gauss(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    spelling = f"integrated_gradients(steps={STEPS}, rule='gauss_legendre')"
    mine, asked = watched(case, point, index, spelling)
    nodes, weights = np.polynomial.legendre.leggauss(STEPS)
    call = model_function(case, index, asked)
    at = [pair.GradientSaliency().GetMask(point * np.float32((node + 1) / 2), call) for node in nodes]
    return mine, np.tensordot(weights / 2, np.stack(at), 1) * point


@oracle(
    "grad_cam",
    f"{PAIR}, GradCam",
    "The same layer; as coarse as it (`should_resize=False`); not divided by its maximum.",
)
def grad_cam(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    theirs = pair.GradCam().GetMask(point, model_function(case, index), should_resize=False, three_dims=False)
    return ours(case, point, index, f"grad_cam(layer={case.layer!r})"), theirs


@oracle(
    "expected_gradients",
    f"{PAIR}, GradientSaliency",
    """PAIR has no Expected Gradients: its gradients at the place and the baseline that ours drew for each
    sample, times the way from baseline to image, and the mean of these.""",
)
def expected_gradients(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    spelling = f"expected_gradients(samples={SAMPLES})"
    mine, asked = watched(case, point, index, spelling)
    call = model_function(case, index, asked)
    found = []
    for sample in range(SAMPLES):
        place, start = parse("method", spelling).pair(sample, point.shape)
        way = point.astype(np.float64) - start
        found.append(way * pair.GradientSaliency().GetMask(start + place * way, call))
    return mine, np.mean(found, 0)


@oracle(
    "blur_ig",
    f"{PAIR}, BlurIG",
    """`rule='forward'`, which is PAIR's sum; ours is made of chords by default, whose changes add up exactly.
    Theirs is given the image in float64: with integers it adds up in integers, and the difference of two
    blurs that are 0.01 pixels apart loses half of float32's digits.""",
)
def blur_ig(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    mine, asked = watched(case, point, index, f"blur_ig(steps={STEPS}, rule='forward')")
    call = model_function(case, index, asked)
    theirs = pair.BlurIG().GetMask(point.astype(np.float64), call, max_sigma=50, steps=STEPS, grad_step=0.01)
    return mine, theirs


@oracle(
    "guided_ig",
    f"{PAIR}, GuidedIG",
    """Black baseline. Which pixels move next is decided by comparing gradients, where the last bit can turn
    the path; so theirs gets the gradients that ours got, which are compared by themselves above. NumPy 2.4
    has no `quantile(interpolation=)`, with which theirs fails: it is renamed.""",
)
def guided_ig(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    mine, asked = watched(case, point, index, f"guided_ig(steps={STEPS})")
    call = model_function(replace(case, shared=True), index, asked)
    quantile = np.quantile
    with patch("numpy.quantile", lambda a, q, interpolation: quantile(a, q, method=interpolation)):
        return mine, pair.GuidedIG().GetMask(point, call, x_steps=STEPS, fraction=0.25, max_dist=0.02)


WINDOW = 7
SMALL = 64  # pixels: PAIR asks for every window by itself, one for almost every pixel


@oracle(
    "occlusion",
    f"{PAIR}, Occlusion",
    """Black windows of 7 x 7 pixels, one pixel apart. Theirs adds up the drops of all windows over a pixel,
    ours is their mean: theirs is divided by the number of windows.""",
    lambda case: max(case.network.shape[:2]) <= SMALL,
)
def occlusion(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    mine = ours(case, point, index, f"occlusion(window={WINDOW}, stride=1, baseline=black())")
    theirs = pair.Occlusion().GetMask(point, model_function(case, index), size=WINDOW, value=0)
    sides = (np.minimum(np.arange(side) + 1, np.arange(side)[::-1] + 1) for side in point.shape[:2])
    down, across = (np.minimum(side, WINDOW) for side in sides)
    return mine, theirs[..., 0] / np.outer(down, across)


FELZENSZWALB = 224  # pixels a side: the size for which both have the same constants


@oracle(
    "xrai",
    f"{PAIR}, XRAI",
    """The whole of it on images of 224 x 224 pixels. Theirs is handed the contributions, ours from black and
    from white, which are compared by themselves above: its own have the wrong quadrature.""",
    lambda case: case.network.shape[:2] == (FELZENSZWALB, FELZENSZWALB),
)
def xrai(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    found = pair.XRAI().GetMask(point, None, base_attribution=_from_both(case, point, index))
    return ours(case, point, index, f"xrai(base={PATH})"), found


@oracle(
    "xrai",
    f"{PAIR}, XRAI with segments",
    """On smaller images, where our segments reach less far beyond their edges and may be smaller: theirs is
    handed our segments and the least number of pixels that one must add, so that the order of regions and
    their means are compared.""",
    lambda case: max(case.network.shape[:2]) < FELZENSZWALB,
)
def xrai_ranking(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    how = pair.XRAIParameters()
    how.experimental_params["min_pixel_diff"] = least_gain(*point.shape[:2])
    found = pair.XRAI().GetMask(
        point,
        None,
        base_attribution=_from_both(case, point, index),
        segments=list(regions(point)),
        extra_parameters=how,
    )
    return ours(case, point, index, f"xrai(base={PATH})"), found


PATH = f"integrated_gradients(steps={STEPS})"


def _from_both(case: Case, point: Float, index: int) -> Array:
    """The mean of our contributions compared with black and with white, (H, W, C) float64."""
    spelled = [PATH.replace(")", f", baseline={name}())") for name in ("black", "white")]
    return np.mean([ours(case, point, index, one) for one in spelled], 0, np.float64)
