"""Bytes -> pixels: open with the one reader for the format found, check the size, decode, turn upright."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import PIL.Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import jpeg_factory
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from saliency_core.arrays import Bytes8
from saliency_core.errors import ImageError
from saliency_core.images.guard import broken_is_said
from saliency_core.images.limits import check_size
from saliency_core.images.modes import Sample, plain, to_bytes8
from saliency_core.images.sniff import TO_JPEG
from saliency_core.images.structure import (
    MOST_FRAMES,
    Tiff,
    gif_parts,
    is_camera_raw,
    jpeg_parts,
    orientation,
    png_chunks,
)
from saliency_core.images.tiff import mend_tiles, tiff_orientation, tiff_sample
from saliency_core.images.tones import Colour, Notices

# One reader for each format: nothing that the bytes say can choose another, so no EPS finds Ghostscript,
# and Pillow's own process-wide pixel limit decides nothing.
READERS: dict[str, Callable[[BytesIO], PIL.Image.Image]] = {
    "PNG": PngImageFile,
    "JPEG": jpeg_factory,
    "WebP": WebPImageFile,
    "AVIF": AvifImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "GIF": GifImageFile,
}
MOST_SCANS = 64  # a progressive JPEG has about ten
# segments, chunks, blocks, strips: a full 64 MiB needs about 1000, 8000, 260 000 and 20 000
MOST_PARTS = {"JPEG": 10_000, "PNG": 200_000, "GIF": 1_000_000, "TIFF": 100_000}
UPRIGHT = "rotated upright as its EXIF says"


def decode(name: str, data: bytes, kind: str, background: Colour) -> tuple[Bytes8, Notices]:
    """Decode the first picture of a file of a known kind; return upright pixels and what to say about them.

    Raises ImageError for a picture that is too large, damaged, cut off or of an unusual variant.
    """
    _check_structure(name, data, kind)
    with broken_is_said(name, kind):
        picture = _avif(data) if kind == "AVIF" else READERS[kind](BytesIO(data))
    with picture:
        pixels, notices = unpack(name, picture, kind, background)
        return pixels, (*_frames(picture, data, kind), *notices)


def unpack(name: str, picture: PIL.Image.Image, kind: str, background: Colour) -> tuple[Bytes8, Notices]:
    """Load an opened picture, when its size is allowed; return upright pixels and what was done to them."""
    check_size(name, *picture.size)
    sample, turned = _sample(picture), 1
    if isinstance(picture, TiffImageFile):
        turned = tiff_orientation(picture)  # Pillow turns a TIFF itself while loading it
        mend_tiles(name, picture, sample)
    with broken_is_said(name, kind):
        picture.load()
        flat = plain(picture)
    pixels, notices = to_bytes8(name, flat, picture.mode, sample, background)
    how = 1 if isinstance(picture, TiffImageFile) else orientation(_exif(picture))
    if max(turned, how) > 1:
        notices = (UPRIGHT, *notices)
    return turn(pixels, how), notices


def _avif(data: bytes) -> AvifImageFile:
    """Open an AVIF file; a damaged EXIF block, for which libavif refuses the whole file, is passed over."""
    try:
        return AvifImageFile(BytesIO(data))
    except (ValueError, SyntaxError):
        at = data.find(b"Exif", max(0, data.find(b"iinf")))
        if at < 0:
            raise
        return AvifImageFile(BytesIO(data[:at] + b"free" + data[at + 4 :]))


def turn(pixels: Bytes8, how: int) -> Bytes8:
    """Undo an EXIF orientation 1..8 of an array (H, W, C)."""
    if how >= 5:
        pixels = pixels.swapaxes(0, 1)
    if how in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if how in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _check_structure(name: str, data: bytes, kind: str) -> None:
    """Refuse what would cost far more time than its size says, and raw files that show only a preview."""
    if kind == "TIFF" and is_camera_raw(data):
        raise ImageError(f"{name} looks like a camera raw file, which is not read here.", TO_JPEG)
    scans, parts = 1, 0
    if kind == "JPEG":
        scans, parts = jpeg_parts(data, MOST_PARTS[kind])
    elif kind == "PNG":
        parts = png_chunks(data, MOST_PARTS[kind])
    elif kind == "GIF":
        parts = gif_parts(data, MOST_PARTS[kind])[1]
    elif kind == "TIFF":
        parts = Tiff(data).strips()
    if scans > MOST_SCANS or parts > MOST_PARTS.get(kind, 0):
        problem = f"{name} is a {kind} of far too many parts ({scans} scans, {parts} blocks)."
        raise ImageError(problem, "Open it and save it anew.")


def _sample(picture: PIL.Image.Image) -> Sample:
    if isinstance(picture, TiffImageFile):
        return tiff_sample(picture)
    if isinstance(picture, PngImageFile) and picture.tile:
        raw, _, bits = str(picture.tile[0].args).partition(";")  # "RGB;16B", "L;4", "L"
        return Sample(bits=int(bits.rstrip("B") or 8), grey_alpha=raw == "LA")
    return Sample()


def _frames(picture: PIL.Image.Image, data: bytes, kind: str) -> Notices:
    """Say of how many frames or pages this is the first; nothing when it is the only one."""
    if kind == "GIF":
        count, _ = gif_parts(data, MOST_PARTS[kind])
    elif kind == "TIFF":
        count = sum(1 for _ in Tiff(data).pages())
    else:
        count = int(getattr(picture, "n_frames", 1))
    if count < 2:
        return ()
    many = f"more than {MOST_FRAMES}" if count > MOST_FRAMES else str(count)
    return (f"first of {many} {'pages' if kind == 'TIFF' else 'frames'}",)


def _exif(picture: PIL.Image.Image) -> bytes:
    """Return the raw EXIF block, also the hexadecimal text form that ImageMagick writes into PNG."""
    block = picture.info.get("exif", b"")
    text = picture.info.get("Raw profile type exif")
    if not block and isinstance(text, str):
        try:
            block = bytes.fromhex("".join(text.split("\n")[3:]))
        except ValueError:
            return b""
    return block if isinstance(block, bytes) else b""
