"""The code on the Learn page does what the page says."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "content" / "pixel_gradient" / "example.py"
REACHED = [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]


@pytest.mark.engine
def test_the_example_gives_the_gradient_it_promises(capsys):
    names = runpy.run_path(str(EXAMPLE))
    for way in ("with_a_tape", "pixel_gradient"):
        assert np.array_equal(np.asarray(names[way])[0, :, :, 0], REACHED), way
    printed = capsys.readouterr().out
    assert np.array_equal(
        np.array(printed.replace("[", " ").replace("]", " ").split(), int).reshape(4, 4), REACHED
    )
