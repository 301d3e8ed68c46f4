"""Layers, units and output gradients on real workers: what is shown is what the address asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from saliency_core.grammar import parse
from saliency_core.models.anatomy import Layer
from tests.pages.conftest import asked, fine, settled

pytestmark = pytest.mark.engine
Visit = Callable[..., AppTest]


def result(panel: str) -> Any:
    found = asked()[panel].result
    assert found is not None
    return found


def said(page: AppTest, words: str) -> str:
    """Return the sentence on the page that has these words."""
    plain = [one.value.replace("\\", "") for one in page.markdown]
    return next(one for one in plain if words in one)


@pytest.mark.parametrize("model", ["scenes", "digits", "conv4x4", "template"])
def test_the_first_unit_is_the_strongest_of_its_layer(model: str, visit: Visit) -> None:
    page = visit("units", model=model, target="")
    fine(page)
    layer = Layer.from_json(result("units").message["layer"])
    values = result("units").arrays["values"]
    unit = parse("target", result("explain").message["recipe"]["explained"])
    place = (unit.row, unit.col, unit.channel) if layer.spatial else (unit.channel,)
    if model != "conv4x4":
        assert values[place] == values.max()
    assert said(page, "activation")


def test_a_link_reproduces_a_unit_and_its_box(visit: Visit) -> None:
    target = "layer_unit(layer='conv2', row=5, col=1, channel=3)"
    page = visit("units", model="scenes", image="scene_heart", target=target)
    fine(page)
    assert result("explain").message["recipe"]["target"] == target
    layer = Layer.from_json(result("units").message["layer"])
    top, left, bottom, right = layer.field.box(5, 1, (96, 96))
    assert f"rows {top} to {bottom - 1}, columns {left} to {right - 1}" in said(page, "It can see")
    assert "Outside, the gradient is exactly 0" in said(page, "It can see")
    values = np.array(result("explain").arrays["values"])
    values[top:bottom, left:right] = 0
    assert not values.any()
    assert page.query_params["target"] == target


def test_a_unit_goes_to_the_main_page_and_back(visit: Visit) -> None:
    page = visit("units", model="digits", image="digit_3", target="layer_unit(layer='dense', channel=9)")
    fine(page)
    page.button(key="to-explain").click()
    fine(settled(page))
    assert page.title[0].value.startswith("Which pixels")
    assert parse("target", page.query_params["target"]).channel == 9
    page.button(key="to-units").click()
    fine(settled(page))
    assert page.title[0].value == "Layers and units"
    assert result("explain").message["recipe"]["explained"] == (
        "layer_unit(layer='dense', row=0, col=0, channel=9)"
    )


@pytest.mark.parametrize(
    "target",
    [
        "layer_unit(layer='nowhere')",
        "layer_unit(layer='relu2', row=99)",
        "layer_channel(layer='relu3', channel=7)",
    ],
)
def test_odd_targets_get_a_sentence_or_the_nearest_unit(target: str, visit: Visit) -> None:
    page = visit("units", model="scenes", target=target)
    assert not page.exception
    if "nowhere" in target:
        assert "nowhere" in page.error[0].value
        return
    fine(page)
    unit = parse("target", result("explain").message["recipe"]["explained"])
    assert unit.layer == parse("target", target).layer
    assert unit.channel == parse("target", target).channel


def test_a_neuron_is_chosen_by_its_number(visit: Visit) -> None:
    page = visit("units", model="digits", target="layer_unit(layer='dense', channel=9)")
    page.number_input[0].set_value(4)
    fine(settled(page))
    assert parse("target", page.query_params["target"]).channel == 4


def test_classes_are_weighed_line_by_line(visit: Visit) -> None:
    page = visit("output-gradient", model="scenes", image="scene_heart")
    fine(page)
    page.button(key="line-pair").click()
    fine(settled(page))
    first = result("explain").message["predictions"][0]["index"]
    second = result("explain").message["predictions"][1]["index"]
    assert page.query_params["target"] == f"1.0*class_logit({first}) - 1.0*class_logit({second})"
    page.number_input(key="line-1-weight").set_value(-0.25)
    fine(settled(page))
    page.multiselect(key="line-1-classes").set_value([second, 0])
    fine(settled(page))
    wanted = f"1.0*class_logit({first}) - 0.25*class_logit({second}) - 0.25*class_logit(0)"
    assert page.query_params["target"] == result("explain").message["recipe"]["explained"] == wanted
    assert result("linearity").message["difference"] <= 1e-5
    assert "map(A - 0.25 B)" in said(page, "Linear:")
    page.button(key="line-0-remove").click()
    fine(settled(page))
    assert "class_logit(0)" in page.query_params["target"]
    assert f"class_logit({first})" not in page.query_params["target"]


def test_a_mask_is_painted_on_a_layer(visit: Visit) -> None:
    page = visit(
        "output-gradient", model="scenes", target="output_seed([[3, 4, 2, 1.0], [5, 5, 2, -2.0]], 'relu2')"
    )
    fine(page)
    assert result("linearity").message["difference"] <= 1e-5
    page.selectbox(key="mask-layer").select("pool4")
    fine(settled(page))
    target = parse("target", page.query_params["target"])
    values = result("units").arrays["values"]
    assert target.layer == "pool4"
    assert values[target.dense(values.shape) != 0] == [values.max()]


def test_painting_starts_from_the_strongest_cell(visit: Visit) -> None:
    page = visit("output-gradient", model="scenes")
    page.button_group(key="seed-way").set_value("mask")
    fine(settled(page))
    assert result("explain").arrays["values"].any()
    page.button_group(key="seed-way").set_value("classes")
    fine(settled(page))
    assert page.query_params["target"] == "top_class()"


def test_a_question_too_long_for_an_address_is_told(visit: Visit) -> None:
    page = visit("output-gradient", model="scenes")
    noise = np.random.default_rng(0).normal(size=(24, 24, 32)).astype(np.float32)
    from saliency_core.targets import OutputSeed

    page.session_state["view"] = {**page.session_state["view"], "target": OutputSeed(noise, "relu2").spelling}
    fine(settled(page))
    assert "target" not in page.query_params
    assert any("longer than the 8000 characters" in one.value for one in page.caption)
    assert result("linearity").message["difference"] <= 1e-5
