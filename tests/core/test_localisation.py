"""Where a map lies, on maps whose answer is known on paper."""

from __future__ import annotations

import numpy as np
import pytest

from saliency_core.checks.localisation import energy_inside, heat_of, iou_at_area, pointing
from saliency_core.errors import SettingError

MEASURES = (pointing, energy_inside, iou_at_area)
every_measure = pytest.mark.parametrize("measure", MEASURES, ids=lambda one: one.__name__)


def disc(height=9, width=14):
    row, col = np.ogrid[:height, :width]
    return (row - 3) ** 2 + (col - 8) ** 2 < 8


@every_measure
def test_the_mask_itself_is_perfect_at_any_scale(measure):
    for factor in (1e-30, 1.0, 7e8):
        assert measure(factor * disc(), disc()) == 1.0


@every_measure
def test_a_map_outside_the_mask_is_worth_nothing(measure):
    """Nothing, once there is more outside than the mask has pixels."""
    assert measure(1.0 * ~disc(), disc()) == 0.0


@pytest.mark.parametrize("level", [0.0, 3.0])
def test_an_even_map_is_worth_the_share_of_the_area(level):
    mask, even = disc(), np.full(disc().shape, level)
    share = mask.mean()
    assert pointing(even, mask) == pytest.approx(share, rel=1e-12)
    assert energy_inside(even, mask) == pytest.approx(share, rel=1e-12)
    # so many of the mask's pixels are found by chance: share * area of 2 * area - share * area
    assert iou_at_area(even, mask) == pytest.approx(share / (2 - share), rel=1e-12)


@every_measure
def test_the_scale_and_the_orientation_of_a_map_do_not_matter(measure):
    heat, mask = np.random.default_rng(0).integers(0, 99, disc().shape).astype(np.float64), disc()
    assert measure(heat, mask) == measure(1024 * heat, mask) == measure(heat.T, mask.T)
    assert measure(heat, mask) == measure(heat[::-1, ::-1], mask[::-1, ::-1])


def test_numbers_by_hand():
    mask = np.array([[True, True, False, False]])
    heat = np.array([[3.0, 1.0, 4.0, 2.0]])
    assert pointing(heat, mask) == 0.0
    assert energy_inside(heat, mask) == 0.4
    assert iou_at_area(heat, mask) == 1 / 3  # the largest two are pixels 2 and 0: one of three


def test_ties_count_in_part_and_in_no_order():
    mask = np.array([[True, True, False, False]])
    assert pointing(np.array([[5.0, 0.0, 5.0, 5.0]]), mask) == pytest.approx(1 / 3)
    # 9 is in; the second place is shared by two pixels, one of them inside: 1.5 of 2.5
    for heat in ([[9.0, 2.0, 2.0, 0.0]], [[9.0, 2.0, 0.0, 2.0]]):
        assert iou_at_area(np.array(heat), mask) == 1.5 / 2.5


def test_chance_is_met_by_random_maps():
    """The mean over many random maps is the even map's value: unbiased, within four standard errors."""
    rng, mask = np.random.default_rng(5), disc()
    for measure in (pointing, energy_inside):
        found = [measure(rng.random(mask.shape), mask) for _ in range(2_000)]
        error = np.std(found, ddof=1) / np.sqrt(len(found))
        assert abs(np.mean(found) - mask.mean()) < 4 * error


@pytest.mark.parametrize(
    ("of", "heat"),
    [
        ("sensitivity", [[7, 5]]),
        ("signal", [[7, 5]]),
        ("contribution", [[0, 4]]),
        ("relevance", [[0, 4]]),
        ("region", [[0, 4]]),
        ("squared", [[0, 4]]),
    ],
)
def test_what_counts_as_heat_follows_the_kind(of, heat):
    values = np.array([[[-7.0, 1.0, 2.0], [5.0, -2.0, 1.0]]])
    assert np.array_equal(heat_of(values, of), heat)


def test_a_map_without_channels_is_its_own_heat_where_it_speaks_for_the_score():
    assert np.array_equal(heat_of(np.array([[-7.0, 5.0]]), "region"), [[0, 5]])


@every_measure
@pytest.mark.parametrize(
    ("heat", "mask", "says"),
    [
        (np.zeros((2, 3)), np.ones((3, 2), bool), r"\(2, 3\)"),
        (np.zeros((2, 3, 1)), np.ones((2, 3, 1), bool), r"\(2, 3, 1\)"),
        (np.zeros((2, 3)), np.ones((2, 3)), "float64"),
        (np.zeros((2, 3)), np.zeros((2, 3), bool), "empty"),
        (np.full((2, 3), -1.0), np.ones((2, 3), bool), "-1"),
        (np.full((2, 3), np.nan), np.ones((2, 3), bool), "nan"),
    ],
)
def test_what_cannot_be_located_is_refused(measure, heat, mask, says):
    with pytest.raises(SettingError, match=says):
        measure(heat, mask)
