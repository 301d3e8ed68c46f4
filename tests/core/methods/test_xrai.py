"""XRAI: the mean of its base over regions, from black and from white."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from saliency_core.baselines import Black, White
from saliency_core.grammar import parse
from saliency_core.methods.grad_cam import GradCam
from saliency_core.methods.gradient_x_input import GradientXInput
from saliency_core.methods.xrai import Xrai
from saliency_core.segments import ranked, regions
from tests.analytic import LinearProbe, SineProbe, points, weights

shapes = pytest.mark.parametrize("shape", [(9, 14, 1), (14, 9, 2), (9, 14, 3), (14, 9, 4), (9, 14, 11)])


@shapes
def test_it_ranks_the_mean_of_both_baselines_largest_channel(shape):
    probe, batch = SineProbe(weights(shape)), points(2, shape)
    path = parse("method", "integrated_gradients()")
    both = [
        replace(path, baseline=one).attribute(probe, batch).astype(np.float64) for one in (Black(), White())
    ]
    flat = np.mean(both, 0).max(-1)
    wanted = np.stack([ranked(one, regions(point)) for one, point in zip(flat, batch, strict=True)])
    assert np.array_equal(Xrai().attribute(probe, batch), wanted.astype(np.float32))


def test_the_map_has_the_sum_of_what_it_gathers():
    """One channel of a linear score: half of the way from black, half of the way from white."""
    shape = (20, 30, 1)
    given, batch = weights(shape), points(1, shape)
    found = Xrai().attribute(LinearProbe(given), batch)
    wanted = (given * (batch[0] - 127.5)).sum()
    assert found.sum(dtype=np.float64) == pytest.approx(wanted, rel=1e-4)


def test_a_base_without_baseline_is_taken_as_it_is():
    shape = (9, 14, 3)
    probe, batch = SineProbe(weights(shape)), points(1, shape)
    method = Xrai(base=GradientXInput())
    flat = GradientXInput().attribute(probe, batch)[0].max(-1)
    assert method.cost == 1
    assert np.array_equal(
        method.attribute(probe, batch)[0], ranked(flat, regions(batch[0])).astype(np.float32)
    )


def test_a_coarse_base_is_brought_to_the_size_of_the_image():
    shape = (9, 14, 3)
    found = Xrai(base=GradCam()).attribute(SineProbe(weights(shape)), points(1, shape))
    assert found.shape == (1, 9, 14)


def test_a_flat_image_is_one_region():
    shape = (20, 30, 3)
    batch = np.full((1, *shape), 100, np.float32)
    found = Xrai(base=GradientXInput()).attribute(LinearProbe(weights(shape)), batch)[0]
    assert np.ptp(found) == 0


def test_notes_and_units_say_what_was_gathered():
    (said,) = Xrai().notes(LinearProbe(weights((224, 224, 1))))
    assert "black" in said
    assert "white" in said
    assert "added 50 or more pixels" in said
    assert Xrai().units("logit") == "logit, mean over a region"
    assert Xrai(baselines="own").cost * 2 == Xrai().cost
