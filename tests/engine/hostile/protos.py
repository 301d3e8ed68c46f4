"""Small graphs, written node by node as protobuf messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from saliency_core.engine.runtime import tensorflow

FLOAT, INT32, STRING, INT64, BOOL = 1, 3, 7, 9, 10


def attr(value: Any) -> Any:
    """An AttrValue: bytes, bool, int, float, a shape (tuple), an array, a list of types or of bytes."""
    tensorflow()
    from tensorflow.core.framework import attr_value_pb2, graph_pb2  # noqa: F401
    from tensorflow.python.framework import tensor_util

    made = attr_value_pb2.AttrValue()
    if isinstance(value, attr_value_pb2.AttrValue):
        return value
    if isinstance(value, bool):
        made.b = value
    elif isinstance(value, bytes):
        made.s = value
    elif isinstance(value, float):
        made.f = value
    elif isinstance(value, Type):
        made.type = value.number
    elif isinstance(value, int):
        made.i = value
    elif isinstance(value, Call):
        made.func.name = value.name
        for key, inner in value.attrs.items():
            made.func.attr[key].CopyFrom(attr(inner))
    elif isinstance(value, tuple):
        for size in value:
            made.shape.dim.add(size=size)
        made.shape.SetInParent()
    elif isinstance(value, list):
        made.list.SetInParent()
        for item in value:
            if isinstance(item, Type):
                made.list.type.append(item.number)
            elif isinstance(item, Call):
                made.list.func.add(name=item.name)
            else:
                made.list.s.append(item)
    else:
        made.tensor.CopyFrom(tensor_util.make_tensor_proto(value))
    return made


class Type:
    """A dtype as an attribute."""

    def __init__(self, number: int) -> None:
        self.number = number


class Call:
    """A function as an attribute."""

    def __init__(self, name: str, **attrs: Any) -> None:
        self.name, self.attrs = name, attrs


def node(op: str, name: str, *inputs: str, **attrs: Any) -> Any:
    """One NodeDef."""
    tensorflow()
    from tensorflow.core.framework import node_def_pb2

    made = node_def_pb2.NodeDef(op=op, name=name, input=list(inputs))
    for key, value in attrs.items():
        made.attr[key].CopyFrom(attr(value))
    return made


def const(name: str, value: Any) -> Any:
    """A Const node."""
    array = np.array(value, dtype=object) if isinstance(value, bytes) else np.asarray(value)
    kind = {"f": FLOAT, "i": INT32, "O": STRING, "S": STRING, "b": BOOL}[array.dtype.kind]
    array = array.astype(np.float32) if kind == FLOAT else array.astype(np.int32) if kind == INT32 else array
    return node("Const", name, value=array, dtype=Type(kind))


def splat(name: str, shape: tuple[int, ...]) -> Any:
    """A Const of one stored zero that claims a whole shape."""
    made = const(name, np.zeros((), np.float32))
    tensor = made.attr["value"].tensor
    tensor.ClearField("tensor_content")
    tensor.ClearField("float_val")
    tensor.float_val.append(0.0)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return made


def network(*after: str, source: str = "x") -> list[Any]:
    """An honest tiny network from `x` to `out`; `after` names nodes that must run before its end."""
    weights = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    return [
        node("Placeholder", "x", dtype=Type(FLOAT), shape=(1, 8, 8, 3)),
        const("axes", np.array([1, 2], np.int32)),
        node("Mean", "mean", source, "axes", T=Type(FLOAT), Tidx=Type(INT32), keep_dims=False),
        const("weights", weights),
        node("MatMul", "logits", "mean", "weights", T=Type(FLOAT)),
        node("Softmax", "softmax", "logits", T=Type(FLOAT)),
        node("Identity", "out", "softmax", *(f"^{name}" for name in after), T=Type(FLOAT)),
    ]


def graph(nodes: list[Any], *functions: Any) -> Any:
    """A GraphDef."""
    tensorflow()
    from tensorflow.core.framework import graph_pb2

    made = graph_pb2.GraphDef(node=nodes)
    made.versions.producer = 2000
    made.library.function.extend(functions)
    return made


def function(name: str, nodes: list[Any], output: str = "done:output:0") -> Any:
    """A FunctionDef of one float argument `a` and one float result `r`."""
    tensorflow()
    from tensorflow.core.framework import function_pb2

    made = function_pb2.FunctionDef(node_def=nodes)
    made.signature.name = name
    made.signature.input_arg.add(name="a", type=FLOAT)
    made.signature.output_arg.add(name="r", type=FLOAT)
    made.ret["r"] = output
    stateful = [
        item.name
        for item in nodes
        if item.op in ("WriteFile", "PrintV2", "SaveV2", "StatefulPartitionedCall")
    ]
    for name in stateful:
        made.control_ret[name] = name
        made.signature.control_output.append(name)
    made.signature.is_stateful = bool(stateful)
    return made


def call(name: str, called: str, source: str = "mean", op: str = "StatefulPartitionedCall") -> Any:
    """A node that calls a function of one float."""
    return node(op, name, source, f=Call(called), Tin=[Type(FLOAT)], Tout=[Type(FLOAT)])


def identity(name: str = "done", source: str = "a", *after: str) -> Any:
    return node("Identity", name, source, *(f"^{other}" for other in after), T=Type(FLOAT))


def saved_model(made: Any, folder: Path) -> Any:
    """Write a SavedModel without variables around a graph from `x` to `out`; returns the message."""
    tensorflow()
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    meta = model.meta_graphs.add()
    meta.meta_info_def.tags.append("serve")
    meta.graph_def.CopyFrom(made)
    sign(meta, "serving_default", "x", "out")
    write(model, folder)
    return model


def sign(meta: Any, key: str, source: str, output: str, dtype: int = FLOAT) -> None:
    signature = meta.signature_def[key]
    signature.method_name = "tensorflow/serving/predict"
    signature.inputs["x"].name, signature.inputs["x"].dtype = f"{source}:0", dtype
    for size in (1, 8, 8, 3):
        signature.inputs["x"].tensor_shape.dim.add(size=size)
    signature.outputs["out"].name, signature.outputs["out"].dtype = f"{output}:0", FLOAT
    for size in (1, 4):
        signature.outputs["out"].tensor_shape.dim.add(size=size)


def write(model: Any, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
