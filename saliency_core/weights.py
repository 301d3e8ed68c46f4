"""Weights of the cells of a tensor: a few rows of numbers, or a whole array as a short text."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from saliency_core.arrays import Array, Float, read_only
from saliency_core.errors import TargetError
from saliency_core.spec import Integer, Real, Spec

MOST_WEIGHTS = 4096  # rows
MOST_CELLS = 1 << 22  # of an array: the largest feature map of the usual networks has 3.2 million
LONGEST = 900_000  # characters of an array as text
FORM = re.compile(r"(\d{1,7}(?:x\d{1,7}){0,3})\[(\d{1,7}(?:,\d{1,7})*)?\]:([A-Za-z0-9_-]*={0,2})")


@dataclass(frozen=True)
class Weights(Spec):
    """Rows of an index into a tensor (without the batch) followed by a weight, or a dense array.

    An array is kept as text: its shape, the channels (of its last axis) that are not 0, and their float32
    numbers compressed, such as "4x4x8[3]:eJxj...". Equal arrays have equal texts.
    """

    @property
    def allowed(self) -> str:
        return (
            f"at most {MOST_WEIGHTS} rows like [row, col, channel, weight], "
            f"or an array of the tensor's shape with at most {MOST_CELLS} cells"
        )

    def check(self, value: Any) -> Any:
        if isinstance(value, str):
            return _again(value)
        if isinstance(value, np.ndarray):
            return packed(value)
        if not isinstance(value, list | tuple):
            raise ValueError
        rows = [tuple(row) for row in value]
        if not 0 < len(rows) <= MOST_WEIGHTS or not all(rows):
            raise ValueError
        place, amount = Integer(low=0), Real()
        return tuple((*(place.check(i) for i in row[:-1]), amount.check(row[-1])) for row in rows)


def packed(array: Array) -> str:
    """Return an array as text; raises ValueError for one that is too large or not of finite numbers."""
    if array.dtype.kind not in "biuf" or not 0 < array.ndim <= 4 or not 0 < array.size <= MOST_CELLS:
        raise ValueError
    with np.errstate(over="ignore"):
        numbers = np.ascontiguousarray(array, np.dtype("<f4")) + np.float32(0)  # no zero with a minus
    if not np.isfinite(numbers).all():
        raise ValueError
    used = np.flatnonzero(numbers.reshape(-1, array.shape[-1]).any(0))
    block = base64.urlsafe_b64encode(zlib.compress(numbers[..., used].tobytes(), 9)).decode()
    text = f"{_size(array.shape)}[{','.join(str(place) for place in used)}]:{block}"
    if len(text) > LONGEST:
        raise ValueError
    return text


@lru_cache(16)
def _again(text: str) -> str:
    """Return the text that this lab writes for the array of a text; raises ValueError for a wrong one."""
    return packed(_unpacked(text))


def unpacked(text: str, shape: Sequence[int], name: str) -> Float:
    """Return the array of a text for a tensor of a shape; raises TargetError if it is another's."""
    array = _unpacked(text)
    if array.shape == (1, *shape):
        array = array[0]
    if array.shape != tuple(shape):
        raise TargetError(
            f"The array of weights is {_size(array.shape)}, {name} is {_size(shape)}.",
            f"Give an array of shape {_size(shape)}, or rows of an index and a weight.",
        )
    return array


@lru_cache(4)
def _unpacked(text: str) -> Float:
    found = FORM.fullmatch(text) if len(text) <= LONGEST else None
    shape = tuple(int(extent) for extent in found[1].split("x")) if found else ()
    if found is None or not 0 < prod(shape) <= MOST_CELLS:
        raise ValueError
    used = [int(place) for place in found[2].split(",")] if found[2] else []
    if used != sorted(set(used)) or any(place >= shape[-1] for place in used):
        raise ValueError
    array = np.zeros(shape, np.float32)
    wanted = (*shape[:-1], len(used))
    array[..., used] = np.frombuffer(_inflated(found[3], 4 * prod(wanted)), np.dtype("<f4")).reshape(wanted)
    return read_only(array)


def _inflated(block: str, size: int) -> bytes:
    """Return exactly `size` bytes; never holds more, whatever the text claims."""
    reader = zlib.decompressobj()
    try:
        found = reader.decompress(base64.urlsafe_b64decode(block), size + 1)
    except (zlib.error, binascii.Error):
        raise ValueError from None
    if len(found) != size or not reader.eof:
        raise ValueError
    return found


def _size(shape: Sequence[int]) -> str:
    return "x".join(str(extent) for extent in shape)
