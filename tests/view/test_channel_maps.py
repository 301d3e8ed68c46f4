"""Small maps and their colours: means of blocks, places in a palette, and what the browser may send."""

from __future__ import annotations

import numpy as np
import pytest

from saliency_core.render.palettes import DIVERGING, SEQUENTIAL
from saliency_view import channel_maps
from saliency_view.components.plane import Colours, _legal, runs_of, weights_of


@pytest.mark.parametrize("shape", [(7, 5, 3), (32, 32, 2), (33, 64, 2), (70, 100, 1), (1, 200, 4)])
def test_a_small_map_holds_the_means_of_blocks(shape: tuple[int, int, int]) -> None:
    maps = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    small, side = channel_maps.shrunk(maps)
    assert max(small.shape[1:]) <= channel_maps.SMALL
    assert small.shape[0] == shape[2]
    for row, col in ((0, 0), (small.shape[1] - 1, small.shape[2] - 1)):
        block = maps[row * side : (row + 1) * side, col * side : (col + 1) * side]
        np.testing.assert_allclose(small[:, row, col], block.astype(np.float64).mean((0, 1)), rtol=1e-6)


def test_colours_follow_the_sign_of_the_values() -> None:
    plain, signed = (channel_maps.colours_of(np.array(v, np.float32)) for v in ([[0, 2]], [[-1, 2]]))
    assert (plain.family, plain.limit, signed.family, signed.limit) == (SEQUENTIAL, 2, DIVERGING, 2)
    values = np.array([[0, 1, 2, 9]], np.float32)
    assert channel_maps.levels(values, plain).tolist() == [[0, 128, 255, 255]]
    assert channel_maps.levels(np.array([-9, -2, 0, 2]), signed).tolist() == [0, 0, 128, 255]
    assert channel_maps.levels(values, Colours(0.0, SEQUENTIAL, plain.lut)).tolist() == [[0, 0, 0, 0]]


def test_thumbnails_tell_the_largest_value_of_each_channel() -> None:
    maps = np.zeros((40, 8, 3), np.float32)
    maps[1, 2, 0], maps[3, 3, 0], maps[0, 0, 2] = 3, -5, 2
    made = channel_maps.thumbnails(maps)
    assert made.peaks.tolist() == [-5, 0, 2]
    assert (made.levels.shape, made.side, made.colours.family) == ((3, 20, 4), 2, DIVERGING)
    assert (made.levels[1] == 128).all()


def test_the_strongest_cell_is_the_largest_value() -> None:
    maps = np.zeros((3, 4, 2), np.float32)
    maps[2, 1, 1], maps[0, 3, 0] = 5, 2
    assert channel_maps.strongest(maps) == (2, 1, 1)
    assert channel_maps.strongest(maps, 0) == (0, 3, 0)


def test_weights_travel_as_runs() -> None:
    weights = np.zeros((4, 5))
    weights[1, 2:] = 1
    weights[2, 0] = 1
    weights[3, 3] = -0.5
    assert runs_of(weights) == [[7, 4, 1.0], [18, 1, -0.5]]
    np.testing.assert_array_equal(weights_of(runs_of(weights), (4, 5)), weights)
    assert runs_of(np.zeros((2, 2))) == []
    np.testing.assert_array_equal(weights_of(runs_of(np.ones((2, 2))), (2, 2)), np.ones((2, 2)))


@pytest.mark.parametrize(
    "runs",
    [
        None, "x", [[0, 21, 1.0]], [[0, 2, 1.0], [1, 2, 1.0]], [[-1, 2, 1.0]], [[0, 0, 1.0]], [[0, 1]],
        [[0, 1, float("nan")]], [[0, 1, True]], [[0.0, 1, 1.0]], [[0, 1, "1"]], [[0, 1, 1.0]] * 21,
    ],
)  # fmt: skip
def test_runs_that_no_brush_can_make_count_as_not_sent(runs: object) -> None:
    assert not _legal((4, 5))("runs", runs)


@pytest.mark.parametrize("cell", [None, [4, 0], [0, 5], [0], [0.0, 1], [True, 0], [-1, 0], [0, 0, 0]])
def test_a_cell_outside_counts_as_not_sent(cell: object) -> None:
    assert _legal((4, 5))("cell", [3, 4])
    assert not _legal((4, 5))("cell", cell)
