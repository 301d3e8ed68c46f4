"""An image to the size and channels that a model takes; pixels to PNG; thumbnails."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import PIL.Image

from saliency_core.arrays import Bytes8, Float
from saliency_core.errors import ImageError, SettingError
from saliency_core.images.picture import Image

HOWS = ("crop", "stretch", "pad")
Box = tuple[float, float, float, float]
BILINEAR = PIL.Image.Resampling.BILINEAR
PNG_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def fit(image: Image, height: int, width: int, channels: int, how: str = "crop") -> Float:
    """Bring an image to (height, width, channels), float32 in 0..255, as a model takes it.

    how: "crop" keeps the aspect, fills the frame and cuts equally at both ends; "pad" keeps the aspect,
    shows all and continues the edge pixels outwards; "stretch" fills the frame and changes the aspect.
    Resized with Pillow's bilinear filter, which averages when it shrinks; an image of that size already is
    taken bit for bit. Grey to RGB repeats; RGB to grey is ITU-R 601 luma, (299 R + 587 G + 114 B) / 1000,
    not rounded; 4 channels are RGB and an alpha of 255.
    Raises ImageError for channels that the image cannot give.
    """
    if how not in HOWS:
        raise SettingError(f"how is {how!r}.", f"Choose one of {', '.join(HOWS)}.")
    if min(height, width) < 1:
        raise ValueError(f"a model input of {height}x{width} pixels")
    resized = image.pixels
    if resized.shape[:2] != (height, width):
        resized = _FITS[how](resized, height, width)
    return _recolour(resized, channels, image.name).astype(np.float32, copy=False)


def to_png(pixels: Bytes8) -> bytes:
    """Return uint8 pixels (H, W, 1 to 4) as PNG bytes: grey, grey and alpha, RGB or RGBA, without loss."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in PNG_MODES:
        raise ValueError(f"PNG takes uint8 (H, W, 1 to 4), not {pixels.dtype} {pixels.shape}")
    squeezed = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    out = BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(squeezed)).save(out, "PNG")
    return out.getvalue()


def thumbnail(image: Image, side: int) -> bytes:
    """Return the image as PNG bytes, the longer side at most `side` pixels; never enlarged.

    An image of more than three channels is shown as the grey mean of its channels.
    """
    pixels = image.pixels
    if pixels.shape[2] not in (1, 3):
        pixels = pixels.mean(axis=2, keepdims=True).round().astype(np.uint8)
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    small = max(1, round(height * scale)), max(1, round(width * scale))
    return to_png(pixels if scale == 1.0 else _resize(pixels, *small, (0.0, 0.0, width, height)))


def _resize(pixels: Bytes8, height: int, width: int, box: Box) -> Bytes8:
    """Resample the box (left, top, right, bottom, fractions allowed) of the pixels to a new size."""
    if pixels.shape[2] == 3:
        return np.asarray(PIL.Image.fromarray(pixels).resize((width, height), BILINEAR, box))
    planes = (PIL.Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(pixels, 2, 0))
    return np.stack([np.asarray(p.resize((width, height), BILINEAR, box)) for p in planes], axis=2)


def _crop(pixels: Bytes8, height: int, width: int) -> Bytes8:
    rows, columns = pixels.shape[:2]
    scale = min(rows / height, columns / width)
    if scale == 1:  # whole pixels: no resampling, even when the rest is odd
        top, left = (rows - height) // 2, (columns - width) // 2
        return pixels[top : top + height, left : left + width]
    top_, left_ = (rows - height * scale) / 2, (columns - width * scale) / 2
    return _resize(pixels, height, width, (left_, top_, columns - left_, rows - top_))


def _stretch(pixels: Bytes8, height: int, width: int) -> Bytes8:
    return _resize(pixels, height, width, (0.0, 0.0, pixels.shape[1], pixels.shape[0]))


def _pad(pixels: Bytes8, height: int, width: int) -> Bytes8:
    rows, columns = pixels.shape[:2]
    scale = min(height / rows, width / columns)
    inner = max(1, round(rows * scale)), max(1, round(columns * scale))
    resized = pixels if inner == (rows, columns) else _stretch(pixels, *inner)
    above, before = (height - inner[0]) // 2, (width - inner[1]) // 2
    around = ((above, height - inner[0] - above), (before, width - inner[1] - before), (0, 0))
    return np.pad(resized, around, mode="edge")


_FITS = {"crop": _crop, "stretch": _stretch, "pad": _pad}


def _recolour(pixels: Bytes8, channels: int, name: str) -> Bytes8 | Float:
    given = pixels.shape[2]
    if given == channels:
        return pixels
    if given not in (1, 3) or channels not in (1, 3, 4):
        raise ImageError(
            f"{name} has {given} channel{'s' * (given > 1)}, but the model takes {channels}.",
            f"Give a uint8 array (height, width, {channels}).",
        )
    if channels == 1:
        red, green, blue = (pixels[:, :, c].astype(np.int32) for c in range(3))
        luma = (299 * red + 587 * green + 114 * blue).astype(np.float32) / np.float32(1000)
        return luma[:, :, np.newaxis]
    colours = pixels if given == 3 else np.repeat(pixels, 3, axis=2)
    if channels == 3:
        return colours
    opaque = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    return np.concatenate([colours, opaque], axis=2)
