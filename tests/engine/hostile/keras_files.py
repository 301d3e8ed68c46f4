"""`.keras` files whose config names code, readers or nothing sensible; the archive around it is honest."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.engine.hostile.case import Case

Json = dict[str, Any]


def layer(
    kind: str, name: str, module: str = "keras.layers", registered: str | None = None, **config: Any
) -> Json:
    return {
        "module": module,
        "class_name": kind,
        "config": {"name": name, **config},
        "registered_name": registered,
    }


def input_layer(*shape: int) -> Json:
    return layer("InputLayer", "x", batch_shape=[None, *shape], dtype="float32")


def dense(units: int = 4, name: str = "dense", **config: Any) -> Json:
    return layer("Dense", name, units=units, **{"activation": "softmax", "use_bias": True, **config})


def sequential(*layers: Json, shape: tuple[int, ...] = (8, 8, 3)) -> Json:
    return {
        "module": "keras", "class_name": "Sequential", "registered_name": None,
        "config": {"name": "net", "layers": [input_layer(*shape), *layers]},
    }  # fmt: skip


def flat(*layers: Json) -> Json:
    return sequential(layer("GlobalAveragePooling2D", "pool"), *layers)


def weights(**named: np.ndarray) -> bytes:
    """The weights file of `flat(dense())`, or of other arrays."""
    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        kernel = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
        for key, value in (named or {"0": kernel, "1": np.zeros(4, np.float32)}).items():
            made[f"layers/dense/vars/{key}"] = value
    return file.getvalue()


def pack(
    path: Path, config: Json | bytes, stored: bytes | None = None, method: int = zipfile.ZIP_STORED
) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(
            "metadata.json", json.dumps({"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"})
        )
        archive.writestr("config.json", config if isinstance(config, bytes) else json.dumps(config))
        archive.writestr("model.weights.h5", weights() if stored is None else stored)


def cases(folder: Path, marker: Path) -> list[Case]:
    """Write the .keras files."""
    found = []
    for name, (config, word) in {**carrying(marker), **misnamed(), **bent()}.items():
        path = folder / f"{name}.keras"
        pack(path, config, method=zipfile.ZIP_DEFLATED if name == "packed_text" else zipfile.ZIP_STORED)
        found.append(Case(f"keras_{name}", path, "refuse" if word else "open", word))
    return found


def carrying(marker: Path) -> dict[str, tuple[Any, str]]:
    """Layers and operations that hold or take code, or read files."""
    code = {"class_name": "__lambda__", "config": {"value": "4wAAAAA="}}
    held = layer("Lambda", "held", function=code)
    public = layer(
        "Lambda", "held", function={"module": "keras.utils", "class_name": "function", "config": "get_file"}
    )
    dead = layer("Switch", "dead", module="keras.src.ops.core", registered="Switch")
    dead["inbound_nodes"] = [
        {"args": [0, {"module": "keras.config", "class_name": "function", "config": "set_floatx"}]}
    ]
    operations = {
        f"operation_{kind.lower()}": (
            flat(layer(kind, "op", module="keras.src.ops.core", registered=kind), dense()),
            "list",
        )
        for kind in ("Cond", "Map", "Scan", "VectorizedMap", "WhileLoop", "ForiLoop", "AssociativeScan")
    }
    readers = {
        f"reader_{kind.lower()}": (
            flat(layer(kind, "words", vocabulary=str(marker.parent / "secret.txt")), dense()),
            "read files",
        )
        for kind in ("StringLookup", "IntegerLookup", "TextVectorization")
    }
    carriers = {
        f"carrier_{kind.lower()}": (flat(layer(kind, "other", filepath=str(marker)), dense()), "program")
        for kind in ("TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
    }
    return {
        "lambda": (flat(held, dense()), "program code"),
        "lambda_of_a_public_function": (flat(public, dense()), "program code"),
        "lambda_nested": (flat(sequential(sequential(held)), dense()), "program code"),
        "lambda_in_time_distributed": (flat(layer("TimeDistributed", "t", layer=held), dense()), "program code"),
        "lambda_in_bidirectional": (flat(layer("Bidirectional", "b", layer=held), dense()), "program code"),
        "lambda_as_activation": (flat(dense(activation=code)), "program code"),
        "lambda_in_build_config": (flat({**dense(), "build_config": {"shape": code}}), "program code"),
        "lambda_in_arguments": (flat({**dense(), "inbound_nodes": [{"args": [code], "kwargs": {}}]}), "program code"),
        "lambda_of_old_keras": (flat(layer("TFOpLambda", "tf.io", function="io.write_file"), dense()), "list"),
        "dead_switch": (flat(dead, dense()), "list"),
        "typespec": (flat(dense(activation={"class_name": "__typespec__", "module": "tensorflow", "spec_name": "x", "config": []})), "custom"),
        **operations, **readers, **carriers,
    }  # fmt: skip


def function(module: str | None, name: str, registered: str | None = None) -> Json:
    return {"module": module, "class_name": "function", "config": name, "registered_name": registered}


def functional() -> Json:
    """A functional network with an operation in it."""

    def taken(name: str, *shape: int) -> Json:
        config = {"shape": [None, *shape], "dtype": "float32", "keras_history": [name, 0, 0]}
        return {"class_name": "__keras_tensor__", "config": config}

    double = layer("Multiply", "double", module="keras.src.ops.numpy", registered="Multiply")
    pool = layer("GlobalAveragePooling2D", "pool")
    parts = [
        (input_layer(8, 8, 3), []), (pool, [taken("x", 8, 8, 3)]), (double, [taken("pool", 3), 2.0]),
        (dense(), [taken("double", 3)]),
    ]  # fmt: skip
    layers = [
        {
            **part,
            "name": part["config"]["name"],
            "inbound_nodes": [{"args": args, "kwargs": {}}] if args else [],
        }
        for part, args in parts
    ]
    config = {
        "name": "net",
        "layers": layers,
        "input_layers": [["x", 0, 0]],
        "output_layers": [["dense", 0, 0]],
    }
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": config,
        "registered_name": "Functional",
    }


def misnamed() -> dict[str, tuple[Any, str]]:
    """Classes and functions from elsewhere."""
    functions = {
        "os_system": function("os", "system"),
        "builtins_exec": function("builtins", "exec"),
        "load_model": function("keras.models", "load_model"),
        "get_file": function("keras.utils", "get_file"),
        "unsafe_switch": function("keras.config", "enable_unsafe_deserialization"),
        "get_with_module": function("keras.activations", "get"),
        "relu_from_elsewhere": function("mine.keras.activations", "relu"),
        "relu_registered_as_other": function("builtins", "relu", "Mine>relu"),
        "custom_function": function("builtins", "my_activation", "my_activation"),
    }
    places = {
        f"function_{name}": (flat(dense(activation=value)), "custom") for name, value in functions.items()
    }
    compiled = flat(dense())
    compiled["config"]["layers"][-1] = {
        **flat(dense()), "compile_config": {"loss": function("os", "system"), "optimizer": "adam"},
    }  # fmt: skip
    return {
        **places,
        "custom_layer": (flat(layer("Mine", "mine", module="mine", registered="Mine>Mine"), dense()), "custom"),
        "custom_layer_named_dense": (flat({**dense(), "registered_name": "Mine>Dense"}), "custom"),
        "dense_from_os": (flat({**dense(), "module": "os"}), "custom"),
        "dense_from_a_lookalike": (flat({**dense(), "module": "keras_layers"}), "belong"),
        "dense_from_utils": (flat({**dense(), "module": "keras.utils"}), "belong"),
        "operation_as_layer": (flat(layer("Multiply", "m", module="keras.src.ops.core"), dense()), "belong"),
        "module_is_a_list": (flat({**dense(), "module": ["os"]}), "module"),
        "class_is_a_number": (flat({**dense(), "class_name": 7}), "without a name"),
        "function_is_a_list": (flat(dense(activation={"class_name": "function", "config": ["exec"]})), "without a name"),
        "initializer_from_elsewhere": (
            flat(dense(kernel_initializer={"module": "mine", "class_name": "Zeros", "config": {}})), "custom",
        ),
        "regularizer_function": (flat(dense(kernel_regularizer=function("subprocess", "run"))), "custom"),
        "loss_of_an_inner_model": (compiled, "custom"),
        "subclassed_model": ({**flat(dense()), "class_name": "Mine", "module": "__main__", "registered_name": "Mine"}, "custom"),
        "only_a_layer": (dense(), "whole"),
        "honest": (flat(dense()), ""),
        "honest_with_a_loss_of_its_own": ({**flat(dense()), "compile_config": {"loss": function("builtins", "mine")}}, ""),
        "honest_operation": (functional(), ""),
    }  # fmt: skip


def bent() -> dict[str, tuple[Any, str]]:
    """Configs that are broken, deep, or ask for more memory than there is."""
    good = json.dumps(flat(dense())).encode()
    large = 12_600  # a kernel of 600 MiB, which Keras needs five times over while it builds
    wide = sequential(layer("Flatten", "flat"), dense(large), shape=(65, 65, 3))
    steps = sequential(
        layer("Conv2D", "a", filters=9_000, kernel_size=[3, 3]),
        layer("Conv2D", "b", filters=9_000, kernel_size=[3, 3]),
    )
    words = sequential(layer("Embedding", "e", input_dim=10**8, output_dim=16), shape=(4,))
    cell = sequential(layer("LSTM", "l", units=9_000), shape=(4, 9_000))
    boxed = sequential(layer("TimeDistributed", "t", layer=dense(20_000)), shape=(4, 20_000))
    grown = sequential(
        layer("UpSampling2D", "up", size=[10_000, 10_000]), layer("GlobalAveragePooling2D", "p"), dense()
    )
    repeated = flat(layer("RepeatVector", "again", n=10**9), layer("Flatten", "f"))
    padded = sequential(
        layer("ZeroPadding2D", "pad", padding=10**6), layer("GlobalAveragePooling2D", "p"), dense()
    )
    hidden = flat({**dense(large), "build_config": {"input_shape": [None, large]}})
    return {
        "not_json": (b"{'a': 1}", "damaged"),
        "cut_text": (good[:-20], "damaged"),
        "not_text": (b"\xff\xfe" + good, "damaged"),
        "null": (b"null", "describe a model"),
        "list": (b"[]", "describe a model"),
        "number_of_5000_digits": (good.replace(b'"units": 4', b'"units": ' + b"9" * 5_000), "damaged"),
        "deep": (b"[" * 100_000 + b"]" * 100_000, "nested deeper"),
        "deep_in_a_layer": (good.replace(b'"softmax"', b'{"a": ' * 80 + b"1" + b"}" * 80), "nested deeper"),
        "packed_text": (good[:-1] + b" " * 20_000_000 + b"}", "ratio"),
        "large_text": (good[:-1] + b" " * 5_000_000 + b"}", "too large"),
        "wide_dense": (wide, "memory"),
        "many_filters": (steps, "memory"),
        "large_embedding": (words, "memory"),
        "large_cell": (cell, "memory"),
        "boxed_dense": (boxed, "memory"),
        "units_beyond_numbers": (flat(dense(10**30)), "memory"),
        "dense_of_stated_width": (hidden, "memory"),
        "grown_picture": (grown, "memory"),
        "repeated_vector": (repeated, "memory"),
        "padded_picture": (padded, "memory"),
        "too_many_layers": (flat(*(dense(4, f"d{k}") for k in range(3_010))), "layers"),
    }
