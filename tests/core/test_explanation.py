"""The one door, on models whose numbers are known on paper: no TensorFlow here."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from saliency_core import explain
from saliency_core.attribution import Prediction
from saliency_core.checks.differences import GOOD
from saliency_core.errors import ImageError, NotFiniteError, SettingError
from saliency_core.methods.gradient import Gradient
from saliency_core.models.model import Card, Model
from saliency_core.targets import ClassLogit, Question, TopClass
from tests.analytic import QuadraticProbe, SineProbe, weights

SHAPE = (6, 8, 3)
IMAGE = np.random.default_rng(2).integers(0, 256, SHAPE, dtype=np.uint8)


class PaperGraph:
    """What Model asks of a compiled graph before any network is run."""

    class frozen:
        shape = SHAPE


class PaperModel(Model):
    """A model with one analytic probe for every target; class 2 is on top."""

    def __init__(self, probe):
        card = Card("paper", "Paper", "", SHAPE, 3, "on paper", "raw", 0, 0, 0, "digest-of-paper")
        super().__init__(PaperGraph, card)
        self._probe = probe
        probe.question = Question({"z:0": np.ones(3, np.float32)}, 0.0, "logit", "logit of class 2")

    def ask(self, target, point, slope=True):
        frozen = ClassLogit(2) if target == TopClass() else target
        return frozen, self._probe, (Prediction(2, "class 2", 1.0, None),)

    def exact_probe(self, frozen, point):
        return self._probe, "float64"


def paper(kind=SineProbe):
    return PaperModel(kind(weights(SHAPE)))


def test_values_score_and_unit_are_the_probe_s():
    model = paper()
    made = explain(model, IMAGE, "class_logit(2)", "gradient()")
    point = IMAGE.astype(np.float32)
    assert np.array_equal(made.values, model._probe.gradient(point[None])[0])
    assert made.score == model._probe.score(point[None])[0]
    assert np.array_equal(made.point, point)
    assert made.values.dtype == np.float32
    assert (made.kind, made.units, made.words) == ("sensitivity", "logit per grey level", "logit of class 2")
    assert made.seconds > 0


def test_results_cannot_be_changed_in_place():
    made = explain(paper(), IMAGE)
    for array in (made.values, made.point):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0, 0] = 1


def test_recipe_names_everything_that_made_the_map():
    recipe = explain(paper(), IMAGE, how="pad").recipe
    digest = recipe.pop("image_sha256")
    assert len(digest) == 64
    assert recipe == {
        "image": "array",
        "image_facts": f"8x6 px, mean {IMAGE.mean():.2f}",
        "model": "paper",
        "model_sha256": "digest-of-paper",
        "preprocessing": "raw",
        "fit": "pad",
        "target": "top_class()",
        "explained": "class_logit(2)",
        "method": "gradient()",
    }
    changed = IMAGE.copy()
    changed[0, 0, 0] ^= 1
    assert explain(paper(), changed).recipe["image_sha256"] != digest


def test_npz_brings_everything_back():
    made = explain(paper(), IMAGE, "class_logit(2)", "gradient_x_input()")
    with np.load(io.BytesIO(made.to_npz()), allow_pickle=False) as kept:
        assert np.array_equal(kept["values"], made.values)
        assert np.array_equal(kept["pixels"], IMAGE.astype(np.float32))
        recipe = json.loads(str(kept["recipe"]))
    assert recipe == {
        **made.recipe,
        "kind": "contribution",
        "done": 1,
        "total": 1,
        "score": made.score,
        "units": "logit",
        "seconds": made.seconds,
    }


def test_progress_counts_points_up_to_the_cost():
    told = []
    explain(paper(), IMAGE, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(1, Gradient().cost)]


def test_what_progress_raises_stops_the_work():
    class Enough(Exception):
        pass

    def stop(done, total):
        raise Enough

    with pytest.raises(Enough):
        explain(paper(), IMAGE, on_progress=stop)


def test_another_probe_can_stand_before_the_model_s():
    seen = []

    def around(probe, target):
        seen.append(target)
        return SineProbe(2 * weights(SHAPE))

    doubled = explain(paper(), IMAGE, around=around)
    assert seen == [ClassLogit(2)]
    assert np.allclose(doubled.values, 2 * explain(paper(), IMAGE).values)


class Lying(SineProbe):
    """A probe whose gradient is not that of its score, in the way that `lie` says."""

    lie = staticmethod(lambda values: values)

    def gradient(self, batch, rule=""):
        return self.lie(super().gradient(batch, rule))


@pytest.mark.parametrize(
    "lie",
    [
        lambda v: -v,
        lambda v: v[..., ::-1],
        lambda v: v[:, ::-1],
        lambda v: v.swapaxes(1, 2) if v.shape[1] == v.shape[2] else np.roll(v, 1, 1),
        lambda v: 1.002 * v,
        lambda v: v / 255,
        np.abs,
    ],
    ids=["sign", "channels", "upside down", "moved", "0.2 % too large", "wrong unit", "magnitude"],
)
@pytest.mark.parametrize("method", ["gradient()", "gradient_x_input()"])
def test_evidence_tells_every_lie_from_the_truth(method, lie):
    honest = explain(paper(), IMAGE, method=method).evidence
    assert honest.good
    assert honest.error < 1e-5
    liar = paper(Lying)
    liar._probe.lie = lie
    found = explain(liar, IMAGE, method=method).evidence
    assert not found.good
    assert found.error > GOOD["float64"]
    assert "do NOT agree" in found.sentence


def test_a_wrong_map_is_not_excused_by_a_right_one_beside_it():
    """Only the image's own map is wrong: the check must not be made beside it."""
    model = paper()
    point = model.prepare(IMAGE)

    def around(probe, target):
        return SineProbe(-weights(SHAPE))

    made = explain(model, IMAGE, around=around)
    assert np.array_equal(made.values, -model._probe.gradient(point[None])[0])
    assert not made.evidence.good
    assert not made.evidence.beside


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(wrong):
    broken = paper(QuadraticProbe)
    broken._probe.weights[1, 2, 0] = wrong
    with pytest.raises(NotFiniteError, match=r"1 of 144 values .*score is (nan|inf)"):
        explain(broken, IMAGE)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"target": 3}, SettingError, "target cannot be 3"),
        ({"target": Gradient()}, SettingError, "Give a target"),
        ({"method": TopClass()}, SettingError, "Give a method"),
        ({"method": None}, SettingError, "method cannot be None"),
        ({"target": "class_logit()"}, SettingError, "needs index"),
        ({"image": b"not a picture"}, ImageError, "."),
        ({"image": "nowhere.png"}, ImageError, "nowhere.png"),
        ({"image": IMAGE.astype(np.float64)}, ImageError, "uint8"),
    ],
)
def test_wrong_arguments_are_one_clear_sentence(arguments, error, words):
    with pytest.raises(error, match=words) as caught:
        explain(paper(), **{"image": IMAGE, **arguments})
    assert "\n" not in str(caught.value)
