"""Layers and units in a real browser: choose a layer, a channel and a cell; paint an output gradient."""

from __future__ import annotations

import re

import numpy as np
import pytest

from saliency_core.grammar import parse
from tests.browser.conftest import Visit, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.engine]


def said(one: Visitor) -> str:
    """Return the sentence of facts over the map."""
    return one.page.get_by_text("It can see").first.inner_text()


def press_cell(one: Visitor, row: int, column: int) -> None:
    box = one.page.locator("canvas.plane-canvas")
    size = float(box.get_attribute("data-size"))
    box.click(position={"x": (column + 0.5) * size, "y": (row + 0.5) * size})


def box_of(text: str) -> tuple[int, int, int, int]:
    """Return top, left, bottom and right from the sentence."""
    numbers = re.search(r"rows (\d+) to (\d+), columns (\d+) to (\d+)", text)
    assert numbers
    top, bottom, left, right = (int(number) for number in numbers.groups())
    return top, left, bottom + 1, right + 1


def test_a_layer_a_channel_and_a_cell_are_chosen_by_hand(visit: Visit) -> None:
    one = visit().open("units", model="scenes", image="scene_heart")
    assert one.page.locator("button.layer").count() == 21
    one.page.locator("input.layers-filter").fill("conv 24 x 24")
    assert one.page.locator("button.layer:visible").count() == 1
    one.page.locator("button.layer:visible").click()
    one.page.wait_for_url(re.compile("conv2"))
    one.rest()
    assert one.page.locator("button.tile").count() == 32
    one.page.locator("button.tile[data-place='7']").click()
    one.page.wait_for_url(re.compile("channel%3D7"))
    one.rest()
    press_cell(one, 11, 4)
    target = "layer_unit(layer='conv2', row=11, col=4, channel=7)"
    one.wait_for_address(target=target)
    one.wait_for_heading("row 11, column 4, channel 7")
    one.rest()
    assert one.heading.inner_text() == "Gradient of the activation of conv2, row 11, column 4, channel 7"
    top, left, bottom, right = box_of(said(one))
    assert (bottom - top, right - left) == (14, 14)
    assert "Outside, the gradient is exactly 0." in said(one)
    values = one.numbers()[0]
    assert values[top:bottom, left:right].any()
    values[top:bottom, left:right] = 0
    assert not values.any()
    assert edge_is_drawn(one, top, left, bottom, right)

    other = visit(fresh=True)
    other.page.goto(one.page.url)
    other.rest()
    assert (said(other), other.picture()) == (said(one), one.picture())
    one.page.get_by_role("button", name="Explain this unit").click()
    one.page.get_by_role("heading", name="Which pixels does the answer depend on?").wait_for()
    assert one.rest().heading.inner_text() == other.heading.inner_text()
    assert one.address()["target"] == target


def edge_is_drawn(one: Visitor, top: int, left: int, bottom: int, right: int) -> bool:
    """Tell whether the frame of the receptive field is on the canvas: its edge is black and white only."""
    colours = one.canvas.evaluate(
        """(canvas, [top, left, bottom, right]) => {
        const [scale, x0, y0] = ['scale', 'left', 'top'].map((name) => Number(canvas.dataset[name]));
        const d = canvas.width / canvas.clientWidth;
        const pen = canvas.getContext('2d');
        const found = [];
        for (let row = top + 0.5; row < bottom; row++) for (const column of [left, right]) {
          const at = [(x0 + column * scale) * d, (y0 + row * scale) * d].map(Math.round);
          found.push([...pen.getImageData(...at, 1, 1).data].slice(0, 3)); }
        return found; }""",
        [top, left, bottom, right],
    )
    return all(max(colour) - min(colour) < 40 for colour in colours)


def test_a_mask_is_painted_by_dragging(visit: Visit) -> None:
    start = "output_seed(weights=[[2, 3, 5, 1.0]], layer='relu2')"
    one = visit().open("output-gradient", model="scenes", image="scene_heart", target=start)
    canvas = one.page.locator("canvas.plane-canvas")
    size = float(canvas.get_attribute("data-size"))
    one.page.locator("input.brush-weight").fill("-0.5")
    corner = canvas.bounding_box()
    at = [(corner["x"] + (column + 0.5) * size, corner["y"] + 7.5 * size) for column in (4, 10)]
    one.page.mouse.move(*at[0])
    one.page.mouse.down()
    one.page.mouse.move(*at[1], steps=3)
    one.page.mouse.up()
    rows = [[2, 3, 5, 1.0], *([7, column, 5, -0.5] for column in range(4, 11))]
    one.wait_for_address(target=f"output_seed(weights={rows}, layer='relu2')")
    one.rest()
    one.page.get_by_text("Linear:").wait_for()
    assert one.numbers()[2]["explained"] == one.address()["target"]
    one.page.get_by_role("button", name="Fill", exact=True).click()
    one.page.wait_for_url(re.compile("24x24x32"))
    one.rest()
    seed = parse("target", one.address()["target"]).dense((24, 24, 32))
    assert np.array_equal(np.unique(seed[..., 5]), [-0.5])
    assert np.count_nonzero(seed) == 24 * 24


@pytest.mark.parametrize("path", ["units", "output-gradient"])
def test_the_new_pages_suit_a_phone_and_a_screen_reader(path: str, visit: Visit) -> None:
    one = visit(fresh=True, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True).open(path)
    assert one.too_wide() == 0
    assert one.unnamed() == []
