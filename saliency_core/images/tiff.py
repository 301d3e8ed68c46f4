"""What TIFF needs beyond Pillow: how samples are stored, and three layouts that Pillow 13 reads wrongly."""

from __future__ import annotations

from collections import Counter
from typing import Any

from PIL.TiffImagePlugin import TiffImageFile

from saliency_core.errors import ImageError
from saliency_core.images.limits import LIMIT_PIXELS
from saliency_core.images.modes import Sample

BITS, PHOTOMETRIC, ORIENTATION, TILE_WIDTH, TILE_LENGTH, SAMPLE_FORMAT = 258, 262, 274, 322, 323, 339
UNSIGNED = 1
PLANES = set("RGBACMYK")
NATIVE = {"F;32BF": "F;32NF", "I;32BS": "I;32NS", "I;16BS": "I;16NS"}


def tiff_sample(picture: TiffImageFile) -> Sample:
    """Return how an opened TIFF stores one sample."""
    bits = _first(picture, BITS, 1)
    signed = _first(picture, SAMPLE_FORMAT, UNSIGNED) != UNSIGNED
    return Sample(bits=bits, signed=signed, inverted=_first(picture, PHOTOMETRIC, 0) == 0)


def tiff_orientation(picture: TiffImageFile) -> int:
    """Return the orientation 1..8 by which Pillow turns a TIFF while it loads it."""
    value = _first(picture, ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def mend_tiles(name: str, picture: TiffImageFile, sample: Sample) -> None:
    """Correct how an opened TIFF is unpacked, before it is loaded.

    Compressed big-endian numbers of 16 and 32 bits come from libtiff in the machine's byte order, but are
    unpacked as big-endian; uncompressed 16-bit colours in separate planes are unpacked as 8-bit ones.
    Refused are tiles larger than any picture, because each is decoded whole, and strips that do not cover
    the picture, because the rest would be black without a word.
    """
    width, length = _first(picture, TILE_WIDTH, 1), _first(picture, TILE_LENGTH, 1)
    if not isinstance(width, int) or not isinstance(length, int) or width * length > LIMIT_PIXELS:
        raise ImageError(f"{name} is a TIFF with tiles of too many pixels.", "Save it anew as PNG.")
    order = ";16B" if picture.tag_v2.prefix == b"MM" else ";16L"
    tiles, covered = [], Counter[str]()
    for tile in picture.tile:
        raw, *rest = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        left, top, right, bottom = tile.extents or (0, 0, 0, 0)
        covered[raw] += (right - left) * (bottom - top)
        if tile.codec_name == "libtiff":
            raw = NATIVE.get(raw, raw)
        elif tile.codec_name == "raw" and sample.bits == 16 and raw in PLANES:
            raw += order
        tiles.append(tile._replace(args=(raw, *rest)))
    planes = len(picture.getbands()) if set(covered) & PLANES and len(picture.mode) > 1 else 1
    if tiles and (len(covered) < planes or min(covered.values()) < picture.width * picture.height):
        raise ImageError(f"{name} is a TIFF cut off or damaged: parts are missing.", "Fetch the file again.")
    picture.tile = tiles


def _first(picture: TiffImageFile, tag: int, otherwise: int) -> Any:
    """Return the first value of a tag."""
    value = picture.tag_v2.get(tag, otherwise)
    return value[0] if isinstance(value, tuple) and value else value
