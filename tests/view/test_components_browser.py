"""The components in a real browser: what is drawn, read out and sent back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saliency_core.render.compose import backdrop, layer, over
from saliency_core.render.palettes import palette
from saliency_view.components import number_text
from saliency_view.components.assets import joined
from tests.view.conftest import Demo
from tests.view.demo_components import HOSTILE, maps

pytestmark = pytest.mark.browser


def drawn(
    name: str, family: str, palette_id: str, opacity: float, threshold: float, under: str = "grey"
) -> np.ndarray:
    photo, values, _, limit = maps(name, family)
    rgba = layer(values, limit, palette(palette_id).lut, family, opacity, threshold)
    return over(backdrop(np.broadcast_to(photo, (*photo.shape[:2], 3)), under), rgba)


def test_every_pixel_has_the_colour_that_python_computes(demo: Demo) -> None:
    np.testing.assert_array_equal(demo.pixels(224, 224), drawn("scene", "diverging", "blue_orange", 0.9, 0))
    demo.slide("opacity", 0.37)
    demo.slide("threshold", 0.12)
    np.testing.assert_array_equal(
        demo.pixels(224, 224), drawn("scene", "diverging", "blue_orange", 0.37, 0.12)
    )


@pytest.mark.parametrize("demo", ["show=viewer&family=sequential&shape=digit"], indirect=True)
def test_a_gray_photo_under_another_palette(demo: Demo) -> None:
    demo.page.locator("label.palette", has_text="Viridis").click()
    lit = drawn("digit", "sequential", "viridis", 0.9, 0)
    view = demo.view()
    assert view["scale"] > 14  # grid lines are drawn, yet the middle of each pixel is untouched
    np.testing.assert_array_equal(demo.pixels(28, 28), lit)
    demo.wait_for_state(palette="viridis")


def test_the_photo_under_the_map_is_grey_or_in_colour_without_the_server(demo: Demo) -> None:
    before = demo.reruns
    colourful = drawn("scene", "diverging", "blue_orange", 0.9, 0, "colour")
    demo.page.get_by_role("checkbox", name="Photo in grey under the map").uncheck()
    np.testing.assert_array_equal(demo.pixels(224, 224), colourful)
    demo.wait_for_state(backdrop="colour")
    demo.wait_for_reruns(before + 1)  # to remember it, not to draw it


def test_the_map_alone_has_the_colours_of_the_scale(demo: Demo) -> None:
    _, values, _, limit = maps("scene", "diverging")
    rgba = layer(values, limit, palette("blue_orange").lut, "diverging", 0.9, 0)
    demo.page.get_by_role("button", name="Show the map alone").click()
    np.testing.assert_array_equal(demo.pixels(224, 224), rgba[..., :3])
    demo.page.get_by_role("button", name="Show the photo alone").click()  # one or the other
    np.testing.assert_array_equal(demo.pixels(224, 224), maps("scene", "diverging")[0])
    demo.page.get_by_role("button", name="Show the photo alone").click()
    np.testing.assert_array_equal(demo.pixels(224, 224), drawn("scene", "diverging", "blue_orange", 0.9, 0))


def test_sliders_ask_the_server_nothing_until_they_are_let_go(demo: Demo) -> None:
    before, frames = demo.reruns, len(demo.sent)
    first = demo.pixels(224, 224)
    for share in (0.8, 0.5, 0.2):
        demo.slide("opacity", share)
        demo.page.wait_for_timeout(120)
    demo.page.wait_for_timeout(500)
    assert (demo.pixels(224, 224) != first).any()
    assert (len(demo.sent), demo.reruns) == (frames, before)
    demo.let_go("opacity")
    demo.wait_for_state(opacity=0.2)
    assert len(demo.sent) == frames + 1
    demo.wait_for_reruns(before + 1)


def test_hover_reads_the_numbers_of_the_arrays(demo: Demo) -> None:
    photo, values, channels, _ = maps("scene", "diverging")
    for row, column in ((0, 0), (101, 88), (223, 223), (17, 200)):
        demo.canvas.hover(position=demo.at(row, column))
        assert demo.field("pixel") == f"row {row}, column {column}"
        assert demo.field("value") == number_text(values[row, column], signed=True)
        red, green, blue = photo[row, column]
        assert demo.field("photo").split() == ["R", str(red), "G", str(green), "B", str(blue)]
        spread = [number_text(number, signed=True) for number in channels[row, column]]
        assert demo.field("channels").split()[1::2] == spread


def test_a_click_selects_and_escape_clears(demo: Demo) -> None:
    demo.canvas.click(position=demo.at(101, 88))
    demo.wait_for_state(pixel=[101, 88])
    assert demo.field("pixel") == "row 101, column 88"
    demo.canvas.press("Escape")
    demo.wait_for_state(pixel=None)


def test_the_keyboard_alone_reads_selects_zooms_and_pans(demo: Demo) -> None:
    demo.canvas.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        demo.canvas.press(key)
    assert demo.field("pixel") == "row 114, column 113"
    assert demo.page.locator("[aria-live=polite]").count() == 1
    demo.page.wait_for_function(
        "() => document.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot"
        ".querySelector('[aria-live]').textContent.startsWith('row 114, column 113')"
    )
    demo.canvas.press("Enter")
    demo.wait_for_state(pixel=[114, 113])
    whole = demo.view()
    demo.canvas.press("+")
    demo.page.wait_for_timeout(80)
    zoomed = demo.view()
    assert zoomed["scale"] == pytest.approx(1.25 * whole["scale"])
    demo.canvas.press("Shift+ArrowRight")
    demo.page.wait_for_timeout(80)
    assert demo.view()["left"] < zoomed["left"]
    demo.canvas.press("0")
    demo.page.wait_for_timeout(80)
    assert demo.view() == whole


def test_tab_reaches_every_control(demo: Demo) -> None:
    demo.canvas.focus()
    reached = []
    for _ in range(9):
        demo.page.keyboard.press("Tab")
        reached.append(
            demo.page.evaluate(
                """() => { const e = document.activeElement.shadowRoot?.activeElement;
                return e && (e.dataset.tool ?? e.dataset.name ?? e.type); }"""
            )
        )
    assert reached == ["hold", "bare", "alone", "in", "fit", "opacity", "threshold", "backdrop", "radio"]


def test_holding_c_or_the_button_shows_the_photo(demo: Demo) -> None:
    photo = maps("scene", "diverging")[0]
    covered = demo.pixels(224, 224)
    demo.canvas.focus()
    demo.page.keyboard.down("c")
    np.testing.assert_array_equal(demo.pixels(224, 224), photo)
    demo.page.keyboard.up("c")
    np.testing.assert_array_equal(demo.pixels(224, 224), covered)
    demo.page.locator("[data-tool=hold]").hover()
    demo.page.mouse.down()
    np.testing.assert_array_equal(demo.pixels(224, 224), photo)
    demo.page.mouse.up()
    np.testing.assert_array_equal(demo.pixels(224, 224), covered)
    demo.page.locator("[data-tool=bare]").click()
    np.testing.assert_array_equal(demo.pixels(224, 224), photo)


def test_a_rerun_keeps_zoom_sliders_and_selection(demo: Demo) -> None:
    demo.canvas.click(position=demo.at(60, 70))
    demo.wait_for_state(pixel=[60, 70])
    demo.page.locator("[data-tool=in]").click()
    demo.slide("opacity", 0.4)  # not let go: the server does not know
    demo.page.wait_for_timeout(80)
    view, before = demo.view(), demo.reruns
    demo.page.get_by_role("button", name="Rerun", exact=True).click()
    demo.page.get_by_text(f"reruns {before + 1}").wait_for()
    demo.page.wait_for_timeout(200)
    assert demo.view() == view
    assert demo.page.locator("input[data-name=opacity]").input_value() == "0.4"
    demo.wait_for_state(pixel=[60, 70])


@pytest.mark.parametrize("demo", ["show=viewer", "show=viewer&echo=1"], indirect=True)
def test_the_page_overrules_and_the_visitor_moves_on(demo: Demo) -> None:
    def moved_to(value: float) -> None:
        demo.slide("opacity", value)
        demo.let_go("opacity")
        demo.wait_for_state(opacity=value)

    moved_to(0.6)
    moved_to(0.5)
    demo.page.get_by_role("button", name="Page sets opacity").click()
    demo.wait_for_state(opacity=0.25)
    demo.page.wait_for_timeout(200)
    assert demo.page.locator("input[data-name=opacity]").input_value() == "0.25"
    moved_to(0.7)
    moved_to(0.9)


def test_the_wheel_belongs_to_the_page_until_the_picture_is_clicked(demo: Demo) -> None:
    whole = demo.view()["scale"]
    demo.canvas.hover(position=demo.at(50, 50))
    demo.page.mouse.wheel(0, -200)
    demo.page.wait_for_timeout(100)
    assert demo.view()["scale"] == whole
    demo.canvas.click(position=demo.at(50, 50))
    spot = demo.at(50, 50)
    demo.page.mouse.wheel(0, -200)
    demo.page.wait_for_timeout(100)
    assert demo.view()["scale"] == pytest.approx(whole * np.exp(0.4))
    assert demo.at(50, 50) == pytest.approx(spot, abs=1)  # the pixel under the pointer stays there


def test_dragging_a_zoomed_picture_pans_and_selects_nothing(demo: Demo) -> None:
    for _ in range(3):
        demo.page.locator("[data-tool=in]").click()
    demo.page.wait_for_timeout(80)
    before, box = demo.view(), demo.canvas.bounding_box()
    x, y = box["x"] + 200, box["y"] + 200
    demo.page.mouse.move(x, y)
    demo.page.mouse.down()
    demo.page.mouse.move(x + 40, y + 30, steps=8)
    demo.page.mouse.up()
    demo.page.wait_for_timeout(100)
    after = demo.view()
    assert after["left"] - before["left"] == pytest.approx(40, abs=6)
    assert after["top"] - before["top"] == pytest.approx(30, abs=6)
    assert demo.answer()["pixel"] is None


def test_busy_keeps_the_old_picture_and_sends_no_numbers_again(demo: Demo) -> None:
    before = demo.pixels(224, 224)
    demo.received.clear()
    demo.page.locator("label", has_text="Busy").click()
    demo.page.locator(".stage[aria-busy=true]").wait_for()
    np.testing.assert_array_equal(demo.pixels(224, 224), before)
    assert sum(demo.received) < 80_000  # the scripts and a header; the numbers are 953 344 bytes
    demo.page.locator("label", has_text="Busy").click()
    demo.page.locator(".stage[aria-busy=false]").wait_for()
    np.testing.assert_array_equal(demo.pixels(224, 224), before)


def test_two_fingers_zoom_and_a_tap_selects(browser: Any, demo_address: str) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, device_scale_factor=3
    )
    demo = Demo(context.new_page(), f"{demo_address}/?show=viewer")
    np.testing.assert_array_equal(demo.pixels(224, 224), drawn("scene", "diverging", "blue_orange", 0.9, 0))
    small = demo.page.locator(".key:visible, input[type=range]").evaluate_all(
        "keys => keys.map(k => k.getBoundingClientRect()).filter(b => b.height < 40).length"
    )
    assert small == 0
    demo.canvas.tap(position=demo.at(30, 200))
    demo.wait_for_state(pixel=[30, 200])
    whole, box = demo.view()["scale"], demo.canvas.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    hand = context.new_cdp_session(demo.page)
    for kind, gap in [("touchStart", 20), *[("touchMove", gap) for gap in range(22, 62, 4)], ("touchEnd", 0)]:
        fingers = [{"x": middle[0] + side * gap, "y": middle[1], "id": side} for side in (-1, 1)]
        hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers if gap else []})
    demo.page.wait_for_timeout(150)
    assert demo.view()["scale"] / whole == pytest.approx(3, rel=0.15)
    assert demo.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    context.close()
    assert demo.errors == []


@pytest.mark.parametrize("demo", ["show=viewer&hostile=1"], indirect=True)
def test_foreign_text_in_the_viewer_stays_text(demo: Demo) -> None:
    assert demo.page.locator(".heading").inner_text() == HOSTILE
    assert demo.page.locator(".note").inner_text() == HOSTILE
    assert demo.page.locator(".bar-unit").inner_text() == HOSTILE
    assert demo.page.locator(".viewer img, .viewer b").count() == 0
    assert demo.page.title() == "components"


@pytest.mark.parametrize("demo", ["show=bars&hostile=1"], indirect=True)
def test_bars_report_each_press_once(demo: Demo) -> None:
    rows = demo.page.locator("button.bar-row")
    assert rows.nth(1).locator(".bar-name").inner_text() == HOSTILE
    assert rows.nth(1).get_attribute("title") == HOSTILE
    assert demo.page.locator(".part img, .part b").count() == 0
    assert [row.get_attribute("aria-pressed") for row in rows.all()] == ["true", "false", "false", "false"]
    rows.nth(1).click()
    demo.wait_for_answer([10])
    rows.nth(2).focus()
    rows.nth(2).press("Enter")
    demo.wait_for_answer([10, 20])
    rows.nth(2).press("Enter")
    demo.wait_for_answer([10, 20, 20])
    demo.page.wait_for_timeout(400)
    assert demo.answer() == [10, 20, 20]
    assert [row.get_attribute("aria-pressed") for row in rows.all()] == ["false", "false", "true", "false"]
    assert demo.page.title() == "components"


def shown(demo: Demo, grid: int) -> str:
    texts = demo.page.locator(".grid").nth(grid).locator(".cell-number").all_inner_texts()
    return " ".join(texts)


@pytest.mark.parametrize("demo", ["show=grid"], indirect=True)
def test_the_grid_answers_the_worked_example(demo: Demo) -> None:
    assert shown(demo, 1) == "1 1 1 0 1 1 1 0 1 1 1 0 0 0 0 0"
    cells = demo.page.locator(".grid").first.locator("button.cell")
    cells.nth(5).click()
    demo.wait_for_answer([])
    cells.nth(0).click()
    cells.nth(15).click()
    demo.wait_for_answer([[0, 0, 1.0], [3, 3, 1.0]])
    demo.page.wait_for_timeout(200)
    assert shown(demo, 1) == "1 1 0 0 1 1 0 0 0 0 1 1 0 0 1 1"
    demo.page.get_by_role("button", name="All cells").click()
    demo.page.wait_for_timeout(600)
    assert shown(demo, 1) == "4 6 6 4 6 9 9 6 6 9 9 6 4 6 6 4"
    assert cells.nth(7).get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize("demo", ["show=grid&hostile=1"], indirect=True)
def test_weights_are_typed_and_cells_walked_with_keys(demo: Demo) -> None:
    assert demo.page.locator(".heading").first.inner_text() == HOSTILE
    assert demo.page.locator(".part img, .part b").count() == 0
    cells = demo.page.locator(".grid").first.locator("button.cell")
    cells.nth(5).click(modifiers=["Shift"])
    demo.page.keyboard.type("-2.5")
    demo.wait_for_answer([[1, 1, -2.5]])
    cells.nth(5).focus()
    demo.page.keyboard.press("ArrowRight")
    demo.page.keyboard.press("ArrowDown")
    demo.page.keyboard.press("Enter")
    demo.wait_for_answer([[1, 1, -2.5], [2, 2, 1.0]])
    assert cells.nth(10).get_attribute("aria-label") == "Row 2, column 2: 9, weight 1"


def test_both_languages_write_the_same_numbers(demo: Demo) -> None:
    random = np.random.default_rng(1)
    spread = random.normal(size=4000) * 10.0 ** random.integers(-12, 9, 4000)
    edges = [0, 1, -1, 0.5, 1.125, 2.375, 0.0009995, 0.001, 999.5, 999.6, 9999.5, 9999.4, 1e4, 12345, 1e-40]
    numbers = [*map(float, spread.astype(np.float32)), *edges, *(-edge for edge in edges)]
    written = demo.page.evaluate(
        "numbers => {" + joined("shared.js") + "\nreturn numbers.map((n) => numberText(n, true)); }", numbers
    )
    assert written == [number_text(number, signed=True) for number in numbers]
