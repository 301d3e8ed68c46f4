"""Oracles where no reference has the method, or has it wrong: the paper's formula, written down again."""

from __future__ import annotations

import numpy as np

from saliency_core.arrays import Array, Float
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
