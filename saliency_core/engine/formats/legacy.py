"""The configuration of a model saved by Keras 1 or 2, as Keras 3 reads it; only in memory."""

from __future__ import annotations

import inspect
from typing import Any

Config = dict[str, Any]

CLASSES = {
    "Convolution1D": "Conv1D", "Convolution2D": "Conv2D", "Convolution3D": "Conv3D",
    "AtrousConvolution2D": "Conv2D", "SeparableConvolution2D": "SeparableConv2D",
    "Deconvolution2D": "Conv2DTranspose", "Convolution2DTranspose": "Conv2DTranspose", "Model": "Functional",
}  # fmt: skip
NAMES = {
    "nb_filter": "filters", "subsample": "strides", "border_mode": "padding", "bias": "use_bias",
    "output_dim": "units", "dim_ordering": "data_format", "atrous_rate": "dilation_rate",
}  # fmt: skip
MERGES = {
    "concat": "Concatenate", "sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum",
    "dot": "Dot",
}  # fmt: skip
DROPPED = {
    "batch_input_shape", "init", "input_dtype", "input_dim", "input_length", "W_regularizer", "b_regularizer",
    "W_constraint", "b_constraint", "gamma_init", "beta_init", "nb_row", "nb_col", "mode", "renorm", "fused",
    "virtual_batch_size", "adjustment", "ragged", "weights", "output_shape", "arguments", "mask",
    "output_mask",
    "concat_axis", "dot_axes", "consume_less", "inner_init", "renorm_clipping", "renorm_momentum",
}  # fmt: skip
CONSTANT = "_CONSTANT_VALUE"
SILENT: tuple[Any, ...] = (None, False, 1, "zeros", [], {})
GROUPED = {"Conv1D", "Conv2D", "Conv3D"}


def modern_model(config: Config) -> Config:
    """Return a whole model's configuration in today's names; nested models and wrapped layers too."""
    kind = CLASSES.get(config["class_name"], config["class_name"])
    inner = config["config"]
    if kind == "Sequential":
        return {"class_name": kind, "config": _sequential(inner)}
    if kind == "Functional":
        return {"class_name": kind, "config": _functional(inner)}
    return {"class_name": kind, "config": inner}


def _sequential(inner: Config | list[Config]) -> Config:
    given = inner if isinstance(inner, list) else inner.get("layers", [])
    made: Config = (
        {"name": "sequential"} if isinstance(inner, list) else {"name": inner.get("name", "sequential")}
    )
    layers = [modern_layer(layer) for layer in given]
    if layers and layers[0]["class_name"] != "InputLayer":
        shape = given[0]["config"].get("batch_input_shape") if isinstance(given[0]["config"], dict) else None
        shape = shape or (inner.get("build_input_shape") if isinstance(inner, dict) else None)
        if shape is not None:
            first = {"batch_shape": shape, "name": "input", "dtype": _dtype(given[0])}
            layers.insert(0, {"class_name": "InputLayer", "config": first})
    return {**made, "layers": layers}


def _functional(inner: Config) -> Config:
    layers = []
    for layer in inner["layers"]:
        made = modern_layer(layer)
        made["name"] = plain_name(layer.get("name") or made["config"].get("name"))
        made["inbound_nodes"] = [_node(node) for node in layer.get("inbound_nodes", [])]
        layers.append(made)
    kept: Config = {key: inner[key] for key in ("name", "trainable") if key in inner}
    kept.update({key: _referring(inner[key]) for key in ("input_layers", "output_layers")})
    return {**kept, "layers": layers}


def _node(node: Any) -> Any:
    if not isinstance(node, list):
        return node
    node = _referring(node)
    if node and isinstance(node[0], str):
        return _operation_node(*node)
    return [[*call, {}] if isinstance(call, list) and len(call) == 3 else call for call in node]


def _referring(value: Any) -> Any:
    """Return the same with plain names in every reference to a layer: [name, number, port, ...]."""
    if isinstance(value, dict):
        return {key: _referring(one) for key, one in value.items()}
    if not isinstance(value, list):
        return value
    is_reference = len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int)
    return [plain_name(one) if is_reference and k == 0 else _referring(one) for k, one in enumerate(value)]


def _operation_node(name: str, number: int, port: Any, settings: Config) -> list[Any]:
    """Return the call of an operation of TensorFlow: tensors among its settings become further inputs."""
    calls: list[Any] = [] if name == CONSTANT else [[name, number, port]]
    kept: Config = {"first": port} if name == CONSTANT else {}
    further = []
    for key, value in settings.items():
        if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
            further.append(key)
            calls.append(value)
        else:
            kept[key] = value
    if not calls:
        return []
    return [*([*call, {}] for call in calls[:-1]), [*calls[-1], {**kept, "further": further}]]


def modern_layer(layer: Config) -> Config:
    """Return one layer's configuration in today's names."""
    kind = str(CLASSES.get(layer["class_name"], layer["class_name"]))
    if kind in ("Sequential", "Functional"):
        return modern_model(layer)
    given = layer["config"]
    made = {NAMES.get(key, key): value for key, value in given.items() if key not in DROPPED}
    if kind == "Merge":
        kind = MERGES.get(str(given.get("mode")), kind)
        if kind == "Concatenate":
            made["axis"] = given.get("concat_axis", -1)
        if kind == "Dot":
            made["axes"] = given.get("dot_axes", -1)
    if kind == "InputLayer" and "batch_input_shape" in given:
        made["batch_shape"] = given["batch_input_shape"]
    if "nb_row" in given:
        made["kernel_size"] = [given["nb_row"], given["nb_col"]]
    if "p" in made and ("Dropout" in kind or "Noise" in kind):
        made["rate"] = made.pop("p")
    if isinstance(made.get("layer"), dict):
        wrapped = modern_layer(made["layer"])
        made["layer"] = {**wrapped, "module": "keras.layers", "registered_name": None}
    _values(kind, made)
    _without_strangers(kind, made)
    if isinstance(made.get("name"), str):
        made["name"] = plain_name(made["name"])
    return {"class_name": kind, "config": made}


def plain_name(name: str) -> str:
    """Return a layer's name without slashes, which Keras 3 does not allow."""
    return name.replace("/", ".")


def _values(kind: str, made: Config) -> None:
    """Bring values to today's spelling; what only training needs is left out, the weights follow."""
    for key in list(made):
        if key.endswith("_initializer"):
            made[key] = "zeros"
        elif key.endswith(("_regularizer", "_constraint")):
            made[key] = None
    if made.get("data_format") in ("tf", "th", "default"):
        made["data_format"] = {"tf": "channels_last", "th": "channels_first"}.get(
            made["data_format"], "channels_last"
        )
    if kind not in GROUPED and made.get("groups") == 1:
        del made["groups"]
    if kind == "BatchNormalization" and isinstance(made.get("axis"), list):
        made["axis"] = made["axis"][0]
    if kind == "LeakyReLU" and "alpha" in made:
        made["negative_slope"] = made.pop("alpha")
    if isinstance(made.get("dtype"), dict):
        made["dtype"] = (made["dtype"].get("config") or {}).get("name", "float32")


def _without_strangers(kind: str, made: Config) -> None:
    """Leave out settings that today's layer does not know, where they say nothing."""
    import keras

    layer = getattr(keras.layers, kind, None)
    if layer is None or kind == "InputLayer":
        return
    known = {"name", "dtype", "trainable", "input_shape", "batch_shape"}
    for parent in layer.__mro__:
        known |= set(inspect.signature(parent.__init__).parameters) if "__init__" in vars(parent) else set()
    for key in [key for key, value in made.items() if key not in known and value in SILENT]:
        del made[key]


def _dtype(layer: Config) -> str:
    """Return the type of a first layer's input; half precision computes inside and takes float32."""
    found = layer["config"].get("dtype", "float32") if isinstance(layer["config"], dict) else "float32"
    return found if isinstance(found, str) and "mixed" not in found else "float32"
