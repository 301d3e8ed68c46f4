"""The same graph in double precision, so that a finite difference can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from saliency_core.arrays import Array
from saliency_core.engine import nodes
from saliency_core.engine.runtime import tensorflow


def doubled(graph: Any, weights: Mapping[str, Array] = nodes.NONE) -> Any:
    """Return a copy of the graph in float64, half precision too: constants, types and casts.

    Large weights stay as they are and are cast where they are used, one at a time: the cast waits for the
    other inputs of its reader, so that not all of them are held twice at once.
    """
    tf = tensorflow()
    double = tf.float64.as_datatype_enum
    narrow = {kind.as_datatype_enum for kind in (tf.float32, tf.float16, tf.bfloat16)}
    made = type(graph)()
    made.versions.CopyFrom(graph.versions)
    for original in graph.node:
        if original.name in weights:
            made.node.add().CopyFrom(original)
            continue
        node = type(original)()
        node.CopyFrom(original)
        made.node.extend(_casts(node, weights))
        made.node.append(node)
        node = made.node[-1]
        if node.op == "Const" and nodes.attribute(node, "dtype").type in narrow:
            value = tf.make_ndarray(node.attr["value"].tensor)
            node.CopyFrom(nodes.constant(node.name, value.astype(np.float64)))
            continue
        for attribute in node.attr.values():
            if attribute.type in narrow:
                attribute.type = double
            kinds = attribute.list.type
            for index, kind in enumerate(kinds):
                if kind in narrow:
                    kinds[index] = double
    return made


def _casts(node: Any, weights: Mapping[str, Array]) -> list[Any]:
    """Return a cast for each large weight that a node reads, and let the node read that."""
    tf = tensorflow()
    others = [f"^{nodes.node_of(name)}" for name in node.input if nodes.node_of(name) not in weights]
    made = []
    for index, name in enumerate(node.input):
        value = weights.get(nodes.node_of(name))
        if value is None:
            continue
        cast = type(node)(name=f"{node.name}/double_{index}", op="Cast", input=[name, *others])
        cast.attr["SrcT"].type = tf.as_dtype(value.dtype).as_datatype_enum
        cast.attr["DstT"].type = tf.float64.as_datatype_enum
        node.input[index] = cast.name
        made.append(cast)
    return made
