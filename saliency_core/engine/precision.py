"""The same graph in double precision, so that a finite difference can be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np

from saliency_core.engine import nodes
from saliency_core.engine.runtime import tensorflow


def doubled(graph: Any) -> Any:
    """Return a copy of the graph in float64, half precision too: constants, types and casts."""
    tf = tensorflow()
    double = tf.float64.as_datatype_enum
    narrow = {kind.as_datatype_enum for kind in (tf.float32, tf.float16, tf.bfloat16)}
    made = type(graph)()
    made.CopyFrom(graph)
    for node in made.node:
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
