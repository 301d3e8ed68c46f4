"""The doctor on networks built for each complaint, and on healthy ones, where it has to be silent."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from saliency_core import explain, open_model
from saliency_core.checks.doctor import examine, look_over
from saliency_core.engine.compiled import Compiled
from saliency_core.engine.freeze import Frozen
from saliency_core.gallery import gallery
from saliency_core.images import read_image
from saliency_core.models.known import template_picture, template_weights
from saliency_core.models.model import Model
from tests.engine import broken
from tests.engine.networks import NETWORKS, SIZES, shaken

pytestmark = pytest.mark.engine
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

REAL = Path(os.environ.get("SALIENCY_REAL", "/nowhere"))
IMAGE = np.random.default_rng(7).integers(0, 256, broken.SHAPE, dtype=np.uint8)


def found(model, image=IMAGE, preprocessing="unit", **more):
    """Return the findings by id, after a way through JSON."""
    opened = model if isinstance(model, Model) else open_model(model, preprocessing=preprocessing)
    facts = json.loads(json.dumps([one.facts() for one in examine(opened, image, **more)], allow_nan=False))
    assert len({one["id"] for one in facts}) == len(facts)
    return {one["id"]: one for one in facts}


@pytest.mark.parametrize(
    ("make", "ids", "severity", "words"),
    [
        (broken.rounded, {"no_derivative"}, "stop", "ends at step/Round (Round)"),
        (broken.cast, {"no_derivative"}, "stop", "whole/Cast (Cast)"),
        (broken.compared, {"no_derivative"}, "stop", "bits/Greater (Greater)"),
        (broken.half_rounded, {"partly_cut"}, "warning", "half/Round (Round)"),
        (broken.straight_through, {"partly_cut"}, "warning", "through/Round (Round)"),
        (broken.dropping, {"random"}, "warning", "draws random numbers at drop/dropout"),
        (broken.noisy, {"random"}, "warning", "noise/truncated_normal"),
        (broken.batch_normed, {"batch_statistics"}, "warning", "live/FusedBatchNorm"),
        (broken.poisoned, {"not_finite_weights"}, "stop", "The weights conv/convolution hold"),
        (broken.overflowing, {"not_finite_output"}, "stop", "overflows on this image: 4 of 4"),
        (broken.all_dead, {"zero_gradient", "constant_output"}, "stop", "ReLU relu removed"),
        (broken.one_branch_dead, {"silent_layer"}, "warning", "ReLU asleep gives only zeros on this image and on"),
        (broken.dying, {"dead_relu"}, "warning", "7 of 8 channels of the ReLU relu"),
        (broken.constant, {"constant_output", "zero_gradient"}, "stop", "8 different images the same answer"),
        (broken.sure, {"saturated"}, "note", "probability of 0.9999"),
    ],
)  # fmt: skip
def test_each_complaint_has_its_own_message(make, ids, severity, words):
    all_found = found(make(keras))
    assert set(all_found) == ids
    assert next(iter(all_found.values()))["severity"] == severity
    assert words in " ".join(one["sentence"] for one in all_found.values())
    assert all(one["advice"].endswith(".") for one in all_found.values())


AT_SIGHT = {"no_derivative", "partly_cut", "random", "batch_statistics", "not_finite_weights"}


@pytest.mark.parametrize(
    "make",
    [broken.rounded, broken.half_rounded, broken.dropping, broken.batch_normed, broken.poisoned, broken.all_dead,
     broken.overflowing, broken.sound],
)  # fmt: skip
def test_what_shows_without_a_run_is_found_again_and_counts_no_run(make, monkeypatch):
    opened = open_model(make(keras), preprocessing="unit")
    full = found(opened)
    monkeypatch.setattr(opened._compiled, "run", None)  # to run it would be a TypeError
    seen = json.loads(json.dumps([one.facts() for one in look_over(opened)]))
    assert {one["id"] for one in seen} == set(full) & AT_SIGHT
    for one in seen:
        again = full[one["id"]]
        assert (one["severity"], one["advice"]) == (again["severity"], again["advice"])
        assert "differ by" not in one["sentence"]


def test_names_are_counted_at_sight():
    opened = open_model(broken.sound(keras), preprocessing="unit")
    (one,) = look_over(opened, labels=["a", "b", "c"])
    assert (one.id, one.facts()) == ("labels", found(opened, labels=["a", "b", "c"])["labels"])


def test_broken_weights_are_counted():
    numbers = found(broken.poisoned(keras))["not_finite_weights"]["numbers"]
    assert numbers["tensors"] == [{"name": "conv/convolution", "nan": 3, "infinite": 1}]


def test_a_dead_layer_tells_the_largest_value_before_it():
    for make, name, id in (
        (broken.all_dead, "conv", "zero_gradient"),
        (broken.one_branch_dead, "asleep", "silent_layer"),
    ):
        model = make(keras)
        kernel, bias = model.get_layer(name).get_weights()
        before = tf.nn.conv2d(IMAGE[None] / np.float32(255), kernel, 1, "VALID") + bias
        numbers = found(model)[id]["numbers"]
        told = numbers["layers"][0] if "layers" in numbers else numbers
        assert told["largest_before"] == pytest.approx(float(tf.reduce_max(before)), rel=1e-5)


def test_random_numbers_are_measured_and_drawn_anew():
    for make in (broken.dropping, broken.noisy):
        assert found(make(keras))["random"]["numbers"]["difference"] > 0.01


@pytest.mark.parametrize("given", [3, 5])
def test_names_are_counted(given):
    model = open_model(broken.sound(keras), preprocessing="unit")
    one = found(model, labels=[f"thing {n}" for n in range(given)])
    assert set(one) == {"labels"}
    assert one["labels"]["numbers"] == {"labels": given, "classes": 4}
    assert found(model, labels=["a", "b", "c", "d"]) == {}


def test_a_rule_of_its_own_is_told():
    @tf.RegisterGradient("TestDoctorLie")
    def lie(op, gradient):
        return -7.0 * gradient

    opened = open_model(broken.sound(keras), preprocessing="unit")
    graph = tf.compat.v1.GraphDef()
    graph.CopyFrom(opened._compiled.plain)
    next(node for node in graph.node if node.op == "Relu").attr["_gradient_op_type"].s = b"TestDoctorLie"
    frozen = Frozen(graph.SerializeToString(), opened._compiled.frozen.output, broken.SHAPE)
    lying = found(Model(Compiled(frozen), opened.card))
    assert set(lying) == {"own_gradient_rules"}
    assert [one.facts() for one in look_over(Model(Compiled(frozen), opened.card))] == [*lying.values()]
    assert "relu/Relu (TestDoctorLie)" in lying["own_gradient_rules"]["sentence"]


@pytest.mark.parametrize(
    ("more", "sign"),
    [
        ({}, "the logits spread by"),
        ({"cap": 6.0}, "the cap of its ReLU"),
        ({"norm": True}, "batch norm meets"),
    ],
)
def test_raw_pixels_into_a_network_that_wants_zero_to_one(more, sign):
    smooth = np.broadcast_to(np.linspace(40, 220, 12)[:, None, None], broken.SHAPE).astype(np.uint8)
    model = broken.in_training(keras, **more)
    assert "preprocessing" not in found(model, smooth, "unit")
    one = found(model, smooth, "raw")["preprocessing"]
    assert sign in one["sentence"]
    assert "raw()" in one["sentence"]
    tried = {row["preprocessing"]: row for row in one["numbers"]["trials"]}
    assert set(tried) == {"raw()", "unit()", "symmetric()", "caffe()", "torch()"}
    assert one["numbers"]["better"] in ("unit()", "symmetric()", "torch()")
    by_unit = open_model(model, preprocessing="unit").classify(smooth)[0]
    assert tried["unit()"]["top"] == by_unit.index
    assert tried["unit()"]["probability"] == pytest.approx(by_unit.probability, rel=1e-4)


def test_pixels_divided_by_255_for_a_network_that_wants_them_whole():
    layers = keras.layers
    dense = layers.Dense(3, use_bias=False)
    model = keras.Sequential([layers.Input((32, 32, 3)), layers.Flatten(), dense, layers.Softmax()])
    dense.set_weights([template_weights().reshape(3, -1).T])
    picture = template_picture(1)
    assert set(found(model, picture, "raw")) <= {"saturated"}
    one = found(model, picture, "unit")["preprocessing"]
    assert "hardly tells 8 very different images apart" in one["sentence"]
    assert one["numbers"]["better"] == "raw()"


@pytest.mark.parametrize("name", NETWORKS)
def test_healthy_networks_of_every_kind_are_left_alone(name):
    model = shaken(NETWORKS[name](keras))
    opened = open_model(model, preprocessing="unit", size=SIZES.get(name))
    image = np.random.default_rng(0).integers(0, 256, opened.card.input, dtype=np.uint8)
    assert found(opened, image) == {}


@pytest.mark.parametrize("name", ["digits", "scenes", "scenes_shortcut", "template", "conv4x4"])
def test_no_false_alarm_on_a_shipped_model_and_any_picture_of_the_gallery(name):
    model = open_model(name)
    for one in gallery():
        picture = read_image(one.read(), name=one.title)
        told = found(model, picture)
        assert set(told) <= {"saturated"}, (one.id, told)
        if told:
            assert max(p.probability for p in model.classify(picture)) > 0.999


@pytest.mark.skipif(not REAL.is_dir(), reason="no real models here: SALIENCY_REAL names their folder")
@pytest.mark.parametrize(
    ("file", "right", "task"),
    [
        ("mobilenet_v2_1_0_224_imagenet1001.keras", "symmetric()", "imagenet"),
        ("resnet20_cifar10_logits.keras", "torch()", "cifar10"),
        ("tiny_vgg_10.keras", "unit()", "tiny_vgg"),
    ],
)
def test_real_networks(file, right, task):
    rows = json.loads((REAL / "manifest.json").read_text())["images"]
    pictures = [read_image(REAL / row["file"]) for row in rows if row["task"] == task][:6]
    well = open_model(REAL / "models" / file, preprocessing=right)
    for picture in pictures:
        assert set(found(well, picture)) <= {"saturated"}
    for wrong in ("raw()", "caffe()"):
        model = open_model(REAL / "models" / file, preprocessing=wrong)
        for picture in pictures:
            told = found(model, picture)["preprocessing"]
            assert told["numbers"]["better"] not in ("raw()", "caffe()")


def test_the_first_norm_is_what_it_met_in_training():
    model = broken.in_training(keras, norm=True)
    _, _, mean, variance = model.get_layer("norm").get_weights()
    written = open_model(model, preprocessing="unit").signs.norm
    assert np.array_equal(np.float32(written.mean), mean)
    assert np.array_equal(np.float32(written.variance), variance)
    assert written.epsilon == pytest.approx(1e-3)

    ramp = np.arange(8, dtype=np.float32)

    def fused(tf, x):
        fixed = [tf.constant(one) for one in (ramp + 1, ramp, ramp, ramp + 2)]
        return tf.compat.v1.nn.fused_batch_norm(x, *fixed, is_training=False)[0]

    signs = open_model(broken.sound(keras, between=[broken._own(keras, "fixed", fused)])).signs
    assert signs.training_norms == ()
    assert signs.norm.mean == tuple(ramp)
    assert signs.norm.variance == tuple(ramp + 2)
    assert signs.norm.name == "fixed"
    assert open_model(broken.sound(keras, norm=True)).signs.norm is None  # it has never seen an image


def test_looking_takes_one_trace_more_than_the_first_map():
    model = open_model(broken.sound(keras, norm=True), preprocessing="unit")
    explain(model, IMAGE)
    before = model.traces
    for seed in range(3):
        found(model, np.random.default_rng(seed).integers(0, 256, broken.SHAPE, dtype=np.uint8))
    assert model.traces == before + 1
