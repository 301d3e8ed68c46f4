"""A frozen graph of TensorFlow 1: one .pb file with a GraphDef."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from saliency_core.engine import nodes
from saliency_core.engine.formats.assemble import assembled
from saliency_core.engine.formats.graph_ports import OPEN, GraphSource, ends_of, tensors_of
from saliency_core.engine.freeze import Frozen
from saliency_core.errors import ModelError
from saliency_core.models.description import Choices, Description


def open_pb(path: str, choices: Choices) -> tuple[Frozen, Description]:
    """Open a frozen graph; input and output are proposed from the graph or chosen by name."""
    from google.protobuf.message import DecodeError

    try:
        graph = nodes.parse_graph(Path(path).read_bytes())
    except (DecodeError, OSError) as problem:
        raise ModelError(
            "The file is not a frozen graph of TensorFlow.", "Give a .pb file that holds a GraphDef."
        ) from problem
    if not len(graph.node):
        raise ModelError(
            "The file holds no operations.",
            "A saved_model.pb belongs to its folder: give the folder of the SavedModel.",
        )
    _refuse_variables(graph)
    weights = nodes.take_weights(graph)
    ports = tensors_of(graph)
    inputs = {
        node.name: f"{node.name}:0"
        for node in graph.node
        if node.op in OPEN and node.name not in weights and f"{node.name}:0" in ports
    }
    outputs = ends_of(graph, ports)
    if not outputs:
        raise ModelError("The graph has no output of decimal numbers that depends on an input.")
    source = GraphSource(graph, weights, lambda names: {}, inputs, outputs, ports)
    return assembled(source, choices, "Frozen graph of TensorFlow 1 (.pb)")


def _refuse_variables(graph: Any) -> None:
    for node in graph.node:
        if node.op in ("VariableV2", "Variable", "VarHandleOp"):
            raise ModelError(
                f"The graph holds variables without values ({node.name[:80]}).",
                "Freeze it first: variables have to become constants. Or give the SavedModel.",
            )
