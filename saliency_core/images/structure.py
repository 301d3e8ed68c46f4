"""Small facts read from a file's own structure: orientation, frames, scans; linear in time, never decoding.

Pillow can tell some of this too, but walks hostile chains and tags with no bound on time.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from itertools import islice

MOST_FRAMES = 1000
MOST_TAGS = 0xFFFF
ORIENTATION, SUBFILE, SUBIFDS, DNG_VERSION = 274, 254, 330, 50706
STRIP_TAGS = {273, 279, 324, 325}
JPEG_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")


class Tiff:
    """The chain of directories of a TIFF file, or of the TIFF inside an EXIF block."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order = ">" if data[:2] == b"MM" else "<"
        self.big = data[2:4] in (b"+\x00", b"\x00+")

    def _number(self, code: str, at: int) -> int:
        if at > len(self.data):  # offsets of 64 bits would overflow inside struct
            raise struct.error
        return int(struct.unpack_from(self.order + code, self.data, at)[0])

    def pages(self) -> Iterator[int]:
        """Yield where each directory starts; stops at a loop, a cut or after MOST_FRAMES + 1."""
        word, entry = ("Q", 20) if self.big else ("I", 12)
        seen: set[int] = set()
        try:
            at = self._number(word, 8 if self.big else 4)
            while at and at not in seen and len(seen) <= MOST_FRAMES:
                count = self._number("Q" if self.big else "H", at)
                seen.add(at)
                yield at
                at = self._number(word, at + (8 if self.big else 2) + count * entry)
        except struct.error:
            return

    def entries(self, at: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield tag, number type, count of numbers and place of the first for each entry of a directory."""
        word, head, step, inline = ("Q", 8, 20, 12) if self.big else ("I", 2, 12, 8)
        try:
            for index in range(min(MOST_TAGS, self._number("Q" if self.big else "H", at))):
                start = at + head + index * step
                kind, count = self._number("H", start + 2), self._number(word, start + 4)
                yield self._number("H", start), kind, count, start + inline
        except struct.error:
            return  # a cut directory: what was read before the cut still holds

    def tags(self) -> dict[int, int]:
        """Return the first number of every tag of whole numbers in the first directory."""
        found: dict[int, int] = {}
        codes = {1: "B", 3: "H", 4: "I"}
        for at in islice(self.pages(), 1):
            for tag, kind, _, place in self.entries(at):
                if kind in codes and place + 4 <= len(self.data):
                    found.setdefault(tag, self._number(codes[kind], place))
        return found

    def strips(self) -> int:
        """Return how many strips or tiles the first picture says it has."""
        counts = (e[2] for at in islice(self.pages(), 1) for e in self.entries(at) if e[0] in STRIP_TAGS)
        return max(counts, default=0)


def orientation(exif: bytes) -> int:
    """Return the EXIF orientation 1..8; 1 for no, broken or impossible EXIF."""
    tiff = Tiff(exif.removeprefix(b"Exif\x00\x00"))
    if tiff.data[:4] not in (b"II*\x00", b"MM\x00*"):
        return 1
    value = tiff.tags().get(ORIENTATION, 1)
    return value if 1 <= value <= 8 else 1


def is_camera_raw(data: bytes) -> bool:
    """Say whether a TIFF file is a camera raw file, whose first picture is only a small preview."""
    tags = Tiff(data).tags()
    return DNG_VERSION in tags or (SUBIFDS in tags and tags.get(SUBFILE, 0) & 1 == 1)


def gif_parts(data: bytes, most: int) -> tuple[int, int]:
    """Count the frames (at most MOST_FRAMES + 1) and data blocks (at most `most` + 1) of a GIF file."""
    frames, blocks = 0, 0
    try:
        at = 13 + _colour_table(data[10])
        while frames <= MOST_FRAMES and blocks <= most and data[at] in b"!,":
            if data[at] == 0x2C:
                frames += 1
                at += 11 + _colour_table(data[at + 9])
            else:
                at += 2
            while data[at] and blocks <= most:
                at += data[at] + 1
                blocks += 1
            at += 1
    except IndexError:
        pass  # cut off: the decoder will say so if it matters for the first frame
    return frames, blocks


def _colour_table(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def jpeg_parts(data: bytes, most: int) -> tuple[int, int]:
    """Count the scans and the marker segments (at most `most` + 1) of the first picture of a JPEG file."""
    scans, segments, at = 0, 0, 2
    while segments <= most and (found := JPEG_MARKER.search(data, at)) is not None:
        marker, at = data[found.start() + 1], found.end()
        if marker == 0xD9:
            break
        scans += marker == 0xDA
        segments += 1
        if marker != 0xD8:
            at += int.from_bytes(data[at : at + 2], "big")
    return scans, segments


def png_chunks(data: bytes, most: int) -> int:
    """Count the chunks of a PNG file, at most `most` + 1; each costs time before a pixel is seen."""
    count, at = 0, 8
    while count <= most and at + 8 <= len(data):
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        count += 1
    return count
