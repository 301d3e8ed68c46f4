"""The lesson answers with the numbers that the workers compute."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.engine


def words(page: AppTest) -> str:
    return " ".join(part.value for part in page.markdown)


def test_one_cell_all_cells_no_cell(visit: Callable[..., AppTest]) -> None:
    page = visit("pixel-gradient")
    assert "1 output is asked about, and 9 of 16 pixels reach them" in words(page)
    buttons = {button.label: button for button in page.button}
    buttons["All cells: no grad_ys"].click().run()
    assert "16 outputs are asked about, and 16 of 16 pixels" in words(page)
    assert "by +9" in words(page)
    {button.label: button for button in page.button}["Clear"].click().run()
    assert "the gradient is 0 everywhere" in words(page)


def test_the_way_back_is_the_pixel_gradient(visit: Callable[..., AppTest]) -> None:
    page = visit("pixel-gradient")
    assert any("Gradient of the kernels: 4 x 4 x 3 x 16" in part.value for part in page.subheader)
    said = next(part.value for part in page.markdown if "differ by at most" in part.value)
    gap = float(said.split("**")[1].replace("\\", ""))
    assert gap < 1e-5
