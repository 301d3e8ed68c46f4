"""Methods that read feature maps, on real graphs: nested, sequential, confined, and with other questions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from saliency_core import explain, open_model
from saliency_core.cells import Cells, enlarged
from saliency_core.errors import ModelError, TargetError
from saliency_core.grammar import parse
from saliency_core.methods.score_cam import ScoreCam
from tests.engine.networks import NETWORKS, shaken
from tests.engine.test_networks import network

pytestmark = pytest.mark.engine
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

CAMS = ["grad_cam", "grad_cam_pp", "hires_cam", "layer_cam", "score_cam"]
REGIONAL = [*CAMS, "full_grad"]
SPATIAL = [name for name in NETWORKS if name != "gray_without_channels"]


def made(name: str) -> tuple[Any, np.ndarray]:
    model = open_model(name)
    shape = model.card.input
    return model, np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("method", REGIONAL)
@pytest.mark.parametrize("name", SPATIAL)
def test_every_kind_of_network_has_a_map(name: str, method: str) -> None:
    _, model, image = network(name)
    found = explain(model, image, "class_logit(1)", method)
    assert found.kind == "region"
    assert found.values.ndim == 2
    assert found.notes
    assert np.isfinite(found.values).all()
    assert found.values.any() or "ReLU removed everything" in found.notes[-1]


def test_the_layer_before_the_head_is_taken_and_named() -> None:
    _, model, image = network("nested")
    found = explain(model, image, "class_logit(1)", "grad_cam")
    last = [layer for layer in model.layers if layer.spatial][-1]
    assert found.values.shape == last.shape[:2]
    assert last.name in found.notes[0]
    assert found.cells == Cells.of(last, model.card.input)


def test_grad_cam_of_a_keras_network_is_the_tape_s() -> None:
    """Sequential: the features in front of the global mean, by a model of its own that stops there."""
    keras_model, model, image = network("sequential")
    stop = next(i for i, layer in enumerate(keras_model.layers) if layer.name == "mean")
    features = tf.constant(image[None] / np.float32(255))
    for layer in keras_model.layers[:stop]:
        features = layer(features, training=False)
    with tf.GradientTape() as tape:
        tape.watch(features)
        logit = keras_model.get_layer("logits")(keras_model.get_layer("mean")(features))[0, 2]
    slope = tape.gradient(logit, features).numpy()
    wanted = (slope.mean((1, 2), keepdims=True) * features.numpy()).sum(-1)[0]
    found = explain(model, image, "class_logit(2)", "grad_cam(relu=False)").values
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-6 * np.abs(wanted).max())


def test_a_hidden_unit_is_explained_by_the_layer_before_it() -> None:
    model, image = made("scenes")
    spatial = [layer for layer in model.layers if layer.spatial]
    asked = spatial[-1]
    found = explain(
        model, image, f"layer_unit('{asked.name}', row=1, col=1, channel=3)", "grad_cam(relu=False)"
    )
    assert spatial[-2].name in found.notes[0]
    assert found.values.shape == spatial[-2].shape[:2]


def test_a_layer_by_name_gives_its_own_size_and_an_unknown_one_is_refused() -> None:
    model, image = made("scenes")
    for layer in (one for one in model.layers if one.spatial):
        assert (
            explain(model, image, method=f"layer_cam(layer='{layer.name}')").values.shape == layer.shape[:2]
        )
    with pytest.raises(TargetError, match="no layer 'nowhere'"):
        explain(model, image, method="grad_cam(layer='nowhere')")
    dense = next(one for one in model.layers if not one.spatial)
    with pytest.raises(TargetError, match="no rows and columns"):
        explain(model, image, method=f"grad_cam(layer='{dense.name}')")


def test_a_layer_behind_what_is_explained_is_refused_with_what_to_do() -> None:
    model, image = made("scenes")
    first, *_, last = [layer.name for layer in model.layers if layer.spatial]
    with pytest.raises(ModelError, match="does not depend on") as problem:
        explain(model, image, f"layer_unit('{first}', row=1, col=1, channel=0)", f"grad_cam(layer='{last}')")
    assert "layer='auto'" in problem.value.hint


def test_a_network_without_feature_maps_says_what_to_do() -> None:
    _, model, image = network("gray_without_channels")
    with pytest.raises(TargetError, match="no feature map"):
        explain(model, image, "class_logit(1)", "grad_cam")


@pytest.mark.parametrize(("first", "whole"), [(8, 16), (25, 50), (7, 14), (16, 128), (31, 62)])
def test_score_cam_goes_on_bit_for_bit(first: int, whole: int) -> None:
    model, image = made("scenes")
    short = explain(model, image, method=f"score_cam(channels={first})")
    longer = explain(model, image, method=f"score_cam(channels={whole})", resume=short)
    once = explain(model, image, method=f"score_cam(channels={whole})")
    assert longer.values.tobytes() == once.values.tobytes()
    assert (longer.done, longer.total) == (whole, whole)


def test_score_cam_stopped_after_any_call_goes_on_bit_for_bit() -> None:
    model, image = made("digits")
    probe, point = model.probe("class_logit(3)"), model.prepare(image)[None]
    probe.chunk = 25
    sketches = list(ScoreCam(channels=60).sketches(probe, point))
    assert len(sketches) > 1
    for begun in sketches:
        *_, last = ScoreCam(channels=60).sketches(probe, point, replace(begun, total=60))
        assert last.values.tobytes() == sketches[-1].values.tobytes()


def test_a_layer_with_fewer_channels_is_tried_whole() -> None:
    model, image = made("digits")
    found = explain(model, image, method="score_cam(channels=300)")
    channels = [layer for layer in model.layers if layer.spatial][-1].channels
    assert found.facts["tried"] == channels < 300
    assert found.done == found.total == channels
    assert f"All {channels} channels were tried" in found.notes[1]


def test_smoothgrad_of_grad_cam_lies_where_grad_cam_lies() -> None:
    model, image = made("scenes")
    plain = explain(model, image, method="grad_cam")
    smooth = explain(model, image, method=parse("method", "smoothgrad(base=grad_cam(), samples=4)"))
    assert smooth.values.shape == plain.values.shape
    assert smooth.cells == plain.cells
    assert not np.array_equal(smooth.values, plain.values)


def test_xrai_of_a_coarse_base_fills_the_image_from_edge_to_edge() -> None:
    model, image = made("digits")  # its last cells do not divide the image evenly
    coarse = explain(model, image, method="grad_cam()")
    assert coarse.cells != Cells()
    found = explain(model, image, method="xrai(base=grad_cam())")
    assert found.values.shape == model.card.input[:2]
    assert found.cells == Cells()
    heat = enlarged(coarse.values, *found.values.shape, coarse.cells)
    assert found.values.sum(dtype=np.float64) == pytest.approx(heat.sum(dtype=np.float64), rel=1e-5)


@pytest.mark.parametrize("name", ["scenes", "digits"])
def test_xrai_parts_the_image_into_regions_of_one_value(name: str) -> None:
    model, image = made(name)
    found = explain(model, image, method="xrai(base=integrated_gradients(steps=8))")
    assert found.values.shape == model.card.input[:2]
    assert 1 < len(np.unique(found.values)) < found.values.size / 4
    assert found.units == "logit, mean over a region"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """The same file opened here and in a confined process."""
    path = tmp_path_factory.mktemp("kept") / "kept.keras"
    shaken(NETWORKS["sequential"](keras)).save(path)
    here, there = (open_model(path, preprocessing="unit", trusted=trusted) for trusted in (True, False))
    yield here, there
    there._compiled.close()


@pytest.mark.parametrize("method", REGIONAL)
def test_a_confined_model_gives_the_same_bytes(kept: tuple[Any, Any], method: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    here, there = (explain(model, image, "class_logit(1)", method) for model in kept)
    assert here.values.tobytes() == there.values.tobytes()
    assert (here.notes, here.cells, here.facts) == (there.notes, there.cells, there.facts)
