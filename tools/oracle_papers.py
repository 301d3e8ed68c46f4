"""Oracles where no reference has the method, or has it wrong: the paper's formula, written down again."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LinearRegression, Ridge

from saliency_core.arrays import Array, Float
from saliency_core.cells import Cells, enlarged
from saliency_core.grammar import parse
from saliency_core.superpixels import superpixels
from tools.oracle import oracle, ours
from tools.oracle_networks import Case


def at_layer(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    """Activations and gradients of TensorFlow's own run, (cells, channels) float64."""
    found = case.network.at_layer(point, index)
    activations, gradients = (one.reshape(-1, one.shape[-1]).astype(np.float64) for one in found)
    return activations, gradients


def as_map(case: Case, point: Float, index: int, cells: Array) -> Array:
    return cells.reshape(case.network.at_layer(point, index)[0].shape[:2])


@oracle(
    "grad_cam_pp",
    "The formula of Chattopadhay and others 2018",
    """tf-keras-vis makes the shares of each channel add up to 1, which the paper does not, and multiplies by
    exp(score), which overflows beyond 88. Here without exp(score), a factor of the whole map.""",
)
def grad_cam_pp(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    activations, gradients = at_layer(case, point, index)
    squared, cubed = gradients**2, gradients**3
    below = 2 * squared + activations.sum(0) * cubed
    shares = np.divide(squared, below, out=np.zeros_like(below), where=below != 0)
    weights = (shares * np.maximum(gradients, 0)).sum(0)
    theirs = as_map(case, point, index, np.maximum(activations @ weights, 0))
    return ours(case, point, index, f"grad_cam_pp(layer={case.layer!r})"), theirs


@oracle("hires_cam", "The formula of Draelos and Carin 2020", "As in the paper nothing is dropped.")
def hires_cam(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    activations, gradients = at_layer(case, point, index)
    theirs = as_map(case, point, index, (activations * gradients).sum(1))
    return ours(case, point, index, f"hires_cam(layer={case.layer!r})"), theirs


@oracle(
    "layer_cam",
    "The formula of Jiang and others 2021",
    "A single layer, so without the rescaling of several.",
)
def layer_cam(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    activations, gradients = at_layer(case, point, index)
    theirs = as_map(case, point, index, np.maximum((activations * np.maximum(gradients, 0)).sum(1), 0))
    return ours(case, point, index, f"layer_cam(layer={case.layer!r})"), theirs


CHANNELS = 32


@oracle(
    "score_cam",
    "The formula of Wang and others 2020",
    f"""The {CHANNELS} channels of the widest range, hidden pixels black, masks enlarged as ours are; scores
    from the network by itself, and one softmax over the channels. tf-keras-vis takes a softmax over the
    classes instead, a second one for networks that end in one, and darkens what the network takes, not the
    pixels.""",
)
def score_cam(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    activations = np.moveaxis(case.network.at_layer(point, index)[0].astype(np.float64), -1, 0)
    widest = np.argsort(-np.ptp(activations, (1, 2)), kind="stable")[:CHANNELS]
    maps = activations[widest]
    low, high = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
    layer = next(layer for layer in case.model.layers if layer.name == case.layer)
    cells = Cells.of(layer, point.shape[:2])
    masks = enlarged((maps - low) / np.where(high > low, high - low, 1), *point.shape[:2], cells=cells)
    scores = [case.network.score(mask[..., None] * point, index) for mask in masks]
    theirs = np.maximum(np.tensordot(softmax(scores), maps, 1), 0)
    return ours(case, point, index, f"score_cam(channels={CHANNELS}, layer={case.layer!r})"), theirs


SHOWN = "samples=80, segments=20, baseline=black()"


@oracle(
    "lime",
    "scikit-learn, Ridge",
    """The superpixels and the coalitions that ours drew; images with black in place of what is hidden, scores
    from the network by itself, fitted by scikit-learn with the weights of LIME's kernel.""",
)
def lime(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    regions, shown, scores = _coalitions(case, point, index, f"lime({SHOWN})")
    cosine = shown.sum(1) / np.sqrt(shown.sum(1) * shown.shape[1])
    kernel = np.sqrt(np.exp(-((1 - cosine) ** 2) / 0.25**2))
    fit = Ridge(alpha=1.0, solver="cholesky").fit(shown, scores, sample_weight=kernel)
    return ours(case, point, index, f"lime({SHOWN})"), fit.coef_[regions]


@oracle(
    "kernel_shap",
    "scikit-learn, LinearRegression",
    """The superpixels and the coalitions that ours drew. The constraint that values add up to the whole is
    put in by leaving out the last superpixel: scores less its share are fitted on the others less it.""",
)
def kernel_shap(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    regions, shown, scores = _coalitions(case, point, index, f"kernel_shap({SHOWN})")
    whole, nothing = scores[:2]
    rest, last = shown[2:, :-1], shown[2:, -1:]
    fit = LinearRegression(fit_intercept=False)
    fit.fit(rest - last, scores[2:] - nothing - last[:, 0] * (whole - nothing))
    values = np.append(fit.coef_, whole - nothing - fit.coef_.sum())
    return ours(case, point, index, f"kernel_shap({SHOWN})"), values[regions]


def _coalitions(case: Case, point: Float, index: int, spelling: str) -> tuple[Array, Array, Array]:
    """The superpixels of a point, which of them each round shows, and the network's score of each round."""
    method = parse("method", spelling)
    regions = superpixels(point, method.segments, method.compactness)
    count = int(regions.max()) + 1
    shown = np.array([method.coalition(number, count) for number in range(method.cost)], np.float64)
    scores = [case.network.score(point * one[regions][..., None], index) for one in shown]
    return regions, shown, np.array(scores)


MASKS = 60


@oracle(
    "rise",
    "The formula of Petsiuk and others 2018",
    """The masks that ours drew, black behind them, scores from the network by itself: the mean of score times
    mask, over p. With `centred=False` as in the paper; by default ours takes the mean score out.""",
)
def rise(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    spelling = f"rise(masks={MASKS}, baseline=black(), centred=False)"
    method = parse("method", spelling)
    masks = [method.mask(number, *point.shape[:2]).astype(np.float64) for number in range(MASKS)]
    scores = [case.network.score(mask[..., None] * point, index) for mask in masks]
    return ours(case, point, index, spelling), np.tensordot(scores, masks, 1) / (MASKS * method.p)
