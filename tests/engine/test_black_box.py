"""Black-box methods on real graphs: stopped and continued, shared between chunks, they give the same bytes."""

from __future__ import annotations

import numpy as np
import pytest

from saliency_core import explain, open_model
from saliency_core.gallery import sample

pytestmark = pytest.mark.engine
pytest.importorskip("tensorflow")

COUNTED = ("rise(masks={})", "lime(samples={})", "kernel_shap(samples={})")
IMAGES = {"digits": "digit_3", "scenes": "scene_star"}


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("method", COUNTED)
@pytest.mark.parametrize(("half", "whole"), [(25, 50), (26, 51), (13, 14)])
def test_more_samples_go_on_to_the_same_bytes(name, method, half, whole):
    model, image = open_model(name), sample(IMAGES[name]).read()
    begun = explain(model, image, method=method.format(half))
    gone_on = explain(model, image, method=method.format(whole), resume=begun)
    at_once = explain(model, image, method=method.format(whole))
    assert gone_on.values.tobytes() == at_once.values.tobytes()
    assert gone_on.error.tobytes() == at_once.error.tobytes()


@pytest.mark.parametrize("name", IMAGES)
def test_a_stopped_occlusion_goes_on_to_the_same_bytes(name):
    """With windows enough for several rounds, however many points go at once on this machine."""
    model, image, sketches = open_model(name), sample(IMAGES[name]).read(), []
    method, done = {"digits": "occlusion(window=4, stride=1)", "scenes": "occlusion(stride=4)"}[name], []
    at_once = explain(
        model,
        image,
        method=method,
        on_sketch=sketches.append,
        on_progress=lambda points, cost: done.append((points, cost)),
    )
    assert done[-1][0] == done[-1][1] == at_once.total + 1
    assert len(sketches) > 2
    for begun in (sketches[0], sketches[-1]):
        gone_on = explain(model, image, method=method, resume=begun)
        assert gone_on.values.tobytes() == at_once.values.tobytes()


def test_occlusion_on_a_model_of_one_fixed_batch_is_the_plain_forward():
    """The drop is what two forward passes differ by, to float32."""
    model, image = open_model("digits"), sample("digit_3").read()
    found = explain(model, image, method="occlusion(window=28, stride=28, baseline=black())")
    point = model.prepare(image)
    clean, hidden = (model.head_values(one[None])[0][0] for one in (point, np.zeros_like(point)))
    best = int(clean.argmax())
    assert np.allclose(found.values, clean[best] - hidden[best], rtol=1e-5)
