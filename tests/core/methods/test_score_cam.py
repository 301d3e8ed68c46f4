"""Score-CAM: one softmax over channels, scores of masked images alone, and it can go on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from saliency_core.baselines import Black, Mean, White
from saliency_core.methods.score_cam import ScoreCam, _calls
from saliency_core.probe import counted
from tests.analytic import PooledProbe, points, pooled

shapes = pytest.mark.parametrize("shape", [(7, 4, 1), (4, 7, 2), (8, 4, 3), (4, 8, 4), (7, 5, 11)])


class Watched(PooledProbe):
    """Remembers what it was asked to score."""

    seen = ()

    def score(self, points):
        self.seen = (*self.seen, *points)
        return super().score(points)


def by_hand(probe, point):
    """The paper's algorithm for one image, channel by channel; a cell lies where it looks, or evenly."""
    features = probe.at_layer(point[None], "features")[0][0]
    height, width, _ = probe.shape
    scores = []
    for k in range(features.shape[2]):
        low, high = features[..., k].min(), features[..., k].max()
        norm = (features[..., k] - low) / (high - low) if high > low else np.zeros(features.shape[:2])
        mask = np.zeros((height, width))
        for i in range(height):
            for j in range(width):
                mask[i, j] = mixed(norm, *place((i, j), norm.shape, (height, width)))
        masked = mask.astype(np.float32)[None, ..., None] * point
        scores.append(float(probe.score(masked)[0]))
    largest = max(scores)
    weights = [math.exp(s - largest) for s in scores]
    return np.maximum(sum(w * features[..., k] for k, w in enumerate(weights)) / sum(weights), 0)


def place(pixel, cells, extents):
    """Where a pixel lies among cells that see every second one: evenly where two pixels are a cell."""
    return [
        max(0.0, (p - 0.5 * (2 * n == side)) / 2) for p, n, side in zip(pixel, cells, extents, strict=True)
    ]


def mixed(grid, row, col):
    """The value of a surface through the numbers of a grid."""
    row, col = min(row, grid.shape[0] - 1), min(col, grid.shape[1] - 1)
    i, j = min(int(row), max(grid.shape[0] - 2, 0)), min(int(col), max(grid.shape[1] - 2, 0))
    a, b = row - i, col - j
    below, beside = min(i + 1, grid.shape[0] - 1), min(j + 1, grid.shape[1] - 1)
    upper = grid[i, j] * (1 - b) + grid[i, beside] * b
    return upper * (1 - a) + (grid[below, j] * (1 - b) + grid[below, beside] * b) * a


@shapes
def test_it_is_the_paper_s_algorithm(shape):
    probe = pooled(shape)
    probe.mix = probe.mix / 64  # small scores, so that several channels have a say
    batch = points(2, shape)
    found = ScoreCam().attribute(probe, batch)
    wanted = np.stack([by_hand(probe, point) for point in batch])
    assert np.count_nonzero(wanted) > 0
    assert np.allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_only_masked_images_are_scored_one_a_channel():
    made = pooled()
    probe = Watched(made.weights, kernel=made.kernel, mix=made.mix)
    image = points(1, made.shape) + 1
    list(ScoreCam().sketches(probe, image))
    assert len(probe.seen) == 6
    for masked in probe.seen:
        shares = masked / image[0]
        assert shares.min() >= 0
        assert shares.max() <= 1 + 1e-6
        assert np.allclose(shares, shares[..., :1])
        assert not np.array_equal(masked, image[0])


@pytest.mark.parametrize("channels", [2, 5, 11, 256])
def test_the_declared_cost_knows_how_many_channels_there_are(channels):
    probe = pooled((8, 4, 11))
    method = ScoreCam(channels=channels)
    asked = counted(probe)
    method.attribute(asked, points(1, (8, 4, 11)))
    assert asked.points == method.cost_on(probe) == 1 + min(channels, probe.layers[0].shape[2])


def test_equal_scores_give_the_mean_of_the_maps():
    """The softmax of equal numbers: every channel has the same weight, and that is said."""
    made = pooled()
    made.mix = np.zeros(6)
    image = points(1, made.shape)
    *_, last = ScoreCam().sketches(made, image)
    features = made.at_layer(image, "features")[0]
    assert np.allclose(last.values, features.mean(-1), rtol=1e-6)
    assert last.facts["largest_weight"] == pytest.approx(1 / 6, rel=1e-12)


def test_the_channels_with_the_widest_range_come_first():
    made = pooled()
    image = points(1, made.shape)
    *_, last = ScoreCam(channels=2).sketches(made, image)
    features = made.at_layer(image, "features")[0][0]
    first = np.argsort(-np.ptp(features, (0, 1)), kind="stable")[:2]
    scores = last.state["scores"][0]
    weights = np.exp(scores - scores.max())
    wanted = np.maximum((features[..., first] * weights).sum(-1) / weights.sum(), 0)
    assert np.allclose(last.values[0], wanted, rtol=1e-6)


@pytest.mark.parametrize("chunk", [2, 3, 5, 7, 10, 20, 25, 100])
@pytest.mark.parametrize("stop", [*range(2, 70), 256])
def test_calls_cover_every_channel_once_and_leave_no_point_alone(stop, chunk):
    calls = list(_calls(0, stop, chunk))
    assert [first for first, _ in calls] == [0, *(last for _, last in calls[:-1])] or chunk == 2
    assert calls[-1][1] == stop
    assert all(0 < last - first <= chunk for first, last in calls)
    assert all(last - first > 1 for first, last in calls)
    assert chunk % 5 or all((last - first) % 5 != 1 for first, last in calls)


def test_a_single_channel_left_goes_with_the_one_before_it():
    assert list(_calls(24, 25, 10)) == [(23, 25)]
    assert list(_calls(3, 6, 1)) == [(3, 4), (4, 5), (5, 6)]


def test_values_are_activations_and_said_to_be():
    assert ScoreCam().units("logit") == "activation, weighed by the logit"


def test_what_a_mask_hides_is_the_baseline():
    """On its own baseline an image is never hidden: every channel has the score of the whole."""
    made = pooled()
    grey = np.full((1, *made.shape), 130, np.float32)
    probe = Watched(made.weights, kernel=made.kernel, mix=made.mix)
    list(ScoreCam(baseline=Mean()).sketches(probe, grey))
    assert len(probe.seen) == 6
    assert np.abs(np.stack(probe.seen) - 130).max() <= 2e-5


def test_an_image_through_a_mask_and_the_rest_of_the_baseline():
    made = pooled()
    image = points(1, made.shape)
    seen = {}
    for baseline in (Black(), White()):
        probe = Watched(made.weights, kernel=made.kernel, mix=made.mix)
        list(ScoreCam(baseline=baseline).sketches(probe, image))
        seen[baseline] = np.stack(probe.seen)
    hidden = (seen[White()] - seen[Black()]) / 255
    assert hidden.min() >= 0
    assert hidden.max() == 1
    assert np.allclose(seen[Black()], image * (1 - hidden), atol=1e-3)
