"""The heaps of an HDF5 file, in which its longer texts lie: the library loops for ever on a broken one."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from saliency_core.engine.gate.refusal import Stop

SIGN = b"GCOL\x01\0\0\0"
HEADER, ENTRY = 16, 16


def check(path: Path, part: str) -> None:
    """Refuse a file with a heap whose entries do not lead from its start to its end."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place = content.find(SIGN)
        while place >= 0:
            length = struct.unpack_from("<Q", content, place + 8)[0] if place + HEADER <= len(content) else 0
            if not HEADER <= length <= len(content) - place:
                raise Stop(part, "its heap of texts is damaged")
            _check_entries(content, place + HEADER, place + length, part)
            place = content.find(SIGN, place + 8)


def _check_entries(content: mmap.mmap, place: int, end: int, part: str) -> None:
    while place + ENTRY <= end:
        number, size = struct.unpack_from("<H6xQ", content, place)
        step = size if number == 0 else ENTRY + (size + 7) // 8 * 8
        if step < ENTRY or step > end - place:
            raise Stop(part, "its heap of texts is damaged")
        place += step
