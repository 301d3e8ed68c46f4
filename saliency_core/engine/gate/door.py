"""The one way through the gate: from a path to what may be opened, or a refusal in one sentence."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

from saliency_core.engine.gate import (
    archive,
    configuration,
    graph,
    hdf5,
    operations,
    saved_model,
    sniff,
    weights,
    wire,
)
from saliency_core.engine.gate.refusal import SAVE_AGAIN, Admitted, Limits, Refused, Stop, shown
from saliency_core.engine.runtime import tensorflow

DAMAGES = (
    OSError, ValueError, RuntimeError, KeyError, TypeError, IndexError, AttributeError, OverflowError,
    EOFError, MemoryError, struct.error, zlib.error, zipfile.BadZipFile, zipfile.LargeZipFile,
)  # fmt: skip
UNFROZEN = (
    "Give the SavedModel folder instead, or freeze the graph: replace its variables by constants with "
    "tf.compat.v1.graph_util.convert_variables_to_constants."
)


def admit(path: Path, scratch: Path, limits: Limits = Limits()) -> Admitted:  # noqa: B008  frozen
    """Return what may be opened, or raise Refused; nothing of the file is run.

    `scratch` is an empty private folder: a SavedModel in an archive is unpacked into it.
    """
    path = Path(path)
    file = shown(path.name)
    try:
        return _admit(path, Path(scratch), limits)
    except Stop as stop:
        raise Refused(file, stop.part, stop.reason, stop.hint) from stop.__cause__
    except DAMAGES as problem:
        reason = f"it is damaged: {shown(problem, 120)}"
        raise Refused(file, "", reason, SAVE_AGAIN) from problem
    except Exception as problem:
        if type(problem).__name__ not in ("DecodeError", "error"):
            raise
        raise Refused(file, "", "it is damaged: not a complete graph", SAVE_AGAIN) from problem


def _admit(path: Path, scratch: Path, limits: Limits) -> Admitted:
    kind = sniff.kind(path, limits)
    if kind == "h5":
        text = hdf5.model_config(path, "the file", limits)
        config = configuration.parse(text, "model_config", limits)
        configuration.check(config, "model_config")
        weights.check(config, "model_config", hdf5.check(path, "the file", limits), limits)
        return Admitted("hdf5", path)
    if kind == "folder":
        archive.check_folder(path, limits)
        tensorflow()
        return Admitted("saved_model", path, saved_model.check(path, limits))
    if kind == "graph":
        return Admitted("graph", path, _check_graph(path, limits))
    with zipfile.ZipFile(path) as packed:
        archive.check_layout(packed, limits)
        if sniff.archive_kind(packed) == "keras":
            _check_keras(packed, scratch, limits)
            return Admitted("keras", path)
        folder = _unpack(packed, scratch)
    tensorflow()
    return Admitted("saved_model", folder, saved_model.check(folder, limits))


WEIGHTS = "model.weights.h5"
KERAS = ("config.json", "metadata.json", WEIGHTS)


def _check_keras(packed: zipfile.ZipFile, scratch: Path, limits: Limits) -> None:
    for name in packed.namelist():
        if name not in KERAS and not name.endswith("/"):
            hint = "Write the model anew with model.save('name.keras')."
            raise Stop(f"the archive, member '{shown(name)}'", "a Keras file has no such member", hint)
    for name in KERAS:
        if name not in packed.namelist():
            raise Stop("the archive", f"{name} is missing: damaged")
    configuration.parse(archive.content(packed, "metadata.json", limits.small), "metadata.json", limits)
    config = configuration.parse(archive.content(packed, "config.json", limits.text), "config.json", limits)
    configuration.check(config, "config.json")
    inside = scratch / WEIGHTS
    try:
        archive.unpack(packed, [packed.getinfo(WEIGHTS)], scratch)
        with inside.open("rb") as file:
            if file.read(8) != sniff.HDF5:
                raise Stop(WEIGHTS, "it is not an HDF5 file: damaged")
        weights.check(config, "config.json", hdf5.check(inside, WEIGHTS, limits), limits)
    finally:
        inside.unlink(missing_ok=True)


def _check_graph(path: Path, limits: Limits) -> tuple[str, ...]:
    part = "the graph"
    data = path.read_bytes()
    wire.check_graph(memoryview(data), part, limits)
    tensorflow()
    from tensorflow.core.framework import graph_pb2

    made = graph_pb2.GraphDef.FromString(data)
    if not all(node.name and node.op for node in made.node):
        raise Stop(part, "it is damaged, or not a graph")
    for node in made.node:
        if node.op in operations.VARIABLES:
            raise Stop(
                f"{part}, node '{shown(node.name)}'", "it is a variable: the graph is not frozen", UNFROZEN
            )
    return graph.check(made, part, limits)


def _unpack(packed: zipfile.ZipFile, scratch: Path) -> Path:
    """Write the SavedModel into scratch; it may lie one folder deep in the archive."""
    found = [name for name in packed.namelist() if name.rsplit("/", 1)[-1] in sniff.MODEL_FILES]
    tops = {name.rpartition("/")[0] for name in found if name.count("/") <= 1}
    if len(tops) != 1:
        raise Stop("the archive", "it holds more than one model", "Pack one model alone.")
    under = f"{tops.pop()}/".lstrip("/")
    members = [m for m in packed.infolist() if m.filename.startswith(under) and m.filename != under]
    folder = scratch / "model"
    folder.mkdir(mode=0o700)
    archive.unpack(packed, members, folder, under)
    return folder
