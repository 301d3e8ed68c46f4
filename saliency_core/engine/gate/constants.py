"""Constants of a graph: what they take in memory, and what their text looks like."""

from __future__ import annotations

import math
import re
from typing import Any

from saliency_core.engine.gate.refusal import MEBIBYTE, WRITE_ANEW, Limits, Stop, shown, size

STRING, RESOURCE, VARIANT = 7, 20, 21
SIZES = {1: 4, 2: 8, 3: 4, 4: 1, 5: 2, 6: 1, 7: 24, 8: 8, 9: 8, 10: 1, 11: 1, 12: 1, 13: 4, 14: 2, 15: 2,
         16: 2, 17: 2, 18: 16, 19: 2, 22: 4, 23: 8, 24: 1, 25: 1, 29: 1, 30: 1}  # fmt: skip
VALUES = ("half_val", "float_val", "double_val", "int_val", "string_val", "scomplex_val", "int64_val",
          "bool_val", "dcomplex_val", "uint32_val", "uint64_val")  # fmt: skip
SPREAD = 64 * MEBIBYTE  # bytes that repeated values may fill in one model
ELEMENTS = 2**28  # numbers that one operation may be told to make
PATH = re.compile(
    rb"\s*(/(?![mg]/0)[^/\s]+/|~/|\.\.?/|[A-Za-z]:[\\/]|\\\\|[A-Za-z][\w+.-]*://|/(etc|proc|dev|tmp)\b)"
)
MADE_FROM = {"Fill": 0, "BroadcastTo": 1, "Tile": 1, "RandomUniform": 0, "RandomStandardNormal": 0,
             "TruncatedNormal": 0, "RandomUniformInt": 0, "StatelessRandomNormal": 0, "ResizeBilinear": 1,
             "StatelessRandomUniform": 0, "StatelessRandomNormalV2": 0, "StatelessRandomUniformV2": 0,
             "StatelessTruncatedNormal": 0, "ResizeNearestNeighbor": 1, "ResizeBicubic": 1, "ResizeArea": 1,
             "OneHot": 1, "LinSpace": 2, "Range": 1, "Pad": 1, "PadV2": 1, "MirrorPad": 1, "ScatterNd": 2,
             "TensorListReserve": 1, "TensorArrayV3": 0, "UnsortedSegmentSum": 2, "DenseBincount": 1,
             "Bincount": 1}  # fmt: skip


class Memory:
    """Adds up what the constants of one model take."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.declared, self.spread = limits, 0, 0

    def add(self, tensor: Any, part: str) -> None:
        """Count one TensorProto; refuse one that claims much more than it stores."""
        dims = [dim.size for dim in tensor.tensor_shape.dim]
        if tensor.dtype not in SIZES or tensor.resource_handle_val or tensor.variant_val:
            raise Stop(part, "the constant is of a kind that cannot be stored in a file", WRITE_ANEW)
        if tensor.tensor_shape.unknown_rank or any(dim < 0 for dim in dims) or len(dims) > 254:
            raise Stop(part, "the constant is damaged: its shape is not complete", WRITE_ANEW)
        each, count = SIZES[tensor.dtype], math.prod(dims)
        stored = len(tensor.tensor_content) // each or max(len(getattr(tensor, name)) for name in VALUES)
        self.declared += count * each
        self.spread += max(0, count - stored) * each
        if self.declared > self.limits.total:
            raise Stop(part, f"the constants are too large: {size(self.declared)}", WRITE_ANEW)
        if self.spread > SPREAD:
            reason = f"the constant of {size(count * each)} is stored in {size(tensor.ByteSize())}"
            raise Stop(part, reason, WRITE_ANEW)
        if tensor.dtype == STRING:
            _check_text(tensor, part)


def _check_text(tensor: Any, part: str) -> None:
    """A label may look like anything; a few short texts that look like places are not labels."""
    for text in tensor.string_val[:8]:
        if len(text) <= 4096 and PATH.match(text):
            found = shown(text.decode("utf-8", "replace"), 40)
            raise Stop(part, f"the text '{found}' looks like a path or an address", WRITE_ANEW)


def check_sizes(node: Any, constants: dict[str, Any], part: str) -> None:
    """Refuse a node that is told, by a constant, to make a tensor of more than any model needs."""
    place = MADE_FROM.get(node.op)
    if place is None or place >= len(node.input):
        return
    tensor = constants.get(node.input[place].split(":")[0])
    if tensor is None or math.prod(dim.size for dim in tensor.tensor_shape.dim) > 1024:
        return
    numbers = [abs(number) for number in _numbers(tensor)]
    if "Pad" in node.op:
        numbers = [before + after for before, after in zip(numbers[::2], numbers[1::2], strict=False)]
    if math.prod(max(1, number) for number in numbers) > ELEMENTS:
        raise Stop(part, f"it asks for a tensor of more than {ELEMENTS:,} numbers: too large", WRITE_ANEW)


def _numbers(tensor: Any) -> list[int]:
    from saliency_core.engine.runtime import tensorflow

    if tensor.dtype == STRING:
        return []
    values = tensorflow().make_ndarray(tensor).ravel()
    return [int(value) if abs(value) < 2**62 else 2**62 for value in values.tolist() if value == value]
