"""The doctor's conclusions from measurements written by hand; each condition at both sides of its limit."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from saliency_core.checks import symptoms
from saliency_core.checks.doctor import ORDER, probe_images
from saliency_core.checks.finding import Finding, Trial, Visit
from saliency_core.checks.trials import as_if, candidates, drive_of, softmax, surprise_of, wrong_preprocessing
from saliency_core.grammar import parse
from saliency_core.models.anatomy import Norm, Rectifier, Signs
from tests.analytic import points

SPELLINGS = ["raw()", "unit()", "symmetric()", "caffe()", "torch()", "affine([2, 3, 4], [1, -1, 0], 'bgr')"]
ANSWERS = np.array([[0.0, 1, 2], [2, 0, 1], [1, 2, 0]])
HEALTHY = Visit(
    signs=Signs(rectifiers=(Rectifier("relu", "conv:0"),)),
    classes=3,
    labels=("a", "b", "c"),
    twice=np.stack([ANSWERS[0], ANSWERS[0]]),
    company=ANSWERS,
    probability=0.999,
    highest=[np.array([[1.0, -1, 2, 0], [1, 1, 0, 0], [1, 1, 1, 1]])],
    largest_gradient=0.1,
)


def told(visit: Visit) -> list[Finding]:
    return [finding for symptom in symptoms.SYMPTOMS for finding in symptom(visit)]


def ids(**changed) -> set[str]:
    return {one.id for one in told(replace(HEALTHY, **changed))}


def signs(**changed) -> Signs:
    return replace(HEALTHY.signs, **changed)


def row(name: str, **changed) -> Trial:
    return replace(Trial(name, name == "raw()", 1, 0.6, 1.0, 5.0), **changed)


def test_nothing_to_say_of_a_healthy_network():
    assert told(HEALTHY) == []


def test_every_symptom_is_listed_once_and_says_what_it_looks_for():
    assert len(set(symptoms.SYMPTOMS)) == len(symptoms.SYMPTOMS)
    for symptom in symptoms.SYMPTOMS:
        assert symptom.__doc__


def test_saturated_above_a_limit():
    assert ids(probability=0.9991) == {"saturated"}
    assert ids(probability=None) == set()
    (one,) = told(replace(HEALTHY, probability=1.0))
    assert one.severity == "note"
    assert one.numbers == {"probability": 1.0, "slope": 0.0}


def test_names_must_be_as_many_as_classes_where_there_are_any():
    assert ids(labels=()) == set()
    assert ids(labels=("a", "b")) == ids(labels=("a", "b", "c", "d")) == {"labels"}
    assert ids(labels=("a",), classes=0) == {"labels"}


def test_a_constant_is_no_small_difference():
    flat = np.broadcast_to(ANSWERS[0], (3, 3))
    assert ids(company=flat) == {"constant_output"}
    assert ids(company=flat + 1e-5 * ANSWERS) == set()
    assert ids(company=np.where(flat == 2, np.nan, flat)) == set()


def test_zero_gradient_names_the_layer_that_did_it():
    assert ids(largest_gradient=0.0) == {"zero_gradient"}
    assert ids(largest_gradient=None) == set()
    asleep = [np.array([[-0.5, -0.25, 0.0], [1, 1, 1], [1, 1, 1]])]
    (one,) = told(replace(HEALTHY, largest_gradient=0.0, highest=asleep))
    assert one.numbers == {"layer": "relu", "largest_before": 0.0}
    assert "largest value before it is 0" in one.sentence
    assert ids(highest=asleep) == {"silent_layer"}


def test_three_channels_in_four_must_be_dead_on_every_image():
    dead = np.array([[1.0, -1, -1, -1], [1, -1, -1, 0], [1, -1, -1, -1]])
    assert ids(highest=[dead]) == {"dead_relu"}
    awake = dead.copy()
    awake[2, 3] = 0.1
    assert ids(highest=[awake]) == set()
    (one,) = told(replace(HEALTHY, highest=[dead]))
    assert one.numbers["layers"] == [{"name": "relu", "share": 0.75, "channels": 4}]


def test_a_random_answer_and_a_company_that_matters_are_told_apart():
    other = np.stack([ANSWERS[0], ANSWERS[0] + 0.1])
    assert ids(twice=other) == {"random"}
    assert ids(signs=signs(random=("drop/mask",))) == {"random"}
    moved = ANSWERS.copy()
    moved[0] += 0.05
    assert ids(company=moved) == {"batch_statistics"}
    assert ids(company=moved, twice=other) == {"random"}
    assert ids(company=ANSWERS + 1e-3) == set()
    (one,) = told(replace(HEALTHY, company=moved, signs=signs(training_norms=("norm/Fused",))))
    assert "norm/Fused" in one.sentence
    assert one.numbers["difference"] == pytest.approx(0.025)
    assert ids(signs=signs(training_norms=("layer_norm/Fused",))) == set()


def test_a_cut_counts_by_where_it_is():
    cut = (("a/Round", "Round"), ("b/Greater", "Greater"))
    (one,) = told(replace(HEALTHY, signs=signs(cuts=cut, cut_off=True), largest_gradient=None))
    assert (one.id, one.severity) == ("no_derivative", "stop")
    assert "a/Round (Round), b/Greater (Greater)" in one.sentence
    (one,) = told(replace(HEALTHY, signs=signs(cuts=cut)))
    assert (one.id, one.severity) == ("partly_cut", "warning")
    assert "Greater" not in one.sentence
    assert ids(signs=signs(cuts=cut[1:])) == set()


def test_broken_numbers_and_own_rules():
    bad = signs(not_finite=(("conv", 2, 0), ("dense", 0, 1)))
    (one,) = told(replace(HEALTHY, signs=bad, twice=np.full((2, 3), np.nan)))
    assert one.id == "not_finite_weights"
    assert "2 NaN" in one.sentence
    assert "1 more" in one.sentence
    assert ids(twice=np.full((2, 3), np.inf)) == {"not_finite_output"}
    assert ids(signs=signs(own_rules=(("relu", "Guided"),))) == {"own_gradient_rules"}


def test_findings_are_json_whatever_was_measured():
    hostile = Finding("x", "note", "a", "b", {"n": float("nan"), "rows": [{"m": float("-inf")}, (1, "t")]})
    facts = json.loads(json.dumps(hostile.facts(), allow_nan=False))
    assert facts["numbers"] == {"n": None, "rows": [{"m": None}, [1, "t"]]}
    assert facts["severity"] in ORDER


@pytest.mark.parametrize("own", SPELLINGS)
def test_the_network_sees_what_the_other_preprocessing_would_give_it(own):
    pixels = points(2, (4, 5, 3))
    mine = parse("preprocessing", own)
    for other in candidates(mine, 3):
        fed = as_if(pixels, mine, other)
        wanted = other.apply(pixels)
        last_place = np.finfo(np.float32).eps  # the pixels fed and the result are each rounded once
        rounding = last_place * (np.abs(mine.slope(3)).max() * np.abs(fed).max() + np.abs(wanted).max())
        assert np.abs(mine.apply(fed) - wanted).max() <= rounding
    assert np.array_equal(
        as_if(pixels, parse("preprocessing", "raw()"), parse("preprocessing", "raw()")), pixels
    )


def test_the_own_preprocessing_comes_first_and_only_once():
    for own in SPELLINGS:
        tried = [one.spelling for one in candidates(parse("preprocessing", own), 3)]
        assert tried[0] == parse("preprocessing", own).spelling
        assert len(set(tried)) == len(tried) == (6 if own.startswith("affine") else 5)
    same = [one.spelling for one in candidates(parse("preprocessing", "affine([0.00392156862745098])"), 1)]
    assert same[1:] == ["raw()", "symmetric()"]


def test_surprise_is_the_divergence_of_two_gaussians():
    norm = Norm("n", "x:0", (0.0, 1.0, 2.0), (1.0, 1.0, 1.0), 0.0)
    met = np.array([[0.0, 1, 2], [1, 1, 1]])
    assert surprise_of(met, norm) == 0
    assert surprise_of(met + np.array([[2.0], [0.0]]), norm) == pytest.approx(2.0)
    assert surprise_of(met * [[1.0], [4.0]], norm) == pytest.approx((4 - 1 - np.log(4)) / 2)
    assert drive_of(np.array([[3.0, 0, 9], [0, 36, 0]]), 6.0) == pytest.approx(1.0)


def test_a_better_preprocessing_needs_much_better_numbers():
    def better(*trials):
        found = wrong_preprocessing(trials, ANSWERS)
        return found and found.numbers["better"]

    assert better(row("raw()", spread=39), row("unit()", probability=0.99)) is None
    assert better(row("raw()", spread=41), row("unit()", probability=0.3)) == "unit()"
    assert better(row("raw()", spread=41), row("unit()", spread=21)) is None
    assert better(row("raw()", drive=2.1), row("unit()", drive=0.9)) == "unit()"
    assert better(row("raw()", drive=1.9), row("unit()", drive=0.9)) is None
    assert better(row("raw()", drive=2.1), row("unit()", drive=1.1)) is None
    assert (
        better(row("raw()", surprise=1.1), row("unit()", surprise=0.2), row("caffe()", surprise=9.0))
        == "unit()"
    )
    assert better(row("raw()", surprise=1.1), row("unit()", surprise=0.3)) is None
    assert better(row("raw()", surprise=0.9), row("unit()", surprise=0.0)) is None
    assert better(row("raw()", surprise=0.9, spread=100), row("unit()", surprise=0.9)) is None
    assert better(row("raw()", surprise=float("nan")), row("unit()", surprise=0.1)) is None
    assert better(row("raw()")) is None


def test_what_moves_by_itself_is_not_compared():
    trials = (row("raw()", spread=41), row("unit()", probability=0.3))
    assert ids(trials=trials) == {"preprocessing"}
    moved = np.concatenate([ANSWERS[:1] + 0.05, ANSWERS[1:]])
    assert ids(trials=trials, company=moved) == {"batch_statistics"}
    assert ids(trials=trials, twice=np.stack([ANSWERS[0], moved[0]])) == {"random"}


def test_a_network_that_tells_nothing_apart():
    quiet = ANSWERS * 1e-3
    assert np.ptp(softmax(quiet), axis=0).max() < 0.02
    found = wrong_preprocessing((row("raw()", probability=0.34), row("unit()", probability=0.9)), quiet)
    assert found is not None
    assert "hardly tells 3 very different images apart" in found.sentence
    assert wrong_preprocessing((row("raw()", probability=0.5), row("unit()", probability=0.9)), quiet) is None
    same = np.zeros((3, 3))
    assert wrong_preprocessing((row("raw()", probability=0.34), row("unit()", probability=0.9)), same) is None


@pytest.mark.parametrize("shape", [(4, 4, 1), (7, 33, 3)])
def test_probe_images_are_pixels_and_all_different(shape):
    made = probe_images(points(1, shape)[0])
    assert made.shape[1:] == shape
    assert made.dtype == np.float32
    assert made.min() >= 0
    assert made.max() <= 255
    assert len({one.tobytes() for one in made}) == len(made)
    assert np.array_equal(made, probe_images(points(1, shape)[0]))
