"""The main page on real workers: what a visitor asks is what is computed, and an address reproduces it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from saliency_core.grammar import parse
from tests.pages.conftest import asked, fine, settled

pytestmark = pytest.mark.engine
Visit = Callable[..., AppTest]


def recipe() -> dict[str, Any]:
    """Return the recipe of the map on the page."""
    result = asked()["explain"].result
    assert result is not None
    found: dict[str, Any] = result.message["recipe"]
    return found


def values() -> np.ndarray:
    result = asked()["explain"].result
    assert result is not None
    return np.asarray(result.arrays["values"])


def says(page: AppTest) -> str:
    """Return the sentence over the map, as it is shown."""
    return next(one.value for one in page.markdown if "level more" in one.value).replace("\\", "")


def test_the_first_page_is_a_finished_explanation(visit: Visit) -> None:
    page = visit()
    fine(page)
    assert "The network says" in says(page)
    assert any("Checked:" in one.value and ":green[" in one.value for one in page.markdown)
    assert recipe()["method"] == "gradient()"
    assert page.query_params["model"] == recipe()["model"]


def test_an_address_reproduces_the_explanation(visit: Visit) -> None:
    page = visit(model="digits", image="digit_7", target="class_logit(3)", method="gradient_x_input()")
    fine(page)
    address, first, said = dict(page.query_params), values(), says_of_contribution(page)
    assert (recipe()["explained"], recipe()["method"]) == ("class_logit(3)", "gradient_x_input()")
    again = visit(**address)
    assert dict(again.query_params) == address
    assert says_of_contribution(again) == said
    np.testing.assert_array_equal(values(), first)


def says_of_contribution(page: AppTest) -> str:
    return next(one.value for one in page.markdown if "contribution" in one.value)


def test_every_change_is_in_the_address(visit: Visit) -> None:
    page = visit(model="template")
    page.selectbox(key="target-kind").select("class_difference")
    settled(page)
    assert parse("target", page.query_params["target"]).id == "class_difference"
    page.selectbox(key="model").select("digits")
    settled(page)
    assert (page.query_params["model"], page.query_params["target"]) == ("digits", "top_class()")
    fine(page)


@pytest.mark.parametrize(
    "query",
    [
        {"model": "../../etc/passwd"},
        {"image": "https://evil.example/a.png"},
        {"target": "__import__('os').system('id')"},
        {"target": "(" * 4000},
        {"method": "<script>alert(1)</script>"},
        {"fit": "![x](http://evil.example/a.png)"},
        {"look": "look(clip=-1)"},
        {"model": "digits", "target": "class_logit(10)"},
        {"image": "own"},
    ],
    ids=lambda query: "-".join(query),
)
def test_a_hostile_address_gets_a_warning_and_an_explanation(query: dict[str, str], visit: Visit) -> None:
    page = visit(**query, nonsense="1")
    fine(page)
    assert len(page.warning) == 1
    assert says(page)
    assert set(page.query_params) == {"model", "image", "target", "method", "fit", "look"}


def test_a_layer_that_does_not_exist_is_told_and_the_page_offers_a_way_on(visit: Visit) -> None:
    page = visit(model="digits", target="layer_unit(layer='<b>nowhere</b>')")
    assert not page.exception
    assert len(page.error) == 1
    assert r"\<b\>nowhere" in page.error[0].value
    page.button[0].click()
    fine(settled(page))
    assert recipe()["target"] == "top_class()"


def test_the_worked_example_gives_its_three_by_three_ones(visit: Visit) -> None:
    page = visit(model="conv4x4")
    fine(page)
    expected = [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]
    assert values()[..., 0].tolist() == expected
    assert asked()["units"].state == "done"


@pytest.mark.parametrize(
    "target", ["layer_unit(layer='output', row=3, col=3)", "output_seed([[3, 3, 0, 0.5]])"]
)
def test_another_cell_of_the_worked_example(target: str, visit: Visit) -> None:
    fine(visit(model="conv4x4", target=target))
    corner = np.zeros((4, 4))
    corner[2:, 2:] = 1.0 if target.startswith("layer") else 0.5
    np.testing.assert_array_equal(values()[..., 0], corner)


def test_a_gray_model_after_one_channel_of_a_colour_model(visit: Visit) -> None:
    page = visit(model="template", look="look(reduce='channel', channel=2)")
    fine(page)
    page.selectbox(key="model").select("digits")
    fine(settled(page))
    assert recipe()["model"] == "digits"


def photograph(width: int, height: int) -> bytes:
    """Return a JPEG whose camera was held upright: stored on its side, orientation 6 in EXIF."""
    ramp = np.linspace(0, 255, width * height, dtype=np.uint8).reshape(height, width)
    lying = Image.fromarray(np.stack([ramp, ramp.T.reshape(height, width), 255 - ramp], axis=2))
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    lying.save(out, "JPEG", quality=95, exif=exif)
    return out.getvalue()


def upload(page: AppTest, name: str, data: bytes) -> AppTest:
    page.button_group(key="source").set_value("Upload")
    settled(page)
    page.file_uploader(key="upload").set_value((name, data, "image/jpeg"))
    return settled(page)


def test_an_uploaded_photograph_is_explained_upright_under_its_own_numbers(visit: Visit) -> None:
    page = upload(visit(), "holiday.jpg", photograph(2000, 1200))
    fine(page)
    assert page.query_params["image"] == "own"
    assert recipe()["image"] == "holiday.jpg"
    assert recipe()["image_facts"].startswith("1200x2000 px, mean ")
    line = next(one.value for one in page.caption if "holiday" in one.value).replace("\\", "")
    assert recipe()["image_facts"] in line


def test_a_bad_upload_leaves_the_explanation_alone(visit: Visit) -> None:
    page = visit()
    before = recipe()
    upload(page, "notes.png", b"these are notes")
    assert recipe() == before
    assert not page.exception


def test_an_address_with_an_own_picture_opens_on_the_gallery(visit: Visit) -> None:
    page = upload(visit(), "holiday.jpg", photograph(300, 200))
    other = visit(**dict(page.query_params))
    fine(other)
    assert other.query_params["image"] != "own"
