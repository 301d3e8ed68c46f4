"""LIME and Kernel SHAP: superpixels, and least squares against closed forms and another implementation."""

import itertools
import math

import numpy as np
import pytest

from saliency_core.baselines import Black, Blurred, Mean, White
from saliency_core.masking import hidden
from saliency_core.methods.kernel_shap import KernelShap
from saliency_core.methods.lime import Lime
from saliency_core.superpixels import shapley, superpixels, weighted_ridge
from tests.analytic import LinearProbe, MixedProbe, points, weights

SHAPE = (24, 36, 3)
COUNT = 6


def cubes(count):
    return np.array(list(itertools.product((0, 1), repeat=count)), np.float64)


def game(seed=0, count=COUNT):
    """A worth for every coalition, nothing for the empty one."""
    worth = np.random.default_rng(seed).standard_normal(2**count)
    worth[0] = 0
    return worth


def by_definition(worth, count):
    """Shapley values as means over orders: what a player adds to each coalition without him."""
    values = np.zeros(count)
    for player in range(count):
        bit = 1 << (count - 1 - player)
        for mask in range(2**count):
            if not mask & bit:
                size = bin(mask).count("1")
                chance = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
                values[player] += chance * (worth[mask | bit] - worth[mask])
    return values


@pytest.mark.parametrize("seed", range(5))
def test_kernel_shap_of_all_coalitions_is_the_shapley_value(seed):
    shown, worth = cubes(COUNT), game(seed)
    inside = slice(1, -1)
    sizes = shown.sum(1)[inside]
    combinations = np.array([math.comb(COUNT, int(size)) for size in sizes])
    kernel = (COUNT - 1) / (combinations * sizes * (COUNT - sizes))
    values, _ = shapley(shown[inside], worth[inside], worth[-1], kernel)
    assert np.allclose(values, by_definition(worth, COUNT), rtol=0, atol=1e-12)
    assert values.sum() == pytest.approx(worth[-1], abs=1e-12)


def test_drawn_coalitions_come_in_the_proportions_of_the_kernel():
    method, count = KernelShap(), 8
    drawn = np.array([method.coalition(number, count) for number in range(2, 20002)])
    assert np.array_equal(drawn[::2], ~drawn[1::2])
    sizes = np.arange(1, count)
    wanted = 1 / (sizes * (count - sizes))
    wanted /= wanted.sum()
    found = np.bincount(drawn.sum(1), minlength=count + 1)[1:-1] / len(drawn)
    assert (np.abs(found - wanted) < 5 * np.sqrt(wanted * (1 - wanted) / 10000)).all()
    each = drawn.mean(0)
    assert np.abs(each - 0.5).max() == 0  # a coalition and its complement hold each player once
    assert method.coalition(0, count).all()
    assert not method.coalition(1, count).any()


def test_sampled_kernel_shap_is_right_within_its_standard_error():
    worth, exact = game(3), by_definition(game(3), COUNT)
    powers = 2 ** np.arange(COUNT)[::-1]
    away = []
    for seed in range(40):
        method = KernelShap(seed=seed)
        drawn = np.array([method.coalition(number, COUNT) for number in range(2, 402)], np.float64)
        values, error = shapley(drawn, worth[(drawn @ powers).astype(int)], worth[-1])
        assert values.sum() == pytest.approx(worth[-1], abs=1e-12)
        away.append((values - exact) / error)
    assert 0.85 < np.std(away) < 1.15
    assert np.abs(np.mean(away, 0)).max() < 4 / math.sqrt(40)


@pytest.mark.parametrize("baseline", [Black(), White(), Mean(), Blurred()])
def test_kernel_shap_of_a_linear_score_is_each_superpixel_s_own_share(baseline):
    given, batch = weights(SHAPE), points(2, SHAPE)
    method = KernelShap(200, 20, baseline=baseline)
    *_, last = method.sketches(LinearProbe(given, chunk=10), batch)
    for found, point in zip(last.values, batch, strict=True):
        regions = superpixels(point, 20, 20.0)
        share = (given * (point - hidden(point, baseline).astype(np.float64))).sum(-1)
        exact = np.bincount(regions.ravel(), share.ravel())
        assert len(exact) > 5
        assert np.allclose(found, exact[regions], rtol=1e-5, atol=1e-5 * np.abs(exact).max())
    assert last.error.max() <= 1e-5 * np.abs(last.values).max()


def test_pairs_make_kernel_shap_exact_where_no_more_than_two_superpixels_meet():
    """A coalition and its complement: terms of second order fall out, as Covert and Lee show."""
    count, draw = 7, np.random.default_rng(2)
    alone, together = draw.standard_normal(count), np.triu(draw.standard_normal((count, count)), 1)
    coalitions = np.array([KernelShap().coalition(number, count) for number in range(2, 62)], np.float64)
    worth = coalitions @ alone + np.einsum("ni,ij,nj->n", coalitions, together, coalitions)
    values, _ = shapley(coalitions, worth, alone.sum() + together.sum())
    assert np.allclose(values, alone + (together + together.T).sum(0) / 2, atol=1e-10)


def test_kernel_shap_adds_up_even_after_a_few_samples_of_a_bent_score():
    probe, batch = MixedProbe(weights(SHAPE), chunk=7), points(1, SHAPE)
    regions = superpixels(batch[0], 50, 20.0)
    first = np.unique(regions, return_index=True)[1]
    whole = float(np.diff(probe.score(np.stack([hidden(batch[0], Mean()), batch[0]])))[0])
    for sketch in KernelShap(100).sketches(probe, batch):
        assert sketch.facts["whole"] == pytest.approx(whole, rel=1e-9)
        assert f"add up to {whole:.4g}" in sketch.notes[1]
        shares = sketch.values[0].ravel()[first].astype(np.float64)
        assert shares.sum() == pytest.approx(whole, abs=1e-5 * np.abs(shares).sum())


def test_lime_is_the_ridge_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    draw = np.random.default_rng(0)
    shown = (draw.random((60, 9)) < 0.5).astype(float)
    found, heavy = draw.standard_normal(60), draw.uniform(0.1, 2, 60)
    slopes, _, facts = weighted_ridge(shown, found, heavy, 0.7)
    theirs = linear_model.Ridge(alpha=0.7).fit(shown, found, sample_weight=heavy)
    assert np.allclose(slopes, theirs.coef_, rtol=1e-9)
    plain, _, told = weighted_ridge(shown, found, heavy, 1e-9)
    ordinary = linear_model.LinearRegression().fit(shown, found, sample_weight=heavy)
    assert np.allclose(plain, ordinary.coef_, rtol=1e-6)
    assert told["fit"] == pytest.approx(ordinary.score(shown, found, sample_weight=heavy))
    assert facts["fit"] < told["fit"]


def test_lime_of_a_linear_score_is_each_superpixel_s_share_when_nothing_holds_it_small():
    given, batch = weights(SHAPE), points(1, SHAPE)
    *_, last = Lime(300, 20, baseline=Black(), ridge=1e-6).sketches(LinearProbe(given, chunk=50), batch)
    regions = superpixels(batch[0], 20, 20.0)
    exact = np.bincount(regions.ravel(), (given * batch[0]).sum(-1).ravel())
    assert np.allclose(last.values[0], exact[regions], rtol=1e-4, atol=1e-5 * np.abs(exact).max())
    assert last.facts["fit"] == pytest.approx(1)
    assert "explains 100 %" in last.notes[1]


def test_the_kernel_of_lime_falls_with_the_cosine_distance():
    """The weights of the samples, seen through a fit: a heavy sample pulls, a light one does not."""
    shown = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 1], [1, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 1.0]])
    found = np.array([4, 3, 3, 3, 3, 9.0])  # each adds 1, says everybody but the sample far away
    narrow, wide = (Lime(width=width, ridge=1e-6).solved(shown, found)[0] for width in (0.05, 5.0))
    assert np.allclose(narrow, 1, atol=1e-3)
    assert not np.allclose(wide, 1, atol=0.5)


def test_the_first_sample_of_lime_is_the_whole_image():
    method = Lime()
    assert method.coalition(0, 9).all()
    drawn = np.array([method.coalition(number, 9) for number in range(1, 4001)])
    assert (np.abs(drawn.mean(0) - 0.5) < 5 * 0.5 / math.sqrt(4000)).all()


def test_the_standard_error_of_lime_is_its_spread_over_seeds():
    probe, batch = MixedProbe(weights(SHAPE), chunk=100), points(1, SHAPE)
    runs = [list(Lime(400, 10, seed=seed).sketches(probe, batch))[-1] for seed in range(40)]
    spread = np.std([run.values[0] for run in runs], 0, ddof=1)
    errors = np.mean([run.error[0] for run in runs], 0)
    assert 0.85 < np.median(errors / spread) < 1.15


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_superpixels_are_numbered_from_zero_and_one_colour_is_one_map(channels):
    image = np.zeros((30, 40, channels), np.float32)
    image[:, 20:] = 200
    regions = superpixels(image, 12, 5.0)
    assert set(np.unique(regions)) == set(range(regions.max() + 1))
    assert set(regions[:, :19].ravel()).isdisjoint(regions[:, 21:].ravel())
    assert superpixels(np.zeros((3, 1, channels), np.float32), 12, 5.0).shape == (3, 1)


@pytest.mark.parametrize("method", [Lime(20), KernelShap(20)])
def test_an_image_that_is_one_superpixel(method):
    probe, batch = LinearProbe(np.ones((1, 1, 1))), np.full((1, 1, 1, 1), 60, np.float32)
    found = type(method)(20, baseline=Black()).attribute(probe, batch)
    assert np.isfinite(found).all()
    if isinstance(method, KernelShap):
        assert found == 60
