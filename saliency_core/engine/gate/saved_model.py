"""A SavedModel: its files, each of its graphs, and what belongs to it besides the network."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from saliency_core.engine.gate import graph, wire
from saliency_core.engine.gate.archive import check_name
from saliency_core.engine.gate.constants import SIZES, STRING
from saliency_core.engine.gate.order import sources
from saliency_core.engine.gate.refusal import WRITE_ANEW, Limits, Stop, shown, size
from saliency_core.engine.gate.saver import Saver, ancestors
from saliency_core.engine.gate.sniff import NEEDED

EXAMPLES = "This model wants encoded pictures or records as its input, not pixels."
PART = "saved_model.pb"


def check(folder: Path, limits: Limits) -> tuple[str, ...]:
    """Refuse a SavedModel that is not a plain network with its own variables; return notices."""
    from tensorflow.core.protobuf import saved_model_pb2

    for name in ("saved_model.cpb", "saved_model.pbtxt"):
        if (folder / name).exists():
            reason = "the model is stored in a form that is not read here"
            raise Stop(
                name, reason, "Write the model anew with tf.saved_model.save or model.export('folder')."
            )
    path = folder / "saved_model.pb"
    if not path.is_file():
        raise Stop(PART, "it is missing from the folder", NEEDED)
    data = path.read_bytes()
    wire.check_saved_model(memoryview(data), PART, limits)
    model = saved_model_pb2.SavedModel.FromString(data)
    if not model.meta_graphs:
        raise Stop(PART, "there is no graph in it: damaged")
    notices: list[str] = []
    stateful = False
    for meta in model.meta_graphs:
        notices += _check_meta(meta, limits)
        stateful |= any(node.op in ("VarHandleOp", "VariableV2", "Variable") for node in meta.graph_def.node)
    _check_variables(folder, stateful, limits)
    return tuple(dict.fromkeys(notices))


def _check_meta(meta: Any, limits: Limits) -> tuple[str, ...]:
    main = meta.graph_def
    saver = Saver(meta, PART)
    notices = graph.check(main, PART, limits, saver.extra)
    starts = _starts(meta)
    signatures = [entry for key, entry in meta.signature_def.items() if not key.startswith("__saved_model")]
    infos = [info for signature in signatures for info in signature.outputs.values()]
    outputs = [name.split(":")[0] for info in infos for name in _tensors(info)]
    saver.check([*outputs, *starts])
    _check_starts(main, starts)
    _check_assets(meta, outputs)
    _check_objects(meta, saver, limits)
    if "queue_runners" in meta.collection_def:
        raise Stop(PART, "it starts threads of its own (queue runners)", WRITE_ANEW)
    inputs = [info for signature in meta.signature_def.values() for info in signature.inputs.values()]
    encoded = any(info.dtype == STRING for info in inputs)
    return (*notices, *((EXAMPLES,) if encoded else ()))


def _tensors(info: Any) -> list[str]:
    """The names of tensors that one entry of a signature stands for."""
    kind = info.WhichOneof("encoding")
    if kind == "coo_sparse":
        sparse = info.coo_sparse
        return [sparse.values_tensor_name, sparse.indices_tensor_name, sparse.dense_shape_tensor_name]
    if kind == "composite_tensor":
        return [name for part in info.composite_tensor.components for name in _tensors(part)]
    return [info.name]


def _starts(meta: Any) -> list[str]:
    """The names of nodes that run while the model is loaded."""
    names = []
    for key in ("saved_model_main_op", "legacy_init_op"):
        names += list(meta.collection_def[key].node_list.value) if key in meta.collection_def else []
    for key, signature in meta.signature_def.items():
        if key.startswith("__saved_model"):
            names += [info.name for info in signature.outputs.values()]
    return [name.lstrip("^").split(":")[0] for name in names]


QUIET = frozenset(
    ("NoOp", "Const", "VarHandleOp", "AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp",
     "Identity", "IdentityN", "Placeholder", "Variable", "VariableV2", "Assign", "IsVariableInitialized",
     "Fill", "ZerosLike", "OnesLike", "RandomUniform", "RandomStandardNormal", "TruncatedNormal", "Add",
     "AddV2", "Mul", "Sub", "Cast", "Reshape", "Pack", "Shape", "PlaceholderWithDefault",)
)  # fmt: skip


def _check_starts(main: Any, starts: list[str]) -> None:
    """What runs during loading may fill the model's own variables, and nothing else."""
    for node in ancestors(main.node, starts):
        if node.op not in QUIET:
            where = f"{PART}, node '{shown(node.name)}'"
            reason = f"the operation {shown(node.op)} would run while the model is loaded (an initializer)"
            raise Stop(where, reason, WRITE_ANEW)


def _check_assets(meta: Any, outputs: list[str]) -> None:
    """Files that come with a model may lie there; the network may not take their names."""
    nodes = meta.graph_def.node
    used = {node.name for node in ancestors(nodes, outputs)}
    if len(meta.asset_file_def) > 100:
        raise Stop(PART, f"it brings too many assets: {len(meta.asset_file_def):,}", WRITE_ANEW)
    for asset in meta.asset_file_def:
        part = f"{PART}, asset '{shown(asset.filename)}'"
        check_name(asset.filename, part)
        if "/" in asset.filename:
            raise Stop(part, "the path leads into another folder", WRITE_ANEW)
        name = asset.tensor_info.name.split(":")[0]
        kept = {sources(node)[0] for node in nodes if node.op.startswith("Assign") and name in sources(node)}
        if used & {name, *kept}:
            reason = "the network reads this asset, and networks may read no files"
            raise Stop(part, reason, "Export the network without its label or vocabulary file.")


def _check_objects(meta: Any, saver: Saver, limits: Limits) -> None:
    """The objects of a TF 2 model: own variables and functions, no resources made during loading."""
    objects = meta.object_graph_def
    assets = {number for number, node in enumerate(objects.nodes) if node.WhichOneof("kind") == "asset"}
    total = 0
    for node in objects.nodes:
        kind = node.WhichOneof("kind")
        if kind == "resource":
            raise Stop(PART, "it makes a resource while it is loaded (an initializer)", WRITE_ANEW)
        if kind == "asset" and not 0 <= node.asset.asset_file_def_index < len(meta.asset_file_def):
            raise Stop(PART, "an asset is named that is not in the file: damaged")
        if kind == "variable":
            each = SIZES.get(node.variable.dtype, 16)
            total += each * math.prod(max(1, dim.size) for dim in node.variable.shape.dim)
    if total > 3 * limits.total:  # an optimizer keeps up to two more numbers for each weight
        raise Stop(PART, f"the weights are too large: {size(total)} declared", WRITE_ANEW)
    for name, function in objects.concrete_functions.items():
        if name in saver.functions:
            raise Stop(
                f"{PART}, function '{shown(name)}'", "the model calls what saves or restores it", WRITE_ANEW
            )
        if assets & set(function.bound_inputs):
            where = f"{PART}, function '{shown(name)}'"
            raise Stop(where, "it reads an asset, and networks may read no files", WRITE_ANEW)


def _check_variables(folder: Path, needed: bool, limits: Limits) -> None:
    """The checkpoint's table of shapes against the bytes that are there; no tensor is read."""
    index = folder / "variables" / "variables.index"
    if not index.is_file():
        if needed:
            hint = "Give the whole folder, with its 'variables' folder, or a .zip of it."
            raise Stop("variables/variables.index", "it is missing from the folder", hint)
        return
    from tensorflow.python.training import py_checkpoint_reader

    try:
        reader = py_checkpoint_reader.NewCheckpointReader(str(index.with_suffix("")))
        shapes, kinds = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    except Exception as problem:
        raise Stop("variables/variables.index", "the table of weights is damaged") from problem
    declared = sum(
        math.prod(shape) * SIZES.get(kinds[name].as_datatype_enum, 8)
        for name, shape in shapes.items()
        if kinds[name].as_datatype_enum != STRING
    )
    stored = sum(path.stat().st_size for path in index.parent.glob("variables.data-*"))
    if declared > stored or declared > 3 * limits.total:
        reason = (
            f"the weights are {size(declared)} by its table, {size(stored)} are there: damaged or too large"
        )
        raise Stop("variables/variables.index", reason)
