"""How sure a map is, in figures made of its own numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from saliency_core.checks.certainty import certainty
from tests.view.test_panels import made


def test_the_figures_are_shares_of_the_maps_own_strength() -> None:
    values = np.array([[[3.0], [4.0]], [[0.0], [0.0]]], np.float32)
    error = np.array([[[1.0], [2.5]], [[0.0], [0.0]]], np.float32)
    found = certainty(replace(made(values), error=error))
    assert found["error"] == np.sqrt(1 + 2.5**2) / 5
    assert found["distinct"] == 1 / 4  # 3 > 2, but 4 < 5, and 0 is not larger than 0


def test_the_gap_counts_whatever_its_sign() -> None:
    one = made(np.ones((2, 2, 1), np.float32))
    assert certainty(one) == {}
    assert certainty(replace(one, facts={"gap_relative": -0.25, "gap": 3.0})) == {"gap_relative": 0.25}


def test_a_map_of_zeros_has_no_relative_error() -> None:
    nothing = np.zeros((2, 2, 1), np.float32)
    assert certainty(replace(made(nothing), error=nothing)) == {"distinct": 0.0}


def test_squares_are_never_told_from_noise() -> None:
    one = replace(made(np.ones((2, 2, 1), np.float32), kind="squared"), error=np.ones((2, 2, 1), np.float32))
    assert certainty(one) == {"error": 1.0}
