"""HDF5 weights and whole-model .h5 files with links outward, false sizes and broken content."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.engine.hostile import keras_files
from tests.engine.hostile.case import Case
from tests.engine.hostile.keras_files import Json, dense, flat, layer, pack


def cases(folder: Path, marker: Path) -> list[Case]:
    """Write every weights file twice, in a .keras archive and as .h5, and the .h5 files besides."""
    outside = folder / "outside.h5"
    with h5py.File(outside, "w") as file:
        file["secret"] = np.ones((3, 4), np.float32)
    (folder / "outside.raw").write_bytes(b"\0" * 48)
    found = []
    for name, (change, word) in changes(outside, folder / "outside.raw").items():
        path = folder / f"{name}.keras"
        pack(path, flat(dense()), _weights(change))
        found.append(Case(f"keras_weights_{name}", path, "refuse", word))
        path = folder / f"{name}.h5"
        path.write_bytes(_weights(change, flat(dense())))
        found.append(Case(f"h5_weights_{name}", path, "refuse", word))
    return [*found, *whole(folder)]


def _weights(change: Callable[[Any], None], config: Json | None = None) -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        group = file.create_group("model_weights/dense" if config else "layers/dense/vars")
        group["1"] = np.zeros(4, np.float32)
        if config:
            file.attrs["model_config"] = json.dumps(config)
        change(group)
    return content.getvalue()


def changes(outside: Path, raw: Path) -> dict[str, tuple[Callable[[Any], None], str]]:
    """What is put where the kernel should be, and the word of the refusal."""

    def external_link(group: Any) -> None:
        group["0"] = h5py.ExternalLink(str(outside), "/secret")

    def external_link_to_a_group(group: Any) -> None:
        group["deeper"] = h5py.ExternalLink(str(outside), "/")

    def soft_link(group: Any) -> None:
        group["0"] = h5py.SoftLink("/layers/dense/vars/1")

    def broken_soft_link(group: Any) -> None:
        group["0"] = h5py.SoftLink("/nowhere")

    def external_storage(group: Any) -> None:
        group.create_dataset("0", (3, 4), np.float32, external=[(str(raw), 0, 48)])

    def virtual(group: Any) -> None:
        layout = h5py.VirtualLayout((3, 4), np.float32)
        layout[:] = h5py.VirtualSource(str(outside), "secret", shape=(3, 4))
        group.create_virtual_dataset("0", layout)

    def shape_bomb(group: Any) -> None:
        group.create_dataset("0", (12_000, 13_000), np.float32, chunks=(100, 100))

    def shape_bomb_in_parts(group: Any) -> None:
        for number in range(400):
            group.create_dataset(f"p{number}", (500, 500), np.float32, chunks=(500, 500))

    def packed_bomb(group: Any) -> None:
        zeros = np.zeros((3_000, 3_000), np.float32)
        group.create_dataset("0", data=zeros, chunks=(3_000, 3_000), compression="gzip")

    def beyond_numbers(group: Any) -> None:
        group.create_dataset("0", (2**40, 2**20), np.float32, chunks=(10, 10))

    def chunk_bomb(group: Any) -> None:
        group.create_dataset("0", (3, 4), np.float32, chunks=(2**14, 2**14), maxshape=(None, None))

    def not_a_number(group: Any) -> None:
        group["0"] = np.full((3, 4), np.nan, np.float32)

    def infinite(group: Any) -> None:
        group["0"] = np.full((3, 4), np.inf, np.float16)

    def circle(group: Any) -> None:
        group["0"] = group.file["/"]

    def deep(group: Any) -> None:
        for _ in range(80):
            group = group.create_group("d")

    def references(group: Any) -> None:
        group.create_dataset("0", (2,), h5py.ref_dtype)

    def texts(group: Any) -> None:
        group.create_dataset("0", (2,), h5py.string_dtype())

    def records(group: Any) -> None:
        group.create_dataset("0", (2,), np.dtype([("a", np.float32), ("b", np.int32)]))

    def named_type(group: Any) -> None:
        group["0"] = np.dtype(np.float32)

    words = {
        "external_link": "another file", "external_link_to_a_group": "another file", "soft_link": "soft link",
        "broken_soft_link": "soft link", "external_storage": "external", "virtual": "virtual",
        "shape_bomb": "declared", "shape_bomb_in_parts": "too large", "packed_bomb": "declared",
        "beyond_numbers": "declared", "chunk_bomb": "chunks", "not_a_number": "finite", "infinite": "finite",
        "circle": "back to itself", "deep": "nested too deep", "references": "not numbers", "texts": "not numbers", "records": "not numbers",
        "named_type": "neither",
    }  # fmt: skip
    made = locals()
    return {name: (made[name], word) for name, word in words.items()}


def whole(folder: Path) -> list[Case]:
    """Whole-model files: their config, or none."""
    code = layer("Lambda", "held", function=["4wAAAAA=", None, None])
    bare = {"class_name": "Sequential", "config": [{"class_name": "Lambda", "config": {"name": "held"}}]}
    old = {
        "class_name": "Sequential",
        "config": [
            {"class_name": "Dense", "config": {"name": "d", "units": 4, "batch_input_shape": [None, 3]}}
        ],
    }
    configs: dict[str, tuple[Any, str]] = {
        "lambda": (flat(code, dense()), "program code"),
        "lambda_in_a_bare_list": (bare, "program code"),
        "operation_of_old_keras": (
            flat(layer("TFOpLambda", "tf.io", function="io.read_file"), dense()),
            "list",
        ),
        "operation_of_no_name": (flat(layer("TFOpLambda", "tf.io", function=["math.add"]), dense()), "list"),
        "merge_by_code": (
            flat(layer("Merge", "m", mode="4wAAAAA=", mode_type="lambda"), dense()),
            "program code",
        ),
        "plain_operation_of_old_keras": (
            flat(layer("TFOpLambda", "tf.math", function="math.abs"), dense()),
            "",
        ),
        "custom_layer": (flat({"class_name": "Mine>Mine", "config": {"name": "m"}}, dense()), "custom"),
        "custom_function": (flat(dense(activation=keras_files.function("os", "system"))), "custom"),
        "wide_dense": (
            keras_files.sequential(layer("Flatten", "f"), dense(12_600), shape=(65, 65, 3)),
            "memory",
        ),
        "deep": (b"[" * 10_000, "nested deeper"),
        "not_json": (b"{", "damaged"),
        "honest_old": (old, ""),
        "honest": (flat(dense()), ""),
    }
    found = []
    for name, (config, word) in configs.items():
        path = folder / f"whole_{name}.h5"
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = config if isinstance(config, bytes) else json.dumps(config)
            _fill(file.create_group("model_weights"))
        expect = (
            "refuse"
            if word
            else "either"
            if name in ("honest_old", "plain_operation_of_old_keras")
            else "open"
        )
        found.append(Case(f"h5_{name}", path, expect, word))
    good = (folder / "whole_honest.h5").read_bytes()
    (folder / "cut.h5").write_bytes(good[:-400])
    (folder / "head.h5").write_bytes(good[:64])
    return [*found, *partial(folder), Case("h5_cut", folder / "cut.h5", "refuse", "damaged"),
            Case("h5_head_alone", folder / "head.h5", "refuse", "damaged")]  # fmt: skip


def _fill(group: Any) -> None:
    """The weights of the one dense layer, with the lists of names that Keras reads."""
    group.attrs["layer_names"] = [b"dense"]
    dense_layer = group.create_group("dense")
    dense_layer.attrs["weight_names"] = [b"kernel", b"bias"]
    dense_layer["kernel"] = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    dense_layer["bias"] = np.zeros(4, np.float32)


def partial(folder: Path) -> list[Case]:
    """Files of weights alone, and of something else."""
    with h5py.File(folder / "weights_old.h5", "w") as file:
        file.attrs["layer_names"] = [b"dense"]
        file["dense/kernel"] = np.ones((3, 4), np.float32)
    (folder / "model.weights.h5").write_bytes(keras_files.weights())
    with h5py.File(folder / "pictures.h5", "w") as file:
        file["pictures"] = np.ones((3, 4), np.float32)
    return [
        Case("h5_weights_only", folder / "weights_old.h5", "refuse", "weights only"),
        Case("h5_weights_only_of_keras_3", folder / "model.weights.h5", "refuse", "weights only"),
        Case("h5_of_something_else", folder / "pictures.h5", "refuse", "not a model"),
    ]
