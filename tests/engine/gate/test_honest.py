"""Honest files pass: every kind of Keras model, exports, old SavedModels, frozen graphs and real models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from saliency_core.engine.gate import Refused, admit
from tests.engine.networks import NETWORKS

pytestmark = pytest.mark.engine
REAL = Path(os.environ.get("SALIENCY_REAL", "/nowhere")) / "models"
SMALL: dict[str, dict[str, Any]] = {
    "MobileNet": {"alpha": 0.25},
    "MobileNetV2": {"alpha": 0.35},
    "MobileNetV3Small": {"alpha": 0.75},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_kind_of_keras_model(name: str, tmp_path: Path) -> None:
    import keras

    model = NETWORKS[name](keras)
    model.compile("adam", "mse")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for ending, format in ((".keras", "keras"), (".h5", "hdf5")):
        path = tmp_path / f"{name}{ending}"
        model.save(path)
        if name == "subclassed":  # a class of its own, whose code is not in the file
            with pytest.raises(Refused, match="custom class") as caught:
                admit(path, scratch)
            assert "open_model(the_live_model)" in caught.value.hint
        else:
            admitted = admit(path, scratch)
            assert (admitted.format, admitted.path, admitted.notices) == (format, path, ())
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("name", ["nested", "subclassed", "functional"])
def test_exports(name: str, tmp_path: Path) -> None:
    import keras

    NETWORKS[name](keras).export(tmp_path / name, verbose=False)
    admitted = admit(tmp_path / name, tmp_path)
    assert admitted.format == "saved_model"
    own = any("own gradient rules" in notice for notice in admitted.notices)
    assert own == (name == "functional")  # its swish has a gradient of its own


@pytest.mark.parametrize("resource", [False, True])
def test_saved_models_and_frozen_graphs_of_tensorflow_1(resource: bool, tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session() as session:
        image = v1.placeholder(tf.float32, [None, 8, 8, 3], name="image")
        with v1.variable_scope("net", use_resource=resource):
            kernel = v1.get_variable("kernel", [3, 3, 3, 4])
        hidden = tf.nn.relu(tf.nn.conv2d(image, kernel, 1, "SAME"))
        out = tf.nn.softmax(tf.reduce_mean(hidden, [1, 2]), name="out")
        v1.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_sum(out))
        v1.train.Saver()  # the author's own, besides the one of the export
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "saved"), {"image": image}, {"out": out})
        frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["out"])
    (tmp_path / "frozen.pb").write_bytes(frozen.SerializeToString())
    assert admit(tmp_path / "saved", tmp_path).format == "saved_model"
    assert admit(tmp_path / "frozen.pb", tmp_path).format == "graph"


def test_a_signature_of_encoded_pictures_is_told(tmp_path: Path) -> None:
    import tensorflow as tf

    def opened(picture: Any) -> Any:
        return tf.image.resize(tf.cast(tf.io.decode_jpeg(picture, channels=3), tf.float32), [8, 8])

    class Serving(tf.Module):  # type: ignore[misc,name-defined]
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def __call__(self, pictures: Any) -> Any:
            made = tf.map_fn(opened, pictures, fn_output_signature=tf.TensorSpec([8, 8, 3], tf.float32))
            return {"out": tf.reduce_mean(made, [1, 2])}

    serving = Serving()
    tf.saved_model.save(serving, str(tmp_path / "serving"), signatures=serving.__call__)
    assert any("not pixels" in notice for notice in admit(tmp_path / "serving", tmp_path).notices)


@pytest.mark.parametrize("name", SMALL)
def test_keras_applications(name: str, tmp_path: Path) -> None:
    import keras

    model = getattr(keras.applications, name)(weights=None, input_shape=(32, 32, 3), classes=3, **SMALL[name])
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for path in (tmp_path / f"{name}.keras", tmp_path / f"{name}.h5"):
        model.save(path)
        assert admit(path, scratch).path == path
    model.export(tmp_path / name, verbose=False)
    assert admit(tmp_path / name, scratch).path == tmp_path / name


@pytest.mark.skipif(not REAL.is_dir(), reason="SALIENCY_REAL names no folder of real models")
def test_real_models(tmp_path: Path) -> None:
    paths = sorted(REAL.iterdir())
    assert len(paths) >= 7
    for path in paths:
        assert admit(path, tmp_path).path == path
