"""The laws of class activation maps, on a network whose answers are known on paper."""

from __future__ import annotations

import numpy as np
import pytest

from saliency_core.methods.grad_cam import GradCam
from saliency_core.methods.grad_cam_pp import GradCamPlusPlus
from saliency_core.methods.hires_cam import HiResCam
from saliency_core.methods.layer_cam import LayerCam
from saliency_core.models.anatomy import Field, Layer, Span
from tests.analytic import LinearProbe, points, pooled

shapes = pytest.mark.parametrize("shape", [(7, 4, 1), (4, 7, 2), (8, 4, 3), (4, 8, 4), (7, 5, 11)])


class Given(LinearProbe):
    """A probe whose layer holds any activations and gradients that a test thinks of."""

    def __init__(self, activations, gradients):
        super().__init__(np.ones((4, 4, 1)))
        self.activations, self.gradients = activations, gradients

    def at_layer(self, points, layer):
        return self.activations, self.gradients


def noise(shape=(2, 3, 5, 4), seed=1):
    draw = np.random.default_rng(seed)
    return draw.normal(size=shape).astype(np.float32), draw.normal(size=shape).astype(np.float32)


@shapes
def test_grad_cam_behind_a_global_mean_is_the_class_activation_map(shape):
    """Zhou 2016: the features, mixed as the dense layer mixes their means. Grad-CAM divides by the cells."""
    probe, batch = pooled(shape), points(2, shape)
    features, _ = probe.at_layer(batch, "features")
    cam = (features @ probe.mix) / features[0, ..., 0].size
    assert np.array_equal(GradCam(relu=False).attribute(probe, batch), cam.astype(np.float32))
    assert np.array_equal(GradCam().attribute(probe, batch), np.maximum(cam, 0).astype(np.float32))


@shapes
def test_behind_a_global_mean_hires_cam_is_grad_cam_and_adds_up_to_the_score(shape):
    probe, batch = pooled(shape), points(2, shape)
    found = HiResCam().attribute(probe, batch)
    assert np.array_equal(found, GradCam(relu=False).attribute(probe, batch))
    assert np.allclose(found.sum((1, 2), np.float64), probe.score(batch), rtol=1e-6, atol=1e-4)


def test_hires_cam_is_gradient_times_activation_cell_by_cell():
    a, g = noise()
    wanted = (a.astype(np.float64) * g).sum(-1).astype(np.float32)
    assert np.array_equal(HiResCam().attribute(Given(a, g), points(2, (4, 4, 1))), wanted)
    assert np.array_equal(
        HiResCam(relu=True).attribute(Given(a, g), points(2, (4, 4, 1))), np.maximum(wanted, 0)
    )


def test_grad_cam_and_hires_cam_part_where_gradients_differ_from_cell_to_cell():
    a, g = noise()
    probe = Given(np.abs(a), g)
    batch = points(2, (4, 4, 1))
    assert not np.allclose(HiResCam().attribute(probe, batch), GradCam(relu=False).attribute(probe, batch))


def test_layer_cam_is_its_formula():
    a, g = noise()
    found = LayerCam().attribute(Given(a, g), points(2, (4, 4, 1)))
    for b, i, j in np.ndindex(2, 3, 5):
        terms = [max(0.0, float(g[b, i, j, k])) * float(a[b, i, j, k]) for k in range(4)]
        assert found[b, i, j] == pytest.approx(max(0.0, sum(terms)), rel=1e-6, abs=1e-7)


def by_the_paper(a, g):
    """Equations 5, 6 and 19 in float64, for positive scores; 0 / 0 is 0."""
    a, g = a.astype(np.float64), g.astype(np.float64)
    below = 2 * g**2 + a.sum((1, 2), keepdims=True) * g**3
    alpha = np.divide(g**2, below, out=np.zeros_like(g), where=below != 0)
    weights = (alpha * np.maximum(g, 0)).sum((1, 2))
    return np.maximum(np.einsum("bk,bijk->bij", weights, a), 0)


def test_grad_cam_pp_is_the_paper_s_formula():
    a, g = noise()
    a, g = np.maximum(a, 0), g * 0.1
    g[0, 0, 0] = 0
    found = GradCamPlusPlus().attribute(Given(a, g), points(2, (4, 4, 1)))
    assert np.allclose(found, by_the_paper(a, g), rtol=1e-6, atol=0)


def test_grad_cam_pp_divides_by_the_sum_of_activations_not_their_mean():
    """One channel, two cells, g = 1 there and a = 3 and 1: each share is 1 / (2 + 4)."""
    a, g = np.array([3.0, 1.0]).reshape(1, 1, 2, 1), np.ones((1, 1, 2, 1))
    found = GradCamPlusPlus().attribute(Given(a, g), points(1, (4, 4, 1)))
    assert found[0, 0] == pytest.approx([3 * 2 / 6, 1 * 2 / 6], rel=1e-7)


def test_grad_cam_pp_stays_finite_where_cubes_of_gradients_would_not():
    a, g = np.full((1, 1, 2, 1), 1e30, np.float32), np.full((1, 1, 2, 1), 1e-30, np.float32)
    assert np.isfinite(GradCamPlusPlus().attribute(Given(a, g), points(1, (4, 4, 1)))).all()


@pytest.mark.parametrize(
    ("cols", "said"),
    [
        (Span(0, 19, 10), ""),  # 0 to 29: all of 30 columns
        (Span(-5, 14, 10), ""),  # 0 to 24: less than a step is left out
        (Span(0, 4, 10), "columns 0 to 14"),
        (Span(15, 19, 10), "columns 15 to 29"),
        (None, ""),
    ],
)
def test_a_layer_that_sees_only_a_part_of_the_image_says_which(cols, said):
    """As one of two images that lie side by side: two cells, 10 columns apart."""
    layer = Layer("features", "features:0", (4, 2, 4), "Relu", Field(Span(0, 0, 1), cols))

    class Watching(LinearProbe):
        layers = (layer,)

    probe = Watching(np.ones((4, 30, 1)))
    partial = [note for note in GradCam().notes(probe) if "sees only" in note]
    assert len(partial) == bool(said)
    assert all(said in note for note in partial)


def test_a_batch_of_large_maps_is_taken_in_parts_with_the_same_bytes(monkeypatch):
    probe, batch = pooled((8, 4, 3)), points(7, (8, 4, 3))
    whole = GradCam(relu=False).attribute(probe, batch)
    monkeypatch.setattr("saliency_core.regions.AT_ONCE", 3 * 4 * 2 * len(probe.mix))
    asked = []
    at_layer = type(probe).at_layer
    monkeypatch.setattr(
        type(probe), "at_layer", lambda self, few, name: asked.append(len(few)) or at_layer(self, few, name)
    )
    assert np.array_equal(GradCam(relu=False).attribute(probe, batch), whole)
    assert asked == [3, 4]
