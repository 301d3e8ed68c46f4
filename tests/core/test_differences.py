"""The evidence agrees with the truth and catches lies."""

from __future__ import annotations

import numpy as np
import pytest

from saliency_core.checks.differences import NEARER, directional_check
from saliency_core.methods.gradient import Gradient
from saliency_core.methods.gradient_x_input import GradientXInput
from tests.analytic import QuadraticProbe, SineProbe, StepProbe, points, weights

SHAPE = (6, 5, 3)


def check(method, probe, values, point):
    def again(moved):
        return method.attribute(probe, moved[None])[0]

    def in_double(there):
        return method.attribute(probe, there[None])[0]

    return directional_check(probe, values, point, again, method.tangent, "float64", in_double)


@pytest.mark.parametrize("method", [Gradient(), GradientXInput()], ids=lambda m: m.id)
@pytest.mark.parametrize("kind", [QuadraticProbe, SineProbe])
def test_a_true_map_passes_and_each_lie_fails(method, kind):
    probe, point = kind(weights(SHAPE)), points(1, SHAPE)[0]
    truth = method.attribute(probe, point[None])[0]
    assert check(method, probe, truth, point).error < 1e-5
    for lie in (-truth, truth[..., ::-1], truth[::-1], 1.01 * truth, np.abs(truth), np.zeros_like(truth)):
        found = check(method, probe, lie, point)
        assert not found.good
        assert "NOT" in found.sentence


def test_a_score_that_never_moves_agrees_with_zero_and_with_nothing_else():
    probe, point = StepProbe(weights(SHAPE)), points(1, SHAPE)[0] + 0.5
    zero = np.zeros(SHAPE, np.float32)
    assert check(Gradient(), probe, zero, point).error == 0
    assert check(Gradient(), probe, zero + 0.1, point).error == 1


class AtAKink(SineProbe):
    """score = <weights, |x - 100|>, with the one-sided derivative at exactly 100."""

    def score(self, batch):
        return (np.abs(batch.astype(np.float64) - 100) * self.weights).sum((1, 2, 3))

    def gradient(self, batch, rule=""):
        return (np.where(batch > 100, 1.0, -1.0) * self.weights).astype(np.float32)


def test_on_a_kink_the_check_steps_beside_and_says_so():
    probe, point = AtAKink(weights(SHAPE)), np.full(SHAPE, 100, np.float32)
    found = check(Gradient(), probe, Gradient().attribute(probe, point[None])[0], point)
    assert found.beside
    assert found.good
    assert "kink" in found.sentence


class NextToAKink(SineProbe):
    """score = <weights, |x - kink|>, the kink a millionth of a grey level above 100."""

    def score(self, batch):
        return (np.abs(batch.astype(np.float64) - 100 - 1e-6) * self.weights).sum((1, 2, 3))

    def gradient(self, batch, rule=""):
        return (np.where(batch.astype(np.float64) > 100 + 1e-6, 1.0, -1.0) * self.weights).astype(np.float32)


def test_next_to_a_kink_the_check_takes_a_shorter_step_and_stays_where_it_is():
    probe, point = NextToAKink(weights(SHAPE)), np.full(SHAPE, 100, np.float32)
    values = Gradient().attribute(probe, point[None])[0]
    found = check(Gradient(), probe, values, point)
    assert found.good
    assert found.error < 1e-5
    assert (found.beside, found.step) == (False, NEARER)
    for lie in (1.01 * values, -values, values[..., ::-1], np.zeros_like(values)):
        assert not check(Gradient(), probe, lie, point).good


class RoundedAcrossAKink(SineProbe):
    """Single precision takes the slope of a kink's other side, so that one pixel's derivative is off."""

    off = 1.05

    def gradient(self, batch, rule=""):
        found = super().gradient(batch)
        if batch.dtype == np.float32:
            found[:, 2, 3, 1] *= self.off
        return found


def test_a_map_that_only_rounding_puts_off_passes_and_says_how_far_it_is_off():
    probe, point = RoundedAcrossAKink(weights(SHAPE)), points(1, SHAPE)[0]
    values = Gradient().attribute(probe, point[None])[0]
    found = check(Gradient(), probe, values, point)
    assert 1e-3 < found.error < 0.05
    assert found.exactly < 1e-5
    assert found.good
    assert "in double precision" in found.sentence
    for lie in (1.01 * values, -values, values[..., ::-1]):
        assert not check(Gradient(), probe, lie, point).good


def test_a_map_that_is_far_off_fails_whatever_the_reason():
    probe, point = RoundedAcrossAKink(weights(SHAPE)), points(1, SHAPE)[0]
    probe.off = 20
    found = check(Gradient(), probe, Gradient().attribute(probe, point[None])[0], point)
    assert found.error > 0.05
    assert not found.good
    assert "NOT" in found.sentence
