"""The map of a weighted sum of targets is the weighted sum of their maps, on every kind of target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from saliency_core import explain, open_model
from saliency_core.checks.linearity import linearity
from saliency_core.errors import SettingError
from saliency_core.targets import ClassLogit, ClassProbability, LayerChannel, LayerUnit, OutputSeed, Target

pytestmark = pytest.mark.engine
GALLERY = Path(__file__).parents[2] / "assets" / "gallery"
CASES = {
    "digits": ("digit_7.png", LayerUnit("conv3", 3, 3, 5), ClassLogit(7)),
    "scenes": ("scene_heart.png", ClassLogit(2), LayerChannel("conv4", 11)),
    "template": ("template_cross.png", ClassLogit(0), ClassLogit(2)),
    "conv4x4": ("ones_4x4.png", OutputSeed(np.eye(4)[..., None]), OutputSeed([[0, 3, 0, 1.0]])),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("a", "b"), [(1.0, -1.0), (2.5, 0.125), (-3.0, 40.0)])
def test_the_map_of_a_sum_is_the_sum_of_the_maps(name: str, a: float, b: float) -> None:
    file, first, second = CASES[name]
    model, image = open_model(name), GALLERY / file
    whole, one, other = (
        explain(model, image, target).values for target in (a * first + b * second, first, second)
    )
    assert np.abs(whole).max() > 0
    terms = a * one.astype(np.float64), b * other.astype(np.float64)
    assert np.abs(whole - sum(terms)).max() <= 1e-5 * max(np.abs(term).max() for term in terms)
    found = linearity(model, image, [(a, first), (b, second)])
    assert found.good
    assert found.largest == np.abs(whole).max()


def test_a_group_of_classes_has_one_weight() -> None:
    model, image = open_model("scenes"), GALLERY / "scene_ring.png"
    group: Target = ClassLogit(1)
    for index in (4, 6, 7):
        group = group + ClassLogit(index)
    maps = [explain(model, image, ClassLogit(index)).values for index in (1, 4, 6, 7)]
    whole = explain(model, image, 0.25 * group).values
    assert np.abs(whole - np.mean(maps, 0)).max() <= 1e-5 * np.abs(maps).max()


def test_a_map_that_is_not_linear_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from saliency_core.checks import linearity as here

    def squared(*given: object, **settings: object) -> object:
        made = explain(*given, **settings)
        object.__setattr__(made, "values", made.values * np.abs(made.values))
        return made

    monkeypatch.setattr(here, "explain", squared)
    model, image = open_model("template"), GALLERY / "template_cross.png"
    assert not linearity(model, image, [(1.0, ClassLogit(0)), (1.0, ClassProbability(1))]).good
    with pytest.raises(SettingError):
        linearity(model, image, [])
