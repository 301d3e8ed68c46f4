"""Pack numbers and a description into the bytes that a component unpacks in the browser."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

KINDS = ("uint8", "float32")
WORD = 4


def pack(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Join a JSON header and arrays into one lossless block of bytes.

    Layout: the header's length (uint32, little-endian), the header as UTF-8 JSON, then the arrays, each
    starting on a multiple of four counted from the end of the header. The header gains "arrays": name,
    dtype, shape, start and size of each. Arrays are uint8 or float32; anything else raises ValueError.
    """
    listed, blocks, start = [], [], 0
    for name, array in arrays.items():
        if array.dtype.name not in KINDS:
            raise ValueError(f"Array {name!r} is {array.dtype}; a component takes {' or '.join(KINDS)}.")
        block = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        place = {"dtype": array.dtype.name, "shape": array.shape, "start": start, "size": len(block)}
        listed.append({"name": name, **place})
        blocks.append(block + bytes(-len(block) % WORD))
        start += len(blocks[-1])
    text = json.dumps({**header, "arrays": listed}, allow_nan=False, ensure_ascii=False).encode()
    return b"".join([len(text).to_bytes(WORD, "little"), text, *blocks])
