"""Regions cover the image at every scale; ranking by them keeps the sum and takes the densest first."""

from __future__ import annotations

import numpy as np
import pytest

from saliency_core.segments import SCALES, _labels, _widened, least_gain, ranked, regions

SHAPES = [(5, 9, 1), (9, 5, 2), (30, 20, 3), (20, 30, 4), (6, 7, 11)]


def picture(shape, seed=1):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.float32)


def halves(height=40, width=60):
    """Dark on the left, bright on the right."""
    image = np.zeros((height, width, 3), np.float32)
    image[:, width // 3 :] = 255
    return image


@pytest.mark.parametrize("shape", SHAPES)
def test_the_segments_of_each_scale_part_the_image(shape):
    labels = _labels(picture(shape))
    assert len(labels) == len(SCALES)
    for one in labels:
        assert one.shape == shape[:2]
        masks = _widened(one, 0)
        assert (masks.sum(0) == 1).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_regions_cover_every_pixel_once_a_scale_or_more(shape):
    masks = regions(picture(shape))
    assert masks.dtype == bool
    assert masks.shape[1:] == shape[:2]
    assert (masks.sum(0) >= len(SCALES)).all()


def test_no_region_reaches_across_an_edge():
    masks = regions(halves())
    assert not (masks[:, :, :15].any((1, 2)) & masks[:, :, 25:].any((1, 2))).any()


def test_a_flat_image_is_one_region_at_each_scale():
    assert regions(np.full((20, 30, 3), 7, np.float32)).all()


def test_widened_by_a_disc():
    labels = np.zeros((9, 9), int)
    labels[4, 4] = 1
    row, col = np.mgrid[:9, :9] - 4
    assert np.array_equal(_widened(labels, 3)[1], row**2 + col**2 <= 9)


def test_pixels_to_add_are_those_of_the_paper_s_code_at_its_size():
    assert least_gain(224, 224) == 50
    assert least_gain(500, 500) == 50
    assert least_gain(112, 112) == 12
    assert least_gain(5, 7) == 1


def by_hand(attribution, masks, least):
    """The same, told slowly: every mean anew from the pixels not taken yet."""
    made, free, left = np.full(attribution.shape, np.nan), np.ones(attribution.shape, bool), list(masks)
    while True:
        left = [mask for mask in left if (mask & free).sum() >= least]
        if not left:
            break
        best = max(left, key=lambda mask: attribution[mask & free].mean())
        made[best & free] = attribution[best & free].mean()
        free &= ~best
    made[free] = attribution[free].mean() if free.any() else 0
    return made


@pytest.mark.parametrize("seed", range(5))
def test_ranking_is_that_of_the_paper(seed):
    draw = np.random.default_rng(seed)
    attribution = draw.normal(size=(30, 20))
    masks = regions(picture((30, 20, 3), seed))
    assert np.allclose(ranked(attribution, masks), by_hand(attribution, masks, 1), rtol=1e-12, atol=1e-15)


def test_regions_of_the_map_part_the_image_and_keep_its_sum():
    attribution = np.random.default_rng(7).normal(size=(30, 20))
    found = ranked(attribution, regions(picture((30, 20, 3))))
    assert found.sum() == pytest.approx(attribution.sum(), rel=1e-12)
    for value in np.unique(found):
        assert attribution[found == value].mean() == pytest.approx(value, rel=1e-12, abs=1e-15)


def test_the_densest_region_comes_first_and_holds_the_highest_value():
    attribution = np.zeros((40, 60))
    attribution[:, :20] = 1.0
    found = ranked(attribution, regions(halves()))
    assert (found[:, :20] == found.max()).all()
    assert found[:, 25:].max() == 0


def test_regions_that_add_too_little_are_left_for_the_last_one():
    masks = np.zeros((2, 224, 224), bool)
    masks[0, :7, :7] = True  # 49 pixels
    masks[1, 100:, :] = True
    attribution = np.zeros((224, 224))
    attribution[:7, :7] = 1.0
    found = ranked(attribution, masks)
    assert (found[100:] == 0).all()
    assert found[0, 0] == found[50, 50] == pytest.approx(49 / (100 * 224), rel=1e-12)


def test_an_empty_map_stays_empty():
    assert not ranked(np.zeros((30, 20)), regions(picture((30, 20, 3)))).any()
