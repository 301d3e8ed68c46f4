"""What every registered method must do, whoever wrote it."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import replace

import numpy as np
import pytest

from saliency_core.arrays import read_only
from saliency_core.errors import SettingError
from saliency_core.grammar import parse
from saliency_core.kinds import KINDS
from saliency_core.methods.base import Refining
from saliency_core.probe import counted
from saliency_core.registry import table
from saliency_core.spec import Choice, Flag, Integer, Part, Real, specs
from tests.analytic import LinearProbe, MixedProbe, SineProbe, points, weights

METHODS = {id: cls() for id, cls in table("method").items()}
SHAPE = (5, 7, 3)
LARGER = (24, 36, 3)
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def run(method, probe, batch):
    return method.attribute(probe, batch)


@every_method
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 11])
def test_one_finite_float32_map_a_point(method, channels):
    shape = (4, 6, channels)
    found = run(method, SineProbe(weights(shape)), points(2, shape))
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert found.shape[0] == 2
    assert found.shape[1:] == shape if method.kind != "region" else found.ndim == 3


@every_method
def test_same_seed_same_bytes(method):
    probe, batch = SineProbe(weights(SHAPE)), points(1, SHAPE)
    assert run(method, probe, batch).tobytes() == run(method, probe, batch).tobytes()


@every_method
def test_a_batch_is_its_single_points_in_order(method):
    probe, batch = SineProbe(weights(SHAPE)), points(2, SHAPE)
    singles = [run(method, probe, batch[i : i + 1])[0] for i in range(2)]
    assert np.array_equal(run(method, probe, batch), np.stack(singles))
    assert np.array_equal(run(method, probe, batch[::-1]), np.stack(singles[::-1]))


@every_method
def test_declared_cost_is_the_points_counted(method):
    probe = counted(SineProbe(weights(SHAPE)))
    run(method, probe, points(1, SHAPE))
    assert probe.points == method.cost_on(probe)


@every_method
def test_inputs_are_left_alone(method):
    batch, probe = read_only(points(2, SHAPE)), SineProbe(read_only(weights(SHAPE)))
    before = batch.copy()
    run(method, probe, batch)
    assert np.array_equal(batch, before)
    assert np.array_equal(probe.weights, weights(SHAPE))


@every_method
def test_settings_cannot_be_changed_afterwards(method):
    with pytest.raises(dataclasses.FrozenInstanceError):
        method.kind = "other"
    assert hash(method) == hash(type(method)())


@every_method
def test_twice_the_score_is_the_map_to_the_power_of_its_degree(method):
    batch = points(1, SHAPE)
    one, two = (run(method, SineProbe(factor * weights(SHAPE)), batch) for factor in (1, 2))
    if method.degree:
        assert np.array_equal(two, 2**method.degree * one)


@every_method
def test_the_tangent_is_the_map_s_own_finite_difference(method):
    """Where a method claims to be a derivative, its map predicts how the score moves, to float32."""
    probe, batch = SineProbe(weights(SHAPE)), points(1, SHAPE)
    move = np.random.default_rng(3).standard_normal((1, *SHAPE))
    moved = method.tangent(batch, move)
    if moved is None:
        return
    step = 1e-4 * moved / np.abs(moved).max()
    measured = (probe.score(batch + step) - probe.score(batch - step)) / 2
    predicted = (run(method, probe, batch) * move * 1e-4 / np.abs(moved).max()).sum((1, 2, 3))
    assert np.allclose(measured, predicted, rtol=1e-4, atol=0)


@every_method
def test_spelling_parses_back(method):
    assert parse("method", method.spelling) == method
    assert parse("method", method.id) == method


@every_method
def test_tells_what_it_is(method):
    first = type(method).__doc__.split("\n")[0]
    assert first.endswith(".")
    assert first.count(". ") == 0
    assert all(re.fullmatch(r"[a-z]+\d{4}", key) for key in method.cites)
    assert method.cites
    assert method.formula
    assert method.misleads
    assert method.kind in KINDS
    assert "logit" in method.units("logit")
    assert method.degree in (0, 1, 2)


@every_method
def test_settings_out_of_range_are_refused_by_name(method):
    for name, spec in specs(method).items():
        for end, beyond in (("low", -1), ("high", 1)):
            if (limit := getattr(spec, end, None)) is not None:
                with pytest.raises(SettingError, match=name):
                    dataclasses.replace(method, **{name: limit + beyond})
        with pytest.raises(SettingError, match=name):
            dataclasses.replace(method, **{name: object()})


@every_method
def test_every_setting_moves_the_map(method):
    """On an image large enough to have regions, and a score that no sum over pixels can explain.

    Some settings matter only under one of the choices that another setting offers.
    """
    probe, batch = MixedProbe(weights(LARGER)), points(1, LARGER)
    for name, spec in specs(method).items():
        moved = (
            not np.array_equal(run(start, probe, batch), run(other, probe, batch))
            for start in _starts(method, name)
            for other in _varied(start, name, spec)
        )
        assert not _varied(method, name, spec) or any(moved), f"{name} changes nothing"


def _starts(method, but):
    """Return the method as it is, and with each option of each other choice."""
    offered = ((name, spec) for name, spec in specs(method).items() if isinstance(spec, Choice))
    choices = [(name, option) for name, spec in offered if name != but for option in spec.options]
    return [method, *(dataclasses.replace(method, **{name: option}) for name, option in choices)]


def _varied(method, name, spec):
    """Return the method with other values of one setting."""
    return [dataclasses.replace(method, **{name: other}) for other in _others(spec, getattr(method, name))]


def _others(spec, value):
    """Return other values of a setting, of which one at least must show in the map."""
    match spec:
        case Flag():
            return [not value]
        case Choice():
            return [option for option in spec.options if option != value]
        case Integer() | Real():
            steps = (value + 1, value - 1, value + spec.step, value - spec.step)
            low, high = (
                (-np.inf if spec.low is None else spec.low),
                (np.inf if spec.high is None else spec.high),
            )
            return [step for step in steps if low <= step <= high]
        case Part(of="method"):
            return [one for one in METHODS.values() if one.id != value.id and one.kind == value.kind]
        case Part():
            return [cls() for id, cls in table(spec.of).items() if id != value.id]
    return []


@every_method
def test_zero_weight_gives_zero(method):
    if not method.answers_silence:
        assert not run(method, LinearProbe(np.zeros(SHAPE)), points(1, SHAPE)).any()


@every_method
def test_antisymmetric_in_the_score(method):
    given, batch = weights(SHAPE), points(1, SHAPE)
    sign = -1 if method.degree == 1 else 1
    if method.kind != "region" and method.degree:
        there, back = (run(method, SineProbe(factor * given), batch) for factor in (1, -1))
        assert np.array_equal(there, sign * back)


@every_method
def test_linear_probe_has_its_exact_answer(method):
    given, batch = weights(SHAPE), points(1, SHAPE)
    found = run(method, LinearProbe(given), batch)[0]
    if method.kind in ("sensitivity", "signal"):
        assert np.array_equal(found, given.astype(np.float32))
    elif method.kind == "contribution":
        exact = given * (batch[0].astype(np.float64) - method.reference(batch)[0])
        np.testing.assert_array_max_ulp(found, exact.astype(np.float32), 1)


@every_method
def test_a_refining_method_shows_what_it_knows_and_can_go_on(method):
    """Stopped after any round and continued, or continued to more rounds: the same bytes as in one go."""
    if not isinstance(method, Refining):
        return
    probe, batch = SineProbe(weights(SHAPE)), points(2, SHAPE)
    sketches = list(method.sketches(probe, batch))
    assert [one.done for one in sketches] == sorted({one.done for one in sketches})
    assert sketches[-1].done == sketches[-1].total == method.total(probe)
    assert sketches[-1].values.tobytes() == run(method, probe, batch).tobytes()
    for begun in (sketches[0], sketches[len(sketches) // 2]):
        *_, last = method.sketches(probe, batch, begun)
        assert last.values.tobytes() == sketches[-1].values.tobytes()
    if (longer := method.longer) is not None:
        assert longer.continues(method)
        *_, last = longer.sketches(probe, batch, replace(sketches[-1], total=longer.total(probe)))
        assert last.values.tobytes() == run(longer, probe, batch).tobytes()
