"""Damaged files of every format: an Image or an ImageError, nothing else, and soon."""

from __future__ import annotations

import random
import time
import warnings

import numpy as np
import PIL.Image
import pytest

from saliency_core.errors import ImageError
from saliency_core.images import LIMIT_PIXELS, Image, read_image
from tests.core.awkward import encode

RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (16, 24, 3), dtype=np.uint8)
TAG = PIL.Image.Exif()
TAG[274] = 6
SEEDS = {
    "png": encode(PIXELS, "PNG", exif=TAG.tobytes()),
    "png_palette": encode(PIL.Image.fromarray(PIXELS).quantize(16), "PNG", transparency=3),
    "jpeg": encode(PIXELS, "JPEG", exif=TAG.tobytes()),
    "jpeg_progressive": encode(PIXELS, "JPEG", progressive=True),
    "webp": encode(PIXELS, "WEBP", lossless=True, exif=TAG.tobytes()),
    "avif": encode(PIXELS, "AVIF"),
    "bmp": encode(PIXELS, "BMP"),
    "tiff": encode(PIXELS, "TIFF", exif=TAG),
    "tiff_lzw": encode(PIXELS, "TIFF", compression="tiff_lzw"),
    "gif": encode(PIL.Image.fromarray(PIXELS).quantize(64), "GIF"),
}
MUTATIONS = 60  # of each seed: 600 files


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Flip, overwrite, cut, remove, double or insert bytes; headers are hit more often than pixels."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(min(len(out), chance.choice((64, 200, len(out)))))
        kind = chance.randrange(6)
        if kind == 0:
            out[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            out[at] = chance.choice((0, 1, 127, 128, 255))
        elif kind == 2:
            out[at : at + 4] = chance.randbytes(4)
        elif kind == 3:
            del out[at : at + chance.randrange(1, 20)]
        elif kind == 4:
            out[at:at] = out[at : at + chance.randrange(1, 40)]
        else:
            del out[max(20, len(out) - chance.randrange(1, 200)) :]
        if len(out) < 2:
            return bytes(out)
    return bytes(out)


@pytest.mark.parametrize("seed", SEEDS)
def test_damaged_files_give_an_image_or_an_image_error(seed: str) -> None:
    chance = random.Random(f"damage {seed}")
    started = time.process_time()
    read: list[Image] = []
    refused: list[ImageError] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(MUTATIONS):
            try:
                read.append(read_image(damaged(SEEDS[seed], chance), name="x"))
            except ImageError as error:
                refused.append(error)
    assert len(read) + len(refused) == MUTATIONS
    assert refused
    assert all(error.hint for error in refused)
    assert all(image.pixels.shape[2] in (1, 3) for image in read)
    assert all(image.height * image.width <= LIMIT_PIXELS for image in read)
    assert time.process_time() - started < 5.0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cut_file_is_refused_or_whole(seed: str) -> None:
    data, whole = SEEDS[seed], read_image(SEEDS[seed]).pixels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for end in range(1, len(data), max(1, len(data) // 60)):
            try:
                pixels = read_image(data[:end]).pixels
            except ImageError:
                continue
            assert end > len(data) * 0.9
            if pixels.shape == whole.shape:
                np.testing.assert_array_equal(pixels, whole)
            else:  # only what follows the pixels was lost: EXIF at the end of a WebP
                np.testing.assert_array_equal(np.rot90(pixels, -1), whole)


def test_random_bytes_behind_every_signature() -> None:
    chance = random.Random("noise")
    heads = [data[:n] for data in SEEDS.values() for n in (4, 12, 30)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for head in heads:
            for size in (0, 40, 400):
                with pytest.raises(ImageError):
                    read_image(head + chance.randbytes(size))
