"""Messages with arrays over a pipe: a length, a JSON header, then raw numbers; never pickle.

A frame is four bytes (big-endian length of the header), the header as strict JSON
`{"message": {...}, "arrays": [[name, dtype, shape], ...]}`, and the arrays' bytes one after the other in
C order, little-endian. The reader trusts nothing: what does not fit raises `FrameError`.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

import numpy as np

from saliency_core.arrays import Array
from saliency_core.errors import WorkerError

MIB = 1 << 20
DTYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
    "uint8": np.dtype("u1"),
    "int64": np.dtype("<i8"),
    "int32": np.dtype("<i4"),
    "bool": np.dtype("?"),
}
DEPTH = 32  # nesting of a message
RANK = 6
NAME = 200  # characters in the name of an array

Message = dict[str, Any]
Arrays = dict[str, Array]
Send = Callable[[Message, Arrays], None]


class FrameError(WorkerError):
    """A frame that was cut off, is too large or says something impossible."""

    def __init__(self, problem: str, hint: str = "Try again; the log of the server says more.") -> None:
        super().__init__(problem, hint)


@dataclass(frozen=True)
class Limits:
    """What a reader or a writer accepts; `finite` also refuses NaN and infinity in float arrays."""

    header_bytes: int = 8 * MIB
    total_bytes: int = 1024 * MIB
    arrays: int = 1024
    text: int = MIB
    finite: bool = False


LIMITS = Limits()


def write_frame(
    stream: BinaryIO, message: Mapping[str, Any], arrays: Mapping[str, Array], limits: Limits = LIMITS
) -> None:
    """Write one message with its arrays and flush; raises FrameError before the first byte is written."""
    for part in pack(message, arrays, limits):
        stream.write(part)
    stream.flush()


def pack(
    message: Mapping[str, Any], arrays: Mapping[str, Array], limits: Limits = LIMITS
) -> list[bytes | memoryview]:
    """Turn a message and its arrays into the pieces of one frame, without copying contiguous arrays."""
    listing = [[name, _dtype(name, array), list(np.shape(array))] for name, array in arrays.items()]
    head = _json({"message": dict(message), "arrays": listing})
    if len(head) > limits.header_bytes:
        raise FrameError(f"The message has {len(head)} bytes; at most {limits.header_bytes} are allowed.")
    _check_text(message, limits, DEPTH)
    _check_listing(listing, len(head), limits)
    if limits.finite:
        _check_finite(arrays)
    views = [_plain(name, array).reshape(-1).view(np.uint8).data for name, array in arrays.items()]
    return [struct.pack(">I", len(head)) + head, *(view for view in views if view.nbytes)]


def read_frame(stream: BinaryIO, limits: Limits = LIMITS) -> tuple[Message, Arrays]:
    """Read one message with its arrays; EOFError at a clean end, FrameError for anything impossible."""
    prefix = bytearray(4)
    got = _fill(stream, memoryview(prefix))
    if got == 0:
        raise EOFError("the other side has closed the pipe")
    if got < 4:
        raise FrameError("The frame was cut off in its length.")
    (size,) = struct.unpack(">I", prefix)
    if size > limits.header_bytes:
        raise FrameError(f"The header claims {size} bytes; at most {limits.header_bytes} are allowed.")
    head = bytearray(size)
    if _fill(stream, memoryview(head)) < size:
        raise FrameError("The frame was cut off in its header.")
    message, listing = _header(bytes(head), limits)
    arrays: Arrays = {}
    for name, dtype, shape in listing:
        arrays[name] = _read_array(stream, name, DTYPES[dtype], shape)
    if limits.finite:
        _check_finite(arrays)
    return message, arrays


def settle(message: Mapping[str, Any], arrays: Mapping[str, Array]) -> tuple[Message, Arrays]:
    """Return what a reader would receive: tuples become lists, arrays C-ordered; raises FrameError."""
    return json.loads(_json(dict(message))), {name: _plain(name, array) for name, array in arrays.items()}


def not_finite(arrays: Mapping[str, Array]) -> str | None:
    """The name of the first float array that holds NaN or infinity, or None."""
    for name, array in arrays.items():
        if np.asarray(array).dtype.kind == "f" and not np.isfinite(array).all():
            return name
    return None


def _dtype(name: str, array: Array) -> str:
    found: str = np.asarray(array).dtype.name
    if found not in DTYPES:
        raise FrameError(f"Array {name!r} is {found}; allowed are {', '.join(DTYPES)}.")
    return found


def _plain(name: str, array: Array) -> Array:
    """The array in C order and little-endian, itself if it is so already."""
    return np.asarray(array, dtype=DTYPES[_dtype(name, array)], order="C")


def _json(value: object) -> bytes:
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_scalar)
        return text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise FrameError(f"The message cannot be written as JSON: {error}.") from error


def _scalar(value: object) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not text, a number, a list or a dict")


def _fill(stream: BinaryIO, view: memoryview) -> int:
    """Read until the view is full or the stream ends; the number of bytes read."""
    got = 0
    while got < len(view):
        read = stream.readinto(view[got:])  # type: ignore[attr-defined]
        if not read:
            break
        got += read
    return got


def _header(head: bytes, limits: Limits) -> tuple[Message, list[tuple[str, str, list[int]]]]:
    try:
        header = json.loads(
            head.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_float=_finite_float,
            object_pairs_hook=_unique,
        )
    except (ValueError, RecursionError) as error:
        raise FrameError(f"The header is not strict JSON: {error}.") from error
    if not isinstance(header, dict) or set(header) != {"message", "arrays"}:
        raise FrameError("The header must hold a message and a list of arrays, nothing else.")
    message, listing = header["message"], header["arrays"]
    if not isinstance(message, dict):
        raise FrameError(f"The message is a {type(message).__name__}; it must be a dict.")
    _check_text(message, limits, DEPTH)
    return message, _check_listing(listing, len(head), limits)


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large for a float")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _check_text(value: Any, limits: Limits, depth: int) -> None:
    """Bound the nesting and every text of a message; lone surrogates are no text."""
    if depth < 0:
        raise FrameError(f"The message is nested deeper than {DEPTH} levels.")
    if isinstance(value, str):
        if len(value) > limits.text:
            raise FrameError(f"A text has {len(value)} characters; at most {limits.text} are allowed.")
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise FrameError("A text holds half of a surrogate pair.")
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            _check_text(name, limits, depth)
            _check_text(inner, limits, depth - 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_text(inner, limits, depth - 1)


def _check_listing(listing: Any, spent: int, limits: Limits) -> list[tuple[str, str, list[int]]]:
    """Check the list of arrays against every limit, before a byte is allocated for them."""
    if not isinstance(listing, list) or len(listing) > limits.arrays:
        raise FrameError(f"The arrays must be a list of at most {limits.arrays}.")
    total, seen = 4 + spent, set()
    for row in listing:
        if not (isinstance(row, list) and len(row) == 3 and all(isinstance(text, str) for text in row[:2])):
            raise FrameError("An array must be listed as name, dtype, shape.")
        name, dtype, shape = row
        if name in seen or len(name) > NAME:
            raise FrameError("The name of an array occurs twice or is too long.")
        seen.add(name)
        if dtype not in DTYPES:
            raise FrameError(f"An array claims the dtype {dtype[:NAME]!r}; allowed are {', '.join(DTYPES)}.")
        if not isinstance(shape, list) or len(shape) > RANK:
            raise FrameError(f"Array {name!r} must list at most {RANK} sizes.")
        if not all(type(size) is int and size >= 0 for size in shape):
            raise FrameError(f"Array {name!r} has a size that is not a whole number from 0.")
        room = DTYPES[dtype].itemsize * math.prod(max(size, 1) for size in shape)
        total += room if all(shape) else 0
        if room > limits.total_bytes or total > limits.total_bytes:
            raise FrameError(f"Array {name!r} brings the frame above {limits.total_bytes} bytes.")
    return [(name, dtype, shape) for name, dtype, shape in listing]


def _check_finite(arrays: Mapping[str, Array]) -> None:
    name = not_finite(arrays)
    if name is not None:
        raise FrameError(f"Array {name!r} holds a number that is not finite.")


def _read_array(stream: BinaryIO, name: str, dtype: np.dtype[Any], shape: list[int]) -> Array:
    array: Array = np.empty(shape, dtype)
    flat = array.reshape(-1).view(np.uint8)
    if flat.size and _fill(stream, flat.data) < flat.size:
        raise FrameError(f"The frame was cut off in array {name!r}.")
    if dtype.kind == "b" and flat.size and flat.max() > 1:
        raise FrameError(f"Array {name!r} holds a byte that is neither true nor false.")
    return array
