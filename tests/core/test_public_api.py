"""What the README promises: one door, many kinds of image, a result with everything beside it."""

from __future__ import annotations

import io
import json

import numpy as np
import PIL.Image
import pytest

from saliency_core import explain, methods, open_model, targets
from saliency_core.gallery import for_model, sample
from saliency_core.models.known import conv4x4_gradient, template_weights
from saliency_core.models.opening import bundled_cards

pytestmark = pytest.mark.engine


def test_image_as_path_bytes_pil_or_array_is_the_same_map(tmp_path):
    data = sample("digit_3").read()
    path = tmp_path / "three.png"
    path.write_bytes(data)
    picture = PIL.Image.open(io.BytesIO(data))
    ways = (path, str(path), data, picture, np.asarray(picture))
    maps = [explain("digits", way, "class_logit(3)").values for way in ways]
    assert all(np.array_equal(maps[0], one) for one in maps[1:])


def test_objects_and_spellings_are_the_same_question():
    data = sample("digit_3").read()
    spelled = explain("digits", data, "class_logit(0)", "gradient_x_input()")
    built = explain(open_model("digits"), data, targets.ClassLogit(0), methods.GradientXInput())
    assert np.array_equal(spelled.values, built.values)
    assert spelled.recipe == built.recipe
    assert spelled.units == "logit"
    assert "class_logit(0)" in spelled.recipe["target"]


def test_model_tells_what_it_is_and_what_it_sees():
    model = open_model("scenes")
    data = sample("scene_star").read()
    seen = model.prepare(data)
    assert seen.dtype == np.float32
    assert seen.shape == (96, 96, 3)
    assert 0 <= seen.min() <= seen.max() <= 255
    ranked = model.classify(data)
    assert ranked[0].label == "star"
    assert [one.logit for one in ranked] == sorted((one.logit for one in ranked), reverse=True)
    assert sum(one.probability for one in ranked) == pytest.approx(1.0, abs=1e-5)
    assert {"conv1", "logits", "probabilities"} <= {layer.name for layer in model.layers}
    assert model.card.head.startswith("softmax; logit: input of Softmax")
    json.dumps(model.card.facts())


def test_result_carries_its_recipe(tmp_path):
    made = explain("digits", sample("digit_3").read())
    assert made.recipe["target"] == "top_class()"
    assert made.recipe["explained"] == "class_logit(3)"
    with np.load(io.BytesIO(made.to_npz())) as kept:
        assert np.array_equal(kept["values"], made.values)
        assert json.loads(str(kept["recipe"]))["model_sha256"] == open_model("digits").card.digest
    assert not made.values.flags.writeable


@pytest.mark.parametrize("name", bundled_cards())
def test_evidence_is_below_one_in_a_thousand_on_every_shipped_model(name):
    for one in for_model(name)[:3]:
        target = "top_class()" if open_model(name).card.classes else "layer_unit('output', 1, 1, 0)"
        for method in ("gradient()", "gradient_x_input()"):
            found = explain(name, one.read(), target, method).evidence
            assert found.error < 1e-3, (one.id, method, found)
            assert found.precision == "float64"


def test_answers_known_on_paper():
    seed = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    found = explain("conv4x4", sample("ones_4x4").read(), targets.OutputSeed(seed[..., None]))
    assert np.allclose(found.values[..., 0], conv4x4_gradient(seed), rtol=1e-6, atol=1e-6)
    for k in range(3):
        made = explain("template", sample("template_disc").read(), targets.ClassLogit(k))
        assert np.array_equal(made.values, template_weights()[k])


def test_the_shortcut_gives_itself_away():
    """The gradient of the shortcut model points at the mark far more than that of the honest model."""
    one = sample("star_marked")
    top, left, bottom, right = one.scene().mark_box

    def share(name):
        size = np.abs(explain(name, one.read()).values).sum(-1)
        return size[top:bottom, left:right].sum() / size.sum()

    assert share("scenes_shortcut") > 5 * share("scenes")
