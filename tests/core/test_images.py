"""Pictures in: every awkward file decodes to known pixels or is refused in known words."""

from __future__ import annotations

import hashlib
import os
import re
import struct
import subprocess
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PIL import EpsImagePlugin
from PIL.PngImagePlugin import PngImageFile

import saliency_core.images.decode as decode_module
from saliency_core.errors import ImageError
from saliency_core.images import LIMIT_BYTES, LIMIT_PIXELS, Image, clean_name, read_image, to_png
from tests.core.awkward import chunk, encode, exif, png, tiff

RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (6, 5, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (6, 5), dtype=np.uint8)
FEW = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [10, 20, 30]]], np.uint8)  # four colours
QUANTIZED = np.asarray(PIL.Image.fromarray(FEW).quantize(4))
BLOCKS = np.repeat(np.repeat(np.array([[0, 255, 128], [255, 0, 64]], np.uint8), 16, 0), 16, 1)
RAMP = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
STEPS = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
RED_BLUE = np.array([[[255, 0, 0, 0], [0, 0, 255, 255]]], np.uint8)  # hidden red, opaque blue


def col(values: object) -> np.ndarray:
    """A grey picture as (H, W, 1)."""
    return np.asarray(values).astype(np.uint8)[:, :, np.newaxis]


def rows(array: np.ndarray) -> list[bytes]:
    """Rows of an array as big-endian bytes."""
    return [row.astype(row.dtype.newbyteorder(">")).tobytes() for row in array]


def signed16(order: str, deflate: bool) -> bytes:
    return tiff(
        [np.array([[-100, 0], [155, 50]], order + "i2").tobytes()],
        (2, 2),
        16,
        1,
        form=2,
        order=order,
        deflate=deflate,
    )


def floats(values: object, order: str = "<", deflate: bool = False, photometric: int = 1) -> bytes:
    array = np.asarray(values, order + "f4")
    return tiff([array.tobytes()], array.shape[::-1], 32, photometric, form=3, order=order, deflate=deflate)


def wide_colours(order: str, planar: int, deflate: bool = False) -> bytes:
    array = (RGB * np.uint16(256) + 77).astype(order + "u2")
    strips = [array.tobytes()] if planar == 1 else [array[:, :, c].tobytes() for c in range(3)]
    return tiff(strips, (5, 6), 16, 2, 3, planar=planar, order=order, deflate=deflate)


def palette_gif(frames: int = 1, **settings: object) -> bytes:
    pictures = [PIL.Image.fromarray(np.roll(FEW, k, axis=0)).quantize(4) for k in range(frames)]
    more = {"save_all": True, "append_images": pictures[1:]} if frames > 1 else {}
    return encode(pictures[0], "GIF", **more, **settings)


def animated(kind: str, frames: int) -> bytes:
    pictures = [PIL.Image.fromarray(np.roll(RGB, k, axis=0)) for k in range(frames)]
    lossless = {"lossless": True} if kind == "WEBP" else {}
    return encode(pictures[0], kind, save_all=True, append_images=pictures[1:], **lossless)


def palette_alpha_png() -> bytes:
    palette = chunk(b"PLTE", bytes([255, 0, 0, 0, 0, 255, 9, 9, 9, 1, 2, 3]))
    return png(4, 1, 8, 3, [bytes([0, 1, 2, 3])], palette, chunk(b"tRNS", bytes([0, 255, 128])))


def cmyk(kind: str, **settings: object) -> bytes:
    inks = np.zeros((16, 48, 4), np.uint8)
    inks[:, 16:32, 0], inks[:, 32:, 3] = 255, 255
    return encode(PIL.Image.fromarray(inks, "CMYK"), kind, **settings)


INKS = np.repeat(np.repeat(np.array([[[255, 255, 255], [0, 255, 255], [0, 0, 0]]], np.uint8), 16, 1), 16, 0)
GIF_SEEN = np.where(QUANTIZED[:, :, np.newaxis] == 0, 255, FEW).astype(np.uint8)
LAB = tiff([bytes([255, 0, 0, 0, 0, 0])], (2, 1), 8, 8, 3)
YCBCR = tiff([bytes([100, 128, 128, 255, 128, 128])], (2, 1), 8, 6, 3)
TRNS_GREY4 = png(2, 1, 4, 0, [bytes([0x3F])], chunk(b"tRNS", struct.pack(">H", 3)))
TRNS_WIDE = png(
    3, 1, 16, 0, rows(np.array([[9, 1000, 3000]], np.uint16)), chunk(b"tRNS", struct.pack(">H", 9))
)
LONE_EXIF_PNG = png(5, 6, 8, 2, rows(RGB), after=chunk(b"eXIf", exif(3)))
PROFILE_TEXT = b"\nexif\n     %d\n" % len(exif(3)) + exif(3).hex().encode()
RAW_PROFILE_PNG = png(5, 6, 8, 2, rows(RGB), chunk(b"tEXt", b"Raw profile type exif\0" + PROFILE_TEXT))

# id: (file, pixels expected, phrase that one of the notices must hold; "" when there must be no notice)
EXACT: dict[str, tuple[bytes, np.ndarray, str]] = {
    "png_rgb": (encode(RGB, "PNG"), RGB, ""),
    "png_grey": (encode(GREY, "PNG"), col(GREY), ""),
    "png_1x1": (encode(RGB[:1, :1], "PNG"), RGB[:1, :1], ""),
    "png_1xn": (encode(RGB[:1], "PNG"), RGB[:1], ""),
    "png_nx1": (encode(RGB[:, :1], "PNG"), RGB[:, :1], ""),
    "png_1bit": (png(8, 1, 1, 0, [b"\xa5"]), col([[255, 0, 255, 0, 0, 255, 0, 255]]), ""),
    "png_2bit": (png(4, 1, 2, 0, [b"\x1b"]), col([[0, 85, 170, 255]]), ""),
    "png_4bit": (png(2, 1, 4, 0, [b"\x1e"]), col([[17, 238]]), ""),
    "png_text_before_header": (
        png(5, 6, 8, 2, rows(RGB), first=chunk(b"tEXt", b"a\0" + b"\x10" * 9)),
        RGB,
        "",
    ),
    "png_16bit_grey": (
        encode(PIL.Image.fromarray(RAMP), "PNG"),
        STEPS,
        "0 to 65535",
    ),
    "png_16bit_grey_narrow": (
        png(3, 1, 16, 0, rows(np.array([[1000, 1100, 1200]], np.uint16))),
        col([[0, 128, 255]]),
        "16-bit values 1000 to 1200 scaled to 0..255",
    ),
    "png_16bit_flat_white": (png(1, 1, 16, 0, [b"\xff\xff"]), col([[255]]), "every value is 65535"),
    "png_16bit_flat_black": (png(1, 1, 16, 0, [b"\0\0"]), col([[0]]), "every value is 0"),
    "png_16bit_rgb": (png(5, 6, 16, 2, rows(RGB.astype(np.uint16) * 257)), RGB, "upper 8 bits"),
    "png_16bit_rgba": (
        png(2, 1, 16, 6, rows(RED_BLUE.astype(np.uint16) * 257)),
        np.array([[[255, 255, 255], [0, 0, 255]]], np.uint8),
        "transparent areas shown on white",
    ),
    "png_16bit_grey_alpha": (
        png(2, 1, 16, 4, rows(np.array([[[0, 0], [40 * 257, 65535]]], np.uint16))),
        col([[255, 40]]),
        "transparent areas shown on white",
    ),
    "png_16bit_grey_key": (TRNS_WIDE, col([[255, 0, 255]]), "16-bit values 1000 to 3000"),
    "png_grey_key": (
        png(2, 1, 8, 0, [bytes([7, 8])], chunk(b"tRNS", struct.pack(">H", 7))),
        col([[255, 8]]),
        "transparent",
    ),
    "png_4bit_grey_key": (TRNS_GREY4, col([[255, 255]]), "transparent"),
    "png_1bit_key": (
        png(8, 1, 1, 0, [b"\xf0"], chunk(b"tRNS", b"\0\0")),
        col([[255] * 8]),
        "transparent",
    ),
    "png_rgb_key": (
        png(2, 1, 8, 2, [bytes([1, 2, 3, 1, 2, 4])], chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))),
        np.array([[[255, 255, 255], [1, 2, 4]]], np.uint8),
        "transparent",
    ),
    "png_rgba_hidden": (
        encode(RED_BLUE, "PNG"),
        np.array([[[255, 255, 255], [0, 0, 255]]], np.uint8),
        "transparent areas shown on white",
    ),
    "png_rgba_opaque": (encode(np.dstack([RGB, np.full((6, 5), 255, np.uint8)]), "PNG"), RGB, ""),
    "png_grey_alpha": (
        png(3, 1, 8, 4, [bytes([0, 0, 0, 128, 200, 255])]),
        col([[255, 127, 200]]),
        "transparent",
    ),
    "png_palette": (encode(PIL.Image.fromarray(FEW).quantize(4), "PNG"), FEW, ""),
    "png_palette_alpha": (
        palette_alpha_png(),
        np.array([[[255, 255, 255], [0, 0, 255], [132, 132, 132], [1, 2, 3]]], np.uint8),
        "transparent",
    ),
    "png_gamma_ignored": (png(5, 6, 8, 2, rows(RGB), chunk(b"gAMA", struct.pack(">I", 100000))), RGB, ""),
    "png_broken_profile": (
        png(5, 6, 8, 2, rows(RGB), chunk(b"iCCP", b"bad\0\0" + zlib.compress(b"no profile"))),
        RGB,
        "",
    ),
    "png_exif_after_pixels": (LONE_EXIF_PNG, RGB[::-1, ::-1], "rotated upright"),
    "png_exif_as_text": (RAW_PROFILE_PNG, RGB[::-1, ::-1], "rotated upright"),
    "apng": (animated("PNG", 3), RGB, "first of 3 frames"),
    "gif_palette": (palette_gif(), FEW, ""),
    "gif_animated": (palette_gif(12), FEW, "first of 12 frames"),
    "gif_grey": (encode(GREY, "GIF"), col(GREY), ""),
    "gif_transparent": (
        palette_gif(transparency=0),
        GIF_SEEN,
        "transparent",
    ),
    "webp_lossless": (encode(RGB, "WEBP", lossless=True), RGB, ""),
    "webp_animated": (animated("WEBP", 4), RGB, "first of 4 frames"),
    "webp_alpha": (
        encode(RED_BLUE, "WEBP", lossless=True, exact=True),
        np.array([[[255, 255, 255], [0, 0, 255]]], np.uint8),
        "transparent",
    ),
    "bmp_rgb": (encode(RGB, "BMP"), RGB, ""),
    "bmp_grey": (encode(GREY, "BMP"), col(GREY), ""),
    "bmp_palette": (encode(PIL.Image.fromarray(FEW).quantize(4), "BMP"), FEW, ""),
    "bmp_1bit": (
        encode(PIL.Image.fromarray(np.array([[True, False]])), "BMP"),
        col([[255, 0]]),
        "",
    ),
    "tiff_rgb": (encode(RGB, "TIFF"), RGB, ""),
    "tiff_lzw": (encode(RGB, "TIFF", compression="tiff_lzw"), RGB, ""),
    "tiff_deflate": (encode(RGB, "TIFF", compression="tiff_adobe_deflate"), RGB, ""),
    "tiff_packbits": (encode(GREY, "TIFF", compression="packbits"), col(GREY), ""),
    "tiff_big": (encode(RGB, "TIFF", big_tiff=True), RGB, ""),
    "tiff_planes": (tiff([RGB[:, :, c].tobytes() for c in range(3)], (5, 6), 8, 2, 3, planar=2), RGB, ""),
    "tiff_pages": (animated("TIFF", 3), RGB, "first of 3 pages"),
    "tiff_loop": (tiff([GREY.tobytes()], (5, 6), 8, 1, next_at=8), col(GREY), ""),
    "tiff_white_is_zero": (tiff([GREY.tobytes()], (5, 6), 8, 0), col(255 - GREY), ""),
    "tiff_signed_8bit": (
        tiff([np.array([[-128, 0, 127]], np.int8).tobytes()], (3, 1), 8, 1, form=2),
        col([[0, 128, 255]]),
        "8-bit values -128 to 127",
    ),
    "tiff_16bit": (
        tiff([RAMP.tobytes()], (16, 16), 16, 1),
        STEPS,
        "0 to 65535",
    ),
    "tiff_16bit_big_endian": (
        tiff([RAMP.astype(">u2").tobytes()], (16, 16), 16, 1, order=">"),
        STEPS,
        "16-bit values",
    ),
    "tiff_16bit_white_is_zero": (
        tiff([RAMP.tobytes()], (16, 16), 16, 0),
        col(np.arange(255, -1, -1).reshape(16, 16)),
        "16-bit values",
    ),
    **{
        f"tiff_signed16_{order}_{deflate}": (
            signed16(order, deflate),
            col([[0, 100], [255, 150]]),
            "-100 to 155",
        )
        for order in "<>"
        for deflate in (False, True)
    },
    **{
        f"tiff_16bit_rgb_{order}_{planar}_{deflate}": (
            wide_colours(order, planar, deflate),
            RGB,
            "upper 8 bits",
        )
        for order in "<>"
        for planar in (1, 2)
        for deflate in (False, True)
    },
    "tiff_int32": (
        tiff([np.array([[-5, 250]], "<i4").tobytes()], (2, 1), 32, 1, form=2),
        col([[0, 255]]),
        "32-bit values -5 to 250",
    ),
    "tiff_uint32_above_int32": (
        tiff([np.array([[0, 2**31, 2**32 - 1]], "<u4").tobytes()], (3, 1), 32, 1),
        col([[0, 128, 255]]),
        "32-bit values 0 to 4.29497e+09",
    ),
    "tiff_float_unit": (floats([[0.0, 0.5, 1.0]]), col([[0, 128, 255]]), "32-bit values 0 to 1 scaled"),
    "tiff_float_far": (floats([[-1000.0, 0.0, 1000.0]]), col([[0, 128, 255]]), "-1000 to 1000"),
    "tiff_float_deflate_big_endian": (floats([[0.0, 0.2, 1.0]], ">", True), col([[0, 51, 255]]), "0 to 1"),
    "tiff_float_white_is_zero": (floats([[0.0, 1.0]], photometric=0), col([[255, 0]]), "0 to 1"),
    "tiff_float_nan": (floats([[np.nan, 2.0, 4.0]]), col([[0, 0, 255]]), "1 of 3 values are NaN"),
    "tiff_float_infinite": (
        floats([[np.inf, 2.0, 4.0]]),
        col([[255, 0, 255]]),
        "1 of 3 values are NaN or inf",
    ),
    "tiff_float_flat_unit": (floats([[1.0, 1.0]]), col([[255, 255]]), "every value is 1"),
    "tiff_float_flat_far": (floats([[9e9, 9e9]]), col([[128, 128]]), "every value is 9e+09"),
    "tiff_float_huge": (floats([[-3e38, 3e38]]), col([[0, 255]]), "-3e+38 to 3e+38"),
    "tiff_cmyk": (cmyk("TIFF"), INKS, "CMYK colours converted to RGB"),
    "tiff_ycbcr": (YCBCR, np.array([[[100] * 3, [255] * 3]], np.uint8), "YCbCr colours"),
    "tiff_alpha": (
        tiff([RED_BLUE.tobytes()], (2, 1), 8, 2, 4, more=((338, 3, [2]),)),
        np.array([[[255, 255, 255], [0, 0, 255]]], np.uint8),
        "transparent",
    ),
    "tiff_alpha_premultiplied": (
        tiff([bytes([128, 0, 0, 128])], (1, 1), 8, 2, 4, more=((338, 3, [1]),)),
        np.array([[[255, 127, 127]]], np.uint8),
        "transparent",
    ),
    "jpeg_grey_blocks": (encode(BLOCKS, "JPEG", quality=100), col(BLOCKS), ""),
    "jpeg_progressive": (encode(BLOCKS, "JPEG", quality=100, progressive=True), col(BLOCKS), ""),
    "jpeg_cmyk": (cmyk("JPEG", quality=100), INKS, "CMYK colours converted to RGB"),
    "jpeg_broken_exif": (
        encode(BLOCKS, "JPEG", quality=100, exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
        col(BLOCKS),
        "",
    ),
    "jpeg_trailing_bytes": (encode(BLOCKS, "JPEG", quality=100) + b"PK\x03\x04 more", col(BLOCKS), ""),
    "avif_grey": (encode(BLOCKS, "AVIF", quality=100), col(BLOCKS), ""),
}


@pytest.mark.parametrize("case", EXACT)
def test_decodes_to_exactly_these_pixels(case: str) -> None:
    data, expected, phrase = EXACT[case]
    image = read_image(data, name=case)
    assert image.pixels.dtype == np.uint8
    assert image.pixels.shape == expected.shape
    np.testing.assert_array_equal(image.pixels, expected)
    assert (phrase in "; ".join(image.notices)) if phrase else image.notices == ()
    assert image.digest == hashlib.sha256(data).hexdigest()
    assert image.format.lower() in (case.split("_")[0], {"apng": "png"}.get(case, ""))


BOMB = b"a\0\0" + zlib.compress(bytes(3_000_000))
GIF_HEAD = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
BMP_SIZE = struct.pack("<IiiHHIIiiII", 40, 60000, 60000, 1, 24, 0, 0, 0, 0, 0, 0)
LOSSY = encode(RGB, "WEBP")
FTYP = b"\0\0\0\x18ftyp"
TINY = encode(RGB, "PNG")
BIG_HEADER = png(60000, 60000, 8, 2, [])
SCANS = encode(BLOCKS, "JPEG", progressive=True)
SCAN_AT = SCANS.rindex(b"\xff\xda")

# id: (file, word that the message must contain)
REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "svg_bom": (b"\xef\xbb\xbf  <SVG></SVG>", "SVG"),
    "html": (b"<!DOCTYPE html><html><body>404", "HTML"),
    "xml": (b"<?xml version='1.0'?><a/>", "XML"),
    "json": (b'{"a": 1}', "JSON"),
    "text": (b"hello, I am no picture\n", "text"),
    "noise": (bytes(range(128, 256)), "something else"),
    "heic": (FTYP + b"heic\0\0\0\0mif1heic", "HEIC"),
    "heic_mif1": (FTYP + b"mif1\0\0\0\0mif1heic", "Convert to JPEG"),
    "cr3": (FTYP + b"crx \0\0\0\0crx isom", "raw"),
    "mp4": (FTYP + b"isom\0\0\0\0isommp42", "video"),
    "webm": (b"\x1aE\xdf\xa3 webm", "video"),
    "avi": (b"RIFF\0\0\0\0AVI LIST", "video"),
    "pdf": (b"%PDF-1.7\n", "PDF"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "EPS"),
    "eps_binary": (b"\xc5\xd0\xd3\xc6" + bytes(30), "EPS"),
    "dicom": (bytes(128) + b"DICM" + bytes(20), "DICOM"),
    "npy": (b"\x93NUMPY\x01\0", "NumPy"),
    "npz": (b"PK\x03\x04" + bytes(30), "ZIP"),
    "hdf5": (b"\x89HDF\r\n\x1a\n", "HDF5"),
    "gzip": (b"\x1f\x8b\x08" + bytes(20), "gzip"),
    "exe": (b"MZ\x90\0" + bytes(60), "EXE"),
    "elf": (b"\x7fELF\x02" + bytes(60), "ELF"),
    "psd": (b"8BPS\0\x01" + bytes(30), "PSD"),
    "jpeg2000": (encode(RGB, "JPEG2000"), "JPEG 2000"),
    "jpeg2000_stream": (encode(RGB, "JPEG2000", no_jp2=True), "JPEG 2000"),
    "jpeg_xl": (b"\xff\x0a" + bytes(20), "JPEG XL"),
    "ico": (encode(RGB, "ICO"), "ICO"),
    "pgm": (encode(GREY, "PPM"), "PGM"),
    "wmf": (b"\xd7\xcd\xc6\x9a" + bytes(30), "WMF"),
    "cr2": (b"II*\0\x10\0\0\0CR\x02\0" + bytes(30), "raw"),
    "dng": (tiff([GREY.tobytes()], (5, 6), 8, 1, more=((50706, 1, [1, 4, 0, 0]),)), "raw"),
    "nef": (tiff([GREY.tobytes()], (5, 6), 8, 1, more=((254, 4, [1]), (330, 4, [999]))), "raw"),
    "fits": (b"SIMPLE  =                    T", "FITS"),
    "exr": (b"\x76\x2f\x31\x01" + bytes(20), "OpenEXR"),
    "png_magic_only": (b"\x89PNG\r\n\x1a\n", "cut off"),
    "bmp_magic_only": (b"BM", "cut off"),
    "bmp_like_text": (b"BMW makes cars, and this is only text.", "text"),
    **{
        f"{kind}_cut": (encode(RGB, kind)[: -len(encode(RGB, kind)) // 3], "cut off")
        for kind in ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "TIFF", "GIF")
    },
    "png_crc": (TINY.replace(b"IHDR\0\0\0\x05", b"IHDR\0\0\0\x06"), "damaged"),
    "png_too_many_pixels": (BIG_HEADER, "60000x60000"),
    "png_one_row_too_many": (png(8000, 5001, 8, 0, []), "too many pixels"),
    "png_unusual_depth": (png(1, 1, 3, 0, [b"\0"]), "rare variant"),
    "png_zero_width": (png(0, 5, 8, 0, []), "damaged"),
    "png_text_bomb": (png(5, 6, 8, 2, rows(RGB), chunk(b"zTXt", BOMB)), "large text"),
    "png_profile_bomb": (png(5, 6, 8, 2, rows(RGB), chunk(b"iCCP", BOMB)), "large text"),
    "png_many_chunks": (png(5, 6, 8, 2, rows(RGB), chunk(b"prVt", b"") * 200_001), "too many parts"),
    "gif_many_blocks": (GIF_HEAD + b"!\xfe" + b"\1a" * 1_000_001, "too many parts"),
    "jpeg_many_segments": (b"\xff\xd8" + b"\xff\xe1\0\2" * 10_001, "too many parts"),
    "tiff_many_strips": (
        tiff([b"\0"] * 100_001, (1, 100_001), 8, 1, more=((278, 4, [1]),)),
        "too many parts",
    ),
    "tiff_missing_strips": (tiff([GREY.tobytes()], (5, 60), 8, 1, more=((278, 4, [6]),)), "missing"),
    "tiff_missing_plane": (tiff([GREY.tobytes()] * 2, (5, 6), 8, 2, 3, planar=2), "missing"),
    "gif_too_many_pixels": (GIF_HEAD + b",\0\0\0\0\1\0\1\0\0\2\2L\1\0;", "65535x65535"),
    "webp_too_many_pixels": (LOSSY[:26] + b"\xff\x3f\xff\x3f" + LOSSY[30:], "too many pixels"),
    "webp_rather_many_pixels": (LOSSY[:26] + b"\x28\x23\x28\x23" + LOSSY[30:], "9000x9000"),
    "tiff_too_many_pixels": (tiff([b""], (60000, 60000), 8, 1), "too many pixels"),
    "bmp_too_many_pixels": (b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + BMP_SIZE, "60000x60000"),
    "tiff_huge_tile": (
        tiff([b"x"], (5, 6), 8, 1, deflate=True, more=((322, 4, [60000]), (323, 4, [60000]))),
        "tiles",
    ),
    "tiff_float64": (tiff([bytes(16)], (2, 1), 64, 1, form=3), "rare variant"),
    "tiff_only_nan": (floats([[np.nan, np.inf]]), "finite"),
    "jpeg_many_scans": (SCANS[:SCAN_AT] + SCANS[SCAN_AT:-2] * 100 + b"\xff\xd9", "too many parts"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_and_says_why(case: str) -> None:
    data, word = REFUSED[case]
    started = time.process_time()
    with pytest.raises(ImageError) as caught:
        read_image(data, name=f"{case}.png")
    said = str(caught.value)
    assert word in said
    assert case in caught.value.problem  # the problem names the file
    assert caught.value.hint
    assert not re.search(r"\b0x[0-9a-fA-F]", said)  # no memory address
    assert "PIL" not in said
    assert time.process_time() - started < 2.0


TURNED = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF orientation -> PIL.Image.Transpose


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("how", range(1, 9))
def test_exif_orientation_in_every_container(kind: str, how: int) -> None:
    settings = {"lossless": True} if kind == "WEBP" else {}
    upright = encode(RGB, kind, **settings)
    tag = PIL.Image.Exif()
    tag[274] = how
    turned = encode(RGB, kind, exif=tag, **settings) if how > 1 else upright
    plain = PIL.Image.fromarray(read_image(upright).pixels)
    expected = np.asarray(plain if how == 1 else plain.transpose(PIL.Image.Transpose(TURNED[how])))
    image = read_image(turned)
    np.testing.assert_array_equal(image.pixels, expected)
    assert image.notices == (("rotated upright as its EXIF says",) if how > 1 else ())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
def test_exif_is_read_in_both_byte_orders_and_number_types(order: str, kind: int) -> None:
    data = png(5, 6, 8, 2, rows(RGB), chunk(b"eXIf", exif(6, order, kind)))
    np.testing.assert_array_equal(read_image(data).pixels, np.rot90(RGB, -1))


@pytest.mark.parametrize(
    "block", [b"", b"II", b"garbage here", exif(0), exif(9), exif(6)[:12], exif(6, kind=7)]
)
def test_invalid_exif_leaves_the_pixels_alone(block: bytes) -> None:
    for data in (
        png(5, 6, 8, 2, rows(RGB), chunk(b"eXIf", block)),
        encode(RGB, "WEBP", lossless=True, exif=block or b"x"),
    ):
        image = read_image(data)
        np.testing.assert_array_equal(image.pixels, RGB)
        assert image.notices == ()


def test_avif_with_damaged_exif_keeps_its_pixels() -> None:
    tag = PIL.Image.Exif()
    tag[305] = "some camera software"
    data = encode(BLOCKS, "AVIF", quality=100, exif=tag)
    at = data.index(b"MM\0*")
    np.testing.assert_array_equal(read_image(data).pixels, col(BLOCKS))
    np.testing.assert_array_equal(read_image(data[:at] + b"ZZZZ" + data[at + 4 :]).pixels, col(BLOCKS))


def test_lossy_formats_come_close() -> None:
    ramp = np.stack(np.broadcast_arrays(np.arange(64)[:, None] * 4, np.arange(64) * 4, 90), 2).astype(
        np.uint8
    )
    for kind in ("JPEG", "WEBP", "AVIF"):
        decoded = read_image(encode(ramp, kind, quality=95)).pixels.astype(int)
        assert np.abs(decoded - ramp).mean() < 3  # a smooth ramp at quality 95: about one grey level
    assert (
        np.abs(read_image(encode(ramp, "JPEG", quality=95)).pixels.astype(int) - ramp[..., ::-1]).mean() > 20
    )


def test_lab_white_and_black() -> None:
    image = read_image(LAB)
    assert image.pixels[0, 0].min() >= 254  # the colour engine rounds its white by one level
    assert image.pixels[0, 1].max() <= 1
    assert image.notices == ("Lab colours converted to RGB",)


def test_png_round_trip_is_bit_exact() -> None:
    for channels in (1, 3):
        pixels = RNG.integers(0, 256, (31, 17, channels), dtype=np.uint8)
        np.testing.assert_array_equal(read_image(to_png(pixels)).pixels, pixels)


def test_16_bit_ramp_stays_monotone_and_spans_the_range() -> None:
    values = np.linspace(1234, 40321, 500).astype(np.uint16)[np.newaxis]
    pixels = read_image(encode(PIL.Image.fromarray(values), "PNG")).pixels[0, :, 0].astype(int)
    assert pixels[0] == 0
    assert pixels[-1] == 255
    assert set(np.diff(pixels)) == {0, 1}


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (10, 200, 77)])
def test_colour_under_full_transparency_never_shows(background: tuple[int, int, int]) -> None:
    shown = []
    for hidden in (0, 255):
        pixels = np.dstack([np.full((4, 3, 3), hidden, np.uint8), np.zeros((4, 3), np.uint8)])
        shown += [read_image(encode(pixels, "PNG"), background=background).pixels]
        shown += [read_image(pixels, background=background).pixels]
    assert all((pixels == np.array(background, np.uint8)).all() for pixels in shown)


def test_alpha_mixes_to_the_nearest_integer() -> None:
    colours, alphas = np.meshgrid(np.arange(256), np.arange(256))
    pixels = np.dstack([colours, colours, colours, alphas]).astype(np.uint8)
    exact = (colours * alphas + 200 * (255 - alphas)) / 255
    image = read_image(pixels, background=(200, 200, 200))
    assert np.abs(image.pixels[:, :, 1] - exact).max() <= 0.5
    assert image.notices == ("transparent areas shown on rgb(200, 200, 200)",)


def test_grey_with_alpha_takes_the_colour_of_a_coloured_background() -> None:
    image = read_image(png(2, 1, 8, 4, [bytes([9, 0, 50, 255])]), background=(255, 0, 0))
    np.testing.assert_array_equal(image.pixels, [[[255, 0, 0], [50, 50, 50]]])


def test_size_is_checked_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[object] = []
    monkeypatch.setattr(PngImageFile, "load", lambda self: loads.append(self))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for side in (9000, 12000, 60000):  # around both of Pillow's own limits
            with pytest.raises(ImageError, match=f"{side}x{side}"):
                read_image(png(side, side, 8, 2, []))
    assert loads == []


def test_pillows_own_limit_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 4)
    np.testing.assert_array_equal(read_image(encode(RGB, "PNG")).pixels, RGB)


def test_the_limit_itself_is_allowed() -> None:
    row = bytes(LIMIT_PIXELS // 8 // 5000)
    image = read_image(png(LIMIT_PIXELS // 5000, 5000, 1, 0, [row] * 5000))
    assert image.height * image.width == LIMIT_PIXELS
    assert image.mean == 0


def test_ghostscript_is_never_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started: list[object] = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *a, **k: started.append(a))
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: started.append(a))
    eps = encode(RGB, "EPS")
    path = tmp_path / "photo.png"
    path.write_bytes(eps)
    opened = PIL.Image.open(path)
    for source in (eps, path, opened):
        with pytest.raises(ImageError, match="EPS"):
            read_image(source)
    assert started == []


def test_an_error_of_our_own_surfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> None:
        raise TypeError("ours")

    monkeypatch.setattr(decode_module, "to_bytes8", wrong)
    with pytest.raises(TypeError, match="ours"):
        read_image(TINY)


def test_out_of_memory_is_an_image_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(PngImageFile, "load", full)
    with pytest.raises(ImageError, match="memory"):
        read_image(TINY)


# --- sources


def test_paths(tmp_path: Path) -> None:
    path = tmp_path / "a photo.jpg"  # the name lies about the format: the bytes count
    path.write_bytes(TINY)
    for source in (path, str(path)):
        image = read_image(source)
        assert (image.name, image.format) == ("a photo.jpg", "PNG")
        assert image == read_image(TINY, name="a photo.jpg")
    assert read_image(path, name="other").name == "other"


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    cases = [
        (tmp_path / "none.png", "There is no file none.png"),
        (tmp_path, "folder"),
        (tmp_path / "pipe", "not a file"),
        ("zero\0byte.png", "cannot be read"),
        ("https://example.org/a.png", "no file a.png"),
        ("x" * 5000, "cannot be read"),
    ]
    for source, words in cases:
        with pytest.raises(ImageError, match=words) as caught:
            read_image(source)
        assert str(tmp_path) not in str(caught.value)


def test_a_file_beyond_the_byte_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.write(TINY)
        file.truncate(50 * LIMIT_BYTES)  # sparse: takes no disk
    started = time.process_time()
    with pytest.raises(ImageError, match="more than 64 MiB"):
        read_image(path)
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize(
    "shape", [(6, 5), (6, 5, 1), (6, 5, 3), (6, 5, 2), (6, 5, 7), (1, 1), (1, 9, 3), (9, 1)]
)
def test_arrays_are_kept_as_they_are(shape: tuple[int, ...]) -> None:
    array = RNG.integers(0, 256, shape, dtype=np.uint8)
    image = read_image(array)
    np.testing.assert_array_equal(image.pixels, array.reshape(*shape[:2], -1))
    assert (image.format, image.name, image.notices) == ("array", "array", ())
    before = image.pixels.copy()
    array[:] ^= 255  # the image must not follow
    np.testing.assert_array_equal(image.pixels, before)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones((4, 4, 3)) / 2, "multiply by 255"),
        (np.ones((4, 4, 3), np.float32) * 200, "convert to uint8"),
        (np.ones((4, 4), bool), "Multiply by 255"),
        (np.ones((4, 4), np.uint16), "257"),
        (np.ones((4, 4), np.int64), "int64"),
        (np.zeros((0, 4, 3), np.uint8), "no picture"),
        (np.zeros((4, 4, 0), np.uint8), "no picture"),
        (np.zeros(16, np.uint8), "no picture"),
        (np.zeros((1, 4, 4, 3), np.uint8), "batch"),
        (np.zeros((3, 32, 32), np.uint8), "transpose"),
        (np.array(["a"], object), "object"),
        (np.broadcast_to(np.uint8(0), (8000, 8000)), "too many pixels"),
    ],
)
def test_arrays_that_are_refused(array: np.ndarray, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        read_image(array)


def test_pil_images() -> None:
    image = read_image(PIL.Image.fromarray(RGB))
    np.testing.assert_array_equal(image.pixels, RGB)
    assert image.digest == read_image(RGB).digest
    flat = PIL.Image.fromarray(RAMP)
    np.testing.assert_array_equal(read_image(flat).pixels[:, :, 0], STEPS[:, :, 0])
    for mode in (
        "1",
        "L",
        "LA",
        "La",
        "P",
        "PA",
        "RGB",
        "RGBA",
        "RGBa",
        "RGBX",
        "CMYK",
        "YCbCr",
        "HSV",
        "LAB",
        "I",
        "F",
    ):
        blank = read_image(PIL.Image.new(mode, (3, 2)))
        assert blank.pixels.shape in ((2, 3, 1), (2, 3, 3))


def test_a_lazily_opened_pil_image_is_read_like_its_file(tmp_path: Path) -> None:
    for case in (
        "png_4bit_grey_key",
        "tiff_float_deflate_big_endian",
        "png_exif_after_pixels",
        "png_16bit_rgba",
    ):
        path = tmp_path / f"{case}.bin"
        path.write_bytes(EXACT[case][0])
        with PIL.Image.open(path) as opened:
            image = read_image(opened)
        np.testing.assert_array_equal(image.pixels, EXACT[case][1])
        assert image.name == f"{case}.bin"


def test_other_things_are_no_pictures() -> None:
    for thing in (None, 7, [1, 2], {"a": 1}, RGB.tolist()):
        with pytest.raises(ImageError, match="not a picture"):
            read_image(thing)  # type: ignore[arg-type]
    for background in ((1, 2), (1, 2, 256), (0.5, 0, 0)):
        with pytest.raises(ImageError, match="background"):
            read_image(RGB, background=background)  # type: ignore[arg-type]


def test_an_image_comes_back_as_it_is() -> None:
    image = read_image(TINY, name="one")
    assert read_image(image) is image
    assert read_image(image, name="two").name == "two"


# --- the Image


def test_image_facts_and_freezing() -> None:
    image = read_image(np.array([[[0, 0, 255], [1, 2, 3]]], np.uint8), name="f.png")
    assert (image.height, image.width) == (1, 2)
    assert image.mean == pytest.approx(261 / 6, rel=1e-15)
    assert image.facts == "2x1 px, mean 43.50"
    with pytest.raises(ValueError, match="read-only"):
        image.pixels[0, 0, 0] = 1
    with pytest.raises(AttributeError):
        image.name = "g"  # type: ignore[misc]
    with pytest.raises(ValueError, match="uint8"):
        Image(np.zeros((2, 2)), "n", "d", "array")  # type: ignore[arg-type]


def test_one_pixel_of_twelve_million_changes_digest_and_equality() -> None:
    pixels = np.zeros((3000, 4000, 1), np.uint8)
    one = read_image(pixels)
    pixels[1500, 2000, 0] = 1
    assert one != read_image(pixels)
    assert read_image(pixels) == read_image(pixels.copy())
    assert read_image(np.zeros((2, 3), np.uint8)).digest != read_image(np.zeros((3, 2), np.uint8)).digest


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\cat.png", "cat.png"),
        ("a\nb\tc.png", "a b c.png"),
        ("nul\0l.png", "null.png"),
        ("cat\u202egnp.exe", "catgnp.exe"),
        ("\u2066iso\u2069late\ufeff.png", "isolate.png"),
        ("esc\x1b[31m.png", "esc[31m.png"),
        ("![x](http://e.org/a)*b*.png", "a)*b*.png"),
        ("**bold** $x$ <b>.png", "**bold** $x$ <b>.png"),
        ("half\udc80.png", "half.png"),
        ("line\u2028sep.png", "line sep.png"),
        ("Ünïcødé 猫 🐈.png", "Ünïcødé 猫 🐈.png"),
        ("", "image"),
        ("..", "image"),
        ("///", "image"),
        ("\u200b", "image"),
        ("n" * 200, "n" * 79 + "…"),
    ],
)
def test_names_are_one_line_of_visible_text(given: str, shown: str) -> None:
    assert clean_name(given) == shown
    assert read_image(TINY, name=given or None).name == shown
    assert shown.encode()


def test_eight_threads_read_the_same() -> None:
    files = [data for data, _, _ in EXACT.values()]
    alone = [read_image(data) for data in files]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(read_image, files * 2))
    for index, image in enumerate(together):
        assert image == alone[index % len(files)]
        np.testing.assert_array_equal(image.pixels, alone[index % len(files)].pixels)


@pytest.mark.skipif("SALIENCY_REAL" not in os.environ, reason="SALIENCY_REAL points at no real pictures")
def test_real_pictures_decode() -> None:
    paths = sorted(Path(os.environ["SALIENCY_REAL"], "images").iterdir())
    assert paths
    for path in paths:
        image = read_image(path)
        with PIL.Image.open(path) as opened:
            np.testing.assert_array_equal(image.pixels.squeeze(), np.asarray(opened))
