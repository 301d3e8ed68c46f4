"""Fitting an image to a model: the laws of crop, stretch and pad, channels, PNG and thumbnails."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import PIL.Image
import pytest

from saliency_core.errors import ImageError, SettingError
from saliency_core.images import HOWS, fit, read_image, thumbnail, to_png

RNG = np.random.default_rng(11)
WIDE = read_image(RNG.integers(0, 256, (24, 36, 3), dtype=np.uint8))
GREY = read_image(RNG.integers(0, 256, (24, 36), dtype=np.uint8))


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(("image", "channels"), [(WIDE, 3), (GREY, 1)])
def test_the_same_size_is_taken_bit_for_bit(how: str, image: object, channels: int) -> None:
    fitted = fit(image, 24, 36, channels, how)
    assert fitted.dtype == np.float32
    np.testing.assert_array_equal(fitted, image.pixels)
    fitted[:] = 0  # the caller's own copy
    assert image.pixels.any()


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("size", [(24, 36), (7, 50), (50, 7), (64, 64), (1, 1), (12, 18)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_constant_stays_constant(how: str, size: tuple[int, int], channels: int) -> None:
    for level in (0, 37, 255):
        fitted = fit(read_image(np.full((24, 36, 3), level, np.uint8)), *size, channels, how)
        assert fitted.shape == (*size, channels)
        assert (fitted == level).all()


@pytest.mark.parametrize("how", HOWS)
def test_values_stay_within_the_range_of_the_image(how: str) -> None:
    for size in ((10, 10), (60, 90), (5, 200)):
        fitted = fit(WIDE, *size, 3, how)
        assert fitted.min() >= WIDE.pixels.min()
        assert fitted.max() <= WIDE.pixels.max()


def test_crop_at_the_same_scale_cuts_whole_pixels_equally() -> None:
    np.testing.assert_array_equal(fit(WIDE, 24, 24, 3), WIDE.pixels[:, 6:30])
    tall = read_image(WIDE.pixels.transpose(1, 0, 2))
    np.testing.assert_array_equal(fit(tall, 24, 24, 3), tall.pixels[6:30])
    np.testing.assert_array_equal(fit(WIDE, 24, 25, 3), WIDE.pixels[:, 5:30])  # odd rest: one more at the end


def mark(height: int, width: int, row: slice, column: slice) -> np.ndarray:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[row, column] = 255
    return pixels


def test_crop_keeps_the_aspect() -> None:
    square = read_image(mark(60, 100, slice(20, 40), slice(40, 60)))  # a 20 px square in the middle
    fitted = fit(square, 30, 30, 1)
    inside = fitted[:, :, 0] > 127
    assert inside.sum() == 100  # 10 x 10
    np.testing.assert_array_equal(inside, inside.T)
    np.testing.assert_array_equal(inside[10:20, 10:20], True)
    stretched = fit(square, 30, 30, 1, "stretch")[:, :, 0] > 127
    assert stretched.any(axis=1).sum() == 10
    assert stretched.any(axis=0).sum() == 6


ANY_SIZES = [(10, 10), (16, 40), (100, 30)]
EVEN_RESTS = [(36, 36), (14, 18), (45, 40)]  # what pad adds divides into two equal halves


@pytest.mark.parametrize(
    ("how", "size"),
    [(how, size) for how in HOWS for size in (EVEN_RESTS if how == "pad" else ANY_SIZES)],
)
def test_a_mirrored_image_fits_to_the_mirrored_result(how: str, size: tuple[int, int]) -> None:
    for axes in ((0,), (1,), (0, 1)):
        turned = fit(read_image(np.flip(WIDE.pixels, axes)), *size, 3, how)
        difference = np.abs(np.flip(turned, axes) - fit(WIDE, *size, 3, how))
        assert difference.max() <= 1  # the resampling weights are rounded to fixed point


def test_pad_shows_everything_and_continues_the_edges() -> None:
    fitted = fit(WIDE, 36, 36, 3, "pad")
    np.testing.assert_array_equal(fitted[6:30], WIDE.pixels)
    np.testing.assert_array_equal(fitted[:6], np.broadcast_to(WIDE.pixels[0], (6, 36, 3)))
    np.testing.assert_array_equal(fitted[30:], np.broadcast_to(WIDE.pixels[-1], (6, 36, 3)))


def test_shrinking_averages() -> None:
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    fitted = fit(read_image(checks.astype(np.uint8)), 16, 16, 1)
    assert np.abs(fitted - 127.5).max() <= 2  # sampling single pixels would give 0 or 255


def test_extreme_shapes() -> None:
    for shape in ((3, 6000), (6000, 3), (1, 1), (1, 500)):
        image = read_image(RNG.integers(0, 256, (*shape, 3), dtype=np.uint8))
        for how in HOWS:
            fitted = fit(image, 28, 20, 3, how)
            assert fitted.shape == (28, 20, 3)
            assert np.isfinite(fitted).all()


def test_grey_becomes_three_equal_channels() -> None:
    fitted = fit(GREY, 24, 36, 3)
    for channel in range(3):
        np.testing.assert_array_equal(fitted[:, :, channel], GREY.pixels[:, :, 0])


def test_colour_becomes_luma() -> None:
    red, green, blue = np.moveaxis(WIDE.pixels.astype(float), 2, 0)
    luma = fit(WIDE, 24, 36, 1)[:, :, 0]
    np.testing.assert_allclose(luma, 0.299 * red + 0.587 * green + 0.114 * blue, rtol=1e-6)
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    neutral = read_image(np.dstack([levels] * 3))
    np.testing.assert_array_equal(fit(neutral, 16, 16, 1)[:, :, 0], levels)  # neutral grey: exactly itself


def test_four_channels_are_opaque() -> None:
    for image in (WIDE, GREY):
        fitted = fit(image, 24, 36, 4)
        np.testing.assert_array_equal(fitted[:, :, :3], fit(image, 24, 36, 3))
        assert (fitted[:, :, 3] == 255).all()


def test_other_channel_counts_only_from_arrays_that_have_them() -> None:
    seven = read_image(RNG.integers(0, 256, (9, 8, 7), dtype=np.uint8))
    np.testing.assert_array_equal(fit(seven, 9, 8, 7), seven.pixels)
    by_channel = [fit(read_image(seven.pixels[:, :, c]), 5, 4, 1) for c in range(7)]
    np.testing.assert_array_equal(fit(seven, 5, 4, 7), np.concatenate(by_channel, axis=2))
    for image, channels in ((seven, 3), (seven, 1), (WIDE, 2), (GREY, 7), (WIDE, 5)):
        with pytest.raises(ImageError, match=f"model takes {channels}"):
            fit(image, 9, 8, channels)


def test_wrong_settings() -> None:
    with pytest.raises(SettingError, match="crop, stretch, pad"):
        fit(WIDE, 8, 8, 3, "zoom")
    with pytest.raises(ValueError, match="0x8"):
        fit(WIDE, 0, 8, 3)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_keeps_every_value(channels: int) -> None:
    pixels = RNG.integers(0, 256, (13, 9, channels), dtype=np.uint8)
    data = to_png(pixels[:, ::-1])  # a view with negative strides
    assert data == to_png(pixels[:, ::-1].copy())
    with PIL.Image.open(BytesIO(data)) as opened:
        np.testing.assert_array_equal(np.asarray(opened).reshape(pixels.shape), pixels[:, ::-1])


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 5), np.uint8), np.zeros((4, 4, 3))]
)
def test_png_takes_only_bytes(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        to_png(pixels)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((300, 200, 3), (60, 40)), ((200, 300, 1), (40, 60)), ((20, 30, 3), (20, 30)), ((1, 900, 3), (1, 60))],
)
def test_thumbnails_fit_the_side_and_are_never_enlarged(
    shape: tuple[int, ...], expected: tuple[int, int]
) -> None:
    image = read_image(RNG.integers(0, 256, shape, dtype=np.uint8))
    assert read_image(thumbnail(image, 60)).pixels.shape == (*expected, shape[2])


def test_thumbnail_of_many_channels_is_their_mean() -> None:
    pixels = np.stack([np.full((5, 5), level, np.uint8) for level in (0, 100, 200, 20, 30)], axis=2)
    np.testing.assert_array_equal(
        read_image(thumbnail(read_image(pixels), 60)).pixels, np.full((5, 5, 1), 70)
    )
