"""Sampling and path methods on real graphs: cut anywhere, gone on with, shared, nested."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from saliency_core import explain, open_model
from saliency_core.engine import probe as engine_probe
from saliency_core.errors import SettingError
from saliency_core.gallery import sample
from saliency_core.workers.report import Report
from saliency_core.workers.tasks import TASKS, SharingProbe

pytestmark = pytest.mark.engine

CASES = {"digits": ("digit_7", "class_logit(7)"), "scenes": ("scene_star", "top_class()")}
LONGER = {
    "smoothgrad(samples=25)": "smoothgrad(samples=50)",
    "smoothgrad(samples=25, base=grad_cam())": "smoothgrad(samples=50, base=grad_cam())",
    "smoothgrad(samples=9, base=integrated_gradients(steps=4))": (
        "smoothgrad(samples=13, base=integrated_gradients(steps=4))"
    ),
    "vargrad(samples=25)": "vargrad(samples=26)",
    "integrated_gradients(steps=25)": "integrated_gradients(steps=75)",
    "expected_gradients(samples=25)": "expected_gradients(samples=50)",
    "xrai(base=integrated_gradients(steps=25))": "xrai(base=integrated_gradients(steps=75))",
    "xrai(base=smoothgrad(samples=25))": "xrai(base=smoothgrad(samples=50))",
}


class Stopped(Exception):
    """Raised by the test in the middle of a run."""


class Alone(Report):
    """A report that computes all pieces itself, as a worker does that nobody helps."""

    def __init__(self):
        super().__init__(TASKS)


def asked(name):
    image, target = CASES[name]
    return open_model(name), sample(image).read(), target


@pytest.mark.parametrize("few", LONGER)
@pytest.mark.parametrize("name", CASES)
def test_a_run_gone_on_with_is_a_run_in_one_go_bit_for_bit(name, few):
    model, image, target = asked(name)
    begun = explain(model, image, target, few)
    longer = explain(model, image, target, LONGER[few], resume=begun)
    whole = explain(model, image, target, LONGER[few])
    assert longer.values.tobytes() == whole.values.tobytes()
    assert longer.done == whole.done > begun.done
    if whole.error is not None:
        assert longer.error.tobytes() == whole.error.tobytes()


@pytest.mark.parametrize(
    "method",
    [
        "smoothgrad(samples=150)",
        "integrated_gradients(steps=150)",
        "guided_ig(steps=110)",
        "blur_ig(steps=110)",
        "xrai(base=integrated_gradients(steps=150))",
        "xrai(base=guided_ig(steps=110))",
    ],
)
def test_a_run_stopped_after_any_round_goes_on_to_the_same_bytes(method):
    model, image, target = asked("scenes")
    sketches = []
    whole = explain(model, image, target, method, on_sketch=sketches.append)
    assert sketches
    for begun in (sketches[0], sketches[len(sketches) // 2], sketches[-1]):
        assert explain(model, image, target, method, resume=begun).values.tobytes() == whole.values.tobytes()


@pytest.mark.parametrize(
    "method",
    [
        "smoothgrad(samples=26)",
        "integrated_gradients(steps=51)",
        "xrai(base=integrated_gradients(steps=51))",
    ],
)
def test_sharing_the_work_changes_no_bit(method):
    model, image, target = asked("scenes")
    shared = explain(
        model,
        image,
        target,
        method,
        around=lambda probe, frozen: SharingProbe(probe, "scenes", frozen.spelling, Alone()),
    )
    assert shared.values.tobytes() == explain(model, image, target, method).values.tobytes()


def test_calls_side_by_side_change_no_bit(monkeypatch):
    model, image, _ = asked("scenes")
    probe = model.probe("class_logit(3)")
    batch = model.prepare(image)[None] + np.arange(3 * probe.rows + 2, dtype=np.float32)[:, None, None, None]
    found = []
    for count in (1, 2):
        monkeypatch.setattr(engine_probe, "lanes", lambda count=count: count)
        found.append(probe.gradient(batch))
    assert np.array_equal(*found)


def test_without_noise_the_map_is_the_gradient():
    model, image, target = asked("digits")
    plain = explain(model, image, target).values
    smooth = explain(model, image, target, "smoothgrad(samples=4, noise=0)").values
    assert np.abs(smooth - plain).max() <= 1e-6 * np.abs(plain).max()


@pytest.mark.parametrize("name", CASES)
def test_the_gap_is_small_and_closes(name):
    model, image, target = asked(name)
    made = {n: explain(model, image, target, f"integrated_gradients(steps={n})") for n in (15, 1215)}
    assert abs(made[1215].facts["gap"]) < abs(made[15].facts["gap"]) / 10  # kinks: no better than steps, 81
    values, facts = made[1215].values.astype(np.float64), made[1215].facts
    rounding = np.abs(values).sum() * 2.0**-24  # of the map to float32
    assert abs(facts["whole"] - values.sum() - facts["gap"]) <= rounding
    adapted = explain(model, image, target, "integrated_gradients(steps=5, tolerance=0.5)")
    assert adapted.facts["gap_relative"] <= 5e-3


def test_two_graphs_of_the_same_function_have_the_same_maps():
    """Implementation invariance: logits, and the same logits doubled and taken away once."""
    import keras

    keras.utils.set_random_seed(3)
    pixels = keras.Input((8, 9, 3))
    hidden = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(pixels))
    dense = keras.layers.Dense(5)
    out = dense(keras.layers.GlobalAveragePooling2D()(hidden))
    twice = keras.layers.Lambda(lambda z: 2 * z - z)(out)
    one, other = (open_model(keras.Model(pixels, end), preprocessing="raw") for end in (out, twice))
    image = np.random.default_rng(4).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    for method in (
        "gradient()",
        "smoothgrad(samples=5)",
        "integrated_gradients(steps=9)",
        "blur_ig(steps=9)",
    ):
        maps = [explain(model, image, "class_logit(2)", method).values for model in (one, other)]
        assert np.abs(maps[0] - maps[1]).max() <= 1e-5 * np.abs(maps[0]).max()


@pytest.mark.parametrize(
    "method",
    [
        "integrated_gradients(steps=6)",
        "blur_ig(steps=6)",
        "guided_ig(steps=6)",
        "xrai(base=integrated_gradients(steps=6))",
    ],
)
def test_a_map_that_claims_to_be_longer_than_can_be_is_refused(method):
    model, image, target = asked("digits")
    begun = explain(model, image, target, method)
    with pytest.raises(SettingError, match="cannot be continued"):
        explain(model, image, target, method, resume=dataclasses.replace(begun, done=10**9))
