"""The app as a person uses it, in a real browser: see a map, ask another question, read, take away, come back."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from saliency_core.grammar import parse
from saliency_core.images import fit, read_image
from saliency_core.render.compose import SLIDE, overlay_png, render
from saliency_core.render.numbers import number_text
from saliency_core.render.reduce import reduce_channels
from saliency_view.facts import facts
from saliency_view.state import View
from tests.browser.conftest import Visit, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.engine]


def test_the_first_page_is_a_finished_explanation(visit: Visit) -> None:
    one = visit().open()
    assert one.sentence.is_visible()
    assert one.heading.inner_text().startswith("Gradient of the logit of class ")
    assert one.colours() > 100
    top = one.bar(0)[1]
    assert top in one.text("^The network says")
    assert one.page.locator("button.bar-row").count() == min(10, facts(View().model).classes)
    one.page.get_by_text("Checked:").wait_for()
    assert one.address() == {**vars(View().settled())}
    assert "Saliency Lab" in one.page.title()


def test_another_class_has_its_own_map_title_and_address(visit: Visit) -> None:
    one = visit().open(model="template")
    before = one.picture()
    index = one.explain_class(1)
    assert one.picture() != before
    assert one.page.locator("button.bar-row[aria-pressed=true]").get_attribute("data-index") == str(index)
    assert one.numbers()[2]["explained"] == f"class_logit({index})"


def test_a_copied_address_reproduces_question_image_and_look(visit: Visit) -> None:
    one = visit().open(model="digits")
    one.page.get_by_role("button", name="Digit 7", exact=True).click()
    one.wait_for_address(image="digit_7")
    one.explain_class(2)
    one.page.get_by_role("radio", name="Raises", exact=True).click()
    one.page.wait_for_url(re.compile("positive"))
    one.rest().page.locator("section.viewer label.palette").nth(1).click()
    one.slide("opacity", 0.55)
    one.page.wait_for_url(re.compile("opacity%3D0.55"))
    one.rest()
    other = visit(fresh=True)
    other.page.goto(one.page.url)
    other.rest()
    assert other.address() == one.address()
    assert other.heading.inner_text() == one.heading.inner_text()
    assert other.picture() == one.picture()
    assert other.numbers()[2] | {"seconds": 0} == one.numbers()[2] | {"seconds": 0}


def photograph() -> bytes:
    """Return a JPEG of 640x480 that was taken with the camera on its side (EXIF orientation 6)."""
    rows, columns = np.mgrid[0:480, 0:640]
    stored = np.stack([columns * 255 // 639, rows * 255 // 479, (rows + columns) % 256], axis=2)
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.fromarray(stored.astype(np.uint8)).save(out, "JPEG", quality=92, exif=exif)
    return out.getvalue()


def test_a_photograph_is_explained_upright(visit: Visit) -> None:
    data = photograph()
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert upright.shape == (640, 480, 3)
    one = visit().open()
    one.upload("holiday.jpg", data, "image/jpeg").wait_for_facts("holiday.jpg")
    assert f"480x640 px, mean {upright.mean():.2f}" in one.facts
    assert one.address()["image"] == "own"
    assert one.sentence.is_visible()
    _, pixels, recipe = one.numbers()
    height, width, channels = facts(View().model).input
    np.testing.assert_array_equal(pixels, fit(read_image(data), height, width, channels, recipe["fit"]))
    assert (recipe["image"], recipe["image_facts"]) == (
        "holiday.jpg",
        f"480x640 px, mean {upright.mean():.2f}",
    )


def handwritten_seven() -> bytes:
    """Return a seven as a person writes it: dark strokes on white, 280x280."""
    paper = Image.new("L", (280, 280), 255)
    pen = ImageDraw.Draw(paper)
    pen.line([(80, 75), (205, 72), (195, 110), (150, 170), (125, 222)], fill=20, width=20, joint="curve")
    out = io.BytesIO()
    paper.save(out, "PNG")
    return out.getvalue()


def test_a_handwritten_digit_is_read_and_explained(visit: Visit) -> None:
    data = handwritten_seven()
    one = visit().open(model="digits")
    one.upload("seven.png", data).wait_for_facts("seven.png")
    assert one.text("^The network says").startswith("The network says 7 ")
    assert f"280x280 px, mean {np.asarray(Image.open(io.BytesIO(data))).mean():.2f}" in one.facts
    assert np.abs(one.numbers()[0]).max() > 0


def test_the_readout_tells_the_numbers_of_the_file(visit: Visit) -> None:
    one = visit().open(model="template", image="template_cross", method="gradient_x_input()")
    values, pixels, recipe = one.numbers()
    look = parse("look", one.address()["look"])
    reduced = reduce_channels(values, look)
    places = [np.unravel_index(np.abs(reduced).argmax(), reduced.shape), (0, 0), (31, 31), (9, 21)]
    for row, column in ((int(r), int(c)) for r, c in places):
        read = one.point_at(row, column)
        assert read["pixel"] == f"row {row}, column {column}"
        assert read["value"] == number_text(reduced[row, column], signed=True)
        assert re.findall(r"\d+", read["photo"]) == [f"{number:.0f}" for number in pixels[row, column]]
        assert read["channels"].split()[1::2] == [number_text(v, signed=True) for v in values[row, column]]
    assert recipe["method"] == "gradient_x_input()"
    assert parse("target", recipe["explained"]).id == "class_logit"


def test_files_have_the_look_on_screen(visit: Visit) -> None:
    one = visit().open(model="template", target="class_logit(2)")
    one.slide("opacity", 0.35)
    one.slide("threshold", 0.2)
    one.page.wait_for_url(re.compile("opacity%3D0.35.*threshold%3D0.2"))
    one.rest()
    values, pixels, recipe = one.numbers()
    made = SimpleNamespace(values=values, units=recipe["units"], kind=recipe["kind"], recipe=recipe)
    look = parse("look", one.address()["look"])
    assert one.download("Overlay PNG") == overlay_png(render(made, pixels.astype(np.uint8), look), SLIDE)
    assert one.download("Figure PDF").startswith(b"%PDF-")
    assert ElementTree.fromstring(one.download("Figure SVG")).tag.endswith("svg")


def block(top: int, left: int) -> np.ndarray:
    """Return the pixels that a 3x3 filter of ones around the middle of a block sees in a 4x4 picture."""
    seen = np.zeros((4, 4), np.float32)
    seen[max(0, top) : top + 3, max(0, left) : left + 3] = 1
    return seen


def press(one: Visitor, row: int, column: int, weights: list[list[Any]]) -> np.ndarray:
    """Press a cell of the output grid and return the pixel gradient once the target has these weights."""
    one.page.locator(".grid button.cell").nth(4 * row + column).click()
    one.wait_for_address(target=f"output_seed(weights={weights}, layer='output')")
    return one.numbers()[0][..., 0]


def test_a_cell_of_the_worked_example_shows_its_three_by_three_block(visit: Visit) -> None:
    one = visit().open(model="conv4x4")
    np.testing.assert_array_equal(one.numbers()[0][..., 0], block(0, 0))
    assert one.point_at(2, 2)["value"] == "+1"
    assert one.point_at(3, 3)["value"] == "0"
    both = press(one, 2, 2, [[1, 1, 0, 1.0], [2, 2, 0, 1.0]])
    np.testing.assert_array_equal(both, block(0, 0) + block(1, 1))
    np.testing.assert_array_equal(press(one, 1, 1, [[2, 2, 0, 1.0]]), block(1, 1))
    np.testing.assert_array_equal(press(one, 2, 2, [[0, 0, 0, 0.0]]), np.zeros((4, 4)))
    assert one.page.get_by_text("Every value is exactly 0").is_visible()
    corner = press(one, 3, 3, [[3, 3, 0, 1.0]])
    np.testing.assert_array_equal(corner, block(2, 2))


def test_two_visitors_at_once_get_their_own_answers(visit: Visit) -> None:
    ann = visit().open(model="digits", image="digit_3")
    bob = visit(fresh=True).open(model="template")
    for place in (1, 2, 1):
        wanted = {one: one.bar(place)[0] for one in (ann, bob)}
        for one in (ann, bob):
            one.page.locator("button.bar-row").nth(place).click()
        for one, index in wanted.items():
            one.wait_for_address(target=f"class_logit({index})")
            one.wait_for_heading(f"Gradient of the logit of class {index}")
    for one, model in ((ann, "digits"), (bob, "template")):
        values, _, recipe = one.numbers()
        assert values.shape == facts(model).input
        assert (recipe["model"], recipe["explained"]) == (model, one.address()["target"])
        assert f"Model: {model}" in one.facts


@pytest.mark.parametrize("path", ["", "reference"])
def test_a_phone_needs_no_sideways_scrolling(path: str, visit: Visit) -> None:
    one = visit(fresh=True, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True).open(path)
    assert one.too_wide() == 0
    if not path:
        box = one.canvas.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


@pytest.mark.parametrize(
    ("width", "height", "across"), [(1440, 900, 4), (1280, 720, 4), (390, 844, 2)], ids=str
)
def test_the_classic_figure_stands_in_straight_rows(
    width: int, height: int, across: int, visit: Visit
) -> None:
    one = visit(fresh=True, viewport={"width": width, "height": height}).open("recipe", model="digits")
    assert one.too_wide() == 0
    boxes = [image.bounding_box() for image in one.page.get_by_test_id("stMain").locator("img").all()]
    assert len(boxes) == 12
    assert len({round(box["width"]) for box in boxes}) == 1
    rows = [boxes[first : first + across] for first in range(0, 12, across)]
    lefts = [round(box["x"]) for box in rows[0]]
    assert lefts == sorted(set(lefts))
    for row in rows:
        assert [round(box["x"]) for box in row] == lefts
        assert len({round(box["y"]) for box in row}) == 1


def test_a_link_at_the_foot_takes_the_question_along_and_one_step_back_returns(visit: Visit) -> None:
    one = visit().open(model="digits", image="digit_7")
    before = one.page.url
    one.page.get_by_test_id("stPageLink").get_by_text("Classic figure").click()
    one.page.get_by_role("heading", name="One gradient, many pictures").wait_for()
    assert one.rest().address()["image"] == "digit_7"
    one.page.go_back()
    one.page.get_by_role("heading", name="Which pixels does the answer depend on?").wait_for()
    assert one.rest().page.url == before
    assert "Model: digits" in one.facts


def test_everything_to_press_or_fill_in_has_a_name(visit: Visit) -> None:
    one = visit().open(model="digits", target="layer_unit(layer='output', channel=3)")
    assert one.page.get_by_role("spinbutton").count() >= 1
    assert one.unnamed() == []
    one.open(model="conv4x4")
    assert one.page.locator(".grid button.cell").count() == 16
    assert one.unnamed() == []
    one.page.get_by_role("radio", name="Upload", exact=True).click()
    one.page.locator("input[type=file][accept*='.png']").wait_for(state="attached")
    assert one.unnamed() == []
    assert one.open("reference").unnamed() == []


def test_the_keyboard_alone_reaches_and_reads_the_picture(visit: Visit) -> None:
    one = visit().open(model="template")
    one.canvas.focus()
    one.page.keyboard.press("Home")
    one.page.keyboard.press("ArrowDown")
    where = one.page.locator("[data-field=pixel]").inner_text()
    assert re.fullmatch(r"row \d+, column 0", where)


def test_back_and_forward_of_the_browser_bring_the_maps_of_then(visit: Visit) -> None:
    one = visit().open(model="template", image="template_cross")
    first = one.address()
    second = one.explain_class(1)
    one.page.go_back()
    one.wait_for_address(target=first["target"])
    assert one.address() == first
    one.page.go_forward()
    one.wait_for_heading(f"Gradient of the logit of class {one.bar(1)[0]}")
    one.wait_for_address(target=f"class_logit({second})")


def test_the_foot_of_a_page_leads_on_and_the_view_comes_along(visit: Visit) -> None:
    one = visit().open(model="digits", image="digit_3")
    one.page.get_by_test_id("stMain").get_by_role("link", name="Pixel gradient").click()
    one.page.get_by_role("heading", name="From an output to the pixels").wait_for()
    one.rest()
    assert one.address()["image"] == "digit_3"
