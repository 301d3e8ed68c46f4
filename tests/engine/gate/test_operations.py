"""One tiny graph for every operation that TensorFlow has: refused, or on the published list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from saliency_core.engine.gate import Refused, admit
from saliency_core.engine.gate import operations as ops
from saliency_core.engine.gate.configuration import allowed
from tests.engine.hostile.protos import const, graph, network, node
from tools import operations as document

pytestmark = pytest.mark.engine
OUTWARD = ("file", "path", "dir", "address", "url", "host", "server", "pattern", "library", "ckpt", "prefix")
STRING = 7


@pytest.fixture(scope="module")
def registered() -> dict[str, Any]:
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session as session

    found = op_def_pb2.OpList()
    found.ParseFromString(session.TF_GetBuffer(session.TF_GetAllOpList()))
    return {op.name: op for op in found.op}


def refusal(path: Path, scratch: Path) -> str:
    try:
        admit(path, scratch)
    except Refused as refused:
        return refused.problem
    return ""


def test_every_operation_is_refused_or_listed(registered: dict[str, Any], tmp_path: Path) -> None:
    assert len(registered) > 1_400
    path = tmp_path / "one.pb"
    through = set()
    for name in registered:
        path.write_bytes(graph([*network(), node(name, "one")]).SerializeToString())
        refused = refusal(path, tmp_path)
        assert refused == "" or f"operation {name} " in refused or "'one'" in refused
        through |= {name} if not refused else set()
    assert through <= ops.listed()
    never_alone = {"If", "Case"} | ops.VARIABLES | ops.LOOPS
    assert ops.listed() - through <= never_alone


def test_the_list_names_only_real_operations_once(registered: dict[str, Any]) -> None:
    names = [name for family in ops.families().values() for name in family]
    assert len(names) == len(set(names))
    assert set(names) <= set(registered)
    assert not ops.listed() & ops.SAVER


def outward(op: Any) -> bool:
    """Whether an operation has a text argument that sounds like a file, a path or an address."""
    texts = [arg.name for arg in op.input_arg if arg.type == STRING]
    texts += [attr.name for attr in op.attr if attr.type in ("string", "list(string)")]
    return any(word in name.lower() for name in texts for word in OUTWARD)


def test_the_list_meets_no_operation_with_a_file_a_path_or_an_address(registered: dict[str, Any]) -> None:
    reaching = {name for name, op in registered.items() if outward(op)}
    assert len(reaching) > 60
    assert {"ReadFile", "WriteFile", "SaveV2", "DebugIdentity", "TextLineDataset", "RpcClient"} <= reaching
    assert ops.listed() & reaching == set()


def test_stateful_operations_on_the_list_keep_their_state_inside(registered: dict[str, Any]) -> None:
    inside = (
        "The model's own variables", "Random numbers", "Lists of tensors", "Branches, calls and loops",
        "Training, left in a graph by its author",
    )  # fmt: skip
    known = {name for family in inside for name in ops.families()[family]}
    stateful = {name for name in ops.listed() if registered[name].is_stateful}
    assert stateful - known <= {"CheckNumerics", "GuaranteeConst", "Placeholder"}


def test_a_loop_is_let_through_only_in_front_of_a_parser(tmp_path: Path) -> None:
    path = tmp_path / "loop.pb"
    loop = [const("yes", True), node("LoopCond", "cond", "yes")]
    path.write_bytes(graph([*network(), *loop]).SerializeToString())
    with pytest.raises(Refused, match="loop"):
        admit(path, tmp_path)
    path.write_bytes(
        graph(
            [*network(), *loop, node("DecodeJpeg", "picture", "text"), const("text", b"x")]
        ).SerializeToString()
    )
    assert any("encoded pictures" in notice for notice in admit(path, tmp_path).notices)


def test_keras_has_what_the_list_of_layers_names() -> None:
    import keras

    old = {"BatchNormalizationV1", "BatchNormalizationV2", "RandomHeight", "RandomWidth"}
    old |= {"SyncBatchNormalization", "ThresholdedReLU", "Merge"}
    old |= {"AtrousConvolution1D", "AtrousConvolution2D", "Deconvolution2D"}
    assert {name for name in allowed()["layers"] if not hasattr(keras.layers, name)} == old
    refused = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "StringLookup"}
    assert not refused & {name for names in allowed().values() for name in names}


def test_the_document_is_fresh() -> None:
    assert document.PAGE.read_text(encoding="utf-8") == document.page(), "run python tools/operations.py"
