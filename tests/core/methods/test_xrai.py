"""XRAI: the mean of its base over regions, from black and from white."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from saliency_core.baselines import Black, White
from saliency_core.grammar import parse
from saliency_core.methods.expected_gradients import ExpectedGradients
from saliency_core.methods.grad_cam import GradCam
from saliency_core.methods.gradient_x_input import GradientXInput
from saliency_core.methods.integrated_gradients import IntegratedGradients
from saliency_core.methods.xrai import Xrai
from saliency_core.probe import counted
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


def gathered(maps, batch):
    flat = np.mean([one.astype(np.float64) for one in maps], 0).max(-1)
    wanted = [ranked(one, regions(point)) for one, point in zip(flat, batch, strict=True)]
    return np.stack(wanted).astype(np.float32)


def test_black_and_white_take_turns():
    shape = (14, 9, 3)
    probe, batch = SineProbe(weights(shape), chunk=8), points(2, shape)
    base = parse("method", "integrated_gradients(steps=15)")
    alone = [list(replace(base, baseline=one).sketches(probe, batch)) for one in (Black(), White())]
    made = list(Xrai(base).sketches(counted(probe), batch))
    assert len(made) == sum(map(len, alone)) > 6
    for place, sketch in enumerate(made):
        known = [alone[0][(place + 2) // 2 - 1], *alone[1][: (place + 1) // 2][-1:]]
        assert (sketch.done, sketch.total) == (sum(one.done for one in known), 30)
        assert np.array_equal(sketch.values, gathered([one.values for one in known], batch))
        assert ("so far from black alone" in sketch.notes[0]) == (place == 0)


@pytest.mark.parametrize(
    "base",
    ["integrated_gradients(steps=7, tolerance=0.1)", "guided_ig(steps=12)", "occlusion(window=4)",
     "smoothgrad(samples=9)", "kernel_shap(samples=40)", "expected_gradients(samples=9)", "grad_cam()",
     "xrai(base=integrated_gradients(steps=7))"],
)  # fmt: skip
def test_cut_anywhere_it_goes_on_to_the_same_bytes(base):
    shape = (14, 9, 3)
    probe, batch = SineProbe(weights(shape), chunk=6), points(1, shape)
    method = Xrai(parse("method", base))
    whole = list(method.sketches(counted(probe), batch))
    assert whole[-1].values.tobytes() == method.attribute(probe, batch).tobytes()
    for cut in whole:
        asked = counted(probe)
        after = list(method.sketches(asked, batch, cut))
        assert after[-1].values.tobytes() == whole[-1].values.tobytes()
        assert [one.done for one in after] == sorted({one.done for one in after})
        assert after[0].done > cut.done or cut is whole[-1]
        assert cut is not whole[-1] or not asked.points


def test_more_steps_of_the_base_go_on_from_fewer():
    shape = (14, 9, 3)
    probe, batch = SineProbe(weights(shape), chunk=8), points(1, shape)
    few, many = (Xrai(IntegratedGradients(steps=steps)) for steps in (5, 15))
    *_, begun = few.sketches(counted(probe), batch)
    asked = counted(probe)
    sketches = list(many.sketches(asked, batch, begun))
    assert asked.points == 20
    assert {one.total for one in sketches} == {30}
    assert sketches[-1].values.tobytes() == many.attribute(probe, batch).tobytes()


def test_it_continues_what_its_base_continues():
    few, many = (Xrai(IntegratedGradients(steps=steps)) for steps in (5, 15))
    assert many.continues(few)
    assert many.continues(many)
    assert not few.continues(many)
    assert not many.continues(replace(few, baselines="own"))
    assert not many.continues(few.base)
    assert not many.continues(Xrai(ExpectedGradients(samples=5)))
    assert Xrai(GradCam()).continues(Xrai(GradCam()))
    assert not Xrai(GradCam()).continues(Xrai())


def test_rounds_are_those_of_its_base():
    probe = SineProbe(weights((14, 9, 3)))
    assert (Xrai().total(probe), Xrai().counted_in) == (100, "steps")
    assert (Xrai(baselines="own").total(probe), Xrai(ExpectedGradients()).counted_in) == (50, "samples")
    assert (Xrai(GradCam()).total(probe), Xrai(GradCam()).counted_in) == (1, "maps")


def test_a_state_of_other_rounds_than_it_claims_is_not_gone_on_with():
    probe, batch = SineProbe(weights((14, 9, 3))), points(1, (14, 9, 3))
    *_, last = Xrai().sketches(counted(probe), batch)
    assert not list(Xrai().sketches(probe, batch, replace(last, done=10**9)))


def test_who_stops_ends_both_runs():
    """Nothing is computed for a map that nobody waits for."""
    probe, batch = counted(SineProbe(weights((14, 9, 3)), chunk=2)), points(1, (14, 9, 3))
    run = Xrai().sketches(probe, batch)
    next(run)
    run.close()
    before = probe.points
    assert before < Xrai().cost
    assert not [one for one in threading.enumerate() if one.name.startswith("ahead")]
    assert probe.points == before
