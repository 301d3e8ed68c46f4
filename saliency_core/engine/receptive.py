"""Which pixels a cell can depend on: the theoretical receptive field of every tensor, from the graph alone.

Each step of the graph says which cells of its input a cell of its output reads: cells `step * i + first` to
`step * i + last` along an axis. Chained back to the pixels this gives one `Span` for rows and one for
columns. What is not known here counts as reading everything, so a field may be too large, never too small.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saliency_core.arrays import Array
from saliency_core.engine import nodes
from saliency_core.engine.reading import RULES, SPLITS
from saliency_core.engine.spans import ROWS_AND_COLS, Line, Reach
from saliency_core.engine.walk import Shapes, Step, UnknownError, Walk
from saliency_core.models.anatomy import Field, Span

SHAPES_ONLY = {"Shape", "ShapeN", "Size", "Rank"}


def fields(
    graph: Any, source: str, shapes: Shapes, constants: Mapping[str, Array] | None = None
) -> dict[str, Field]:
    """Return the receptive field of every tensor of a sorted graph that depends on `source`.

    `shapes` holds the shape for one image, with its batch, by tensor name; `constants` the values of all.
    """
    walk = Walk(
        shapes, dict(nodes.constants(graph) if constants is None else constants), {source: Reach.of_image()}
    )
    for node in graph.node:
        if node.name != source:
            _take(walk, node)
    found = {name: walk.reach(name) for name in shapes}
    return {name: _field(reach, len(shapes[name])) for name, reach in found.items() if reach is not None}


def _field(reach: Reach, rank: int) -> Field:
    """Return the spans of a feature map (B, H, W, C) or of a row of cells (B, cells, C)."""
    spans = [_span(reach.lines.get(axis), axis + 1 if rank > axis + 2 else 0) for axis in ROWS_AND_COLS]
    return Field(*spans)


def _span(line: Line | None, axis: int) -> Span | None:
    if line is None or line.axis != axis:
        return None
    return Span(float(line.first), float(line.last), float(line.step))


def _take(walk: Walk, node: Any) -> None:
    """Note what a node reaches, if it depends on the image."""
    step = Step(node, [nodes.tensor_of(name) for name in nodes.data_inputs(node)], walk)
    if node.op in SHAPES_ONLY or not step.data:
        return
    if node.op in SPLITS:
        walk.alike.add(node.name)
    try:
        walk.known[node.name] = RULES[node.op](step) if node.op in RULES else Reach()
    except UnknownError:
        walk.known[node.name] = Reach()
