"""Awkward picture files made byte by byte, for tests: small PNG, TIFF, GIF and EXIF writers."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from itertools import accumulate

import numpy as np
import PIL.Image


def encode(pixels: np.ndarray | PIL.Image.Image, kind: str, **settings: object) -> bytes:
    """Let Pillow write an array or a PIL image as a file of this kind."""
    picture = pixels if isinstance(pixels, PIL.Image.Image) else PIL.Image.fromarray(pixels)
    out = BytesIO()
    picture.save(out, kind, **settings)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    """One PNG chunk with its check sum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int,
    height: int,
    depth: int,
    colour: int,
    rows: list[bytes],
    *before: bytes,
    after: bytes = b"",
    first: bytes = b"",
) -> bytes:
    """A PNG file of unfiltered rows; `before` and `after` are chunks around the pixel data."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + first + head + b"".join(before) + data + after + chunk(b"IEND", b"")


def exif(orientation: int, order: str = "<", kind: int = 3) -> bytes:
    """A TIFF block with one tag, the orientation, as EXIF holds it."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    value = struct.pack(
        order + ("HH" if kind == 3 else "I"), *((orientation, 0) if kind == 3 else (orientation,))
    )
    return head + struct.pack(order + "HHHI", 1, 274, kind, 1) + value + struct.pack(order + "I", 0)


def tiff(
    strips: list[bytes],
    size: tuple[int, int],
    bits: int,
    photometric: int,
    samples: int = 1,
    *,
    form: int = 1,
    planar: int = 1,
    order: str = "<",
    deflate: bool = False,
    more: tuple[tuple[int, int, list[int]], ...] = (),
    next_at: int = 0,
) -> bytes:
    """A TIFF file of one page. form: 1 unsigned, 2 signed, 3 float; more: (tag, type, values)."""
    width, height = size
    packed = [zlib.compress(strip) for strip in strips] if deflate else strips
    tags = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [bits] * samples),
        259: (3, [8 if deflate else 1]),
        262: (3, [photometric]),
        273: (4, [0] * len(packed)),
        277: (3, [samples]),
        278: (4, [height]),
        279: (4, [len(strip) for strip in packed]),
        284: (3, [planar]),
        339: (3, [form] * samples),
        **{tag: (kind, values) for tag, kind, values in more},
    }
    codes = {1: "B", 3: "H", 4: "I"}
    start = 8 + 2 + 12 * len(tags) + 4
    blobs = sum(
        size for kind, values in tags.values() if (size := len(values) * struct.calcsize(codes[kind])) > 4
    )
    at = start + blobs
    offsets = list(accumulate((len(strip) for strip in packed[:-1]), initial=at))
    tags[273] = (4, offsets)
    entries = blob = b""
    for tag, (kind, values) in sorted(tags.items()):
        raw = struct.pack(f"{order}{len(values)}{codes[kind]}", *values)
        entries += struct.pack(order + "HHI", tag, kind, len(values))
        if len(raw) > 4:
            entries += struct.pack(order + "I", start + len(blob))
            blob += raw
        else:
            entries += raw.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(tags))
    return head + entries + struct.pack(order + "I", next_at) + blob + b"".join(packed)
