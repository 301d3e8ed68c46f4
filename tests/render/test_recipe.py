"""The recipe: four panels whose white is stated, and no division by what is not there."""

from __future__ import annotations

from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest

from saliency_core.errors import NotFiniteError, SettingError
from saliency_core.render.figures import figure_bytes
from saliency_core.render.recipe import recipe_figure, recipe_panels

IMAGE = np.arange(2 * 3 * 3).reshape(2, 3, 3).astype(np.uint8)
VALUES = np.zeros((2, 3, 3), np.float32)
VALUES[0, 0] = [4.0, -2.0, 1.0]
VALUES[1, 2] = [0.0, -8.0, 2.0]


def test_size_is_the_largest_channel_and_the_parts_have_a_scale_each():
    image, size, positive, negative = recipe_panels(VALUES, IMAGE, "logit")
    assert np.array_equal(image.pixels, IMAGE)
    assert (size.limit, positive.limit, negative.limit) == (8, 4, 8)
    assert size.pixels[0, 0].tolist() == [128, 128, 128]  # 4 of 8
    assert size.pixels[1, 2].tolist() == [255, 255, 255]
    assert positive.pixels[0, 0].tolist() == [255, 0, 64]
    assert positive.pixels[1, 2].tolist() == [0, 0, 128]
    assert negative.pixels[0, 0].tolist() == [0, 64, 0]
    assert negative.pixels[1, 2].tolist() == [0, 255, 0]
    assert [panel.scale for panel in (size, positive)] == ["black 0, white 8 logit", "black 0, white 4 logit"]


@pytest.mark.parametrize(
    ("values", "empty"),
    [(np.abs(VALUES), {"Negative part"}), (-np.abs(VALUES), {"Positive part"}),
     (0 * VALUES, {"Size", "Positive part", "Negative part"})],
)  # fmt: skip
def test_what_is_not_there_is_black_and_says_so(values, empty):
    with np.errstate(all="raise"):
        panels = recipe_panels(values, IMAGE, "logit")
    assert {panel.name for panel in panels if panel.scale.startswith("all black: ")} == empty
    assert {panel.name for panel in panels[1:] if not panel.pixels.any()} == empty


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 11])
def test_any_number_of_channels_gives_four_pictures(channels):
    draw = np.random.default_rng(0)
    image = draw.integers(0, 256, (4, 6, channels), dtype=np.uint8)
    panels = recipe_panels(draw.standard_normal(image.shape), image, "logit")
    assert [panel.pixels.shape for panel in panels] == [(4, 6, 3)] * 4
    assert all(panel.pixels.dtype == np.uint8 for panel in panels)
    assert [int(panel.pixels.max()) for panel in panels[1:]] == [255] * 3


def test_a_coarse_map_and_one_that_is_not_finite_are_refused():
    with pytest.raises(SettingError, match=r"\(2, 3, 3\).*\(1, 2\)"):
        recipe_panels(np.zeros((1, 2)), IMAGE, "logit")
    with pytest.raises(NotFiniteError):
        recipe_panels(np.full(VALUES.shape, np.inf), IMAGE, "logit")


def test_the_figure_names_methods_parts_and_scales():
    made = [
        (name, SimpleNamespace(values=VALUES * size, units="logit per $x$"))
        for name, size in (("one()", 1), ("two()", 2))
    ]
    data = figure_bytes(recipe_figure(made, IMAGE, "Seven $x$ <b>"), "svg")
    root = ElementTree.fromstring(data)
    texts = ["".join(found.itertext()) for found in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("Negative part") == texts.count("Size") == 2
    assert {"one()", "two()", "Seven $x$ <b>", "black 0, white 16 logit per $x$"} <= set(texts)
    assert data == figure_bytes(recipe_figure(made, IMAGE, "Seven $x$ <b>"), "svg")
