"""Every Pillow mode to grey or RGB bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import PIL.Image

from saliency_core.arrays import Array, Bytes8
from saliency_core.images.tones import Colour, Notices, over, scale_wide

WIDE = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
PLAIN = ("L", "LA", "RGB", "RGBA", *WIDE)
CONVERTED = {"1": "L", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "PA": "RGBA"}
SPACES = {"CMYK": "CMYK", "YCbCr": "YCbCr", "LAB": "Lab", "HSV": "HSV"}
UPPER_BITS = "16-bit colours shown with their upper 8 bits"


@dataclass(frozen=True)
class Sample:
    """How the file stores one number, which Pillow's mode no longer tells.

    bits: of one sample; signed: below zero allowed (or floating point); inverted: 0 is white;
    grey_alpha: grey with alpha, though Pillow opens it as RGBA.
    """

    bits: int = 8
    signed: bool = False
    inverted: bool = False
    grey_alpha: bool = False


def plain(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Return a loaded picture in one of the PLAIN modes; ValueError when Pillow knows no way."""
    mode = picture.mode
    if mode in PLAIN:
        return picture
    if mode == "P":
        has_alpha = "transparency" in picture.info or (picture.palette and picture.palette.mode == "RGBA")
        return picture.convert("RGBA" if has_alpha else "RGB")
    return picture.convert(CONVERTED.get(mode, "RGB"))


def to_bytes8(
    name: str, picture: PIL.Image.Image, mode: str, sample: Sample, background: Colour
) -> tuple[Bytes8, Notices]:
    """Return a plain picture as uint8 (H, W, 1) or (H, W, 3) over the background, and what was done.

    mode: the picture's own mode before it was made plain. Colour profiles and gamma are not applied: the
    numbers in the file are the numbers of the picture.
    """
    values: Array = np.asarray(picture)
    key = picture.info.get("transparency") if mode == picture.mode or mode == "1" else None
    if picture.mode in WIDE or (picture.mode == "L" and sample.signed):
        return _wide(name, values, sample, key, background)
    notices: Notices = (UPPER_BITS,) if sample.bits == 16 else ()
    if mode in SPACES:
        notices = (f"{SPACES[mode]} colours converted to RGB", *notices)
    pixels = values[:, :, np.newaxis] if values.ndim == 2 else values
    if picture.mode in ("LA", "RGBA"):
        colours = pixels[:, :, :1] if sample.grey_alpha else pixels[:, :, :-1]
        flat, said = over(colours, pixels[:, :, -1], background)
    elif key is not None:
        flat, said = over(pixels, _keyed(pixels, key, sample.bits), background)
    else:
        flat, said = pixels, ()
    if mode in ("P", "PA") and (flat == flat[:, :, :1]).all():
        flat = flat[:, :, :1]  # a palette of greys is a grey picture
    return flat, (*notices, *said)


def _keyed(pixels: Bytes8, key: object, bits: int) -> Bytes8:
    """Return alpha (H, W): 0 where all samples equal the transparent colour, as the file spells it."""
    stored = np.atleast_1d(np.asarray(key, np.int64))
    if bits == 16:
        stored = stored >> 8
    elif bits in (2, 4):
        stored = stored * 255 // (2**bits - 1)
    return np.where((pixels == stored).all(axis=2), 0, 255).astype(np.uint8)


def _wide(
    name: str, values: Array, sample: Sample, key: object, background: Colour
) -> tuple[Bytes8, Notices]:
    """Scale wide grey values, leaving the transparent value out of the range."""
    if values.dtype == np.uint8:
        values = values.view(np.int8)
    elif values.dtype == np.int32 and sample.bits == 32 and not sample.signed:
        values = values.view(np.uint32)
    visible = None if key is None else values != key
    levels, notices = scale_wide(name, values, visible)
    pixels = (255 - levels if sample.inverted else levels)[:, :, np.newaxis]
    if visible is None:
        return pixels, notices
    alpha = np.where(visible, 255, 0).astype(np.uint8)
    flat, said = over(pixels, alpha, background)
    return flat, (*notices, *said)
