"""Networks that cannot be differentiated have scores, and black-box methods ask no more."""

from __future__ import annotations

import numpy as np
import pytest

from saliency_core import explain, open_model
from saliency_core.errors import ModelError
from tests.engine import broken

pytestmark = pytest.mark.engine
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

BLACK_BOX = (
    "occlusion(window=4)",
    "rise(masks=60, cells=3)",
    "lime(samples=60, segments=9)",
    "kernel_shap(samples=60, segments=9)",
)
TARGETS = ("top_class()", "class_logit(2)", "class_probability(1)")


def argmax(keras):
    """A convolution whose strongest channel is all that goes on, as its number."""
    numbers = broken._own(keras, "best", lambda tf, x: tf.cast(tf.argmax(x, -1)[..., None], tf.float32))
    return broken.sound(keras, between=[numbers])


CUT = {"rounded": broken.rounded, "cast": broken.cast, "argmax": argmax}


def opened(name):
    model = CUT[name](keras)
    image = np.random.default_rng(7).integers(0, 256, broken.SHAPE, dtype=np.uint8)
    return model, open_model(model, preprocessing="unit"), image


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("target", TARGETS)
def test_black_box_methods_work_and_answer_as_the_network_does(name, target):
    model, ours, image = opened(name)
    chances = model(image[None] / np.float32(255), training=False).numpy()[0]
    for method in BLACK_BOX:
        found = explain(ours, image, target, method)
        assert found.values.shape == broken.SHAPE[:2]
        assert np.abs(found.values).max() > 0
        assert [one.index for one in found.predictions] == list(np.argsort(-chances, kind="stable"))
        assert found.evidence is None
    if target == "class_probability(1)":
        assert found.score == pytest.approx(chances[1], abs=1e-6)
    if target == "top_class()":
        assert found.recipe["explained"] == f"class_logit({chances.argmax()})"


@pytest.mark.parametrize("name", CUT)
def test_a_gradient_is_still_refused_with_a_way_out(name):
    _, ours, image = opened(name)
    for target in TARGETS:
        for method in ("gradient()", "full_grad()"):
            with pytest.raises(ModelError, match=r"differentia.*occlusion"):
                explain(ours, image, target, method)


def test_what_cannot_be_traced_is_tried_once():
    _, ours, image = opened("rounded")
    explain(ours, image, "class_logit(0)", BLACK_BOX[0])
    before = ours.traces
    explain(ours, image, "class_logit(0)", BLACK_BOX[0])
    assert ours.traces == before


def test_a_drop_of_an_occluded_window_is_what_keras_answers():
    model, ours, image = opened("rounded")
    found = explain(ours, image, "class_probability(2)", "occlusion(window=6, stride=6, baseline=black())")
    for top in (0, 6):
        for left in (0, 6):
            hidden = image.copy()
            hidden[top : top + 6, left : left + 6] = 0
            pair = np.stack([image, hidden]) / np.float32(255)
            clean, without = model(pair, training=False).numpy()[:, 2]
            assert np.allclose(found.values[top : top + 6, left : left + 6], clean - without, atol=1e-6)
