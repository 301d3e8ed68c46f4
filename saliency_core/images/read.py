"""Anything that holds a picture -> `Image`: a path, bytes, a PIL image, an array, an Image."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat
from pathlib import Path
from typing import TypeAlias

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from saliency_core.arrays import Array, Bytes8
from saliency_core.errors import ImageError
from saliency_core.images.decode import decode, unpack
from saliency_core.images.limits import LIMIT_BYTES, LIMIT_PIXELS, check_bytes, check_size
from saliency_core.images.picture import Image, clean_name
from saliency_core.images.sniff import CONVERT, sniff
from saliency_core.images.tones import Colour, over

Source: TypeAlias = str | os.PathLike[str] | bytes | PIL.Image.Image | NDArray[np.uint8] | Image
WHITE: Colour = (255, 255, 255)


def read_image(
    source: Source, *, name: str | None = None, background: Colour = WHITE, channels: int = 0
) -> Image:
    """Read a picture and turn it upright: 8-bit grey or RGB, transparent areas over the background.

    source: path, the bytes of a PNG, JPEG, WebP, AVIF, BMP, TIFF or GIF file, a PIL image, a uint8 array
    (H, W), (H, W, 1), (H, W, 3), (H, W, 4) or (H, W, n), or an Image, which comes back as it is.
    name: what to call it; the file's name by default. background: RGB, 0..255 each. channels: an array
    of four channels is taken as it is, not as RGB and alpha, where 4 are asked for.
    Raises ImageError that says what is wrong with the picture and what to do.
    """
    colour = _checked(background)
    if isinstance(source, Image):
        return source if name is None else dataclasses.replace(source, name=clean_name(name))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(source), clean_name(name or ""), colour)
    if isinstance(source, np.ndarray):
        return _from_array(source, clean_name(name or "", "array"), colour, channels)
    if isinstance(source, PIL.Image.Image):
        return _from_pil(source, name, colour)
    if isinstance(source, (str, os.PathLike)):
        shown = clean_name(name or os.fsdecode(source))
        return _from_bytes(_file_bytes(os.fsdecode(source), shown), shown, colour)
    raise ImageError(
        f"A {type(source).__name__} is not a picture.",
        "Give a path, bytes, a PIL image or a uint8 array (height, width, channels).",
    )


def _checked(background: Colour) -> Colour:
    channels = tuple(background)
    if len(channels) != 3 or not all(isinstance(c, (int, np.integer)) and 0 <= c <= 255 for c in channels):
        raise ImageError(
            f"The background is {background!r}.", "Give three whole numbers 0..255: red, green, blue."
        )
    red, green, blue = (int(c) for c in channels)
    return red, green, blue


def _from_bytes(data: bytes, name: str, background: Colour) -> Image:
    check_bytes(name, len(data))
    kind = sniff(name, data)
    pixels, notices = decode(name, data, kind, background)
    return Image(pixels, name, hashlib.sha256(data).hexdigest(), kind, notices)


def _file_bytes(path: str, name: str) -> bytes:
    """Read a regular file, at most one byte more than is allowed."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise ImageError(f"{name} is not a file (a folder or a device).", "Give the path of one picture.")
        with Path(path).open("rb") as file:
            return file.read(LIMIT_BYTES + 1)
    except FileNotFoundError as error:
        raise ImageError(
            f"There is no file {name}.", "Check the path; addresses on the web are not read."
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise ImageError(
            f"{name} cannot be read from disk.", "Check the path and its permissions."
        ) from error


def _from_pil(source: PIL.Image.Image, name: str | None, background: Colour) -> Image:
    kind = source.format or "PIL"
    given = getattr(source, "filename", "")
    shown = clean_name(name or (os.fsdecode(given) if isinstance(given, (str, bytes)) else ""))
    if kind in ("EPS", "WMF"):  # decoding these starts other programs
        raise ImageError(f"{shown} is an opened {kind} drawing, which is not read here.", CONVERT)
    check_size(shown, *source.size)
    pixels, notices = unpack(shown, source, kind, background)
    return Image(pixels, shown, _digest(pixels), kind, notices)


def _from_array(source: Array, name: str, background: Colour, wanted_channels: int = 0) -> Image:
    given = f"{source.dtype} {source.shape}"
    wanted = "Give a uint8 array (height, width) or (height, width, channels)."
    if source.dtype != np.uint8:
        raise ImageError(f"{name} is {given}, not uint8 in 0..255.", _as_uint8(source))
    if source.ndim == 4:
        raise ImageError(f"{name} is a batch, {given}.", "Give one picture of it, for instance array[0].")
    if source.ndim not in (2, 3) or source.size == 0:
        raise ImageError(f"{name} is {given}, which is no picture.", wanted)
    height, width, channels = (*source.shape, 1)[:3]
    if channels > 4 and height in (1, 3, 4):
        raise ImageError(f"{name} is {given}: channels seem to come first.", "Give array.transpose(1, 2, 0).")
    check_size(name, width, height)
    if source.size > 4 * LIMIT_PIXELS:
        raise ImageError(f"{name} is {given}: too many values.", "Make it smaller.")
    pixels = np.array(source).reshape(height, width, channels)
    notices: tuple[str, ...] = ()
    if channels == 4 and wanted_channels != 4:
        pixels, notices = over(pixels[:, :, :3], pixels[:, :, 3], background)
    return Image(pixels, name, _digest(pixels), "array", notices)


def _as_uint8(source: Array) -> str:
    """Say how to turn this array into uint8 without losing what is in it."""
    if source.dtype.kind == "b":
        return "Multiply by 255 and convert to uint8: (array * 255).astype('uint8')."
    if source.dtype.kind == "f" and source.size and np.nanmin(source) >= 0 and np.nanmax(source) <= 1:
        return "Values 0..1: multiply by 255 and convert to uint8: (array * 255).round().astype('uint8')."
    if source.dtype == np.uint16:
        return "Divide by 257 and convert to uint8: (array // 257).astype('uint8')."
    return "Scale the values to 0..255 and convert to uint8: array.round().astype('uint8')."


def _digest(pixels: Bytes8) -> str:
    """SHA-256 over shape, dtype and values."""
    sha = hashlib.sha256(f"{pixels.shape} {pixels.dtype} ".encode())
    sha.update(np.ascontiguousarray(pixels).data)
    return sha.hexdigest()
