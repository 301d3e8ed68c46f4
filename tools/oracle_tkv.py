"""Oracles: tf-keras-vis 0.8.7, on the Keras models; to be installed by whoever wants to run these."""

from __future__ import annotations

from typing import Any

import numpy as np
from tf_keras_vis.gradcam import Gradcam
from tf_keras_vis.layercam import Layercam
from tf_keras_vis.saliency import Saliency
from tf_keras_vis.utils.scores import CategoricalScore

from saliency_core.arrays import Array, Float
from tools.oracle import oracle, ours
from tools.oracle_networks import Case
from tools.oracle_rules import is_keras

TKV = "tf-keras-vis 0.8.7"
CAM = {"normalize_cam": False, "expand_cam": False, "seek_penultimate_conv_layer": False}


def seen(case: Case, point: Array) -> Float:
    """The point as the Keras model takes it, with batch axis."""
    network = case.network
    return np.asarray(point[None] * np.float32(network.scale) + np.float32(network.shift), np.float32)


def asked(case: Case, cls: Any, point: Float, index: int, **how: Any) -> Array:
    found = cls(case.network.keras, clone=False)(CategoricalScore([index]), seen(case, point), **how)
    return np.asarray(found)[0]


@oracle(
    "gradient",
    f"{TKV}, Saliency",
    """The logit: the model without its softmax. Signed (`gradient_modifier=None`) and by channel
    (`keepdims=True`); theirs is by the network's input and is multiplied by the preprocessing's slope.""",
    is_keras,
)
def gradient(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    theirs = asked(case, Saliency, point, index, keepdims=True, gradient_modifier=None, normalize_map=False)
    return ours(case, point, index, "gradient()"), theirs * case.network.scale


@oracle("grad_cam", f"{TKV}, Gradcam", "The same layer, as coarse as it, not rescaled.", is_keras)
def grad_cam(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    theirs = asked(case, Gradcam, point, index, penultimate_layer=case.layer, **CAM)
    return ours(case, point, index, f"grad_cam(layer={case.layer!r})"), theirs


@oracle("layer_cam", f"{TKV}, Layercam", "The same layer, as coarse as it, not rescaled.", is_keras)
def layer_cam(case: Case, point: Float, index: int) -> tuple[Array, Array]:
    theirs = asked(case, Layercam, point, index, penultimate_layer=case.layer, **CAM)
    return ours(case, point, index, f"layer_cam(layer={case.layer!r})"), theirs
