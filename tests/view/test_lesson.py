"""What the lesson says follows from its numbers; its figures show the numbers they are given."""

from __future__ import annotations

import base64
import io
import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image

from saliency_core.checks.transposed import transposed_convolution
from saliency_core.grammar import parse
from saliency_core.render.palettes import DIVERGING, palettes
from saliency_view.lessons import figures, first_layer, one_filter, prose

ONES = np.ones((3, 3, 1, 1))


def answer(weights: list[tuple[int, int, float]]) -> str:
    """Say what the lesson says for these weights, from gradients made without TensorFlow."""
    seed = one_filter.dense(weights, (4, 4))[..., None]
    back = [transposed_convolution(one, ONES, (4, 4), (1, 1), "SAME")[..., 0] for one in (seed, seed != 0)]
    return one_filter.reach_words(back[0], back[1].astype(int), len(weights))


def test_no_cell_is_explained() -> None:
    assert "No output is chosen" in answer([])


def test_one_cell_in_words() -> None:
    said = answer([(1, 1, 1.0)])
    assert "Pixel (0, 0) reaches the chosen output, so its gradient is 1." in said
    assert "7 of the 16 pixels do not reach it: changing them changes nothing." in said


def test_a_pixel_out_of_reach_in_words() -> None:
    assert "Pixel (0, 0) does not reach the chosen output, so its gradient is 0." in answer([(3, 3, 1.0)])


def test_all_cells_in_words() -> None:
    said = answer([(row, column, 1.0) for row in range(4) for column in range(4)])
    assert "Pixel (0, 0) reaches 4 of the 16 chosen outputs, so its gradient is 4." in said
    assert "Pixel (1, 1) reaches 9; no gradient is larger in size than its 9." in said
    assert "do not reach" not in said


def test_weights_that_cancel_are_told_from_pixels_that_reach_nothing() -> None:
    said = answer([(1, 1, 1.0), (1, 2, -1.0)])
    assert "4 of the 16 pixels do not reach any" in said
    assert "In 6 the weights cancel" in said


@pytest.mark.parametrize("weights", [[], [(1, 1, 1.0)], [(0, 3, -2.5), (2, 2, 0.125)]])
def test_the_link_asks_the_same_question(weights: list[tuple[int, int, float]]) -> None:
    view = one_filter.view_of(weights)
    asked = {name: found[0] for name, found in parse_qs(urlsplit(one_filter.link_of(view)).query).items()}
    assert asked["model"] == "conv4x4"
    assert asked["image"] == "ones_4x4"
    rows = parse("target", asked["target"]).weights
    assert [(r, c, w) for r, c, _, w in rows if w] == weights


def test_only_models_with_a_convolution_are_offered() -> None:
    offered = first_layer.offered("resnet50")
    assert {"digits", "scenes", "conv4x4", "resnet50"} <= set(offered)
    assert "template" not in offered
    assert "vgg16" not in offered


def test_difference_is_relative_to_the_largest_value() -> None:
    assert first_layer.difference(np.array([1.0, -3.0]), np.array([1.0, -4.0])) == 0.25
    assert first_layer.difference(np.zeros(2), np.zeros(2)) == 0


def test_difference_words_tell_rounding_from_a_missing_part() -> None:
    assert "2.3e-07 of its largest value. That is the rounding" in first_layer.difference_words(
        2.3e-7, 16, True
    )
    assert "more than rounding" in first_layer.difference_words(0.1, 16, True)
    assert "15 channels are missing" in first_layer.difference_words(0.5, 16, False)
    assert "50% of its largest value" in first_layer.difference_words(0.5, 16, False)
    assert "missing" not in first_layer.difference_words(0.0, 1, False)


def pictures(html: str) -> list[np.ndarray]:
    found = re.findall(r"base64,([^\"]+)", html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in found]


def test_a_map_is_coloured_on_its_scale_with_zero_in_the_middle() -> None:
    lut = palettes(DIVERGING)[0].lut
    (shown,) = pictures(figures.map_figure(np.array([[-2.0, 0.0, 2.0, 1.0]]), 2.0, "map", "note"))
    assert shown.tolist() == [[lut[0].tolist(), lut[128].tolist(), lut[256].tolist(), lut[192].tolist()]]


def test_kernels_are_shown_one_tile_each_with_channels_below_one_another() -> None:
    kernel = np.zeros((2, 3, 3, 5))
    kernel[1, 2, 1, 4] = 1.0
    shown = pictures(figures.kernels_figure(kernel, 1.0, "kernels", ""))
    assert len(shown) == 15
    assert {one.shape for one in shown} == {(2, 3, 3)}
    lut = palettes(DIVERGING)[0].lut
    assert shown[4 * 3 + 1][1, 2].tolist() == lut[256].tolist()
    assert sum((one != lut[128]).any() for one in shown) == 1


def test_titles_are_text_not_markup() -> None:
    html = figures.map_figure(np.zeros((1, 1)), 0.0, '<img src=x onerror="a">', "<b>")
    assert "<img src=x" not in html
    assert "<b>" not in html


@pytest.mark.parametrize("file", sorted(p.name for p in (prose.CONTENT / "pixel_gradient").glob("*.md")))
def test_every_word_of_the_lesson_is_shown(file: str) -> None:
    from saliency_view.lessons import pixel_gradient

    assert f'"{file}"' in (prose.CONTENT.parent / "saliency_view/lessons/pixel_gradient.py").read_text()
    assert pixel_gradient.read("pixel_gradient", file)
