"""SavedModels, as folders and archives, that act when loaded, when run or when a gradient is taken."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from saliency_core.engine.runtime import tensorflow
from tests.engine.hostile.case import Case
from tests.engine.hostile.graphs import hiding
from tests.engine.hostile.payloads import payloads
from tests.engine.hostile.protos import (
    FLOAT,
    STRING,
    Type,
    call,
    const,
    function,
    graph,
    identity,
    network,
    node,
    saved_model,
    sign,
    splat,
    write,
)


def cases(folder: Path, marker: Path) -> list[Case]:
    """Write the SavedModels."""
    secret = marker.parent / "secret.txt"
    return [*acting(folder, marker, secret), *with_variables(folder / "v", secret), *folders(folder / "f")]


def acting(folder: Path, marker: Path, secret: Path) -> list[Case]:
    """Payloads in the graph, in its functions, in its gradients and in what runs during loading."""
    found = []
    for name, nodes in payloads(marker, secret).items():
        saved_model(graph([*nodes, *network("act")]), folder / name)
        word = "files" if name in ("save_v2", "restore_v2") else "not on the list"
        found.append(Case(f"saved_model_{name}", folder / name, "refuse", word))
    writing = payloads(marker, secret)["write_file"]
    for name, (made, word) in hiding(writing).items():
        saved_model(made, folder / name)
        found.append(Case(f"saved_model_{name}", folder / name, "refuse", word))
    for name, change in starting(writing).items():
        model = saved_model(graph(network()), folder / name)
        word = change(model.meta_graphs[0])
        write(model, folder / name)
        found.append(Case(f"saved_model_{name}", folder / name, "refuse" if word else "open", word))
    return found


def starting(writing: list[Any]) -> dict[str, Callable[[Any], str]]:
    """Changes to an honest model, each returning the word that must stand in the refusal."""
    body = function("starter", [identity()])

    def start(meta: Any, *nodes: Any, key: str = "saved_model_main_op") -> None:
        meta.graph_def.node.extend(nodes)
        meta.collection_def[key].node_list.value.append(nodes[-1].name)

    def main_op(meta: Any) -> str:
        start(meta, *writing, node("NoOp", "init", "^act"))
        return "not on the list"

    def old_main_op_calls(meta: Any) -> str:
        meta.graph_def.library.function.add().CopyFrom(body)
        start(meta, call("run", "starter"), node("NoOp", "init", "^run"), key="legacy_init_op")
        return "initializer"

    def init_signature(meta: Any) -> str:
        meta.graph_def.library.function.add().CopyFrom(body)
        meta.graph_def.node.extend([call("run", "starter"), node("NoOp", "init", "^run")])
        meta.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "init"
        return "initializer"

    def asset_kept(meta: Any) -> str:
        meta.asset_file_def.add(filename="labels.txt").tensor_info.name = "a:0"
        kept = node("VariableV2", "v", dtype=Type(STRING), shape=())
        taken = node("Assign", "assign", "v", "a", T=Type(STRING))
        meta.graph_def.node.extend([node("Placeholder", "a", dtype=Type(STRING)), kept, taken])
        next(other for other in meta.graph_def.node if other.name == "out").input.append("^v")
        return "asset"

    def quiet_main_op(meta: Any) -> str:
        start(meta, node("NoOp", "init"))
        return ""

    def resource(meta: Any) -> str:
        meta.object_graph_def.nodes.add().resource.SetInParent()
        return "resource"

    def asset_upward(meta: Any) -> str:
        meta.asset_file_def.add(filename="../../../etc/passwd").tensor_info.name = "a:0"
        return "path"

    def asset_deeper(meta: Any) -> str:
        meta.asset_file_def.add(filename="a/b.txt").tensor_info.name = "a:0"
        return "path"

    def asset_read(meta: Any) -> str:
        meta.asset_file_def.add(filename="labels.txt").tensor_info.name = "a:0"
        meta.graph_def.node.extend([const("a", b"labels.txt"), node("Identity", "b", "a", T=Type(STRING))])
        next(other for other in meta.graph_def.node if other.name == "out").input.append("^b")
        return "asset"

    def asset_lies_there(meta: Any) -> str:
        meta.asset_file_def.add(filename="labels.txt").tensor_info.name = "a:0"
        meta.graph_def.node.extend([const("a", b"labels.txt"), node("Identity", "b", "a", T=Type(STRING))])
        return ""

    def asset_captured(meta: Any) -> str:
        meta.asset_file_def.add(filename="labels.txt").tensor_info.name = "a:0"
        meta.object_graph_def.nodes.add().asset.asset_file_def_index = 0
        meta.object_graph_def.concrete_functions["f"].bound_inputs.append(0)
        return "asset"

    def too_many_assets(meta: Any) -> str:
        for number in range(200):
            meta.asset_file_def.add(filename=f"a{number}").tensor_info.name = "a:0"
        return "assets"

    def asset_missing(meta: Any) -> str:
        meta.object_graph_def.nodes.add().asset.asset_file_def_index = 3
        return "damaged"

    def threads(meta: Any) -> str:
        meta.collection_def["queue_runners"].bytes_list.value.append(b"x")
        return "threads"

    def huge_variable(meta: Any) -> str:
        variable = meta.object_graph_def.nodes.add().variable
        variable.dtype = FLOAT
        for size in (2**20, 2**20):
            variable.shape.dim.add(size=size)
        return "too large"

    def variables_missing(meta: Any) -> str:
        meta.graph_def.node.extend([node("VarHandleOp", "v", dtype=Type(FLOAT), shape=(1,))])
        return "missing"

    def wants_text(meta: Any) -> str:
        meta.graph_def.node.extend([node("Placeholder", "t", dtype=Type(STRING))])
        sign(meta, "texts", "t", "out", STRING)
        return ""

    def path_in_text(meta: Any) -> str:
        meta.graph_def.node.extend([const("s", b"/etc/shadow")])
        return "path"

    made = locals()
    return {name: change for name, change in made.items() if callable(change) and name not in ("start",)}


def with_variables(folder: Path, secret: Path) -> list[Case]:
    """A model that TensorFlow itself saved, honest, and then turned against its restorer."""
    tf = tensorflow()

    class Plain(tf.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.weights = tf.Variable(tf.reshape(tf.range(12.0), (3, 4)))

        @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 3), tf.float32)])
        def __call__(self, images: Any) -> Any:
            return {"out": tf.nn.softmax(tf.reduce_mean(images, (1, 2)) @ self.weights)}

    honest = folder / "plain_module"
    plain = Plain()
    tf.saved_model.save(plain, str(honest), signatures=plain.__call__)
    found = [Case("saved_model_honest_variables", honest, "open")]
    packed = folder / "plain_module.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(honest.rglob("*")):
            archive.write(path, f"plain/{path.relative_to(honest)}")
    found.append(Case("saved_model_honest_zip_one_deep", packed, "open"))
    for name, change in turned(secret).items():
        path = folder / name
        found.append(Case(f"saved_model_{name}", path, "refuse", _turn(honest, path, change)))
    return found


def _turn(honest: Path, path: Path, change: Callable[[Any, Path], str]) -> str:
    from shutil import copytree

    from tensorflow.core.protobuf import saved_model_pb2

    copytree(honest, path)
    model = saved_model_pb2.SavedModel.FromString((honest / "saved_model.pb").read_bytes())
    word = change(model.meta_graphs[0], path)
    if (path / "saved_model.pb").exists():
        write(model, path)
    return word


def turned(secret: Path) -> dict[str, Callable[[Any, Path], str]]:
    """Changes to a model with variables, each returning the word of its refusal."""

    def body(meta: Any, kind: str) -> Any:
        return next(f for f in meta.graph_def.library.function if f"traced_{kind}" in f.signature.name)

    def calls_its_restorer(meta: Any, path: Path) -> str:
        restorer = body(meta, "restore").signature.name
        meta.graph_def.node.add().CopyFrom(call("again", restorer, "serving_default_images"))
        return "restores"

    def function_calls_its_saver(meta: Any, path: Path) -> str:
        saver = body(meta, "save").signature.name
        served = next(f for f in meta.graph_def.library.function if "signature_wrapper" in f.signature.name)
        served.node_def.add().CopyFrom(call("again", saver, "images"))
        return "saves or restores"

    def signature_is_the_saver(meta: Any, path: Path) -> str:
        meta.signature_def["serving_default"].outputs["out"].name = meta.saver_def.save_tensor_name
        return "leads to"

    def restores_a_secret(meta: Any, path: Path) -> str:
        restorer = body(meta, "restore")
        restorer.node_def.add().CopyFrom(const("other", str(secret).encode()))
        next(n for n in restorer.node_def if n.op == "RestoreV2").input[0] = "other:output:0"
        return "path"

    def restores_a_neighbour(meta: Any, path: Path) -> str:
        restorer = body(meta, "restore")
        restorer.node_def.add().CopyFrom(const("other", b"neighbour"))
        next(n for n in restorer.node_def if n.op == "RestoreV2").input[0] = "other:output:0"
        return "another file"

    def restorer_writes(meta: Any, path: Path) -> str:
        body(meta, "restore").node_def.add().CopyFrom(
            node("MergeV2Checkpoints", "m", "file_prefix", "file_prefix")
        )
        return "files"

    def saver_is_not_named(meta: Any, path: Path) -> str:
        meta.ClearField("saver_def")
        return "files"

    def constant_beside_its_saver(meta: Any, path: Path) -> str:
        meta.graph_def.node.add().CopyFrom(splat("big", (18_000, 18_000)))
        return "too large"

    def path_beside_its_saver(meta: Any, path: Path) -> str:
        meta.graph_def.node.add().CopyFrom(const("s", b"/etc/passwd"))
        return "path"

    def index_is_missing(meta: Any, path: Path) -> str:
        (path / "variables" / "variables.index").unlink()
        return "missing"

    def index_is_damaged(meta: Any, path: Path) -> str:
        (path / "variables" / "variables.index").write_bytes(b"\0" * 400)
        return "damaged"

    def weights_are_cut(meta: Any, path: Path) -> str:
        next((path / "variables").glob("variables.data*")).write_bytes(b"\0" * 20)
        return "damaged"

    def weights_are_a_link(meta: Any, path: Path) -> str:
        data = next((path / "variables").glob("variables.data*"))
        data.unlink()
        os.symlink(secret, data)
        return "link"

    def other_form_beside(meta: Any, path: Path) -> str:
        (path / "saved_model.cpb").write_bytes(b"x")
        return "form"

    def text_form(meta: Any, path: Path) -> str:
        (path / "saved_model.pb").rename(path / "saved_model.pbtxt")
        return "form"

    made = locals()
    return {name: change for name, change in made.items() if callable(change) and name != "body"}


def folders(folder: Path) -> list[Case]:
    """Folders and archives whose layout is wrong, and broken messages."""
    saved_model(graph(network()), folder / "good")
    good = (folder / "good" / "saved_model.pb").read_bytes()
    os.symlink(folder / "good", folder / "linked")
    (folder / "empty").mkdir()
    contents = {
        "cut": (good[: len(good) // 2], "damaged"),
        "nothing": (b"", "damaged"),
        "noise": (bytes(range(256)) * 4, "damaged"),
        "no_graph": (b"\x08\x01", "damaged"),
        "many_graphs": (b"\x08\x01" + b"\x12\x00" * 30, "graphs"),
    }
    found = [
        Case("saved_model_honest", folder / "good", "open"),
        Case("saved_model_given_by_a_link", folder / "linked", "open"),
        Case("saved_model_empty_folder", folder / "empty", "refuse", "missing"),
        Case("saved_model_alone", folder / "alone.pb", "refuse", "folder"),
    ]
    (folder / "alone.pb").write_bytes(good)
    for name, (content, word) in contents.items():
        (folder / name).mkdir()
        (folder / name / "saved_model.pb").write_bytes(content)
        found.append(Case(f"saved_model_{name}", folder / name, "refuse", word))
    return [*found, *packed(folder, good)]


def packed(folder: Path, good: bytes) -> list[Case]:
    """Archives of a SavedModel."""
    layouts: dict[str, tuple[list[tuple[str, bytes]], str]] = {
        "two_of_one_name": ([("saved_model.pb", good), ("saved_model.pb", good)], "duplicate"),
        "two_but_for_case": ([("saved_model.pb", good), ("Saved_Model.pb", good)], "duplicate"),
        "upward": ([("saved_model.pb", good), ("../out.txt", b"x")], "path"),
        "absolute": ([("saved_model.pb", good), ("/tmp/out.txt", b"x")], "path"),
        "backslash": ([("saved_model.pb", good), ("..\\out.txt", b"x")], "path"),
        "drive": ([("saved_model.pb", good), ("C:out.txt", b"x")], "path"),
        "two_models": ([("a/saved_model.pb", good), ("b/saved_model.pb", good)], "more than one"),
        "too_many_members": ([("saved_model.pb", good), *((f"a/{k}", b"") for k in range(2_001))], "members"),
        "bomb": ([("saved_model.pb", good), ("variables/v", b"\0" * 30_000_000)], "ratio"),
        "honest_zip": ([("saved_model.pb", good)], ""),
    }
    found = []
    for name, (members, word) in layouts.items():
        path = folder / f"{name}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for member, content in members:
                info = zipfile.ZipInfo(member)
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, content)
        found.append(Case(f"saved_model_zip_{name}", path, "refuse" if word else "open", word))
    path = folder / "link.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("saved_model.pb", good)
        link = zipfile.ZipInfo("variables")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc")
    return [*found, Case("saved_model_zip_link", path, "refuse", "link")]
