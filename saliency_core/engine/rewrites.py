"""Small rewrites on the way to a frozen graph: each leaves the numbers as they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from saliency_core.engine import nodes
from saliency_core.engine.runtime import tensorflow
from saliency_core.errors import ModelError

GRADIENT = "_gradient_op_type"
CARRYING = {
    "BatchToSpaceND", "ConcatV2", "ExpandDims", "Identity", "MirrorPad", "Pack", "Pad", "PadV2", "Reshape",
    "ResizeBilinear", "ResizeNearestNeighbor", "ResizeArea", "ResizeBicubic", "ReverseV2", "Slice", "Split",
    "Squeeze", "StridedSlice", "Tile", "Transpose", "Unpack",
}  # fmt: skip


def own_gradients(graph: Any) -> tuple[tuple[str, str], ...]:
    """Take the marks of foreign gradient rules off a graph, and all private ones; say where they were.

    TensorFlow's own swish is left unsaid: its rule saves memory and gives the derivative of its steps.
    """
    by_name = {node.name: node for node in graph.node}
    said = []
    for node in graph.node:
        rule = nodes.attribute(node, GRADIENT).s.decode("utf-8", "replace")
        for private in [name for name in node.attr if name.startswith("_")]:
            del node.attr[private]  # shapes and compilers' marks, which rewriting would make untrue
        if not rule:
            continue
        if node.op not in ("PartitionedCall", "StatefulPartitionedCall") and not _is_swish(node, by_name):
            said.append((f"{node.name} ({node.op})", rule))
    return tuple(said)


def _is_swish(node: Any, by_name: dict[str, Any]) -> bool:
    first = by_name.get(nodes.node_of(node.input[0])) if node.op == "IdentityN" else None
    if first is None or first.op != "Mul":
        return False
    factors = [by_name[nodes.node_of(name)].op for name in first.input]
    return "Sigmoid" in factors


def float_pixels(graph: Any, source: str) -> Any:
    """Return the graph with pixels that are made whole numbers left as they are, up to the cast back.

    A network that takes uint8 casts to float inside; rounding on the way in would cut the derivative.
    Raises ModelError when it computes with the whole numbers themselves.
    """
    tf = tensorflow()
    whole = {kind.as_datatype_enum: kind for kind in (tf.uint8, tf.int8, tf.int16, tf.int32, tf.int64)}
    floating = tf.float32.as_datatype_enum
    inside = {source}
    rounded: set[str] = set()
    for node in graph.node:
        data = [nodes.node_of(name) for name in nodes.data_inputs(node)]
        if node.op == "Cast" and data[0] in inside and node.attr["DstT"].type in whole:
            if node.name.startswith("preprocessing/"):
                node.attr["DstT"].type = floating
                rounded.add(node.name)
        elif any(name in rounded for name in data):
            if node.op == "Cast":
                node.attr["SrcT"].type = floating
            elif node.op in CARRYING:
                node.attr["T"].type = floating
                rounded.add(node.name)
            else:
                raise ModelError(
                    f"The network computes with whole numbers ({node.op}, {node.name[:80]}): no derivative.",
                    "Choose the tensor behind it as input: input='name'.",
                )
        if node.name.startswith("preprocessing/"):
            inside.add(node.name)
    return graph


def without_idle_dropout(graph: Any, outputs: list[str], weights: nodes.Weights) -> Any:
    """Return the graph without dropout that keeps everything: masks of ones from random numbers."""
    if not any(node.op.startswith("RandomUniform") for node in graph.node):
        return graph
    from saliency_core.engine.inline import fixed_value

    by_name = {node.name: node for node in graph.node}

    def source(name: str) -> Any:
        return by_name[nodes.node_of(name)]

    def keeps_all(node: Any) -> bool:
        while node.op == "Cast":
            node = source(node.input[0])
        if node.op == "Floor" and source(node.input[0]).op in ("Add", "AddV2"):
            total = source(node.input[0])
            values = [fixed_value(graph, name) for name in total.input]
            return any(v is not None and float(v.reshape(-1)[0]) >= 1 for v in values)
        if node.op == "GreaterEqual":
            value = fixed_value(graph, node.input[1])
            return value is not None and float(value.reshape(-1)[0]) <= 0
        return False

    made = []
    for node in graph.node:
        if node.op == "Mul":
            for kept, mask in ((0, 1), (1, 0)):
                if keeps_all(source(node.input[mask])):
                    node = _identity(node, node.input[kept])
                    break
        elif node.op == "SelectV2" and keeps_all(source(node.input[0])):
            node = _identity(node, node.input[1])
        made.append(node)
    return nodes.sorted_and_pruned(nodes.bypass_identities(nodes.with_nodes(graph, made)), outputs)


def _identity(node: Any, source: str) -> Any:
    made = type(node)(name=node.name, op="Identity", input=[source])
    made.attr["T"].CopyFrom(node.attr["T"])
    return made


def grouped_convolutions(graph: Any, outputs: list[str], weights: nodes.Weights) -> Any:
    """Return the graph with each convolution in groups as one convolution a group, side by side.

    TensorFlow has no gradient for them on the CPU. One channel a group becomes a depthwise convolution.
    """
    known = {node.name for node in graph.node if node.op == "Const"} | set(weights)
    convolutions = [node for node in graph.node if node.op == "Conv2D"]
    if not convolutions:
        return graph
    channels = _channels(graph, [node.input[0] for node in convolutions])
    by_name = {node.name: node for node in graph.node}
    made = []
    changed = False
    for node in graph.node:
        kernel_name = nodes.node_of(node.input[1]) if node.op == "Conv2D" else ""
        if kernel_name not in known:
            made.append(node)
            continue
        kernel = nodes.constants(nodes.with_nodes(graph, [by_name[kernel_name]]), weights)[kernel_name]
        given = channels[nodes.tensor_of(node.input[0])].get(node.attr["data_format"].s.decode() or "NHWC")
        groups = (given or kernel.shape[2]) // kernel.shape[2]
        if groups > 1:
            changed = True
            write = _depthwise if kernel.shape[2] == 1 else _split
            made += write(node, kernel, groups, weights)
        else:
            made.append(node)
    return nodes.replace_nodes(graph, made, outputs) if changed else graph


def _channels(graph: Any, names: list[str]) -> dict[str, dict[str, int | None]]:
    """Return the channels of tensors, read both ways: last and first."""
    tf = tensorflow()
    with tf.Graph().as_default():
        found = tf.graph_util.import_graph_def(
            graph, name="", return_elements=[nodes.tensor_of(n) for n in names]
        )
    return {
        nodes.tensor_of(name): (
            {"NHWC": tensor.shape[3], "NCHW": tensor.shape[1]} if tensor.shape.rank == 4 else {}
        )
        for name, tensor in zip(names, found, strict=True)
    }


def _depthwise(node: Any, kernel: Any, groups: int, weights: nodes.Weights) -> list[Any]:
    """Each group is one channel with its own filters: (k, k, 1, C m) is (k, k, C, m)."""
    turned = kernel.reshape(*kernel.shape[:2], groups, -1)
    weight = nodes.kept(f"{node.name}/kernel", np.ascontiguousarray(turned), weights)
    made = type(node)()
    made.CopyFrom(node)
    made.op = "DepthwiseConv2dNative"
    made.input[1] = weight.name
    made.attr.pop("use_cudnn_on_gpu", None)
    return [weight, made]


def _split(node: Any, kernel: Any, groups: int, weights: nodes.Weights) -> list[Any]:
    place = 1 if node.attr["data_format"].s == b"NCHW" else 3
    axis = nodes.constant(f"{node.name}/axis", np.array(place, np.int32))
    parts = type(node)(name=f"{node.name}/split", op="Split", input=[axis.name, node.input[0]])
    parts.attr["num_split"].i = groups
    joined = type(node)(name=node.name, op="ConcatV2")
    joined.attr["N"].i = groups
    for one in (parts, joined):
        one.attr["T"].CopyFrom(node.attr["T"])
    joined.attr["Tidx"].type = tensorflow().int32.as_datatype_enum
    made = [axis, parts]
    for number, piece in enumerate(np.split(kernel, groups, axis=3)):
        weight = nodes.kept(f"{node.name}/kernel_{number}", np.ascontiguousarray(piece), weights)
        one = type(node)()
        one.CopyFrom(node)
        one.name = f"{node.name}/group_{number}"
        one.input[0] = f"{parts.name}:{number}" if number else parts.name
        one.input[1] = weight.name
        joined.input.append(one.name)
        made += [weight, one]
    joined.input.append(axis.name)
    return [*made, joined]
