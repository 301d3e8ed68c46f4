"""Any Keras model becomes one graph with constant weights and the preprocessing inside."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from saliency_core.engine import nodes
from saliency_core.engine.runtime import tensorflow
from saliency_core.errors import ModelError
from saliency_core.models.preprocessing import Preprocessing

INPUT = "pixels"
Naming = Callable[[Sequence[str]], dict[str, str]]  # names in the traced graph -> names in ours


@dataclass(frozen=True)
class Frozen:
    """A network as one graph: raw pixels 0..255 (B, H, W, C) in, one output tensor out."""

    graph: bytes  # serialized GraphDef with constant weights, in topological order
    output: str  # tensor name
    shape: tuple[int, int, int]  # H, W, C of one image
    input: str = INPUT

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the graph, which names the model everywhere."""
        return hashlib.sha256(self.graph).hexdigest()


def freeze_keras(
    model: Any,
    preprocessing: Preprocessing,
    *,
    size: tuple[int, ...] | None = None,
    output: int = 0,
) -> Frozen:
    """Freeze a Keras model of any kind (Sequential, functional, nested, subclassed).

    `size` (H, W) is needed where the model leaves it open. Raises ModelError when the model
    does not take one image of shape (H, W, C).
    """
    tf = tensorflow()
    shape, dtype, flat = _image_shape(model, size)

    def forward(pixels: Any) -> Any:
        with tf.name_scope("preprocessing"):
            ready = tf.cast(_prepared(tf, pixels, preprocessing, shape[2]), dtype)
            ready = tf.squeeze(ready, -1) if flat else ready
        answers = tf.nest.flatten(model(ready, training=False))
        if not 0 <= output < len(answers):
            raise ModelError(f"The model has no output {output}.", f"It has outputs 0 to {len(answers) - 1}.")
        return tf.cast(answers[output], tf.float32)

    spec = tf.TensorSpec([None, *shape], tf.float32, name=INPUT)
    try:
        traced = tf.function(forward, autograph=False).get_concrete_function(spec)
    except (ValueError, TypeError, tf.errors.InvalidArgumentError) as problem:
        raise ModelError(
            f"The model does not accept an image of shape {shape}: {str(problem)[:300]}",
            "Give the size the model was made for: open_model(model, size=(height, width)).",
        ) from problem
    return from_function(traced, shape, _plain_names(model))


def from_function(traced: Any, shape: tuple[int, int, int], naming: Naming) -> Frozen:
    """Freeze a traced function of the raw pixels; its variables become constants."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(traced)
    graph = frozen.graph.as_graph_def()
    graph = nodes.sorted_and_pruned(graph, [frozen.outputs[0].name])
    output = _through_identities(graph, frozen.outputs[0].name)
    if node_missing(graph, INPUT):
        raise ModelError("The output of this model does not depend on the image.")
    graph = nodes.sorted_and_pruned(nodes.bypass_identities(graph), [output])
    names = naming([node.name for node in graph.node])
    graph = nodes.rename(graph, names)
    graph.library.Clear()
    name, _, port = output.partition(":")
    return Frozen(graph.SerializeToString(deterministic=True), f"{names[name]}:{port or 0}", shape)


def node_missing(graph: Any, name: str) -> bool:
    """Tell whether a graph has no node of that name."""
    return all(node.name != name for node in graph.node)


def _through_identities(graph: Any, name: str) -> str:
    by_name = {node.name: node for node in graph.node}
    while (node := by_name[nodes.node_of(name)]).op in ("Identity", "IdentityN"):
        name = node.input[int(name.partition(":")[2] or 0)]
    return name


def _prepared(tf: Any, pixels: Any, preprocessing: Preprocessing, channels: int) -> Any:
    scale, shift, order = preprocessing.affine_for(channels)
    if order == "bgr":
        pixels = tf.reverse(pixels, [-1])
    if (scale != 1).any():
        pixels = pixels * tf.constant(scale, tf.float32)
    return pixels + tf.constant(shift, tf.float32) if (shift != 0).any() else pixels


def _image_shape(model: Any, size: tuple[int, ...] | None) -> tuple[tuple[int, int, int], Any, bool]:
    """Return (H, W, C), the dtype the model wants, and whether it wants gray images without channel axis."""
    wanted = getattr(model, "inputs", None) or []
    if len(wanted) > 1:
        raise ModelError(
            f"The model has {len(wanted)} inputs; one image input is supported.",
            "Wrap the model so that the other inputs are fixed.",
        )
    if not wanted:
        return _shape_without_inputs(model, size), tensorflow().float32, False
    shape = tuple(wanted[0].shape)[1:]
    flat = len(shape) == 2
    shape = (*shape, 1) if flat else shape
    if len(shape) != 3 or shape[2] is None:
        raise ModelError(
            f"The model takes arrays of shape {shape}; an image (height, width, channels) is needed."
        )
    if shape[0] is None or shape[1] is None:
        if size is None or len(size) < 2:
            raise ModelError(
                "The model leaves the image size open.",
                "Choose one: open_model(model, size=(height, width)).",
            )
        shape = (size[0], size[1], shape[2])
    return (int(shape[0]), int(shape[1]), int(shape[2])), wanted[0].dtype, flat


def _shape_without_inputs(model: Any, size: tuple[int, ...] | None) -> tuple[int, int, int]:
    """Return (H, W, C) of a subclassed model: as given, or as it was built for or first called on."""
    built = getattr(model, "_build_shapes_dict", None) or {}
    shape = size or tuple(built.get("input_shape") or ())[1:]
    if len(shape) != 3 or None in shape:
        raise ModelError(
            "The model does not say what size of image it takes.",
            "Call it once on an image, or give size=(height, width, channels).",
        )
    return int(shape[0]), int(shape[1]), int(shape[2])


def _plain_names(model: Any) -> Naming:
    """Map scopes such as `my_model_1/conv1_1/Relu` to the names in the model: `conv1/Relu`.

    Keras opens each scope twice, so every one ends in a number of TensorFlow's. A layer that is called
    again gets its call's number behind a dot: `conv1.2/Relu`.
    """
    known = {layer.name for layer in model._flatten_layers(include_self=False)}
    own = re.compile(rf"^{re.escape(model.name)}(_\d+)?$")

    def plain(scope: str) -> str:
        layer, _, number = scope.rpartition("_")
        return layer if number.isdigit() and layer in known else scope

    def naming(names: Sequence[str]) -> dict[str, str]:
        scopes = {""}
        for name in names:
            scopes.update(itertools.accumulate(name.split("/")[:-1], "{}/{}".format))
        found = {"": ""}
        taken: set[str] = set()
        for scope in sorted(scopes - {""}, key=_by_depth_and_number):
            above, _, last = scope.rpartition("/")
            inside = not above and own.match(last)
            found[scope] = "" if inside else _free(_join(found[above], plain(last)), taken)
        taken.clear()
        nodes_by_depth = sorted(names, key=lambda name: name.count("/"))
        return {
            n: _free(_join(found[n.rpartition("/")[0]], n.rpartition("/")[2]), taken) for n in nodes_by_depth
        }

    return naming


def _by_depth_and_number(scope: str) -> tuple[int, int]:
    number = scope.rpartition("_")[2]
    return scope.count("/"), int(number) if number.isdigit() else 0


def _join(scope: str, name: str) -> str:
    return f"{scope}/{name}" if scope else name


def _free(wanted: str, taken: set[str]) -> str:
    """Return the name, with `.2` and so on behind it when it is taken, and take it."""
    name = next(n for k in itertools.count(1) if (n := wanted if k == 1 else f"{wanted}.{k}") not in taken)
    taken.add(name)
    return name
