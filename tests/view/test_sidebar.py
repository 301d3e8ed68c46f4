"""The four questions: what is offered for which model, and what an answer does to the view."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from saliency_core.grammar import parse
from saliency_core.models.opening import menu
from saliency_core.targets import Target
from saliency_view import pictures, state
from saliency_view.sidebar import sidebar
from saliency_view.state import OWN

LAYERS = [
    {"name": "conv1", "shape": [14, 14, 8]},
    {"name": "conv2", "shape": [5, 6, 16]},
    {"name": "dense", "shape": [32]},
]
CLASSIFIER = ["top_class", "class_logit", "class_probability", "class_difference"]
INNER = ["layer_unit", "layer_channel", "output_seed"]


def page() -> None:
    from tests.view import test_sidebar as here

    here.draw()


def draw() -> None:
    """Draw the sidebar as a page does, with the layers that the test says are known."""
    view = state.current()
    st.session_state["seen"] = view
    sidebar(view, [], st.session_state.get("layers", LAYERS))
    st.session_state["facts"] = pictures.facts_of(view)


def opened(**address: str) -> AppTest:
    made = AppTest.from_function(page, default_timeout=20)
    for name, value in {"model": "digits", **address}.items():
        made.query_params[name] = value
    return shown(made)


def shown(page: AppTest) -> AppTest:
    page.run()
    assert not page.exception, page.exception[0].stack_trace
    return page


def target(page: AppTest) -> Target:
    found: Target = parse("target", page.session_state["view"]["target"])
    return found


def pick(page: AppTest, key: str, value: Any) -> AppTest:
    page.selectbox(key=key).select(value)
    return shown(shown(page))


def kinds(page: AppTest) -> list[str]:
    """Return the titles of the kinds of target that are offered."""
    return list(page.selectbox(key="target-kind").options)


def titles(ids: list[str]) -> list[str]:
    from saliency_core.registry import table

    return [table("target")[id].title for id in ids]


def test_a_classifier_offers_classes_and_units() -> None:
    assert kinds(opened()) == titles(CLASSIFIER + INNER)


def test_a_model_without_classes_offers_units_only() -> None:
    assert kinds(opened(model="conv4x4")) == titles(INNER)


def test_before_the_model_is_open_only_what_is_known_is_offered() -> None:
    made = AppTest.from_function(page, default_timeout=20)
    made.query_params["model"] = "digits"
    made.session_state["layers"] = []
    assert kinds(shown(made)) == titles([*CLASSIFIER, "output_seed"])


@pytest.mark.parametrize("id", CLASSIFIER + INNER)
def test_every_kind_starts_from_something_that_suits_the_model(id: str) -> None:
    made = pick(opened(), "target-kind", id)
    assert target(made).id == id
    assert made.selectbox(key="target-kind").value == id
    assert not made.error


def test_a_kind_starts_from_what_the_network_says() -> None:
    made = opened()
    made.session_state["top_classes"] = [7, 2]
    assert pick(made, "target-kind", "class_logit").session_state["view"]["target"] == "class_logit(7)"
    assert (
        target(pick(made, "target-kind", "class_difference")).spelling == "class_difference(this=7, that=2)"
    )


def test_a_class_is_chosen_by_its_name() -> None:
    made = opened(model="template", target="class_logit(0)")
    listed = made.selectbox(key="target-class_logit-index")
    assert list(listed.options) == ["disc (0)", "cross (1)", "frame (2)"]
    assert target(pick(made, "target-class_logit-index", 2)).spelling == "class_logit(2)"


def test_rows_columns_and_channels_end_where_the_layer_ends() -> None:
    made = opened(target="layer_unit(layer='conv2', row=4, col=5, channel=15)")
    ends = {one.key.rsplit("-", 1)[1]: one.max for one in made.number_input}
    assert ends == {"row": 4, "col": 5, "channel": 15}


@pytest.mark.parametrize(("layer", "expected"), [("conv2", (4, 5, 7)), ("dense", (0, 0, 7))])
def test_a_smaller_layer_pulls_the_unit_in(layer: str, expected: tuple[int, ...]) -> None:
    made = opened(target="layer_unit(layer='conv1', row=13, col=13, channel=7)")
    found: Any = target(pick(made, "target-layer_unit-layer", layer))
    assert (found.layer, found.row, found.col, found.channel) == (layer, *expected)


@pytest.mark.parametrize("spelling", ["layer_unit(layer='x', row=3)", "layer_channel(layer='x', channel=2)"])
def test_a_link_to_a_layer_is_shown_before_the_model_is_open(spelling: str) -> None:
    made = AppTest.from_function(page, default_timeout=20)
    made.query_params["model"] = "digits"
    made.query_params["target"] = spelling
    made.session_state["layers"] = []
    listed = [one for one in shown(made).selectbox if one.key.endswith("-layer")]
    assert [one.value for one in listed] == ["x"]
    assert target(made) == parse("target", spelling)


def test_a_combination_from_a_link_is_named_once_and_can_be_left() -> None:
    made = opened(target="class_logit(3) - 0.5*class_logit(8)")
    assert made.selectbox(key="target-kind").value == "combined"
    assert sum("class\\_logit" in one.value for one in made.caption) == 1
    assert target(pick(made, "target-kind", "top_class")).id == "top_class"
    assert "Combination" not in kinds(made)


def test_every_model_of_the_menu_can_be_chosen_and_says_what_it_is() -> None:
    made = opened()
    assert len(made.selectbox(key="model").options) == len(menu())
    pick(made, "model", "template")
    assert made.session_state["view"]["model"] == "template"
    assert any("32 x 32 x 3" in one.value for one in made.caption)


def test_method_and_fit_change_the_view() -> None:
    made = pick(opened(), "method", "gradient_x_input")
    assert made.session_state["view"]["method"] == "gradient_x_input()"
    pick(made, "fit", "stretch")
    assert made.session_state["view"]["fit"] == "stretch"


def test_a_method_s_layer_is_one_of_the_model_s_feature_maps_or_auto() -> None:
    made = pick(opened(), "method", "grad_cam")
    box = made.selectbox(key="method-grad_cam-layer")
    assert [shown.split()[0] for shown in box.options] == ["auto", "conv1", "conv2"]
    assert "5 x 6 x 16" in box.options[2]
    pick(made, "method-grad_cam-layer", "conv1")
    assert parse("method", made.session_state["view"]["method"]).layer == "conv1"


def test_the_layer_of_a_wrapped_method_is_offered_too() -> None:
    made = opened(method="smoothgrad(base=grad_cam(layer='conv2'))")
    key = "method-smoothgrad-base-grad_cam-layer"
    assert made.selectbox(key=key).value == "conv2"
    pick(made, key, "auto")
    assert parse("method", made.session_state["view"]["method"]).base.layer == "auto"


def test_a_layer_in_the_address_stays_while_the_model_is_not_open_yet() -> None:
    made = AppTest.from_function(page, default_timeout=20)
    made.query_params["model"], made.query_params["method"] = "digits", "grad_cam(layer='conv2')"
    made.session_state["layers"] = []
    shown(made)
    assert made.selectbox(key="method-grad_cam-layer").value == "conv2"
    assert parse("method", made.session_state["view"]["method"]).layer == "conv2"


def png(width: int, height: int, colour: tuple[int, int, int] = (10, 20, 30)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "PNG")
    return out.getvalue()


def upload(page: AppTest, name: str, data: bytes) -> AppTest:
    if page.session_state["source"] != "Upload":
        page.button_group(key="source").set_value("Upload")
        shown(page)
    page.file_uploader(key="upload").set_value((name, data, "image/png"))
    return shown(page)


def test_an_upload_becomes_the_picture_with_its_own_facts() -> None:
    made = upload(opened(), "mine.png", png(40, 30, (10, 20, 33)))
    assert made.session_state["view"]["image"] == OWN
    assert made.session_state["facts"].startswith("mine.png, SHA-256 ")
    assert made.session_state["facts"].endswith("40x30 px, mean 21.00")


@pytest.mark.parametrize(
    ("name", "data"),
    [("text.png", b"this is no picture"), ("cut.png", png(300, 300)[:-60]), ("empty.png", b"")],
)
def test_a_bad_upload_is_told_and_the_old_picture_stays(name: str, data: bytes) -> None:
    made = upload(opened(), "good.png", png(40, 30))
    before = made.session_state["facts"]
    upload(made, name, data)
    assert len(made.error) == 1
    assert name.replace(".", "\\.") in made.error[0].value
    assert made.session_state["facts"] == before
    assert len(shown(made).error) == 1  # until something else is done
    assert not upload(made, "better.png", png(50, 50)).error
    assert made.session_state["facts"] != before


def test_the_numbers_of_a_shrunk_picture_are_those_of_the_file() -> None:
    wide = np.zeros((100, 4000, 3), np.uint8)
    wide[:, ::2] = 255
    out = io.BytesIO()
    Image.fromarray(wide).save(out, "PNG")
    made = upload(opened(), "wide.png", out.getvalue())
    assert made.session_state["facts"].endswith("4000x100 px, mean 127.50")


@pytest.mark.parametrize(
    ("target", "button"),
    [
        ("output_seed([[1, 1, 0, 1.0]], 'conv1')", "to-output-gradient"),
        ("class_logit(1) - 0.5*class_logit(2)", "to-output-gradient"),
        ("layer_unit(layer='conv1')", "to-units"),
        ("layer_channel(layer='conv1')", "to-units"),
        ("class_logit(1)", None),
    ],
)
def test_questions_with_a_page_of_their_own_lead_there(target: str, button: str | None) -> None:
    keys = [one.key for one in opened(target=target).button]
    assert [key for key in keys if key and key.startswith("to-")] == ([button] if button else [])


def test_a_long_weighting_is_shortened() -> None:
    rows = [[row, col, 0, 1.0] for row in range(10) for col in range(10)]
    said = [one.value for one in opened(target=f"output_seed({rows}, 'conv1')").caption]
    assert any(one.endswith("…") and len(one) < 600 for one in said)
