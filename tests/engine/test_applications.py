"""Keras Applications: the catalogue says what the installed Keras does, and downloads become networks."""

import hashlib
import json
import os
import sys
import threading
from collections import OrderedDict
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from saliency_core.engine import applications
from saliency_core.engine.applications import build, imagenet_labels, open_application
from saliency_core.errors import Cancelled, DownloadError, ModelError
from saliency_core.grammar import parse
from saliency_core.models import catalogue, download, opening
from saliency_core.models.catalogue import CATALOGUE, LABELS

pytestmark = pytest.mark.engine
SMALL = CATALOGUE["mobilenet_v3_small"]
ENTRIES = pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.id)


@ENTRIES
def test_address_checksum_size_and_head_are_those_of_the_installed_keras(entry, monkeypatch):
    """Keras itself is asked for its weights; what it asks the network for is compared with the table."""
    import keras
    from keras.src.utils import file_utils

    asked = []
    monkeypatch.setattr(file_utils, "get_file", lambda *args, **more: asked.append((args, more)) or "none.h5")
    monkeypatch.setattr(keras.Model, "load_weights", lambda self, path: asked.append(path))
    monkeypatch.setattr(keras.initializers.GlorotUniform, "__call__", zeros)
    model = getattr(keras.applications, entry.keras_name)(
        weights="imagenet", input_shape=(entry.size, entry.size, 3)
    )
    ((file, url), more), loaded = asked
    assert (file, url) == (entry.weights.file, entry.weights.url)
    assert more == {"cache_subdir": "models"} | (
        {"file_hash": entry.weights.digest} if entry.weights.digest else {}
    )
    assert loaded == "none.h5"
    assert model.count_params() == entry.parameters
    assert model.output_shape == (None, 1000)
    keras.backend.clear_session()


def zeros(self, shape, dtype=None, **more):
    """Start a network in no time; what is counted here does not depend on the weights."""
    import tensorflow as tf

    return tf.zeros(shape, dtype or "float32")


@ENTRIES
def test_preprocessing_is_that_of_the_installed_keras(entry):
    import keras

    theirs = sys.modules[getattr(keras.applications, entry.keras_name).__module__].preprocess_input
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3)).astype(np.float32)
    ours = parse("preprocessing", entry.preprocessing).apply(pixels)
    expected = np.asarray(theirs(pixels.copy()))
    # Keras rounds to float32 after each of three steps, this table once
    np.testing.assert_allclose(ours, expected, rtol=0, atol=4 * np.finfo(np.float32).eps * np.abs(ours).max())


def test_labels_are_those_of_the_installed_keras(monkeypatch, tmp_path):
    from keras.src.applications import imagenet_utils
    from keras.src.utils import file_utils

    asked = []

    def get_file(*args, **more):
        asked.append((args, more))
        return str(class_index(tmp_path))

    monkeypatch.setattr(file_utils, "get_file", get_file)
    monkeypatch.setattr(imagenet_utils, "CLASS_INDEX", None)
    (((_, name, score),),) = imagenet_utils.decode_predictions(np.eye(1000)[[281]], top=1)
    ((args, more),) = asked
    assert args == (LABELS.file, LABELS.url)
    assert more["file_hash"] == LABELS.digest
    assert name.replace("_", " ") == imagenet_labels(tmp_path / LABELS.file)[281] == "thing 281"
    assert score == 1


@pytest.mark.parametrize("text", ["{}", "[1]", "{", '{"0": ["n1"]}'])
def test_labels_of_something_else_are_refused(tmp_path, text):
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(ModelError, match=r"index.json does not name the 1000 classes"):
        imagenet_labels(tmp_path / "index.json")


def test_a_download_becomes_the_same_network(mirror):
    """Random weights, served over HTTP, give the answers of the network that they were saved from."""
    source, told = mirror
    model, entry, labels = open_application(SMALL.id, lambda *now: told.append(now))
    assert entry.id == SMALL.id
    assert (labels[0], labels[999]) == ("thing 0", "thing 999")
    np.testing.assert_array_equal(answers(model), answers(source))
    done, total, words = [now for now in told if "class names" not in now[2]][-1]
    assert done == total == entry.weights.megabytes * 2**20
    assert words.startswith("MobileNetV3 small: ")
    kept = download.cache_folder() / SMALL.weights.file
    assert sorted(path.name for path in kept.parent.iterdir()) == sorted([LABELS.file, kept.name])


def test_a_second_opening_needs_no_network(mirror, monkeypatch):
    source, told = mirror
    open_application(SMALL.id)
    monkeypatch.setenv(download.MIRROR, "http://127.0.0.1:9")
    model, _, _ = open_application(SMALL.id, lambda *now: told.append(now))
    np.testing.assert_array_equal(answers(model), answers(source))
    assert told == []


def test_cached_weights_open_without_names_and_get_them_later(mirror, monkeypatch, caplog):
    """Only the names are missing and there is no network: the model opens, says so, and asks again later."""
    _, told = mirror
    working = os.environ[download.MIRROR]
    monkeypatch.setattr(opening, "_open", OrderedDict())
    monkeypatch.setattr(opening, "_names_asked", {})
    download.fetch(catalogue.CATALOGUE[SMALL.id].weights)
    monkeypatch.setenv(download.MIRROR, "http://127.0.0.1:9")
    model = opening.open_model(SMALL.id, on_progress=lambda *now: told.append(now))
    assert model.labels == ()
    assert told == [(1, 1, "the names of the classes cannot be fetched; they have numbers for now")]
    assert "refuses the connection" in caplog.text
    pixels = np.random.default_rng(5).integers(0, 256, (SMALL.size, SMALL.size, 3), dtype=np.uint8)
    best = model.classify(pixels)[0]
    assert best.label == f"class {best.index}"
    monkeypatch.setenv(download.MIRROR, working)
    assert opening.open_model(SMALL.id).labels == ()  # not asked at every turn
    monkeypatch.setattr(opening, "NAMES_AGAIN_S", 0.0)
    assert opening.open_model(SMALL.id) is model
    assert model.classify(pixels)[0].label == f"thing {best.index}"
    assert (download.cache_folder() / LABELS.file).is_file()


def test_names_that_the_server_does_not_have_keep_no_model_from_opening(mirror, tmp_path):
    (tmp_path / "served" / LABELS.file).unlink()
    model, _, labels = open_application(SMALL.id)
    assert labels == ()
    np.testing.assert_array_equal(answers(model), answers(mirror[0]))


def test_stopping_while_the_names_arrive_stops_the_opening(mirror):
    def stop(done, total, words):
        if "class names" in words:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        open_application(SMALL.id, stop)


def test_weights_of_another_network_are_set_aside_where_no_checksum_tells(mirror, monkeypatch):
    """MobileNetV2's file has no checksum: swapped weights are found by Keras and fetched again."""
    source, _ = mirror
    unchecked = replace(catalogue.CATALOGUE[SMALL.id], weights=replace(SMALL.weights, digest=""))
    monkeypatch.setitem(catalogue.CATALOGUE, SMALL.id, unchecked)
    path = download.cache_folder() / SMALL.weights.file
    path.parent.mkdir(parents=True)
    save_like_keras(tiny(), path)
    swapped = path.read_bytes()
    model, _, _ = open_application(SMALL.id)
    np.testing.assert_array_equal(answers(model), answers(source))
    assert path.with_name(path.name + ".damaged").read_bytes() == swapped


def test_weights_of_another_network_are_named(tmp_path):
    save_like_keras(tiny(), tmp_path / "other.h5")
    with pytest.raises(ModelError, match=r"other.h5 does not hold the weights of MobileNetV3 small"):
        build(SMALL, tmp_path / "other.h5")


def test_without_a_network_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv(download.MIRROR, "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match=r"refuses the connection\. .*other models work without"):
        open_application("vgg16")


def test_depthwise_convolutions_answer_like_the_grouped_ones(monkeypatch):
    """ConvNeXt's grouped convolutions, compiled by Keras, against the same ones run depthwise."""
    import keras

    with monkeypatch.context() as patched:
        patched.setattr(applications, "_with_plain_groups", lambda model: model)
        theirs = build(CATALOGUE["convnext_tiny"], "random", seed=3)
    ours = build(CATALOGUE["convnext_tiny"], "random", seed=3)
    grouped = [layer for layer in ours._flatten_layers() if getattr(layer, "groups", 1) > 1]
    assert len(grouped) == 18
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 224, 224, 3)).astype(np.float32)
    logits = [keras.ops.log(model(pixels, training=False)) for model in (ours, theirs)]
    # float32 sums of 49 terms in another order, through 18 normalised blocks
    np.testing.assert_allclose(*map(np.asarray, logits), rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def source():
    """The network whose random weights are served."""
    return build(SMALL, "random", seed=7)


@pytest.fixture
def mirror(source, tmp_path, monkeypatch):
    """A loopback server with random weights in Keras's own format; yields their network and a list."""
    served = tmp_path / "served"
    served.mkdir()
    save_like_keras(source, served / SMALL.weights.file)
    class_index(served)
    weights = (served / SMALL.weights.file).read_bytes()
    item = replace(SMALL.weights, digest=hashlib.md5(weights).hexdigest(), megabytes=len(weights) / 2**20)
    index = hashlib.md5((served / LABELS.file).read_bytes()).hexdigest()
    monkeypatch.setitem(catalogue.CATALOGUE, SMALL.id, replace(SMALL, weights=item))
    monkeypatch.setattr(applications, "LABELS", replace(LABELS, digest=index))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served)))
    monkeypatch.setenv(download.MIRROR, f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield source, []
    server.shutdown()
    thread.join()
    server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder without a log."""

    def log_message(self, *args):
        """Say nothing."""


def answers(model):
    """Answers of a network to two fixed noise images."""
    pixels = np.random.default_rng(5).uniform(0, 255, (2, SMALL.size, SMALL.size, 3)).astype(np.float32)
    return np.asarray(model(pixels, training=False))


def tiny():
    """Another network, whose weights fit nothing in the catalogue."""
    import keras

    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])


def save_like_keras(model, path):
    """Write weights in the format of the files that Keras serves."""
    import h5py
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, model)


def class_index(folder):
    """Write a class index like Keras's, with names that cannot be mistaken for the real ones."""
    path = folder / LABELS.file
    path.write_text(json.dumps({str(k): [f"n{k:08d}", f"thing_{k}"] for k in range(1000)}))
    return path
