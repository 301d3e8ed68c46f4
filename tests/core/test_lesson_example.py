"""The code on the Learn page does what the page says, and prints what the page shows."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

LESSON = Path(__file__).parents[2] / "content" / "pixel_gradient"
ONE_CELL = [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]
ALL_CELLS = [[4, 6, 6, 4], [6, 9, 9, 6], [6, 9, 9, 6], [4, 6, 6, 4]]


@pytest.mark.engine
def test_the_example_gives_the_gradients_it_promises(capsys):
    names = runpy.run_path(str(LESSON / "example.py"))
    for way, expected in {"by_tape": ONE_CELL, "by_graph": ONE_CELL, "without_grad_ys": ALL_CELLS}.items():
        assert np.asarray(names[way])[0, :, :, 0].tolist() == expected, way
    assert capsys.readouterr().out == (LESSON / "example_output.txt").read_text(encoding="utf-8")
