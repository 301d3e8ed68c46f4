"""Maps of regions on the main page: the layer is chosen from a list, what was read is told, blocks or smooth."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from saliency_core.grammar import parse
from tests.pages.conftest import asked, fine, settled

pytestmark = pytest.mark.engine
Visit = Callable[..., AppTest]


def message() -> dict:
    result = asked()["explain"].result
    assert result is not None
    return dict(result.message)


@pytest.mark.parametrize(
    "method",
    ["grad_cam()", "score_cam(channels=16)", "full_grad()", "smoothgrad(base=layer_cam(), samples=4)"],
)
def test_a_map_of_regions_is_shown_with_what_was_read(visit: Visit, method: str) -> None:
    page = visit(model="digits", image="digit_7", method=method)
    fine(page)
    assert message()["kind"] == "region"
    assert message()["recipe"]["method"] == parse("method", method).spelling
    shown = " ".join(one.value for one in (*page.caption, *page.markdown)).replace("\\", "")
    assert all(note.split(":")[0] in shown for note in message()["notes"])


def test_the_layer_is_chosen_among_the_model_s_feature_maps(visit: Visit) -> None:
    page = visit(model="digits", image="digit_7", method="grad_cam()")
    box = page.selectbox(key="method-grad_cam-layer")
    assert box.options[0].split()[0] == "auto"
    assert len(box.options) > 2
    first = box.options[1].split()[0]
    box.set_value(first)
    settled(page)
    fine(page)
    assert parse("method", message()["recipe"]["method"]).layer == first
    assert first in message()["notes"][0]


def test_a_coarse_map_can_be_shown_in_blocks(visit: Visit) -> None:
    page = visit(model="digits", image="digit_7", method="grad_cam()")
    page.toggle(key="look-smooth").set_value(False)
    settled(page)
    fine(page)
    assert parse("look", page.session_state["view"]["look"]).smooth is False
    for method in ("gradient()", "occlusion()", "full_grad()"):  # a number for every pixel
        plain = visit(model="digits", image="digit_7", method=method)
        assert "look-smooth" not in [one.key for one in plain.toggle]


def test_no_more_channels_are_offered_than_the_layer_has(visit: Visit) -> None:
    few = visit(model="digits", image="digit_7", method="score_cam(channels=8)")
    assert "continue" in [one.key for one in few.button]
    whole = visit(model="digits", image="digit_7", method="score_cam()")
    assert message()["done"] == message()["total"] == 64
    assert "continue" not in [one.key for one in whole.button]
