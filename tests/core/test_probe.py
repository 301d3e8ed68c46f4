"""A counted probe gives its base's numbers, in chunks, and tells how far it is."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest

from saliency_core.probe import Probe, counted
from tests.analytic import LinearProbe, QuadraticProbe, SineProbe, StepProbe, points, weights

SHAPE = (4, 5, 2)


@dataclass
class Watched(SineProbe):
    """Remembers how many rows each call brought."""

    rows: list[int] = field(default_factory=list)

    def gradient(self, batch, rule=""):
        self.rows.append(len(batch))
        return super().gradient(batch, rule)


@pytest.mark.parametrize("kind", [LinearProbe, QuadraticProbe, SineProbe, StepProbe])
def test_analytic_probes_keep_the_contract_and_their_derivative(kind):
    probe, batch = kind(weights(SHAPE)), points(2, SHAPE)
    assert isinstance(probe, Probe)
    assert probe.score(batch).shape == (2,)
    found = probe.gradient(batch)
    assert found.shape == batch.shape
    assert found.dtype == np.float32
    move = np.random.default_rng(0).standard_normal(SHAPE)
    batch = batch.astype(np.float64) + 0.25
    measured = (probe.score(batch + 1e-4 * move) - probe.score(batch - 1e-4 * move)) / 2e-4
    predicted = (probe.gradient(batch) * move).sum((1, 2, 3))
    assert np.allclose(measured, predicted, rtol=1e-5, atol=1e-5)


def test_counting_changes_no_number():
    base, batch = SineProbe(weights(SHAPE)), points(7, SHAPE)
    probe = counted(base)
    assert isinstance(probe, Probe)
    assert (probe.shape, probe.chunk) == (SHAPE, base.chunk)
    assert np.array_equal(probe.gradient(batch), base.gradient(batch))
    assert np.array_equal(probe.score(batch), base.score(batch))
    for found, wanted in zip(probe.at_layer(batch, "pixels"), base.at_layer(batch, "pixels"), strict=True):
        assert np.array_equal(found, wanted)
    found, wanted = probe.shares(batch), base.shares(batch)
    assert np.array_equal(found.pixels, wanted.pixels)
    assert np.array_equal(found.score, wanted.score)
    assert probe.layers == base.layers
    assert probe.points == 28


def test_work_comes_in_chunks_and_each_is_reported():
    told = []
    base = Watched(weights(SHAPE), chunk=3)
    counted(base, told.append).gradient(points(8, SHAPE))
    assert base.rows == [3, 3, 2]
    assert told == [3, 6, 8]


@pytest.mark.parametrize(("count", "rows"), [(1, [1]), (3, [3]), (4, [4]), (7, [3, 4]), (9, [3, 3, 3])])
def test_no_point_is_left_alone(count, rows):
    """Alone it would go through another compiled form than in company."""
    base = Watched(weights(SHAPE), chunk=3)
    assert np.array_equal(
        counted(base).gradient(points(count, SHAPE)), SineProbe(weights(SHAPE)).gradient(points(count, SHAPE))
    )
    assert base.rows == rows


def test_what_the_report_raises_stops_the_work():
    class Enough(Exception):
        pass

    def stop(done):
        if done >= 3:
            raise Enough

    base = Watched(weights(SHAPE), chunk=3)
    with pytest.raises(Enough):
        counted(base, stop).gradient(points(30, SHAPE))
    assert base.rows == [3]


def test_one_chunk_at_a_time_whoever_asks():
    class Busy(SineProbe):
        inside, most = 0, 0

        def score(self, points):
            self.inside += 1
            self.most = max(self.most, self.inside)
            time.sleep(0.002)
            self.inside -= 1
            return super().score(points)

    base = Busy(weights(SHAPE), chunk=2)
    probe = counted(base)
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(probe.score, [points(6, SHAPE)] * 3))
    assert (base.most, probe.points) == (1, 18)
