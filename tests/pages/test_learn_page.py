"""The lesson answers with the numbers that the workers compute, however it is pressed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import asked, fine, settled

pytestmark = pytest.mark.engine
ONE_CELL = [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]
ALL_CELLS = [[4, 6, 6, 4], [6, 9, 9, 6], [6, 9, 9, 6], [4, 6, 6, 4]]


def words(page: AppTest) -> str:
    return " ".join(part.value for part in page.markdown).replace("\\", "")


def shown(panel: str) -> np.ndarray:
    result = asked()[panel].result
    assert result is not None
    return result.arrays["values"]


def press(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click()
    fine(settled(page))
    return page


def test_one_cell_all_cells_no_cell(visit: Callable[..., AppTest]) -> None:
    page = visit("pixel-gradient")
    fine(page)
    assert shown("lesson-outputs")[..., 0].tolist() == ALL_CELLS
    assert shown("lesson-seed")[..., 0].tolist() == ONE_CELL
    assert "Pixel (0, 0) reaches the chosen output, so its gradient is 1." in words(page)
    press(page, "lesson-all")
    assert shown("lesson-seed")[..., 0].tolist() == ALL_CELLS
    assert "Pixel (1, 1) reaches 9" in words(page)
    press(page, "lesson-clear")
    assert not shown("lesson-seed").any()
    assert "No output is chosen" in words(page)
    press(page, "lesson-one")
    assert shown("lesson-seed")[..., 0].tolist() == ONE_CELL


def test_weights_typed_into_cells(visit: Callable[..., AppTest]) -> None:
    page = visit("pixel-gradient")
    page.session_state["lesson-weights"] = [(1, 1, 1.0), (1, 2, -1.0)]
    fine(settled(page))
    assert shown("lesson-seed")[..., 0].tolist() == [[1, 0, 0, -1]] * 3 + [[0] * 4]
    assert "In 6 the weights cancel" in words(page)


@pytest.mark.parametrize("model", ["scenes", "digits", "conv4x4", "scenes_shortcut"])
def test_the_way_back_is_the_pixel_gradient(visit: Callable[..., AppTest], model: str) -> None:
    page = visit("pixel-gradient", model=model)
    fine(page)
    gradient, carried = shown("lesson-layer-map"), shown("lesson-way-back")
    assert np.abs(carried - gradient).max() <= 1e-5 * np.abs(gradient).max() > 0
    assert "rounding of 32-bit numbers" in words(page)


def test_the_channels_add_up_to_the_pixel_gradient(visit: Callable[..., AppTest]) -> None:
    page = visit("pixel-gradient", model="digits")
    gradient = shown("lesson-layer-map")
    page.segmented_control(key="lesson-whole").set_value("This channel only")
    parts = []
    for channel in range(len(page.selectbox(key="lesson-channel").options)):
        page.selectbox(key="lesson-channel").set_value(channel)
        fine(settled(page))
        parts.append(shown("lesson-way-back"))
    assert len(parts) == 16
    assert np.abs(sum(parts) - gradient).max() <= 1e-5 * np.abs(gradient).max()
    assert "The other 15 channels are missing." in words(page)


def test_model_and_image_are_those_of_the_session(visit: Callable[..., AppTest]) -> None:
    page = visit("pixel-gradient", model="template")
    assert page.selectbox(key="lesson-model").value == "digits"
    page.selectbox(key="lesson-image").set_value("digit_4")
    fine(settled(page))
    assert (page.query_params["model"], page.query_params["image"]) == ("digits", "digit_4")
    page.selectbox(key="lesson-model").set_value("scenes")
    fine(settled(page))
    assert page.query_params["model"] == "scenes"
    kernel = asked()["lesson-kernel"].result
    assert kernel is not None
    assert kernel.arrays["kernel"].shape == (4, 4, 3, 16)
