"""Where the cells of a coarse map lie: edges, middles, sums."""

from __future__ import annotations

import numpy as np
import pytest

from saliency_core.cells import STRETCHED, Cells, Line, enlarged, spread
from saliency_core.models.anatomy import Field, Layer, Span

FIELDS = {  # kernels, strides and pads of one axis by hand: what the first cell sees, and the step
    "every pixel": (Span(0, 0, 1), 0, 1),
    "3 pixels, no pad": (Span(0, 2, 1), 1, 1),
    "3 pixels, a pad on both sides": (Span(-1, 1, 1), 0, 1),
    "3 pixels of stride 2, a pad at the end": (Span(0, 2, 2), 1, 2),
    "4 pixels of stride 4": (Span(0, 3, 4), 1.5, 4),
}


@pytest.mark.parametrize(("span", "first", "step"), FIELDS.values(), ids=FIELDS)
def test_a_cell_lies_in_the_middle_of_what_it_sees(span, first, step):
    assert Line.seen(span) == Line(first, step)


def test_a_layer_without_known_fields_is_stretched():
    assert Cells.of(Layer("a", "a:0", (2, 3, 4), "op"), (9, 9, 1)) == STRETCHED


def test_cells_that_divide_an_axis_evenly_are_stretched_and_others_lie_in_the_middle_of_what_they_see():
    """A kernel of 3, stride 2, a pad at the end, over 8 rows: 4 cells; without pads over 9 columns: 4 cells."""
    seen = Field(Span(0, 2, 2), Span(0, 2, 2))
    layer = Layer("a", "a:0", (4, 4, 1), "Conv2D", seen)
    assert Cells.of(layer, (8, 9, 3)) == Cells(None, Line(1, 2))
    assert Cells.seen(layer) == Cells(Line(1, 2), Line(1, 2))
    assert Cells.seen(layer).beside((4, 4), (8, 8)) == 0.5


def test_cells_without_overlap_are_those_of_stretching():
    """A pooling of 4 x 2 pixels covers the image from edge to edge."""
    pooled = Layer("a", "a:0", (3, 5, 1), "AvgPool", Field(Span(0, 3, 4), Span(0, 1, 2)))
    assert Cells.of(pooled, (12, 10, 3)) == STRETCHED
    assert Cells.seen(pooled).lines((3, 5), (12, 10)) == STRETCHED.lines((3, 5), (12, 10))
    assert Cells.seen(pooled).beside((3, 5), (12, 10)) == 0


def test_the_distance_from_stretching_is_told_at_its_largest():
    """5 pixels, a kernel of 3 without pads: 3 cells at 1, 2, 3; stretched they would be at 1/3, 2, 11/3."""
    valid = Layer("a", "a:0", (3, 3, 1), "Conv2D", Field(Span(0, 2, 1), Span(0, 2, 1)))
    assert Cells.of(valid, (5, 5, 1)).beside((3, 3), (5, 5)) == pytest.approx(2 / 3, abs=1e-15)


def test_pixels_between_two_middles_mix_in_proportion():
    found = enlarged(np.array([[0.0], [4.0]]), 6, 1, Cells(Line(1, 2)))
    assert found[:, 0].tolist() == [0, 0, 2, 4, 4, 4]


def test_blocks_show_the_nearest_cell_and_nothing_between():
    map2d = np.arange(6.0).reshape(2, 3)
    found = enlarged(map2d, 4, 9, smooth=False)
    assert np.array_equal(found, map2d.repeat(2, 0).repeat(3, 1))


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("cells", [STRETCHED, Cells(Line(1, 2), Line(-0.5, 3))])
def test_enlarging_keeps_a_flat_map_flat_and_invents_no_values(cells, smooth):
    assert (enlarged(np.full((3, 4), 0.75), 9, 11, cells, smooth) == np.float32(0.75)).all()
    noise = np.random.default_rng(1).normal(size=(3, 4))
    found = enlarged(noise, 9, 11, cells, smooth)
    assert noise.min() - 1e-6 <= found.min() <= found.max() <= noise.max() + 1e-6


def test_one_cell_is_everywhere():
    assert (enlarged(np.array([[3.0]]), 4, 5) == 3).all()


def test_maps_of_a_stack_are_enlarged_one_by_one():
    maps = np.random.default_rng(2).normal(size=(2, 3, 4, 5))
    found = enlarged(maps, 8, 9)
    assert found.shape == (2, 3, 8, 9)
    assert np.array_equal(found[1, 2], enlarged(maps[1, 2], 8, 9))


@pytest.mark.parametrize("cells", [STRETCHED, Cells(Line(1, 2), Line(40, 5)), Cells(Line(-30, 7))])
def test_what_is_spread_keeps_its_sum_wherever_the_cells_lie(cells):
    maps = np.random.default_rng(3).normal(size=(2, 3, 4))
    found = spread(maps, 9, 11, cells)
    assert found.shape == (2, 9, 11)
    assert np.allclose(found.sum((1, 2)), maps.sum((1, 2)), rtol=1e-12, atol=1e-14)
