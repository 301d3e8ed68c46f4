"""Sampling: the noise, the mean of squares, the variance, and errors that are as large as they say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import erfc

import numpy as np
import pytest

from saliency_core.grammar import parse
from saliency_core.methods.base import Method
from saliency_core.methods.smoothgrad import SmoothGrad
from saliency_core.methods.smoothgrad_squared import SmoothGradSquared
from saliency_core.methods.vargrad import VarGrad
from saliency_core.sampling import Moments, ahead, drawn, in_company, normals, spans
from tests.analytic import QuadraticProbe, SineProbe, points, weights

SHAPE = (5, 7, 3)
SAMPLERS = [SmoothGrad, SmoothGradSquared, VarGrad]


@dataclass
class Recorder(SineProbe):
    """A probe that keeps the points it was asked."""

    def __post_init__(self):
        self.seen = []

    def gradient(self, points, rule=""):
        self.seen += list(points)
        return super().gradient(points)


@dataclass(frozen=True)
class Coarse(Method):
    """A region method for tests: the mean slope of each half."""

    family, id, kind, title = "method", "coarse", "region", "Coarse"

    def attribute(self, probe, points):
        slopes = probe.gradient(points).sum(3)
        return np.stack([slopes[:, :, :3].mean((1, 2)), slopes[:, :, 3:].mean((1, 2))], 1)[:, None, :]


def probe():
    return SineProbe(weights(SHAPE))


def noisy(method):
    """Return the points that a method asks for."""
    recorder = Recorder(weights(SHAPE))
    method.attribute(recorder, points(1, SHAPE))
    return np.stack(recorder.seen)


def maps(method):
    """Return the map of every sample, (samples, H, W, C) float64."""
    return SineProbe(weights(SHAPE)).gradient(noisy(method)).astype(np.float64)


@pytest.mark.parametrize("base", ["gradient()", "gradient_x_input()", "integrated_gradients(steps=5)"])
def test_without_noise_it_is_the_base(base):
    batch = points(2, SHAPE)
    method = parse("method", f"smoothgrad(base={base}, samples=5, noise=0)")
    assert np.array_equal(method.attribute(probe(), batch), method.base.attribute(probe(), batch))
    squared = SmoothGradSquared(method.base, 5, 0.0).attribute(probe(), batch)
    exact = method.base.attribute(probe(), batch).astype(np.float64) ** 2
    assert np.array_equal(squared, exact.astype(np.float32))
    assert not VarGrad(method.base, 5, 0.0).attribute(probe(), batch).any()


def test_a_flat_image_has_no_range_and_gets_no_noise():
    flat = np.full((1, *SHAPE), 40, np.float32)
    assert np.array_equal(SmoothGrad().attribute(probe(), flat), probe().gradient(flat))


def test_mean_squares_and_variance_are_those_of_the_maps():
    batch = points(1, SHAPE)
    method = SmoothGrad(samples=20)
    seen = maps(method)
    assert np.allclose(method.attribute(probe(), batch)[0], seen.mean(0), rtol=1e-6, atol=1e-9)
    squares = SmoothGradSquared(samples=20).attribute(probe(), batch)[0]
    assert np.allclose(squares, (seen**2).mean(0), rtol=1e-6)
    variance = VarGrad(samples=20).attribute(probe(), batch)[0]
    assert np.allclose(variance, seen.var(0, ddof=1), rtol=1e-6)


def test_the_standard_error_is_the_deviation_over_the_root_of_n():
    method = SmoothGrad(samples=20)
    *_, last = method.sketches(probe(), points(1, SHAPE))
    assert np.allclose(last.error[0], maps(method).std(0, ddof=1) / np.sqrt(20), rtol=1e-6)


def test_two_standard_errors_hold_the_expected_map_about_as_often_as_they_should():
    """The expectation of cos under normal noise is cos times exp(-variance / 2), exactly."""
    batch, method = points(1, SHAPE), SmoothGrad(samples=100)
    exact = probe().gradient(batch) * np.exp(-((0.15 * np.ptp(batch) / 50) ** 2) / 2)
    inside = []
    for seed in range(20):
        *_, last = replace(method, seed=seed).sketches(probe(), batch)
        inside.append((np.abs(last.values - exact) <= 2 * last.error)[weights(SHAPE)[None] != 0].mean())
    # a normal variable is within two deviations in 95.4 % of cases; 20 seeds, 100 pixels: a deviation of 0.5 %
    assert 0.93 < np.mean(inside) < 0.975


def test_the_error_of_a_variance_comes_from_the_fourth_moment():
    method = VarGrad(samples=30)
    *_, last = method.sketches(probe(), points(1, SHAPE))
    away = maps(method) - maps(method).mean(0)
    fourth, variance = (away**4).mean(0), away.var(0, ddof=1)
    exact = np.sqrt((fourth - variance**2 * 27 / 29) / 30)
    assert np.allclose(last.error[0], exact, rtol=1e-5, atol=1e-12)


def test_two_errors_hold_the_expected_variance_about_as_often_as_they_should():
    """The variance of w cos(u + noise) is w^2 ((1 + cos(2u) e^(-2 s^2)) / 2 - cos(u)^2 e^(-s^2)), exactly."""
    batch, given = points(1, SHAPE), weights(SHAPE)[None]
    there = given != 0
    cosine = probe().gradient(batch)[there].astype(np.float64) * 50 / given[there]
    spread = (0.15 * np.ptp(batch) / 50) ** 2
    exact = (1 + (2 * cosine**2 - 1) * np.exp(-2 * spread)) / 2 - cosine**2 * np.exp(-spread)
    exact *= (given[there] / 50) ** 2
    inside = []
    for seed in range(10):
        *_, last = VarGrad(samples=400, seed=seed).sketches(probe(), batch)
        inside.append((np.abs(last.values[there] - exact) <= 2 * last.error[there]).mean())
    # of normal errors 95.4 %; 10 seeds of 100 pixels have a deviation of 0.7 %, and variances lean to one side
    assert 0.92 < np.mean(inside) < 0.98


def test_too_few_maps_say_nothing_of_the_error_of_their_variance():
    *_, last = VarGrad(samples=3).sketches(probe(), points(1, SHAPE))
    assert last.error is None


def test_noise_is_normal_in_65536_steps_and_the_same_for_ever():
    steps = normals()
    assert len(np.unique(steps)) == 2**16
    assert steps.mean(dtype=np.float64) == 0
    assert np.isclose(steps.var(dtype=np.float64), 1, atol=1e-7)
    for far in (0.5, 1.0, 2.0, 3.0):
        assert np.isclose((steps > far).mean(), 0.5 * erfc(far / 2**0.5), atol=2 / 2**16)
    noise = drawn(7, 1, SHAPE)
    assert (noise.dtype, noise.shape) == (np.float32, SHAPE)
    # PCG64 of the seed sequence (7, 1), whose bits numpy promises to keep: its first number, lowest bits first
    first = np.random.PCG64([7, 1]).random_raw(1)[0]
    assert np.array_equal(
        noise.ravel()[:4], steps[[int(first) >> shift & 0xFFFF for shift in (0, 16, 32, 48)]]
    )
    assert np.array_equal(drawn(7, 1, (2, 2, 3)).ravel(), noise.ravel()[:12])
    assert not np.array_equal(drawn(8, 1, SHAPE), noise)


def test_noise_is_a_share_of_the_image_s_own_range():
    image = points(1, SHAPE)
    away = noisy(SmoothGrad(samples=100, noise=15.0)) - image
    assert np.isclose(away.std(), 0.15 * np.ptp(image), rtol=0.03)
    assert abs(away.mean()) < 4 * away.std() / np.sqrt(away.size)
    *_, last = SmoothGrad(samples=5, noise=15.0).sketches(probe(), image)
    assert np.isclose(last.facts["noise"], 0.15 * np.ptp(image))
    assert f"{0.15 * np.ptp(image):.1f} grey levels (15 %" in last.notes[0]


def test_more_samples_or_another_spread_keep_what_was_drawn():
    image = points(1, SHAPE)
    few = noisy(SmoothGrad(samples=6)) - image
    assert np.array_equal(noisy(SmoothGrad(samples=9))[:6] - image, few)
    assert np.allclose(noisy(SmoothGrad(samples=6, noise=30.0)) - image, 2 * few, atol=1e-4)


def test_noise_is_the_same_whatever_the_row():
    recorder, batch = Recorder(weights(SHAPE), chunk=4), np.repeat(points(1, SHAPE), 2, 0)
    SmoothGrad(samples=4).attribute(recorder, batch)
    seen = np.stack(recorder.seen).reshape(4, 2, *SHAPE)
    assert np.array_equal(seen[:, 0], seen[:, 1])


def test_clipped_noise_stays_within_black_and_white():
    assert noisy(SmoothGrad(samples=20)).min() < 0
    kept = noisy(SmoothGrad(samples=20, clip=True))
    assert (kept.min(), kept.max()) == (0, 255)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("cut", [2, 3, 7, 24])
def test_a_run_cut_anywhere_goes_on_to_the_same_bytes(sampler, cut):
    batch = points(2, SHAPE)
    *_, begun = sampler(samples=cut).sketches(probe(), batch)
    *_, last = sampler(samples=25).sketches(probe(), batch, begun)
    *_, whole = sampler(samples=25).sketches(probe(), batch)
    assert last.values.tobytes() == whole.values.tobytes()
    assert all(last.state[name].tobytes() == whole.state[name].tobytes() for name in whole.state)


def test_continuing_asks_only_what_is_new():
    recorder = Recorder(weights(SHAPE))
    *_, begun = SmoothGrad(samples=25).sketches(probe(), points(1, SHAPE))
    *_, last = SmoothGrad(samples=50).sketches(recorder, points(1, SHAPE), begun)
    assert (last.done, len(recorder.seen)) == (50, 25)


def test_a_region_map_is_averaged_as_it_is():
    method, batch = SmoothGrad(Coarse(), 10), points(1, SHAPE)
    *_, last = method.sketches(probe(), batch)
    assert (method.kind, last.values.shape, last.error.shape) == ("region", (1, 1, 2), (1, 1, 2))
    each = Coarse().attribute(probe(), noisy(SmoothGrad(samples=10)))
    assert np.allclose(last.values[0], each.mean(0), rtol=1e-6)


def test_units_and_kind_are_those_of_the_base():
    method = parse("method", "smoothgrad(base=integrated_gradients())")
    assert (method.kind, method.units("logit")) == ("contribution", "logit")
    assert SmoothGrad().units("logit") == "logit per grey level"
    assert VarGrad().units("logit") == "(logit per grey level) squared"
    assert SmoothGradSquared(VarGrad()).degree == 4


@pytest.mark.parametrize(("done", "total", "at_once"), [(0, 50, 20), (0, 21, 20), (49, 50, 5), (0, 7, 1)])
def test_rounds_cover_everything_once_and_leave_none_alone(done, total, at_once):
    found = list(spans(done, total, at_once))
    assert [first for first, _ in found] == [done, *(end for _, end in found[:-1])]
    assert found[-1][1] == total
    assert all(end - first > 1 for first, end in found) or total - done == 1


@pytest.mark.parametrize("count", [0, 1, 5])
def test_what_is_made_ahead_comes_in_order_and_is_one_round_ahead(count):
    made = []
    for seen, (one, found) in enumerate(ahead(range(count), lambda one: made.append(one) or 2 * one)):
        assert (one, found) == (seen, 2 * seen)
        assert len(made) <= seen + 2
    assert made == list(range(count))


def test_what_fails_ahead_fails_here():
    with pytest.raises(ZeroDivisionError):
        list(ahead([1, 0], lambda one: 1 // one))


def test_no_point_is_asked_alone():
    class Never(QuadraticProbe):
        def gradient(self, points, rule=""):
            assert len(points) > 1
            return super().gradient(points)

    batch = points(1, SHAPE)
    found = in_company(parse("method", "gradient()"), Never(weights(SHAPE)), batch)
    assert np.array_equal(found, QuadraticProbe(weights(SHAPE)).gradient(batch))


def test_moments_are_exact_where_all_maps_are_equal():
    moments = Moments()
    for _ in range(7):
        moments.add(np.full((2, 2), 0.1, np.float32))
    assert (moments.mean == np.float32(0.1)).all()
    assert not moments.variance.any()


def test_quadratic_score_is_smoothed_by_the_mean_noise_alone():
    """The gradient is linear, so its mean is the gradient at the mean of the points asked."""
    batch, given = points(1, SHAPE), weights(SHAPE)
    method = SmoothGrad(samples=10)
    found = method.attribute(QuadraticProbe(given), batch)[0]
    assert np.allclose(found, given * noisy(method).astype(np.float64).mean(0), rtol=1e-5, atol=1e-4)
