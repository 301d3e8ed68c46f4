"""The same graph in double precision, so that a finite difference can be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np

from saliency_core.engine import nodes
from saliency_core.engine.runtime import tensorflow


def doubled(graph: Any) -> Any:
    """Return a copy of the graph in float64: constants, types and casts."""
    tf = tensorflow()
    single, double = tf.float32.as_datatype_enum, tf.float64.as_datatype_enum
    made = type(graph)()
    made.CopyFrom(graph)
    for node in made.node:
        if node.op == "Const" and nodes.attribute(node, "dtype").type == single:
            value = tf.make_ndarray(node.attr["value"].tensor)
            node.CopyFrom(nodes.constant(node.name, value.astype(np.float64)))
            continue
        for attribute in node.attr.values():
            if attribute.type == single:
                attribute.type = double
            kinds = attribute.list.type
            for index, kind in enumerate(kinds):
                if kind == single:
                    kinds[index] = double
    return made
