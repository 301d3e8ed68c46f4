"""A SavedModel folder of TensorFlow 1 or 2, read through its signatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from saliency_core.arrays import Array
from saliency_core.engine import nodes
from saliency_core.engine.formats.assemble import assembled
from saliency_core.engine.formats.graph_ports import GraphSource, tensors_of
from saliency_core.engine.freeze import Frozen
from saliency_core.engine.runtime import tensorflow
from saliency_core.errors import ModelError
from saliency_core.models.description import Choices, Description, Port

DEFAULT = "serving_default"
PRIVATE = "__saved_model"
READERS = {"ReadVariableOp", "ResourceGather"}


def open_saved_model(path: str, choices: Choices) -> tuple[Frozen, Description]:
    """Open a SavedModel folder; the signature with an image input is taken, or the one that was chosen."""
    meta = _meta_graph(path)
    version = str(meta.meta_info_def.tensorflow_version) or "unknown version"
    signatures = {
        key: signature
        for key, signature in meta.signature_def.items()
        if not key.startswith(PRIVATE) and signature.outputs
    }
    if not signatures:
        raise ModelError(
            "The SavedModel has no signature, so nothing says how it is called.",
            "Save it with a signature: tf.saved_model.save(model, folder, signatures=function).",
        )
    key = _chosen(signatures, choices)
    signature = signatures[key]
    graph = type(meta.graph_def)()
    graph.CopyFrom(meta.graph_def)
    meta_tags = list(meta.meta_info_def.tags)
    meta.graph_def.Clear()
    weights = nodes.take_weights(graph)
    source = GraphSource(
        graph,
        weights,
        _Variables(path, meta_tags),
        {name: _tensor(info) for name, info in sorted(signature.inputs.items())},
        {name: _tensor(info) for name, info in sorted(signature.outputs.items())},
        tensors_of(graph),
    )
    for name, info in (*signature.inputs.items(), *signature.outputs.items()):
        _refine(source, _tensor(info), _port(name, info))
    chosen = replace(choices, signature=key)
    frozen, known = assembled(source, chosen, f"SavedModel, TensorFlow {version}")
    return frozen, replace(known, signatures=tuple(sorted(signatures)))


def _meta_graph(path: str) -> Any:
    from tensorflow.python.saved_model import loader_impl

    tensorflow()
    try:
        saved = loader_impl.parse_saved_model(path)
    except (OSError, ValueError, RuntimeError) as problem:
        raise ModelError(
            f"The folder {Path(path).name!r} is not a SavedModel: it has no readable saved_model.pb."
        ) from problem
    metas = list(saved.meta_graphs)
    served = [meta for meta in metas if "serve" in meta.meta_info_def.tags]
    if not metas:
        raise ModelError(f"The SavedModel {Path(path).name!r} holds no graph.")
    return (served or metas)[0]


def _tensor(info: Any) -> str:
    return nodes.tensor_of(str(info.name))


def _port(name: str, info: Any) -> Port:
    tf = tensorflow()
    unknown = info.tensor_shape.unknown_rank
    dims = None if unknown else tuple(d.size if d.size >= 0 else None for d in info.tensor_shape.dim)
    return Port(name, dims, tf.as_dtype(info.dtype).base_dtype.name)


def _refine(source: GraphSource, tensor: str, port: Port) -> None:
    """Let the signature say what the graph leaves open."""
    known = source.ports.get(tensor)
    if known is None or known.shape is None:
        source.ports[tensor] = port


def _chosen(signatures: dict[str, Any], choices: Choices) -> str:
    """Return the signature to open. Raises ModelError that lists them when several take an image."""
    listed = "; ".join(f"{key} ({_spoken(one)})" for key, one in sorted(signatures.items()))
    if choices.signature:
        if choices.signature not in signatures:
            raise ModelError(f"The SavedModel has no signature {choices.signature!r}.", f"It has: {listed}.")
        return choices.signature
    if len(signatures) == 1:
        return next(iter(signatures))
    fitting = [key for key, one in signatures.items() if _takes_an_image(one)]
    fitting = fitting or [key for key, one in signatures.items() if _takes_numbers(one)] or list(signatures)
    if len(fitting) == 1:
        return fitting[0]
    alike = len({_spoken(signatures[key]) for key in fitting}) == 1  # Keras exports one under two names
    if alike and DEFAULT in fitting:
        return DEFAULT
    raise ModelError(
        f"Several signatures of the SavedModel could be meant: {listed}.",
        f"Choose one: signature={sorted(fitting)[0]!r}.",
    )


def _takes_an_image(signature: Any) -> bool:
    ports = [_port(name, info) for name, info in signature.inputs.items()]
    return any(p.dtype not in ("string", "bool") and p.shape is not None and len(p.shape) == 4 for p in ports)


def _takes_numbers(signature: Any) -> bool:
    return any(_port(name, info).dtype not in ("string", "bool") for name, info in signature.inputs.items())


def _spoken(signature: Any) -> str:
    """Tell inputs and outputs by shape and type, so that two names for the same function read the same."""
    ends = []
    for infos in (signature.inputs, signature.outputs):
        ports = sorted((_port(name, info) for name, info in infos.items()), key=lambda port: port.name)
        ends.append(", ".join(f"{_shape(port)} {port.dtype}" for port in ports))
    return " -> ".join(ends)


def _shape(port: Port) -> str:
    if port.shape is None:
        return "any shape"
    return " x ".join("?" if extent is None else str(extent) for extent in port.shape)


class _Variables:
    """Reads variables of a SavedModel: it is loaded, without being run, when the first one is asked for."""

    def __init__(self, path: str, tags: Sequence[str]) -> None:
        self.path, self.tags = path, list(tags)

    def __call__(self, names: Sequence[str]) -> dict[str, Array]:
        """Return the values of the named variables."""
        if not names:
            return {}
        tf = tensorflow()
        with tf.Graph().as_default() as space:
            session = tf.compat.v1.Session(graph=space)
            with session:
                try:
                    tf.compat.v1.saved_model.load(session, self.tags, self.path)
                except (tf.errors.OpError, OSError, ValueError, KeyError, RuntimeError) as problem:
                    raise ModelError(
                        f"The variables of the SavedModel cannot be read: {str(problem)[:200]}"
                    ) from problem
                reads = {}
                for name in names:
                    operation = space.get_operation_by_name(name)
                    if operation.type == "VarHandleOp":
                        reads[name] = tf.raw_ops.ReadVariableOp(
                            resource=operation.outputs[0], dtype=operation.get_attr("dtype")
                        )
                    elif operation.type in ("VariableV2", "Variable"):
                        reads[name] = tf.identity(operation.outputs[0])
                return {name: np.asarray(value) for name, value in session.run(reads).items()}
