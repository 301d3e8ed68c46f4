"""Colours over a photo: the written formula, and the laws a picture of numbers has to keep."""

import dataclasses
import io
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from saliency_core.errors import ImageError
from saliency_core.render.compose import backdrop, enlarge, layer, map_png, over, overlay_png, render
from saliency_core.render.look import Look
from saliency_core.render.palettes import palette, palettes

LOOKS = {
    "magnitude": Look(),
    "signed": Look(reduce="sum", sign="signed"),
    "positive": Look(sign="positive"),
    "negative": Look(sign="negative", palette="viridis"),
    "norm": Look(reduce="l2", palette="blues", threshold=0.2),
    "dark": Look(reduce="channel", sign="signed", palette="blue_orange_dark", clip=80.0),
    "colour": Look(sign="signed", backdrop="colour"),
}
every_look = pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)


def frozen(array):
    array.flags.writeable = False
    return array


def photo(height=5, width=7, channels=3):
    return frozen(np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8))


def noise(channels=3, height=5, width=7):
    return frozen(np.random.default_rng(2).normal(size=(height, width, channels)).astype(np.float32))


def grey(pixel):
    """The documented formula for one pixel of the photo under the map."""
    red, green, blue = (int(part) for part in pixel)
    return [(299 * red + 587 * green + 114 * blue) // 1000] * 3


def in_grey(pixels):
    return np.array([[grey(pixel) for pixel in row] for row in pixels], np.uint8)


def by_the_book(value, limit, lut, family, opacity, threshold, pixel):
    """The documented formula for one pixel, in plain numbers: what a canvas computes."""
    t = min(1.0, max(-1.0, value / limit)) if limit else 0.0
    t = 0.0 if abs(t) < threshold else t
    m = math.floor(abs(t) * (255 if family == "sequential" else 128) + 0.5)
    index = m if family == "sequential" else 128 + m if t >= 0 else 128 - m
    a = math.floor(255 * opacity * abs(t) + 0.5)
    colour = [int(part) for part in lut[index]]
    mixed = [(int(p) * (255 - a) + c * a + 127) // 255 for p, c in zip(pixel, colour, strict=True)]
    return [*colour, a], mixed


@every_look
def test_every_pixel_follows_the_written_formula(look):
    drawn = render(noise(), photo(), look)
    chosen = palette(look.palette)
    for at in np.ndindex(5, 7):
        rgba, mixed = by_the_book(
            float(drawn.map[at]),
            drawn.limit,
            chosen.lut,
            chosen.family,
            look.opacity,
            look.threshold,
            photo()[at] if look.backdrop == "colour" else grey(photo()[at]),
        )
        assert drawn.rgba[at].tolist() == rgba
        assert drawn.overlay[at].tolist() == mixed


@every_look
def test_at_no_opacity_only_the_photo_is_seen(look):
    drawn = render(noise(), photo(), dataclasses.replace(look, opacity=0))
    np.testing.assert_array_equal(drawn.overlay, photo() if look.backdrop == "colour" else in_grey(photo()))


@given(st.integers(0, 255))
def test_a_grey_photo_stays_as_it_is_on_a_grey_backdrop(value):
    pixels = np.full((1, 1, 3), value, np.uint8)
    np.testing.assert_array_equal(backdrop(pixels, "grey"), pixels)


def test_in_grey_every_colour_on_the_picture_is_the_maps():
    values = np.array([[0.0, 0.0, 1.0]], np.float32)
    drawn = render(values, photo(1, 3), Look(sign="signed"))
    spread = np.ptp(drawn.overlay.astype(int), axis=2)
    assert spread[0, :2].tolist() == [0, 0]
    assert spread[0, 2] > 100


def test_at_full_opacity_the_end_of_the_scale_is_the_end_of_the_palette():
    drawn = render(np.array([[[-1.0], [1.0]]], np.float32), photo(1, 2), Look(sign="signed", opacity=1))
    np.testing.assert_array_equal(drawn.overlay[0], palette("blue_orange").lut[[0, 256]])


@every_look
def test_nothing_is_changed_and_nothing_can_be(look):
    values, pixels = noise(), photo()
    before = values.copy(), pixels.copy()
    drawn = render(values, pixels, look)
    np.testing.assert_array_equal(values, before[0])
    np.testing.assert_array_equal(pixels, before[1])
    for array in (drawn.map, drawn.lut, drawn.rgba, drawn.overlay):
        assert not array.flags.writeable
    assert not np.shares_memory(drawn.map, values)


@pytest.mark.parametrize("found", palettes(), ids=lambda found: found.id)
def test_zero_is_neutral_and_stays_the_photo(found):
    sign = "signed" if found.family == "diverging" else "magnitude"
    values = np.array([[-2.0, 0.0, 1.0, 2.0]], np.float32)
    drawn = render(values, photo(1, 4), Look(sign=sign, palette=found.id, opacity=1, backdrop="colour"))
    neutral = found.lut[128 if sign == "signed" else 0]
    assert drawn.rgba[0, 1].tolist() == [*neutral.tolist(), 0]
    np.testing.assert_array_equal(drawn.overlay[0, 1], photo(1, 4)[0, 1])


@settings(max_examples=25)
@given(st.integers(0, 999), st.floats(50, 100))
def test_opposite_maps_have_mirrored_colours(seed, clip):
    map2d = np.random.default_rng(seed).normal(size=(4, 6)).astype(np.float32)
    look = Look(sign="signed", clip=clip)
    one, other = render(map2d, photo(4, 6), look), render(-map2d, photo(4, 6), look)
    assert one.limit == other.limit
    mirrored = layer(map2d, one.limit, one.lut[::-1], "diverging", look.opacity, look.threshold)
    np.testing.assert_array_equal(other.rgba, mirrored)


@every_look
@pytest.mark.parametrize("factor", [2.0, 2.0**-100, 2.0**90])
def test_scaling_a_map_scales_the_limit_and_no_colour(look, factor):
    one, other = render(noise(), photo(), look), render(noise() * np.float32(factor), photo(), look)
    assert other.limit == one.limit * factor
    np.testing.assert_array_equal(other.overlay, one.overlay)
    assert other.note == one.note


@every_look
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 11])
@pytest.mark.parametrize("gray", [1, 3])
def test_any_number_of_channels(look, channels, gray):
    drawn = render(noise(channels), photo(channels=gray), look)
    assert drawn.map.shape == (5, 7)
    assert drawn.map.dtype == np.float32
    assert drawn.rgba.shape == (5, 7, 4)
    assert drawn.overlay.shape == (5, 7, 3)


@every_look
@pytest.mark.parametrize("value", [0.0, 1.0, -3.0, 1e-45, -1e-30, 1e30, 3e38])
def test_flat_in_flat_out(look, value):
    drawn = render(np.full((5, 7, 1), value, np.float32), photo(), look)
    assert np.isfinite(drawn.map).all()
    assert math.isfinite(drawn.limit)
    assert drawn.flat
    assert len(np.unique(drawn.rgba.reshape(-1, 4), axis=0)) == 1
    assert drawn.note


@pytest.mark.parametrize("look", [LOOKS["magnitude"], LOOKS["signed"]])
def test_a_nearly_flat_map_is_not_blown_up(look):
    nearly = np.float32(1) + noise(1) * np.float32(1e-6)
    drawn = render(nearly, photo(), look)
    assert not drawn.flat
    assert np.abs(drawn.rgba.astype(int) - drawn.rgba[0, 0]).max() <= 1


def test_a_map_of_zeros_is_the_photo():
    drawn = render(np.zeros((5, 7, 3), np.float32), photo(), Look(sign="signed", backdrop="colour"))
    np.testing.assert_array_equal(drawn.overlay, photo())
    assert drawn.limit == 0
    assert [(tick.at, tick.text) for tick in drawn.legend.ticks] == [(0.5, "0")]


def test_the_threshold_hides_what_is_smaller():
    values = np.array([[0.1, -0.5, 0.49, 1.0]], np.float32)
    drawn = render(values, photo(1, 4), Look(sign="signed", clip=100, threshold=0.5))
    assert (drawn.rgba[0, :, 3] > 0).tolist() == [False, True, False, True]
    np.testing.assert_array_equal(drawn.rgba[0, 0, :3], drawn.lut[128])


def test_a_locked_scale_is_shared():
    look = Look(limit=4.0, clip=100)
    one, half = (render(np.full((1, 1, 1), v, np.float32), photo(1, 1), look) for v in (4.0, 2.0))
    assert one.limit == half.limit == 4.0
    assert half.rgba[0, 0, :3].tolist() == palette("inferno").lut[128].tolist()


@pytest.mark.parametrize(
    ("sign", "low", "high", "texts"),
    [
        ("magnitude", 0, 2, ["0", "1", "2"]),
        ("positive", 0, 2, ["0", "1", "2"]),
        ("negative", 0, -2, ["0", "−1", "−2"]),
        ("signed", -2, 2, ["−2", "0", "2"]),
    ],
)
def test_the_legend_says_what_the_ends_mean(sign, low, high, texts):
    values = np.array([[-2.0, 2.0, 1.0]], np.float32)
    legend = render(values, photo(1, 3), Look(sign=sign, clip=100), units="logit per grey level").legend
    assert (legend.low, legend.high) == (low, high)
    assert [tick.text for tick in legend.ticks] == texts
    assert [tick.at for tick in legend.ticks] == [0, 0.5, 1]
    assert [tick.value for tick in legend.ticks] == [low, (low + high) / 2, high]
    assert legend.unit == "logit per grey level"
    assert legend.family == ("diverging" if sign == "signed" else "sequential")


def test_an_attribution_brings_its_units():
    answer = SimpleNamespace(values=noise(), units="logit per grey level")
    assert render(answer, photo(), Look()).legend.unit == "logit per grey level"
    np.testing.assert_array_equal(
        render(answer, photo(), Look()).map,
        render(noise(), photo(), Look()).map,
    )


def test_the_note_counts_what_is_clipped():
    values = np.arange(1, 201, dtype=np.float32).reshape(10, 20)
    look = Look(clip=95)
    assert render(values, photo(10, 20), look).note == "5 % of the pixels lie beyond the scale."
    assert render(values, photo(10, 20), Look(clip=100)).note is None


def test_the_note_tells_when_nothing_reaches_the_threshold():
    values = np.array([[1.0, 2.0]], np.float32)
    drawn = render(values, photo(1, 2), Look(limit=100.0, threshold=0.5, backdrop="colour"))
    np.testing.assert_array_equal(drawn.overlay, photo(1, 2))
    assert drawn.note == "Nothing is drawn: all values are below the threshold, 50."


def test_enlarging_is_bilinear_around_pixel_centres():
    small = np.array([[0.0, 4.0]], np.float32)
    np.testing.assert_array_equal(enlarge(small, 2, 4), [[0, 1, 3, 4]] * 2)


@settings(max_examples=25)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 40), st.integers(0, 40), st.integers(0, 99))
def test_enlarging_invents_no_values(height, width, more, wider, seed):
    small = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
    large = enlarge(small, height + more, width + wider)
    assert large.shape == (height + more, width + wider)
    assert small.min() - 1e-6 <= large.min() <= large.max() <= small.max() + 1e-6  # rounding of float32
    if more == wider == 0:
        np.testing.assert_array_equal(large, small)


def test_the_scale_of_a_small_map_is_its_own():
    small = np.array([[0.0, 0.0], [0.0, 8.0]], np.float32)
    assert render(small, photo(64, 48), Look(clip=100)).limit == 8.0


def test_a_map_larger_than_the_image_is_refused():
    with pytest.raises(ImageError, match=r"8 x 7 pixels.*5 x 7"):
        render(noise(3, 8, 7), photo(), Look())


@pytest.mark.parametrize(
    "wrong", [np.zeros((5, 7, 3)), np.zeros((5, 7), np.uint8), np.zeros((5, 7, 4), np.uint8)]
)
def test_other_images_are_refused(wrong):
    with pytest.raises(ImageError, match="uint8"):
        render(noise(), wrong, Look())


@pytest.mark.parametrize(("side", "times"), [(0, 1), (7, 1), (8, 2), (14, 2), (15, 3), (800, 115)])
def test_a_small_picture_becomes_larger_by_whole_pixels(side, times):
    drawn = render(noise(), photo(), Look())
    opened = np.asarray(Image.open(io.BytesIO(overlay_png(drawn, side))))
    assert opened.shape == (5 * times, 7 * times, 3)
    np.testing.assert_array_equal(opened[times // 2 :: times, times // 2 :: times], drawn.overlay)
    assert len(np.unique(opened.reshape(-1, 3), axis=0)) == len(
        np.unique(drawn.overlay.reshape(-1, 3), axis=0)
    )


def test_png_files_hold_every_pixel():
    drawn = render(noise(), photo(channels=1), Look())
    for made, pixels in ((overlay_png(drawn), drawn.overlay), (map_png(drawn), drawn.rgba[..., :3])):
        opened = Image.open(io.BytesIO(made))
        assert opened.format == "PNG"
        np.testing.assert_array_equal(np.asarray(opened), pixels)


@settings(max_examples=25)
@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_mixing_is_rounded_to_the_nearest(under, colour, alpha):
    mixed = over(np.full((1, 1, 3), under, np.uint8), np.array([[[colour] * 3 + [alpha]]], np.uint8))
    assert mixed[0, 0, 0] == math.floor((under * (255 - alpha) + colour * alpha) / 255 + 0.5)
