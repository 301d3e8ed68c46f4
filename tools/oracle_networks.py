"""Networks as TensorFlow and Keras run them by themselves, for references to ask; no part of the engine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from saliency_core import open_model
from saliency_core.arrays import Array, Float
from saliency_core.gallery import for_model
from saliency_core.models.model import Model
from saliency_core.models.opening import BUNDLED

IMAGES = 2  # of each model
ROUNDED = {  # raw pixels to what the network takes, as the manifest of real models words it
    "x/127.5-1 (RGB or grey 0..255)": ("symmetric()", 1 / 127.5, -1.0),
    "x/255": ("unit()", 1 / 255, 0.0),
    "(x/255-(0.485,0.456,0.406))/(0.229,0.224,0.225)": (
        "torch()",
        1 / (255 * np.array([0.229, 0.224, 0.225])),
        -np.array([0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
    ),
}
Answer = Callable[[Any, str], tuple[Any, Any]]


@dataclass
class Network:
    """Logits, gradients and one layer of a network, one point (H, W, C) of raw pixels at a time.

    `answer(pixels, layer)` gives logits and the activations of a layer as tensors of a graph. `keras` is the
    Keras model with logits for outputs, or `graph` the frozen graph; both take pixels * scale + shift.
    """

    answer: Answer
    shape: tuple[int, int, int]
    layer: str
    keras: Any = None
    graph: Any = None
    scale: Any = 1.0
    shift: Any = 0.0
    _made: dict[str, Any] = field(default_factory=dict)

    def score(self, point: Array, index: int) -> float:
        return float(self._run("score", point, index)[0][0])

    def gradient(self, point: Array, index: int) -> Float:
        return self._run("gradient", point, index)[0][0]

    def at_layer(self, point: Array, index: int) -> tuple[Float, Float]:
        """Activations and gradient of the layer, (h, w, channels)."""
        activations, gradient = self._run("layer", point, index)
        return activations[0], gradient[0]

    def _run(self, what: str, point: Array, index: int) -> list[Float]:
        import tensorflow as tf

        if what not in self._made:
            shapes = [tf.TensorSpec([1, *self.shape]), tf.TensorSpec([], tf.int32)]
            self._made[what] = tf.function(self._built(what), input_signature=shapes, autograph=False)
        pixels = tf.constant(np.asarray(point, np.float32)[None])
        return [one.numpy() for one in self._made[what](pixels, tf.constant(index))]

    def _built(self, what: str) -> Callable[[Any, Any], list[Any]]:
        import tensorflow as tf

        def score(pixels: Any, index: Any) -> list[Any]:
            return [self.answer(pixels, self.layer)[0][:, index]]

        def gradient(pixels: Any, index: Any) -> list[Any]:
            return [tf.gradients(self.answer(pixels, self.layer)[0][:, index], pixels)[0]]

        def layer(pixels: Any, index: Any) -> list[Any]:
            logits, activations = self.answer(pixels, self.layer)
            return [activations, tf.gradients(logits[:, index], activations)[0]]

        return {"score": score, "gradient": gradient, "layer": layer}[what]


@dataclass
class Case:
    """One model of ours beside the same file as TensorFlow runs it, and the images to ask about."""

    name: str
    model: Model
    network: Network
    layer: str  # the network's layer by the model's name for it
    images: Sequence[Any]
    shared: bool = False  # where many gradients are added up, theirs gets ours, and only the sum is compared
    kinks: list[bool] = field(default_factory=list)  # of each point: do the gradients of both runs differ

    @cached_property
    def points(self) -> list[tuple[Float, int]]:
        """Raw pixels (H, W, C) and the class explained: the model's first."""
        prepared = [self.model.prepare(image) for image in self.images]
        return [(point, int(self.model.head_values(point[None])[0][0].argmax())) for point in prepared]


def shipped() -> Iterator[Case]:
    """The models that come along, from the files as they are."""
    for name in ("digits", "scenes"):
        model = open_model(name)
        layer = _deepest(model)
        graph = _read(BUNDLED / f"{name}.pb")
        network = Network(answering(graph, model), model.card.input, layer.tensor, graph=graph)
        yield Case(name, model, network, layer.name, [one.read() for one in for_model(name)[:IMAGES]])


def real(folder: Path) -> Iterator[Case]:
    """Networks that others trained, from a folder with a manifest."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for entry in manifest["models"]:
        path = folder / entry["file"]
        if entry["preprocessing"] not in ROUNDED or path.suffix not in (".keras", ".pb"):
            continue
        spelled, scale, shift = ROUNDED[entry["preprocessing"]]
        model = open_model(path, preprocessing=spelled, trusted=True)
        if path.suffix == ".pb":
            layer, shape = _deepest(model), model.card.input
            graph = _read(path)
            answer = answering(graph, model, scale, shift)
            network = Network(answer, shape, layer.tensor, None, graph, scale, shift)
        else:
            keras = _with_logits(path)
            layer, shape = _deepest(model, [one.name for one in keras.layers]), model.card.input
            answer = _keras(keras, scale, shift)
            network = Network(answer, shape, layer.name, keras, None, scale, shift)
        images = [folder / one["file"] for one in manifest["images"] if one["task"] == entry["images_task"]]
        yield Case(entry["name"], model, network, layer.name, images[:IMAGES])


def cases() -> Iterator[Case]:
    """All models there are: shipped ones, and real ones where SALIENCY_REAL names their folder."""
    yield from shipped()
    if folder := os.environ.get("SALIENCY_REAL"):
        yield from real(Path(folder))


def _deepest(model: Model, names: Sequence[str] | None = None) -> Any:
    """The last layer with rows and columns; what Grad-CAM looks at in both."""
    maps = [layer for layer in model.layers if len(layer.shape) == 3 and min(layer.shape[:2]) > 1]
    return [layer for layer in maps if names is None or layer.name in names][-1]


def _read(path: Path) -> Any:
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(path.read_bytes())
    return graph


def source_of(graph: Any) -> str:
    """The name of the node that takes the image."""
    return str(next(node.name for node in graph.node if node.op == "Placeholder"))


def answering(graph: Any, model: Model, scale: Any = 1.0, shift: Any = 0.0) -> Answer:
    """A frozen graph as it is: imported, and differentiated by TensorFlow."""
    import tensorflow as tf

    source = source_of(graph)

    def answer(pixels: Any, layer: str) -> tuple[Any, Any]:
        taken = {f"{source}:0": pixels * np.float32(scale) + np.float32(shift)}
        logits, activations = tf.graph_util.import_graph_def(
            graph, taken, [model.head.logits, layer], name=""
        )
        return tf.reshape(logits, [1, -1]), activations

    return answer


def _keras(keras: Any, scale: Any, shift: Any) -> Answer:
    """A Keras model as Keras runs it."""
    from keras import Model as Functional

    def answer(pixels: Any, layer: str) -> tuple[Any, Any]:
        both = Functional(keras.inputs, [keras.outputs[0], keras.get_layer(layer).output])
        logits, activations = both(pixels * np.float32(scale) + np.float32(shift), training=False)
        return logits, activations

    return answer


def _with_logits(path: Path) -> Any:
    """A Keras model whose output are the logits: what comes before its softmax."""
    import keras

    model = keras.models.load_model(path, compile=False)
    last = model.layers[-1]
    if isinstance(last, keras.layers.Softmax):
        return keras.Model(model.inputs, model.layers[-2].output)
    if last.activation is keras.activations.softmax:
        last.activation = keras.activations.linear
    return _in_one_go(model) if isinstance(model, keras.Sequential) else model


def _in_one_go(model: Any) -> Any:
    """A Sequential model with each layer called once: as loaded, its layers lie on several paths."""
    import keras

    found = source = keras.Input(model.input_shape[1:])
    for layer in model.layers:
        found = type(layer).from_config(layer.get_config())(found)
    fresh = keras.Model(source, found)
    fresh.set_weights(model.get_weights())
    return fresh
