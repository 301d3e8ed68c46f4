"""FullGrad: every share keeps its sum, wherever it is laid, and all of them are the score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from saliency_core.methods.full_grad import FullGrad
from saliency_core.models.anatomy import Field, Layer, Span
from saliency_core.probe import RuleFacts, Shares, joined
from tests.analytic import LinearProbe, SineProbe, points, weights

SHAPE = (6, 9, 3)
LAYERS = (
    Layer("full", "full:0", (6, 9, 4), "BiasAdd", Field(Span(0, 0, 1), Span(0, 0, 1))),
    Layer("coarse", "coarse:0", (3, 4, 5), "AddV2", Field(Span(0, 2, 2), Span(-4, 4, 2))),
    Layer("blind", "blind:0", (2, 2, 5), "Relu6"),
    Layer("dense", "dense:0", (7,), "BiasAdd"),
)


@dataclass
class Biased(LinearProbe):
    """A probe whose shares a test has thought of; `lost` is in none of them."""

    lost: float = 0.0

    def rule_facts(self, rule):
        return RuleFacts(rule, 1, 0, (("sigmoid", 2),))

    def shares(self, batch):
        draw = np.random.default_rng(3)
        pixels = draw.normal(size=batch.shape)
        biases = []
        for layer in LAYERS:
            each = draw.normal(size=(len(batch), *layer.shape))
            biases.append((layer, np.stack([each.sum(-1), np.abs(each).sum(-1)], -1)))
        total = pixels.sum((1, 2, 3)) + 0.5 + self.lost
        total += sum(v[..., 0].reshape(len(batch), -1).sum(1) for _, v in biases)
        return Shares(total, pixels, tuple(biases), 0.5)


def test_with_signs_the_map_and_the_placeless_biases_are_the_score():
    probe, batch = Biased(weights(SHAPE)), points(1, SHAPE)
    (sketch,) = FullGrad(signed=True).sketches(probe, batch)
    shares = probe.shares(batch)
    dense = shares.biases[-1][1][0, 0] + 0.5
    assert sketch.facts["placeless"] == pytest.approx(dense, rel=1e-12)
    assert sketch.values.sum(dtype=np.float64) + dense == pytest.approx(shares.score[0], rel=1e-5)
    assert abs(sketch.facts["gap"]) < 1e-12
    assert len(sketch.notes) == 1


def test_without_signs_the_map_adds_up_to_the_sizes_of_all_shares_with_a_place():
    probe, batch = Biased(weights(SHAPE)), points(2, SHAPE)
    found = FullGrad().attribute(probe, batch)
    shares = probe.shares(batch)
    wanted = np.abs(shares.pixels).sum((1, 2, 3))
    wanted += sum(v[..., 1].sum((1, 2)) for layer, v in shares.biases if layer.spatial)
    assert found.shape == (2, 6, 9)
    assert found.min() >= 0
    assert np.allclose(found.sum((1, 2), np.float64), wanted, rtol=1e-6)


def test_what_is_in_no_share_is_told_with_what_may_be_the_reason():
    (sketch,) = FullGrad().sketches(Biased(weights(SHAPE), lost=2.0), points(1, SHAPE))
    assert sketch.facts["gap"] == pytest.approx(2.0, rel=1e-12)
    assert "2 of the score is in no share" in sketch.notes[1]
    assert "sigmoid" in sketch.notes[1]


def test_without_biases_it_is_the_size_of_gradient_times_input_and_says_so():
    probe, batch = SineProbe(weights(SHAPE)), points(2, SHAPE)
    (sketch,) = FullGrad().sketches(probe, batch)
    assert np.allclose(sketch.values, np.abs(probe.gradient(batch) * batch).sum(-1), rtol=1e-6)
    assert "no biases" in sketch.notes[0]


def test_shares_of_two_batches_are_those_of_one():
    probe, batch = Biased(weights(SHAPE)), points(2, SHAPE)
    both = joined([probe.shares(batch[:1]), probe.shares(batch[1:])])
    assert both.pixels.shape == (2, *SHAPE)
    assert [layer for layer, _ in both.biases] == list(LAYERS)
    assert both.biases[1][1].shape == (2, 3, 4, 2)
    assert both.offset == 0.5
