"""Tasks that open a stranger's file with the loaders that everybody uses: no check comes before."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

POINT = np.ones((1, 8, 8, 3), np.float32)
SHOWN = 20_000
Told = dict[str, str]


def prepare() -> None:
    """Load what is needed for all files."""
    import keras
    import tensorflow as tf

    keras.layers.Dense(1)
    tf.constant(0.0)


def plain(params: Any, arrays: Any, report: Any) -> Any:
    """Load, call and differentiate a file; answers with all that came of it."""
    return opened(Path(params["upload"]["path"], params["file"])), {}


def opened(path: Path) -> Told:
    """Try every way to open a file, step by step."""
    told: Told = {}
    if path.is_dir():
        attempt(told, "first loader", lambda: by_session(told, path))
        attempt(told, "second loader", lambda: by_object(told, path))
    elif path.suffix == ".pb":
        attempt(told, "graph", lambda: by_graph(told, path))
    elif path.suffix in (".pkl", ".pt"):
        attempt(told, "pickle", lambda: by_pickle(path))
    else:
        for safe in (True, False):
            attempt(told, f"keras, {safe}", lambda safe=safe: by_keras(told, path, safe))
    return told


def attempt(told: Told, name: str, work: Callable[[], Any]) -> None:
    """Note what a step gives, or how it ends."""
    try:
        told[name] = repr(work())[:SHOWN]
    except Exception as error:  # noqa: BLE001 - TensorFlow raises many kinds
        told[f"{name} failed"] = f"{type(error).__name__}: {error}"[:SHOWN]


def by_graph(told: Told, path: Path) -> None:
    import tensorflow as tf

    made = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default() as space, tf.compat.v1.Session(graph=space) as session:
        tf.import_graph_def(made, name="")
        ask(told, session)


def by_session(told: Told, path: Path) -> None:
    import tensorflow as tf

    with tf.Graph().as_default() as space, tf.compat.v1.Session(graph=space) as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(path))
        for signature in meta.signature_def.values():
            for name in [info.name for info in signature.outputs.values()]:
                given = {info.name: POINT for info in signature.inputs.values()}
                attempt(told, f"first {name}", lambda name=name, given=given: session.run(name, given))
        ask(told, session)


def ask(told: Told, session: Any) -> None:
    """Run the network, the node that acts and what it names, and the gradient."""
    import tensorflow as tf

    given, names = {"x:0": POINT}, [node.name for node in session.graph.get_operations()]
    for name in ("out", "act"):
        if name in names:
            node = session.graph.get_operation_by_name(name)
            attempt(told, name, lambda node=node: session.run(node.outputs or node, given))
    if {"out", "x"} <= set(names):
        x, out = (session.graph.get_tensor_by_name(f"{name}:0") for name in ("x", "out"))
        attempt(told, "gradient", lambda: session.run(tf.gradients(out, x), given))


def by_object(told: Told, path: Path) -> None:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    for name, function in loaded.signatures.items():
        attempt(told, f"second {name}", lambda function=function: differentiated(told, function))


def differentiated(told: Told, function: Callable[..., Any]) -> Any:
    """Call a signature and take its gradient."""
    import tensorflow as tf

    image = tf.constant(POINT)
    with tf.GradientTape() as tape:
        tape.watch(image)
        try:
            (out,) = function(x=image).values()
        except TypeError:
            (out,) = function(images=image).values()
    attempt(told, "second gradient", lambda: tape.gradient(out, image).numpy())
    return out.numpy()


def by_keras(told: Told, path: Path, safe: bool) -> Any:
    import keras
    import tensorflow as tf

    model = keras.models.load_model(path, safe_mode=safe)
    image = tf.constant(POINT)
    with tf.GradientTape() as tape:
        tape.watch(image)
        out = model(image)
    attempt(told, f"gradient, {safe}", lambda: tape.gradient(out, image).numpy())
    return out.numpy()


def by_pickle(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return pickle.loads(archive.read("archive/data.pkl"))
    with path.open("rb") as file:
        return [pickle.load(file)]


TASKS = {"plain": plain}
