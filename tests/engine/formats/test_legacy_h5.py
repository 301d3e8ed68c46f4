"""Files of Keras 1 and 2, written by hand with h5py: the networks in them answer as those of today."""

from __future__ import annotations

import hashlib
import json

import h5py
import numpy as np
import pytest

from saliency_core import explain
from saliency_core.errors import ModelError
from tests.engine.formats.trusted import open_model

pytestmark = pytest.mark.engine
keras = pytest.importorskip("keras")
layers = keras.layers
draw = np.random.default_rng(8)
KERNEL = draw.normal(size=(3, 3, 3, 4)).astype(np.float32)
BIAS = draw.normal(size=4).astype(np.float32)
DENSE = draw.normal(size=(4, 2)).astype(np.float32)
NONE = np.zeros(2, np.float32)
IMAGE = draw.integers(0, 256, (8, 6, 3), dtype=np.uint8)
STORED = {"conv": (KERNEL, BIAS), "answer": (DENSE, NONE)}


def written(path, config, stored=None, version="2.1.4", backend="tensorflow", names=()):
    """Write an .h5 file as Keras 1 and 2 laid it out."""
    stored = STORED if stored is None else stored
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = version.encode()
        file.attrs["backend"] = backend.encode()
        file.attrs["model_config"] = json.dumps(config).encode()
        group = file.create_group("model_weights")
        group.attrs["backend"] = backend.encode()
        group.attrs["keras_version"] = version.encode()
        group.attrs["layer_names"] = [name.encode() for name in (*stored, *names)]
        for name, weights in stored.items():
            layer = group.create_group(name)
            layer.attrs["weight_names"] = [f"{name}/{k}:0".encode() for k in range(len(weights))]
            for k, weight in enumerate(weights):
                layer.create_dataset(f"{name}/{k}:0", data=weight)
        for name in names:
            group.create_group(name).attrs["weight_names"] = np.array([], "S1")
    return path


def today(activation="relu"):
    """The same network in the Keras of today."""
    model = keras.Sequential(
        [
            layers.Input((8, 6, 3)),
            layers.Conv2D(4, 3, activation=activation, padding="same", strides=(2, 1)),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.set_weights([KERNEL, BIAS, DENSE, NONE])
    return model


def same(path, model):
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    opened = open_model(path, preprocessing="unit")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    old = explain(opened, IMAGE, "class_logit(1)")
    new = explain(open_model(model, preprocessing="unit"), IMAGE, "class_logit(1)")
    assert np.array_equal(old.values, new.values)
    assert old.score == new.score
    return opened


CONV_2 = {
    "name": "conv", "trainable": True, "batch_input_shape": [None, 8, 6, 3], "dtype": "float32", "filters": 4,
    "kernel_size": [3, 3], "strides": [2, 1], "padding": "same", "data_format": "channels_last",
    "dilation_rate": [1, 1], "activation": "relu", "use_bias": True,
    "kernel_initializer": {"class_name": "VarianceScaling", "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None}},
    "bias_initializer": {"class_name": "Zeros", "config": {}},
    "kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 1e-4}}, "kernel_constraint": None,
}  # fmt: skip
REST_2 = [
    {
        "class_name": "GlobalAveragePooling2D",
        "config": {"name": "mean", "trainable": True, "data_format": "channels_last"},
    },
    {
        "class_name": "Dense",
        "config": {
            "name": "answer",
            "trainable": True,
            "units": 2,
            "activation": "softmax",
            "use_bias": True,
        },
    },
]


def test_a_bare_list_with_batch_input_shape(tmp_path):
    config = {"class_name": "Sequential", "config": [{"class_name": "Conv2D", "config": CONV_2}, *REST_2]}
    opened = same(written(tmp_path / "old.h5", config), today())
    assert opened.card.description.format == "Keras 2.1.4 file (.h5)"
    assert opened.layers[0].name == "conv"


def test_a_sequential_of_named_layers_with_groups_and_lists(tmp_path):
    conv = {**CONV_2, "groups": 1}
    norm = {
        "class_name": "BatchNormalization",
        "config": {
            "name": "norm",
            "axis": [3],
            "momentum": 0.99,
            "epsilon": 0.001,
            "center": True,
            "scale": True,
        },
    }
    depth = {
        "class_name": "DepthwiseConv2D",
        "config": {
            "name": "depth",
            "kernel_size": [3, 3],
            "strides": [1, 1],
            "padding": "same",
            "groups": 1,
            "depth_multiplier": 1,
            "use_bias": False,
            "activation": "linear",
        },
    }
    leaky = {"class_name": "LeakyReLU", "config": {"name": "leaky", "alpha": 0.2}}
    config = {"class_name": "Sequential", "config": {"name": "old", "layers": [{"class_name": "Conv2D", "config": conv}, norm, depth, leaky, *REST_2]}}  # fmt: skip
    numbers = [draw.uniform(0.5, 1.5, 4).astype(np.float32) for _ in range(4)]
    deep = draw.normal(size=(3, 3, 4, 1)).astype(np.float32)
    stored = {"conv": (KERNEL, BIAS), "norm": numbers, "depth": (deep,), "answer": (DENSE, NONE)}
    model = keras.Sequential(
        [
            layers.Input((8, 6, 3)),
            layers.Conv2D(4, 3, activation="relu", padding="same", strides=(2, 1)),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, padding="same", use_bias=False),
            layers.LeakyReLU(negative_slope=0.2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.set_weights([KERNEL, BIAS, *numbers, deep, DENSE, NONE])
    same(written(tmp_path / "old.h5", config, stored, "2.6.0", names=("leaky", "mean")), model)


def test_a_functional_model_of_keras_2(tmp_path):
    inbound = lambda name: [[[name, 0, 0, {}]]]  # noqa: E731
    given = {
        "class_name": "InputLayer",
        "name": "image",
        "config": {
            "batch_input_shape": [None, 8, 6, 3],
            "dtype": "float32",
            "sparse": False,
            "ragged": False,
            "name": "image",
        },
        "inbound_nodes": [],
    }
    conv = {
        "class_name": "Conv2D",
        "name": "conv",
        "config": {k: v for k, v in CONV_2.items() if k != "batch_input_shape"},
        "inbound_nodes": inbound("image"),
    }
    mean = {**REST_2[0], "name": "mean", "inbound_nodes": inbound("conv")}
    answer = {**REST_2[1], "name": "answer", "inbound_nodes": inbound("mean")}
    config = {"class_name": "Model", "config": {"name": "old", "layers": [given, conv, mean, answer], "input_layers": [["image", 0, 0]], "output_layers": [["answer", 0, 0]]}}  # fmt: skip
    same(written(tmp_path / "old.hdf5", config), today())


def test_operations_of_tensorflow_as_layers_and_names_with_slashes(tmp_path):
    """As tf.keras 2 stored `2 * (conv + tf.nn.relu6(conv)) - conv`."""

    def layer(kind, name, config, *nodes):
        return {
            "class_name": kind,
            "name": name,
            "config": {"name": name, **config},
            "inbound_nodes": list(nodes),
        }

    def operation(function, name, *node):
        return layer(
            "TFOpLambda", name, {"trainable": True, "dtype": "float32", "function": function}, list(node)
        )

    conv = {k: v for k, v in CONV_2.items() if k not in ("batch_input_shape", "name")}
    parts = [
        layer("InputLayer", "image", {"batch_input_shape": [None, 8, 6, 3], "dtype": "float32"}),
        layer("Conv2D", "block/conv", {**conv, "activation": "linear"}, [["image", 0, 0, {}]]),
        operation("nn.relu6", "tf.nn.relu6", "block/conv", 0, 0, {"name": None}),
        operation("__operators__.add", "sum", "block/conv", 0, 0, {"y": ["tf.nn.relu6", 0, 0], "name": None}),
        operation("math.multiply", "twice", "_CONSTANT_VALUE", -1, 2.0, {"y": ["sum", 0, 0], "name": None}),
        operation("math.subtract", "less", "twice", 0, 0, {"y": ["block/conv", 0, 0], "name": None}),
        operation("math.reduce_mean", "mean", "less", 0, 0, {"axis": [1, 2]}),
        layer("Dense", "answer", REST_2[1]["config"], [["mean", 0, 0, {}]]),
    ]
    config = {"class_name": "Functional", "config": {"name": "old", "layers": parts, "input_layers": [["image", 0, 0]], "output_layers": [["answer", 0, 0]]}}  # fmt: skip
    stored = {"block/conv": (KERNEL, BIAS), "answer": (DENSE, NONE)}
    image = keras.Input((8, 6, 3))
    features = layers.Conv2D(4, 3, padding="same", strides=(2, 1))(image)
    joined = 2.0 * (features + layers.ReLU(6.0)(features)) - features
    model = keras.Model(image, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(joined)))
    model.set_weights([KERNEL, BIAS, DENSE, NONE])
    path = written(tmp_path / "old.h5", config, stored, "2.11.0")
    old = explain(open_model(path, preprocessing="unit"), IMAGE, "class_logit(1)")
    new = explain(open_model(model, preprocessing="unit"), IMAGE, "class_logit(1)")
    assert np.abs(old.values - new.values).max() <= 2e-5 * np.abs(new.values).max()
    parts[2]["config"]["function"] = "io.read_file"
    with pytest.raises(ModelError, match=r"operation 'io.read_file' as a layer"):
        open_model(written(tmp_path / "other.h5", config, stored, "2.11.0"))


def keras_1(ordering):
    shape = [None, 8, 6, 3] if ordering == "tf" else [None, 3, 8, 6]
    conv = {
        "name": "conv", "batch_input_shape": shape, "nb_filter": 4, "nb_row": 3, "nb_col": 3, "subsample": [2, 1],
        "border_mode": "same", "bias": True, "init": "glorot_uniform", "activation": "relu", "dim_ordering": ordering,
        "input_dtype": "float32", "W_regularizer": None, "b_regularizer": None, "trainable": True,
    }  # fmt: skip
    mean = {
        "class_name": "GlobalAveragePooling2D",
        "config": {"name": "mean", "dim_ordering": ordering, "trainable": True},
    }
    drop = {"class_name": "Dropout", "config": {"name": "drop", "p": 0.5, "trainable": True}}
    answer = {
        "class_name": "Dense",
        "config": {
            "name": "answer",
            "output_dim": 2,
            "init": "uniform",
            "activation": "softmax",
            "input_dim": None,
            "bias": True,
        },
    }
    return {
        "class_name": "Sequential",
        "config": [{"class_name": "Convolution2D", "config": conv}, mean, drop, answer],
    }


def test_the_names_of_keras_1(tmp_path):
    opened = same(written(tmp_path / "old.h5", keras_1("tf"), version="1.2.2"), today())
    assert opened.card.description.format == "Keras 1.2.2 file (.h5)"


@pytest.mark.parametrize("backend", ["tensorflow", "theano"])
def test_channels_first_kernels_of_keras_1(tmp_path, backend):
    turned = KERNEL[::-1, ::-1] if backend == "theano" else KERNEL
    stored = {"conv": (turned.transpose(3, 2, 0, 1), BIAS), "answer": (DENSE, NONE)}
    path = written(tmp_path / "old.h5", keras_1("th"), stored, "1.2.2", backend)
    opened = open_model(path, preprocessing="unit")
    assert opened.card.input == (8, 6, 3)
    old = explain(opened, IMAGE, "class_logit(1)")
    new = explain(open_model(today(), preprocessing="unit"), IMAGE, "class_logit(1)")
    assert np.abs(old.values - new.values).max() <= 2e-5 * np.abs(new.values).max()


def test_files_that_cannot_be_opened_are_one_sentence(tmp_path):
    model = today()
    model.save_weights(tmp_path / "only.weights.h5")
    with pytest.raises(ModelError, match="weights only"):
        open_model(tmp_path / "only.weights.h5")
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(ModelError, match="not one that Keras writes"):
        open_model(tmp_path / "text.h5")
    (tmp_path / "text.keras").write_text("no")
    with pytest.raises(ModelError, match="not one that Keras writes"):
        open_model(tmp_path / "text.keras")
    config = {"class_name": "Sequential", "config": [{"class_name": "Conv2D", "config": CONV_2}, *REST_2]}
    short = written(tmp_path / "short.h5", config, {"conv": (KERNEL, BIAS)})
    with pytest.raises(ModelError, match="weights of 1 layers, its network has 2"):
        open_model(short)
    wrong = written(tmp_path / "wrong.h5", config, {"conv": (KERNEL[:2], BIAS), "answer": (DENSE, NONE)})
    with pytest.raises(ModelError, match=r"'conv' is \(2, 3, 3, 4\), the layer needs \(3, 3, 3, 4\)"):
        open_model(wrong)
    for name in ("model.onnx", "model"):
        (tmp_path / name).write_text("no")
        with pytest.raises(ModelError, match="cannot be opened"):
            open_model(tmp_path / name)
