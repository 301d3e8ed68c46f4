"""Paths add up: exactly on straight scores, better with every step on curved ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from saliency_core.errors import SettingError
from saliency_core.grammar import parse
from saliency_core.kinds import KINDS
from saliency_core.methods.base import Method
from saliency_core.methods.blur_ig import BlurIG, blurred
from saliency_core.methods.expected_gradients import ExpectedGradients
from saliency_core.methods.guided_ig import GuidedIG
from saliency_core.methods.integrated_gradients import MOST, IntegratedGradients
from saliency_core.paths import GAUSS, MIDPOINT, completeness, course, rule
from saliency_core.probe import counted
from tests.analytic import LinearProbe, QuadraticProbe, SineProbe, points, weights
from tests.core.methods.test_sampling import Coarse

SHAPE = (5, 7, 3)
BATCH = points(1, SHAPE)
BASELINES = ("black()", "white()", "mean()", "blurred()", "noise()", "picture('coffee')")


def last(method, probe, begun=None):
    *_, found = method.sketches(probe, BATCH, begun)
    return found


def gap(method, probe):
    return last(method, probe).facts["gap_relative"]


@pytest.mark.parametrize("steps", [2, 3, 7, 50, 54])
def test_a_course_visits_every_step_once(steps):
    assert sorted(course(steps)) == list(range(steps))


@pytest.mark.parametrize("steps", [2, 3, 50])
def test_a_course_of_three_times_the_steps_begins_with_the_same_places(steps):
    few, many = (rule(MIDPOINT, count)[0][list(course(count))] for count in (steps, 3 * steps))
    assert np.array_equal(many[:steps], few)


@pytest.mark.parametrize("done", [4, 8, 16, 32])
def test_a_course_is_spread_over_the_path_from_the_beginning(done):
    visited = sorted(course(64)[:done])
    assert max(np.diff([-1, *visited, 64])) <= 2 * 64 / done


@pytest.mark.parametrize("name", [MIDPOINT, GAUSS])
def test_a_rule_has_positions_in_order_and_integrates_a_cube(name):
    positions, parts = rule(name, 50)
    assert (np.diff([0, *positions, 1]) > 0).all()
    mean = (parts * positions**3).sum() / parts.sum()
    assert np.isclose(mean, 0.25, atol=1e-12 if name == GAUSS else 1e-4)


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("steps", [2, 5, 50])
@pytest.mark.parametrize("name", [MIDPOINT, GAUSS])
def test_a_quadratic_score_has_its_exact_shares(baseline, steps, name):
    """Slopes are linear along the line, so both rules are exact: weights * (x^2 - x0^2) / 2."""
    method = parse("method", f"integrated_gradients(steps={steps}, rule='{name}', baseline={baseline})")
    given, start = weights(SHAPE), method.baseline.of(BATCH).astype(np.float64)
    found = last(method, QuadraticProbe(given))
    exact = given * (BATCH.astype(np.float64) ** 2 - start**2) / 2
    assert np.allclose(found.values, exact, rtol=1e-5, atol=1e-2 if "blur" in baseline else 5e-3)
    assert abs(found.facts["gap"]) < 1e-5 * np.abs(exact).sum()


def test_the_gap_shrinks_with_the_square_of_the_steps():
    gaps = [
        abs(last(IntegratedGradients(steps=n), SineProbe(weights(SHAPE))).facts["gap"]) for n in (5, 15, 45)
    ]
    ratios = [gaps[0] / gaps[1], gaps[1] / gaps[2]]
    assert np.allclose(ratios, 9, rtol=0.2)


def test_gauss_legendre_is_exact_to_rounding_on_a_smooth_path():
    assert gap(IntegratedGradients(steps=20, rule=GAUSS), SineProbe(weights(SHAPE))) < 1e-6


def test_facts_say_what_the_map_adds_up_to():
    probe = SineProbe(weights(SHAPE))
    found = last(IntegratedGradients(steps=10), probe)
    whole = probe.score(BATCH)[0] - probe.score(np.zeros_like(BATCH))[0]
    total = found.values.astype(np.float64).sum()
    assert found.facts["whole"] == whole
    assert np.isclose(found.facts["gap"], whole - total, atol=1e-5)
    assert np.isclose(found.facts["gap_relative"], abs(found.facts["gap"] / whole))
    assert "adds up to" in found.notes[0]


def test_a_score_that_does_not_differ_has_no_relative_gap():
    method = parse("method", "integrated_gradients(steps=2)")
    *_, found = method.sketches(SineProbe(weights(SHAPE)), np.zeros((1, *SHAPE), np.float32))
    assert found.facts == {"whole": 0.0, "gap": 0.0}


@pytest.mark.parametrize("tolerance", [1.0, 0.01, 1e-4])
def test_steps_are_tripled_until_the_gap_is_small_enough(tolerance):
    probe = SineProbe(weights(SHAPE))
    found = last(IntegratedGradients(steps=5, tolerance=tolerance), probe)
    assert 100 * found.facts["gap_relative"] <= tolerance
    assert found.values.tobytes() == last(IntegratedGradients(steps=found.done), probe).values.tobytes()
    fewer = IntegratedGradients(steps=max(2, found.done // 3))
    assert found.done == 5 or 100 * gap(fewer, probe) > tolerance


def test_no_more_steps_than_allowed():
    class Rough(SineProbe):
        def score(self, points):
            return super().score(points) + (points.max((1, 2, 3)) > 0)  # no slope explains this step

    found = last(IntegratedGradients(steps=500, tolerance=1e-6), Rough(weights(SHAPE)))
    assert (found.done, found.total) == (1500, 1500)
    assert 3 * found.done > MOST


def test_rows_of_a_batch_take_the_steps_that_each_needs():
    probe, batch = SineProbe(weights(SHAPE)), np.concatenate([BATCH, BATCH / 20])
    method = IntegratedGradients(steps=3, tolerance=0.02)
    alone = [method.attribute(probe, batch[row : row + 1])[0] for row in range(2)]
    assert np.array_equal(method.attribute(probe, batch), np.stack(alone))


def test_an_adaptive_run_goes_on_where_it_stopped():
    probe = SineProbe(weights(SHAPE))
    method = IntegratedGradients(steps=5, tolerance=0.01)
    sketches = list(method.sketches(probe, BATCH))
    for begun in sketches:
        assert last(method, probe, begun).values.tobytes() == sketches[-1].values.tobytes()


def test_gauss_legendre_neither_grows_nor_adapts():
    assert IntegratedGradients(rule=GAUSS).longer is None
    with pytest.raises(SettingError, match="tolerance"):
        IntegratedGradients(rule=GAUSS, tolerance=1.0)


def test_tripled_steps_use_all_of_the_earlier_ones():
    probe = counted(SineProbe(weights(SHAPE)))
    begun = last(IntegratedGradients(steps=50), probe)
    longer = IntegratedGradients(steps=50).longer
    assert longer == IntegratedGradients(steps=150)
    before = probe.points
    last(longer, probe, begun)
    assert probe.points - before == 100
    assert not IntegratedGradients(steps=100).continues(IntegratedGradients(steps=50))


def test_a_base_without_slopes_is_averaged_and_says_so():
    for method in (IntegratedGradients(Coarse(), 10), ExpectedGradients(Coarse(), 10), BlurIG(Coarse(), 10)):
        found = last(method, LinearProbe(weights(SHAPE)))
        assert method.kind == "region"
        assert np.allclose(found.values, Coarse().attribute(LinearProbe(weights(SHAPE)), BATCH))
        assert "not multiplied" in found.notes[0]
        assert not found.facts


def test_expected_gradients_of_a_quadratic_score_are_unbiased():
    """The mean over pairs lies within four standard errors of the integral over the same baselines."""
    given = weights(SHAPE)
    method = ExpectedGradients(samples=2000)
    found = last(method, QuadraticProbe(given))
    starts = np.stack([method.pair(sample, SHAPE)[1].astype(np.float64) for sample in range(2000)])
    exact = given * (BATCH[0].astype(np.float64) ** 2 - (starts**2).mean(0)) / 2
    away = np.abs(found.values[0] - exact)
    assert (away <= 4 * found.error[0] + 1e-6 * np.abs(exact)).mean() > 0.99
    assert found.facts["gap_relative"] < 0.2


def test_expected_gradients_compare_with_the_gallery_if_asked():
    method = ExpectedGradients(samples=5, baselines="gallery")
    pair = method.pair(3, SHAPE)
    assert 0 <= pair[0] < 1
    assert pair[1].shape == SHAPE
    assert np.array_equal(pair[1], method.pair(3, SHAPE)[1])


def test_blur_of_chords_is_complete_on_a_quadratic_score():
    probe = QuadraticProbe(weights(SHAPE))
    for steps in (2, 10):
        found = last(BlurIG(steps=steps), probe)
        assert abs(found.facts["gap"]) < 1e-5 * np.abs(found.values).sum()


def test_the_forward_difference_is_not_complete_but_comes_closer():
    gaps = [
        gap(BlurIG(steps=n, rule="forward", widest=5.0), QuadraticProbe(weights(SHAPE))) for n in (20, 200)
    ]
    assert gaps[1] < gaps[0] / 5
    assert gap(BlurIG(steps=20, widest=5.0), QuadraticProbe(weights(SHAPE))) < gaps[1]


@pytest.mark.parametrize("sigma", [0.0, 0.01, 0.7, 3.0, 50.0])
def test_the_blur_is_scipy_s_over_a_black_surrounding(sigma):
    from scipy.ndimage import gaussian_filter

    batch = points(2, (9, 14, 3))
    exact = gaussian_filter(batch.astype(np.float64), (0, sigma, sigma, 0), mode="constant")
    assert np.allclose(blurred(batch, sigma), exact, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("steps", [10, 200])
def test_guided_path_is_complete_on_a_smooth_score_and_ends_at_the_image(steps):
    method = GuidedIG(steps=steps)
    found = last(method, QuadraticProbe(weights(SHAPE)))
    assert np.allclose(found.state["at"], BATCH, atol=1e-6)
    finer = gap(replace(method, steps=10 * steps), QuadraticProbe(weights(SHAPE)))
    assert finer < found.facts["gap_relative"] / 5


def test_guided_path_stays_near_the_line_and_keeps_its_pace():
    probe = SineProbe(weights(SHAPE))
    for sketch in GuidedIG(steps=50, distance=10.0).sketches(probe, BATCH):
        place = sketch.done / 50
        way = BATCH != 0
        share = sketch.state["at"][way] / BATCH[way]
        assert share.min() >= place - 0.1 - 1e-9
        assert share.max() <= place + 0.1 + 1e-9
        assert np.isclose(sketch.state["at"].sum(), place * BATCH.sum())


def test_without_room_beside_the_line_the_guided_path_is_the_line():
    """Distance 0: every pixel moves alike, so the sum is that of Integrated Gradients with left ends."""
    probe = QuadraticProbe(weights(SHAPE))
    found = last(GuidedIG(steps=20, distance=0.0), probe).values
    left = np.mean([probe.gradient((step / 20 * BATCH).astype(np.float32)) for step in range(20)], 0) * BATCH
    assert np.allclose(found, left, rtol=1e-4, atol=1e-2)


def test_guided_path_moves_flat_pixels_first():
    """A pixel whose slope is smallest runs ahead of the line, one whose slope is largest lags behind."""
    given = np.ones((1, 1, 4)) * [1.0, 2.0, 3.0, 4.0]
    flat = np.full((1, 1, 1, 4), 100, np.float32)
    begun = next(GuidedIG(steps=4, distance=20.0).sketches(LinearProbe(given, chunk=2), flat))
    share = begun.state["at"][0, 0, 0] / 100
    assert share[0] > share[-1]
    assert np.isclose(share.mean(), 0.5)


def test_guided_path_needs_slopes():
    with pytest.raises(SettingError, match="slopes"):
        GuidedIG(Coarse())


@dataclass(frozen=True)
class Squares(Method):
    """A method of another kind for tests."""

    family, id, kind, title, degree = "method", "squares", "squared", "Squares", 2

    def attribute(self, probe, points):
        return probe.gradient(points) ** 2


def test_every_kind_but_slopes_keeps_its_unit():
    for id in set(KINDS) & {"squared"}:
        method = IntegratedGradients(Squares(), 4)
        assert (method.kind, method.degree) == (id, 2)
        assert method.units("logit") == Squares().units("logit")


@pytest.mark.parametrize(("total", "said"), [(10.0, "0 %"), (-27.6, "380 %"), (9.9999, "0.001 %")])
def test_a_gap_is_told_in_plain_digits(total, said):
    assert completeness(10.0, total)[1].endswith(f": a gap of {said}.")


def test_the_forward_difference_keeps_its_digits():
    """Blurs 0.01 pixels apart differ by so little that float32 would lose half of its digits."""
    from scipy.ndimage import gaussian_filter

    shape, given = (12, 9, 3), weights((12, 9, 3))
    point = points(1, shape)
    found = BlurIG(steps=10, rule="forward").attribute(LinearProbe(given), point)[0]
    wide = point[0].astype(np.float64)
    exact = np.zeros(shape)
    for sigma in np.arange(10) * 5.0:
        near, far = (gaussian_filter(wide, (s, s, 0), mode="constant") for s in (sigma, sigma + 0.01))
        exact += (near - far) / 0.01 * 5 * given
    assert np.abs(found - exact).max() <= 1e-6 * np.abs(exact).max()
