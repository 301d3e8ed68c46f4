"""Builds the networks of the catalogue with Keras and fills them with weights."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from saliency_core.engine.runtime import tensorflow
from saliency_core.errors import DownloadError, ModelError
from saliency_core.models.catalogue import LABELS, Application, Weights, application
from saliency_core.models.download import MEGABYTE, OnProgress, fetch, set_aside

Tell = Callable[[float, float, str], None]  # done, of how much, in words
CLASSES = 1000
NAMES_TIMEOUT_S = 5.0  # nobody waits long for names

log = logging.getLogger(__name__)


def build(entry: Application, weights: Path | Literal["random"], seed: int = 0) -> Any:
    """Return a Keras model with a softmax head, filled from a weights file or at random.

    "random" seeds Python's, NumPy's and TensorFlow's generators with `seed`. Raises ModelError when
    the file holds the weights of something else.
    """
    tensorflow()
    import keras

    if weights == "random":
        keras.utils.set_random_seed(seed)
    model = getattr(keras.applications, entry.keras_name)(
        weights=None,
        input_shape=(entry.size, entry.size, 3),
        classes=CLASSES,
        classifier_activation="softmax",
    )
    if weights != "random":
        _load(model, entry, weights)
    return _with_plain_groups(model)


def imagenet_labels(path: Path) -> tuple[str, ...]:
    """Read the names of the 1000 ImageNet classes, in class order, from Keras's class index."""
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        return tuple(str(index[str(k)][1]).replace("_", " ") for k in range(CLASSES))
    except (ValueError, KeyError, IndexError, TypeError) as problem:
        raise ModelError(
            f"{path.name} does not name the {CLASSES} classes of ImageNet.",
            f"Delete {path}; it is fetched again.",
        ) from problem


def class_names(tell: Tell | None = None) -> tuple[str, ...]:
    """Return the names of the 1000 ImageNet classes, or none where they cannot be fetched; that is told."""
    told = _in_words(LABELS, "class names", tell)
    try:
        return imagenet_labels(fetch(LABELS, on_progress=told, timeout_s=NAMES_TIMEOUT_S))
    except DownloadError as problem:
        log.warning("The classes have numbers instead of names: %s", problem.problem)
        if tell is not None:
            tell(1, 1, "the names of the classes cannot be fetched; they have numbers for now")
        return ()


def open_application(id: str, on_progress: Tell | None = None) -> tuple[Any, Application, tuple[str, ...]]:
    """Return the Keras model, the catalogue entry and the class names, downloading what is missing.

    `on_progress(done, total, words)` is called while megabytes arrive and may raise to stop. There are
    no names where they cannot be fetched. Raises ModelError for an unknown id and DownloadError where
    the weights cannot be.
    """
    entry = application(id)
    told = _in_words(entry.weights, entry.title, on_progress)
    try:
        path = fetch(entry.weights, on_progress=told)
    except DownloadError as problem:
        needs = f"{entry.title} needs its ImageNet weights, {entry.megabytes:.0f} MB:"
        raise DownloadError(f"{needs} {problem.problem}", problem.hint) from problem
    labels = class_names(on_progress)
    try:
        return build(entry, path), entry, labels
    except ModelError:
        if entry.weights.digest:  # the checksum was right, so another copy would be the same
            raise
        set_aside(path)
        return build(entry, fetch(entry.weights, on_progress=told)), entry, labels


def _with_plain_groups(model: Any) -> Any:
    """Let convolutions of one channel a group run as what they are, depthwise convolutions.

    Keras runs grouped convolutions as a compiled block on the CPU, which no frozen graph can look
    into, and TensorFlow has no gradient for the plain ones there. Same numbers, same weights.
    """
    from keras import layers, ops

    def depthwise(layer: Any) -> Callable[[Any, Any], Any]:
        def convolve(inputs: Any, kernel: Any) -> Any:
            return ops.depthwise_conv(
                inputs,
                ops.transpose(kernel, (0, 1, 3, 2)),
                strides=tuple(layer.strides),
                padding=layer.padding,
                data_format=layer.data_format,
                dilation_rate=tuple(layer.dilation_rate),
            )

        return convolve

    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, layers.Conv2D) and layer.groups > 1 and layer.groups == layer.filters:
            layer.convolution_op = depthwise(layer)
    return model


def _load(model: Any, entry: Application, weights: Path) -> None:
    try:
        model.load_weights(str(weights))
    except (OSError, ValueError, KeyError, IndexError) as problem:
        raise ModelError(
            f"{weights.name} does not hold the weights of {entry.title}: {str(problem)[:200]}",
            f"Delete {weights}; it is fetched again.",
        ) from problem


def _in_words(item: Weights, title: str, tell: Tell | None) -> OnProgress | None:
    if tell is None:
        return None

    def told(done: int, total: int | None, rate: float) -> None:
        size = total or int(item.megabytes * MEGABYTE)
        words = f"{title}: {done / MEGABYTE:.1f} of {size / MEGABYTE:.1f} MB, {rate / MEGABYTE:.1f} MB/s"
        tell(done, size, words)

    return told
