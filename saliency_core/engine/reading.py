"""What each kind of step reads: the cells of its input that a cell of its output depends on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from saliency_core.engine.reshaping import reshaped
from saliency_core.engine.spans import Reach, moved, together, unreduced
from saliency_core.engine.walk import Step, UnknownError

CELL_BY_CELL = {
    "Abs", "Add", "AddN", "AddV2", "Atan", "BiasAdd", "Cast", "Ceil", "CheckNumerics", "ClipByValue", "Cos",
    "Div", "DivNoNan", "Elu", "Erf", "Erfc", "Exp", "Expm1", "FakeQuantWithMinMaxArgs",
    "FakeQuantWithMinMaxVars", "Floor", "Greater", "GreaterEqual", "Identity", "IsFinite", "IsNan",
    "LeakyRelu", "Less", "LessEqual", "Log", "Log1p", "LogicalAnd", "LogicalNot", "LogicalOr", "Maximum",
    "Minimum", "Mul", "MulNoNan", "Neg", "NotEqual", "OnesLike", "Pow", "PreventGradient", "RealDiv",
    "Reciprocal", "Relu", "Relu6", "Rint", "Round", "Rsqrt", "Select", "SelectV2", "Selu", "Sigmoid", "Sign",
    "Sin", "Softplus", "Softsign", "Sqrt", "Square", "SquaredDifference", "StopGradient", "Sub", "Tan",
    "Tanh", "Xdivy", "Xlogy", "ZerosLike",
}  # fmt: skip
LAST_AXIS = {"Softmax", "LogSoftmax", "LRN"}
NORMS = {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}
SPLITS = {"Split", "SplitV"}
REDUCTIONS = {"Mean", "Sum", "Max", "Min", "Prod", "All", "Any"}


def _cell_by_cell(step: Step) -> Reach:
    """Return the union over the inputs; one that is stretched over others is read everywhere."""
    out = step.out
    found = []
    for place in step.data:
        shape = step.shape(place)
        reach = _aligned(step.reach(place), len(out) - len(shape))
        stretched = {axis for axis in range(len(out)) if _extent(shape, out, axis) != out[axis]}
        found.append(reach.without(stretched))
    return together(found, out)


def _aligned(reach: Reach, by: int) -> Reach:
    """Return a reach whose axes stand `by` places further to the right."""
    if by < 0:
        raise UnknownError
    return reach if not by else reach.with_axes(lambda axis: axis + by)


def _extent(shape: tuple[int, ...], out: tuple[int, ...], axis: int) -> int:
    place = axis - (len(out) - len(shape))
    return shape[place] if place >= 0 else 1


def _along_the_last_axis(step: Step) -> Reach:
    return step.only(0).without({len(step.out) - 1})


def _norm(step: Step) -> Reach:
    return Reach() if step.number("is_training") else step.only(0)


def _convolution(step: Step) -> Reach:
    kernel = step.shape(1)[:2]
    return _window(step, kernel, step.only(0), step.shape(0))


def _pool(step: Step) -> Reach:
    down, across = step.plane
    size = step.ints("ksize") or step.constant(1)
    return _window(step, (size[down], size[across]), step.only(0), step.shape(0))


def _window(step: Step, kernel: Sequence[int], reach: Reach, shape: tuple[int, ...]) -> Reach:
    """Return the reach of a window that moves over two axes, with its stride, dilation and padding."""
    strides = step.ints("strides") or step.constant(2)
    dilations = step.ints("dilations") or [1] * 4
    moves = {}
    for at, extent in zip(step.plane, kernel, strict=True):
        wide = (extent - 1) * dilations[at] + 1
        before = _padding_before(step, at, shape[at], step.out[at], strides[at], wide)
        moves[at] = (Fraction(strides[at]), Fraction(-before), Fraction(wide - 1 - before))
    channel = ({1, 2, 3} - set(step.plane)).pop()
    return moved(reach.without({channel}), moves)


def _padding_before(step: Step, axis: int, extent: int, out: int, stride: int, wide: int) -> int:
    padding = step.text("padding")
    if padding == "EXPLICIT":
        return step.ints("explicit_paddings")[2 * axis]
    if padding == "SAME":
        return max((out - 1) * stride + wide - extent, 0) // 2
    return 0


def _transposed(step: Step) -> Reach:
    """Return the reach of a transposed convolution: cell o reads cells (o + before - k) / stride."""
    strides, dilations = step.ints("strides"), step.ints("dilations") or [1] * 4
    shape, moves = step.shape(2), {}
    for at, extent in zip(step.plane, step.shape(1)[:2], strict=True):
        wide, stride = (extent - 1) * dilations[at] + 1, strides[at]
        before = _padding_before(step, at, step.out[at], shape[at], stride, wide)
        moves[at] = (Fraction(1, stride), Fraction(before - wide + 1, stride), Fraction(before, stride))
    channel = ({1, 2, 3} - set(step.plane)).pop()
    return moved(step.only(2).without({channel}), moves)


def _pad(step: Step) -> Reach:
    pads = step.constant(1)
    if step.node.op == "MirrorPad":
        touched = {axis for axis in range(len(pads) // 2) if pads[2 * axis] or pads[2 * axis + 1]}
        return step.only(0).without(touched)
    moves = {axis: _shift(-pads[2 * axis]) for axis in range(len(pads) // 2)}
    return moved(step.only(0), moves)


def _shift(by: int) -> tuple[Fraction, Fraction, Fraction]:
    return Fraction(1), Fraction(by), Fraction(by)


def _slice(step: Step) -> Reach:
    return moved(step.only(0), {axis: _shift(start) for axis, start in enumerate(step.constant(1))})


def _strided_slice(step: Step) -> Reach:
    begin, strides, shape = step.constant(1), step.constant(3), step.shape(0)
    if step.number("new_axis_mask"):
        raise UnknownError
    dots, shrunk, free = (step.number(f"{name}_mask") for name in ("ellipsis", "shrink_axis", "begin"))
    reach, moves, gone, axis = step.only(0), {}, [], 0
    for place, (start, stride) in enumerate(zip(begin, strides, strict=True)):
        if dots >> place & 1:
            axis += len(shape) - len(begin) + 1
            continue
        if shrunk >> place & 1:
            gone.append(axis)
        elif free >> place & 1:
            start = 0 if stride > 0 else shape[axis] - 1
        start = start + shape[axis] if start < 0 else start
        start = min(max(start, 0), shape[axis] - 1)
        moves[axis] = (Fraction(stride), Fraction(start), Fraction(start))
        axis += 1
    return unreduced(moved(reach.without(gone), moves), gone)


def _concat(step: Step) -> Reach:
    axis = step.constant(len(step.inputs) - 1)[0] % len(step.out)
    found = [step.reach(place).without({axis}) for place in step.data]
    return together(found, step.out)


def _split(step: Step) -> Reach:
    place, other = (1, 0) if step.node.op == "Split" else (0, 2)
    return step.only(place).without({step.constant(other)[0] % len(step.shape(place))})


def _reduction(step: Step) -> Reach:
    rank = len(step.shape(0))
    axes = [axis % rank for axis in step.constant(1)]
    reach = step.only(0).without(axes)
    return reach if step.number("keep_dims") else unreduced(reach, axes)


def _squeeze(step: Step) -> Reach:
    shape = step.shape(0)
    axes = [axis % len(shape) for axis in step.ints("squeeze_dims")]
    if not axes:  # every axis of one cell, and the batch may be one
        raise UnknownError
    return unreduced(step.only(0).without(axes), axes)


def _expand(step: Step) -> Reach:
    at = step.constant(1)[0] % len(step.out)
    return step.only(0).with_axes(lambda axis: axis + (axis >= at))


def _transpose(step: Step) -> Reach:
    order = step.constant(1)
    return step.only(0).with_axes(order.index)


def _reverse(step: Step) -> Reach:
    shape = step.shape(0)
    ends = {axis % len(shape): Fraction(shape[axis] - 1) for axis in step.constant(1)}
    return moved(step.only(0), {axis: (Fraction(-1), end, end) for axis, end in ends.items()})


def _tile(step: Step) -> Reach:
    many = step.constant(1)
    return step.only(0).without({axis for axis, times in enumerate(many) if times != 1})


def _stretch(step: Step) -> Reach:
    out, shape = step.out, step.shape(0)
    reach = _aligned(step.only(0), len(out) - len(shape))
    return reach.without({axis for axis in range(len(out)) if _extent(shape, out, axis) != out[axis]})


def _gather(step: Step) -> Reach:
    axis = step.constant(2)[0] % len(step.shape(0))
    if len(step.shape(1)) != 1:
        raise UnknownError
    return step.only(0).without({axis})


def _blocks(step: Step) -> Reach:
    """Return the reach of SpaceToDepth and DepthToSpace."""
    block = step.number("block_size")
    wide = Fraction(block - 1)
    move = (Fraction(block), Fraction(0), wide)
    if step.node.op == "DepthToSpace":
        move = (Fraction(1, block), -wide / block, Fraction(0))
    return moved(step.only(0), dict.fromkeys(step.plane, move))


def _dealt(step: Step) -> Reach:
    """Return the reach of SpaceToBatchND or BatchToSpaceND, between which convolutions are dilated."""
    dealt = step.node.op == "SpaceToBatchND"
    blocks, edges = step.constant(1), step.constant(2)
    lines = {}
    for image, line in step.only(0).lines.items():
        place = line.axis - 1
        if not 0 <= place < len(blocks):
            continue
        if line.apart != (1 if dealt else blocks[place]):
            raise UnknownError
        whole = replace(line, apart=1)
        found = whole.after(_shift(-edges[2 * place] if dealt else edges[2 * place]))
        if found is not None:
            lines[image] = replace(found, apart=blocks[place] if dealt else 1)
    return Reach(lines)


REACH_OF_RESIZE = {"ResizeBilinear": (1, 1), "ResizeBicubic": (2, 2), "ResizeNearestNeighbor": (1, 0)}


def _resize(step: Step) -> Reach:
    """Return the reach of a resize: the cells around where the new cell's centre lies in the old grid."""
    corners, halves = step.number("align_corners"), step.number("half_pixel_centers")
    low, high = REACH_OF_RESIZE[step.node.op]
    high = max(high, corners)  # with corners aligned the nearest is rounded, which may go up
    moves = {}
    for at in (1, 2):
        before, after = step.shape(0)[at], step.out[at]
        if corners and after > 1:
            scale, start = Fraction(before - 1, after - 1), Fraction(0)
        else:
            scale, start = Fraction(before, after), Fraction(0)
        if halves:
            start = scale / 2 - (0 if step.node.op == "ResizeNearestNeighbor" else Fraction(1, 2))
        moves[at] = (scale, start - low, start + high)
    return moved(step.only(0), moves)


def _product(step: Step) -> Reach:
    """Return the reach of a matrix product with constants: every cell along the last axis is read."""
    if step.number("transpose_a") or step.number("adj_x"):
        raise UnknownError
    return step.only(0).without({len(step.shape(0)) - 1})


def _reshape(step: Step) -> Reach:
    return reshaped(step.only(0), step.shape(0), step.out)


RULES: dict[str, Callable[[Step], Reach]] = {
    **dict.fromkeys(CELL_BY_CELL, _cell_by_cell),
    **dict.fromkeys(LAST_AXIS, _along_the_last_axis),
    **dict.fromkeys(NORMS, _norm),
    **dict.fromkeys(REDUCTIONS, _reduction),
    **dict.fromkeys(REACH_OF_RESIZE, _resize),
    **dict.fromkeys(("Conv2D", "DepthwiseConv2dNative"), _convolution),
    **dict.fromkeys(("MaxPool", "MaxPoolV2", "AvgPool"), _pool),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), _pad),
    **dict.fromkeys(("SpaceToBatchND", "BatchToSpaceND"), _dealt),
    **dict.fromkeys(SPLITS, _split),
    **dict.fromkeys(("MatMul", "BatchMatMul", "BatchMatMulV2"), _product),
    **dict.fromkeys(("SpaceToDepth", "DepthToSpace"), _blocks),
    "BroadcastTo": _stretch,
    "ConcatV2": _concat,
    "Conv2DBackpropInput": _transposed,
    "ExpandDims": _expand,
    "GatherV2": _gather,
    "Reshape": _reshape,
    "ReverseV2": _reverse,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "StridedSlice": _strided_slice,
    "Tile": _tile,
    "Transpose": _transpose,
}
