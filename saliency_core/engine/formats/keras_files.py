""".keras and .h5 files, of Keras 1, 2 and 3, as live Keras models."""

from __future__ import annotations

import json
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from saliency_core.arrays import Array
from saliency_core.engine.formats.legacy import modern_model, plain_name
from saliency_core.engine.formats.tf_ops import layer_class
from saliency_core.engine.runtime import tensorflow
from saliency_core.errors import ModelError

TROUBLE = (
    ValueError,
    TypeError,
    OSError,
    KeyError,
    AttributeError,
    IndexError,
    NotImplementedError,
    RuntimeError,
)
HOW = "Save the whole model with model.save('name.keras') and open that file."


@contextmanager
def settings_kept() -> Iterator[None]:
    """Leave Keras's float type, type policy, epsilon and order of axes as they were, whatever is opened."""
    import keras

    kept = (keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format())
    policy = keras.config.dtype_policy()
    try:
        yield
    finally:
        keras.config.set_floatx(kept[0])
        keras.config.set_epsilon(kept[1])
        keras.config.set_image_data_format(kept[2])
        keras.config.set_dtype_policy(policy)


def load_keras_file(path: str) -> tuple[Any, str]:
    """Load a .keras or .h5 file; returns the model and the format in words."""
    tensorflow()
    with settings_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.lower().endswith(".keras") and zipfile.is_zipfile(path):
            return _load_archive(path)
        return _load_hdf5(path)


def _load_archive(path: str) -> tuple[Any, str]:
    version = _archive_version(path)
    words = f"Keras {version} file (.keras)"
    if version.split(".")[0] != "2":
        return _loaded(path), words
    try:
        return _rebuilt_archive(path), words
    except TROUBLE as problem:
        raise ModelError(
            f"This file of Keras {version} cannot be rebuilt: {str(problem)[:300]}", HOW
        ) from problem


def _loaded(path: str) -> Any:
    import keras

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except TROUBLE as problem:
        raise ModelError(f"Keras cannot open this file: {str(problem)[:300]}", HOW) from problem


def _archive_version(path: str) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            return str(json.loads(archive.read("metadata.json"))["keras_version"])
    except (KeyError, ValueError, OSError, zipfile.BadZipFile):
        return "3"


def _load_hdf5(path: str) -> tuple[Any, str]:
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as problem:
        raise ModelError(f"The file is not one that Keras writes: {str(problem)[:200]}", HOW) from problem
    with file:
        version = _text(file.attrs.get("keras_version")) or _text(
            file["model_weights"].attrs.get("keras_version") if "model_weights" in file else None
        )
        if "model_config" not in file.attrs:
            raise ModelError(
                "The file holds weights only, without the network that they belong to.",
                "Build the network in Python, load the weights, and save it with model.save('name.keras').",
            )
        words = f"Keras {version or '1'} file (.h5)"
        if version.split(".")[0] not in ("", "1", "2"):
            return _loaded(path), words
        try:
            return _rebuilt(file), words
        except ModelError:
            raise
        except TROUBLE as problem:
            raise ModelError(
                f"This file of Keras {version or '1'} cannot be rebuilt: {str(problem)[:300]}", HOW
            ) from problem


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


def _rebuilt(file: Any) -> Any:
    """Build the network from its rewritten configuration, then fill in its weights."""
    model = _network(json.loads(_text(file.attrs["model_config"])))
    _fill(model, file["model_weights"])
    return model


def _rebuilt_archive(path: str) -> Any:
    """Build a network that Keras 2 stored as .keras; its weights are read from the part that holds them."""
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        model = _network(json.loads(archive.read("config.json")))
        model.load_weights(archive.extract("model.weights.h5", folder))
    return model


def _network(given: dict[str, Any]) -> Any:
    """Build a network of Keras 1 or 2 from its configuration."""
    from keras.src.legacy.saving import saving_options, saving_utils

    config = modern_model(given)
    with saving_options.keras_option_scope(use_legacy_config=True):
        model = saving_utils.model_from_config(config, {"TFOpLambda": layer_class()})
    if not model.built:
        raise ModelError("The file does not say what shape of input the network takes.", HOW)
    return model


def _fill(model: Any, group: Any) -> None:
    """Give each layer its weights, in the order in which the file lists the layers."""
    from keras.src.legacy.saving.legacy_h5_format import _legacy_weights, load_attributes_from_hdf5_group

    turned = _text(group.attrs.get("backend")) == "theano"
    stored = []
    for name in load_attributes_from_hdf5_group(group, "layer_names"):
        names = load_attributes_from_hdf5_group(group[name], "weight_names")
        if names:
            stored.append((plain_name(name), [np.asarray(group[name][one]) for one in names]))
    layers = [(layer, weights) for layer in model.layers if (weights := _legacy_weights(layer))]
    if len(layers) != len(stored):
        raise ModelError(
            f"The file holds weights of {len(stored)} layers, its network has {len(layers)} with weights.",
            HOW,
        )
    by_name = dict(stored) if {layer.name for layer, _ in layers} == {name for name, _ in stored} else {}
    for (layer, weights), (name, values) in zip(layers, stored, strict=True):
        found = by_name.get(layer.name, values)
        if len(found) != len(weights):
            raise ModelError(
                f"The file holds {len(found)} weights for the layer {name!r}, it has {len(weights)}.", HOW
            )
        for weight, value in zip(weights, found, strict=True):
            weight.assign(_as_shaped(value, tuple(weight.shape), name, turned))


def _as_shaped(value: Array, shape: tuple[int, ...], layer: str, turned: bool) -> Array:
    """Return a weight in today's order of axes: Keras 1 may have kernels as (out, in, rows, columns)."""
    if value.shape == shape:
        return value
    if value.ndim == 4 and tuple(value.shape[axis] for axis in (2, 3, 1, 0)) == shape:
        moved = value.transpose(2, 3, 1, 0)
        return moved[::-1, ::-1] if turned else moved
    if value.size == int(np.prod(shape)) and sorted(value.shape) == sorted((*shape, 1)):
        return value.reshape(shape)
    raise ModelError(f"A weight of the layer {layer!r} is {value.shape}, the layer needs {shape}.", HOW)
