"""Methods that read a feature map: which layer, what they tell of it, and why a map may be empty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from saliency_core.cells import STRETCHED, Cells, Line
from saliency_core.errors import TargetError
from saliency_core.methods.grad_cam import GradCam
from saliency_core.models.anatomy import Field, Layer, Span
from saliency_core.regions import chosen, silence
from tests.analytic import PooledProbe, points, pooled, weights


class Named(PooledProbe):
    """A probe with the layers that a test gives it."""

    named = ()
    shape_given = None

    @property
    def shape(self):
        return self.shape_given or super().shape

    @property
    def layers(self):
        return self.named


def probe_with(*shapes):
    made = pooled()
    found = Named(weights(made.shape), kernel=made.kernel, mix=made.mix)
    found.named = tuple(Layer(f"layer{i}", f"t{i}:0", shape, "op") for i, shape in enumerate(shapes))
    return found


def test_auto_is_the_last_layer_with_several_cells():
    probe = probe_with((8, 6, 3), (4, 3, 5), (1, 1, 9), (9,))
    assert chosen(probe, "auto").name == "layer1"


def test_a_single_cell_is_taken_where_there_is_nothing_better():
    assert chosen(probe_with((1, 1, 9), (9,)), "auto").name == "layer0"


def test_without_a_feature_map_it_is_refused():
    with pytest.raises(TargetError, match="no feature map"):
        chosen(probe_with((9,), (3,)), "auto")


def test_a_layer_of_units_is_refused_by_name_and_shape():
    with pytest.raises(TargetError, match=r"layer1.*\(9,\)"):
        GradCam(layer="layer1").attribute(probe_with((4, 3, 5), (9,)), points(1, (7, 4, 3)))


def test_what_is_no_layer_but_a_tensor_is_read_without_a_word():
    class Tensors(PooledProbe):
        layers = ()

    made = pooled()
    probe = Tensors(made.weights, kernel=made.kernel, mix=made.mix)
    method = GradCam(layer="features")
    assert method.attribute(probe, points(1, made.shape)).shape == (1, 4, 2)
    assert method.notes(probe) == ()
    assert method.cells_on(probe) == STRETCHED


def test_the_notes_name_layer_cells_and_what_a_cell_sees():
    probe = pooled((7, 4, 3))
    (only,) = GradCam().notes(probe)
    assert "features: 4 x 2 cells of 6 channels" in only
    assert "a cell sees 1 x 1 pixels, one every 2 x 2" in only
    assert GradCam().cells_on(probe) == Cells(Line(0, 2), None)  # 4 cells of 2 rows, but 7; 2 of 2 columns


def test_a_grid_drawn_evenly_tells_where_the_middles_of_its_fields_are():
    """A kernel of 7 and stride 2 with pads at the end alone: 3 and not 0.5 is the middle of the first field."""
    probe = probe_with((4, 2, 6))
    (layer,) = probe.layers
    probe.shape_given = (8, 4, 3)
    probe.named = (replace(layer, field=Field(Span(0, 6, 2), Span(0, 1, 2))),)
    _, aside = GradCam().notes(probe)
    assert "up to 2.5 pixels from there" in aside


def test_a_grid_that_is_not_that_of_the_edges_is_told():
    """A window of 5 x 3 pixels without pads over 7 x 4 pixels: 3 x 2 cells, 2 to 4 and 1 to 2."""
    probe = probe_with((3, 2, 6))
    (layer,) = probe.layers
    probe.named = (replace(layer, field=Field(Span(0, 4, 1), Span(0, 2, 1))),)
    _, away = GradCam().notes(probe)
    assert f"up to {abs(2 - (7 / 6 - 0.5)):.3g} pixels" in away


def test_a_map_that_relu_emptied_says_what_was_there():
    made = pooled()
    probe = PooledProbe(made.weights, kernel=np.abs(made.kernel), mix=-np.abs(made.mix))
    (sketch,) = GradCam().sketches(probe, points(1, made.shape))
    signed = GradCam(relu=False).attribute(probe, points(1, made.shape))
    assert not sketch.values.any()
    assert signed.max() < 0
    assert f"the largest signed value was {float(signed.max()):.3g}" in sketch.notes[-1]


def test_silence_is_only_told_of_silent_maps():
    assert silence(np.array([[1.0, -1.0]]), True) == ()
    assert silence(np.array([[-1.0]]), False) == ()
    assert "does not move" in silence(np.zeros((1, 1)), True)[0]
