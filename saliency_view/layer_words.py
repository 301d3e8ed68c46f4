"""What is said of a layer and of a unit: shape, step, receptive field, and the facts of its gradient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from saliency_core.attribution import Attribution
from saliency_core.kinds import kind
from saliency_core.models.anatomy import Field, Layer, Span
from saliency_core.render.numbers import MINUS, number_text
from saliency_core.targets import LayerUnit
from saliency_view.text import counted, plain

STEPS = {
    "Add": "sum", "AddN": "sum", "AddV2": "sum", "AvgPool": "mean of windows", "BiasAdd": "weights and bias",
    "ConcatV2": "channels put together", "Conv2D": "convolution", "Elu": "ELU", "LRN": "local norm",
    "Conv2DBackpropInput": "transposed convolution", "DepthwiseConv2dNative": "depthwise convolution",
    "LeakyRelu": "leaky ReLU", "LogSoftmax": "log softmax", "MatMul": "weights", "Max": "largest",
    "MaxPool": "largest of windows", "Mean": "mean", "Mul": "product", "Pad": "border", "PadV2": "border",
    "RealDiv": "quotient", "Relu": "ReLU", "Relu6": "ReLU6", "Reshape": "other shape", "Selu": "SELU",
    "ResizeBilinear": "resize", "ResizeNearestNeighbor": "resize", "Sigmoid": "sigmoid", "Softmax": "softmax",
    "Softplus": "softplus", "Sub": "difference", "Tanh": "tanh",
}  # fmt: skip


def step_words(layer: Layer) -> str:
    """Return what computes a layer's values, in words where there are any."""
    return STEPS.get(layer.op, layer.op)


def shape_words(shape: Sequence[int]) -> str:
    """Return a shape as text."""
    return " x ".join(str(extent) for extent in shape)


def field_words(field: Field) -> str:
    """Return what a unit can see as text: height x width and the steps between neighbours."""
    if field.rows is None or field.cols is None:
        return "all of the image" if field.whole else f"{_extent(field.rows)} x {_extent(field.cols)} px"
    steps = dict.fromkeys((_number(field.rows.step), _number(field.cols.step)))
    return f"{_extent(field.rows)} x {_extent(field.cols)}, step {' x '.join(steps)}"


def _extent(span: Span | None) -> str:
    return "all" if span is None else _number(span.size)


def _number(value: float) -> str:
    return (f"{value:.0f}" if value == round(value) else f"{value:.1f}").replace("-", MINUS)


def offset_words(field: Field) -> str:
    """Return in full what the first and the next units see."""
    said = []
    for name, span in (("rows", field.rows), ("columns", field.cols)):
        if span is None:
            said.append(f"every unit may see all {name}")
        else:
            first, last, step = (_number(n) for n in (span.first, span.last, span.step))
            said.append(f"the first unit sees {name} {first} to {last}, the next {step} further on")
    return "; ".join(said)


def shares_seen(field: Field, size: Sequence[int]) -> tuple[float, float]:
    """Return the shares of the image's height and width that a unit can see, at most 1."""
    spans = zip((field.rows, field.cols), size, strict=False)
    tall, wide = (1.0 if span is None else min(1.0, span.size / extent) for span, extent in spans)
    return tall, wide


def default_layer(layers: Sequence[Layer], size: Sequence[int]) -> str:
    """Return the layer to start with: the deepest map whose units see at most half of the image each way."""
    maps = [layer for layer in layers if layer.spatial] or list(layers)
    near = [layer for layer in maps if max(shares_seen(layer.field, size)) <= 0.5]
    return (near or maps)[-1].name


def outside(values: np.ndarray, box: tuple[int, int, int, int]) -> float:
    """Return the share of |gradient| (H, W, C) that lies outside a box; 0 for a map of zeros."""
    sizes = np.abs(values.astype(np.float64))
    top, left, bottom, right = box
    total, inside = sizes.sum(), sizes[top:bottom, left:right].sum()
    beyond = sizes.copy()
    beyond[top:bottom, left:right] = 0
    return float(beyond.sum() / (beyond.sum() + inside)) if total else 0.0


def half(values: np.ndarray) -> int:
    """Return how few pixels hold half of |gradient| together."""
    sizes = np.sort(np.abs(values.astype(np.float64)).sum(-1).reshape(-1))[::-1]
    return int(np.searchsorted(np.cumsum(sizes), sizes.sum() / 2) + 1) if sizes.any() else 0


def unit_words(
    unit: LayerUnit, layer: Layer, value: float, made: Attribution, box: tuple[int, int, int, int]
) -> str:
    """Return what is known of a unit and its map, as markdown."""
    top, left, bottom, right = box
    place = f"neuron {unit.channel}"
    if len(layer.shape) > 1:
        place = f"row {unit.row}, column {unit.col}, channel {unit.channel}"
    said = f"**{plain(unit.layer)}**, {place}: activation **{plain(number_text(value))}**. "
    everything = box == (0, 0, *made.point.shape[:2])
    said += "It can see the whole image. " if everything else (
        f"It can see {bottom - top} x {right - left} pixels: rows {top} to {bottom - 1}, "
        f"columns {left} to {right - 1}. "
    )  # fmt: skip
    return said + (_map_words(made, box, everything) if made.values.shape == made.point.shape else "")


def _map_words(made: Attribution, box: tuple[int, int, int, int], everything: bool) -> str:
    """Return what a map with a value for every pixel says of the part that the unit can see."""
    name = kind(made.kind).quantity.lower()
    if not made.values.any():
        return f"The {name} is 0 in every pixel: no small change of one moves the unit on this image."
    said, share = "", outside(made.values, box)
    if not everything and share == 0:
        said = f"Outside, the {name} is exactly 0. "
    elif not everything:
        said = f"**{plain(format(100 * share, '.2g'))} % of the {name} lies outside, which must not be.** "
    few = half(made.values)
    return said + f"Half of all \\|{name}\\| lies in {counted(few, 'pixels')}."
