"""Every Keras kind gives, through the frozen graph, what TensorFlow gives by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest

from saliency_core import explain, open_model
from saliency_core.engine.compiled import Form
from saliency_core.engine.probe import lanes
from saliency_core.errors import ModelError, NotFiniteError, SaliencyError, TargetError
from tests.engine.networks import NETWORKS, SIZES, gradient_by_hand, shaken

pytestmark = pytest.mark.engine
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

_made: dict[str, tuple] = {}


def network(name):
    """Return the Keras model, the opened model and a random image, made once."""
    if name not in _made:
        keras.utils.set_random_seed(5)
        model = shaken(NETWORKS[name](keras))
        opened = open_model(model, preprocessing="unit", size=SIZES.get(name), name=name)
        image = np.random.default_rng(0).integers(0, 256, opened.card.input, dtype=np.uint8)
        _made[name] = (model, opened, image)
    return _made[name]


def prepare(name):
    return (lambda x: x[..., 0] / 255.0) if name == "gray_without_channels" else (lambda x: x / 255.0)


def close(found, wanted, part=2e-5):
    assert np.abs(found - wanted).max() <= part * np.abs(wanted).max()


@pytest.mark.parametrize("name", NETWORKS)
def test_probability_gradient_equals_the_tape(name):
    model, opened, image = network(name)
    kind = opened._compiled.anatomy.head.kind

    def pick(answer):
        chance = tf.nn.softmax(answer)[:, 0] if kind == "logits" else answer[:, 0]
        return 1.0 - chance if kind == "binary" else chance

    found = explain(opened, image, "class_probability(0)")
    by_hand = gradient_by_hand(tf, model, image[None].astype(np.float32), prepare(name), pick)[0]
    close(found.values, by_hand)
    answer = pick(model(prepare(name)(tf.constant(image[None], tf.float32)), training=False))
    assert found.score == pytest.approx(float(answer[0]), abs=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_logit_is_the_head_before_its_activation_and_the_evidence_holds(name):
    _, opened, image = network(name)
    found = explain(opened, image)
    assert found.units == "logit per grey level"
    assert found.evidence is not None
    assert found.evidence.error < 1e-5, found.evidence
    best = found.predictions[0]
    assert found.recipe["explained"] == f"class_logit({best.index})"
    assert found.score == pytest.approx(best.logit, rel=1e-5)
    if best.probability is not None and len(found.predictions) == 5:
        logits = np.array([one.logit for one in found.predictions])
        chances = np.array([one.probability for one in found.predictions])
        assert np.allclose(np.exp(logits) / np.exp(logits).sum(), chances, atol=1e-5)


@pytest.mark.parametrize(
    "preprocessing", ["raw", "unit", "symmetric", "caffe", "torch", "affine(2.0, [1, 2, 3], 'bgr')"]
)
def test_gradient_goes_through_the_preprocessing(preprocessing):
    from saliency_core.grammar import parse

    model, _, image = network("functional")
    opened = open_model(model, preprocessing=preprocessing)
    scale, shift, order = parse("preprocessing", preprocessing).affine_for(3)

    def ready(x):
        x = x[..., ::-1] if order == "bgr" else x
        return x * scale.astype(np.float32) + shift.astype(np.float32)

    pixels = image[None].astype(np.float32)
    close(explain(opened, image, "class_probability(1)").values,
          gradient_by_hand(tf, model, pixels, ready, lambda y: y[:, 1])[0], 1e-4)  # fmt: skip


def test_loaded_from_a_file_as_before(tmp_path):
    model, opened, image = network("sequential")
    model.save(tmp_path / "kept.keras")
    again = open_model(tmp_path / "kept.keras", preprocessing="unit")
    close(explain(again, image).values, explain(opened, image).values, 1e-6)


@pytest.mark.parametrize("name", ["sequential", "nested", "subclassed", "logits"])
def test_folded_graph_gives_the_plain_graph_s_numbers(name):
    _, opened, image = network(name)
    compiled = opened._compiled
    assert len(compiled.folded.node) < len(compiled.plain.node)
    folded = explain(opened, image, "class_logit(1)").values
    kept, compiled.folded = compiled.folded, compiled.plain
    compiled._functions.clear()
    try:
        close(folded, explain(opened, image, "class_logit(1)").values, 1e-5)
    finally:
        compiled.folded = kept
        compiled._functions.clear()


def test_fifty_classes_and_fifty_units_are_one_trace_each():
    layers = keras.layers
    model = keras.Sequential([layers.Input((8, 8, 1)), layers.Conv2D(60, 3, name="conv"), layers.GlobalAveragePooling2D(),
                              layers.Dense(60, activation="softmax")])  # fmt: skip
    opened = open_model(model)
    image = np.random.default_rng(1).integers(0, 256, (8, 8, 1), dtype=np.uint8)
    for k in range(50):
        explain(opened, image, f"class_logit({k})")
    assert opened.traces == 1
    for k in range(50):
        explain(opened, image, f"layer_unit('conv', row={k % 6}, col=2, channel={k})")
    assert opened.traces == 2
    probe = opened.probe("class_logit(3)")
    for count in (1, 2, 7, probe.rows, probe.chunk, probe.chunk + 3):
        batch = np.repeat(opened.prepare(image)[None], count, 0)
        assert probe.gradient(batch).shape == (count, 8, 8, 1)
    assert 3 <= opened.traces <= 2 + lanes()  # calls side by side have a function each


def test_linearity_of_targets():
    _, opened, image = network("sequential")
    first = explain(opened, image, "class_logit(1)").values
    second = explain(opened, image, "layer_unit('relu1', 3, 2, 4)").values
    both = explain(opened, image, "2.5*class_logit(1) - 3*layer_unit('relu1', 3, 2, 4)")
    close(both.values, 2.5 * first - 3 * second, 1e-5)
    assert both.evidence.error < 1e-5
    assert not explain(opened, image, "class_difference(2, 2)").values.any()
    assert not explain(opened, image, "0.0*class_logit(2)").values.any()
    there, back = (explain(opened, image, f"class_difference({a}, {b})").values for a, b in ((0, 3), (3, 0)))
    assert np.array_equal(there, -back)


def test_class_zero_of_one_output_is_its_negative():
    _, opened, image = network("binary")
    toward, away = explain(opened, image, "class_logit(1)"), explain(opened, image, "class_logit(0)")
    assert np.array_equal(toward.values, -away.values)
    assert toward.score == -away.score
    chances = [explain(opened, image, f"class_probability({k})").score for k in (0, 1)]
    assert sum(chances) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("name", ["sequential", "open_size", "shared"])
def test_kernel_gradient_is_the_optimiser_s_and_leads_to_the_pixels(name):
    model, opened, image = network(name)
    found = opened.kernel_gradient(image, "class_probability(1)")
    first = next(layer for layer in model.layers if layer.__class__.__name__ == "Conv2D")
    with tf.GradientTape() as tape:
        score = model(image[None].astype(np.float32) / 255.0, training=False)[0, 1]
    if name != "shared":  # a kernel used twice gets both gradients on the tape
        close(found.kernel, tape.gradient(score, first.kernel).numpy())
    assert found.kernel.shape == first.kernel.shape
    assert found.difference < 1e-5
    assert opened.kernel_gradient(image).difference < 1e-5


def test_errors_are_one_clear_sentence():
    model, opened, image = network("sequential")
    with pytest.raises(TargetError, match="classes 0 to 4"):
        explain(opened, image, "class_logit(5)")
    with pytest.raises(TargetError, match="conv1"):
        explain(opened, image, "layer_unit('conv_1')")
    ends = f"from {opened.layers[0].name} to {opened.layers[-1].name}"
    with pytest.raises(TargetError, match=f"Choose one of its layers, {re.escape(ends)}"):
        explain(opened, image, "layer_unit('####')")
    with pytest.raises(TargetError, match="9 x 7 x 6"):
        explain(opened, image, "layer_unit('conv1', 9, 0, 0)")
    with pytest.raises(ModelError, match=r"size=\(height, width\)"):
        open_model(NETWORKS["open_size"](keras))
    with pytest.raises(ModelError, match="not a model"):
        open_model(object())
    with pytest.raises(ModelError, match="no such file"):
        open_model("nowhere.keras")
    broken = keras.models.clone_model(model)
    broken.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    with pytest.raises(NotFiniteError, match="not finite"):
        explain(open_model(broken), image)
    stepped = keras.Sequential([keras.layers.Input((4, 4, 1)), keras.layers.Flatten(),
                                keras.layers.Lambda(lambda x: tf.round(x)), keras.layers.Dense(2)])  # fmt: skip
    with pytest.raises(SaliencyError, match="differentiable"):
        explain(open_model(stepped), np.zeros((4, 4), np.uint8), "class_logit(0)")


def test_progress_can_stop_the_work():
    class Enough(Exception):
        pass

    def stop(done, total):
        raise Enough

    _, opened, image = network("sequential")
    with pytest.raises(Enough):
        explain(opened, image, on_progress=stop)


def test_worked_example_is_exact():
    conv = keras.layers.Conv2D(1, 3, padding="same", use_bias=False, kernel_initializer="ones")
    opened = open_model(keras.Sequential([keras.layers.Input((4, 4, 1)), conv]))
    ones = np.ones((4, 4), np.uint8)
    for target in (
        "output_seed([[1, 1, 0, 1.0]])",
        "output_seed([[0, 1, 1, 0, 1.0]])",
        "layer_unit('output', 1, 1, 0)",
    ):
        found = explain(opened, ones, target)
        assert np.array_equal(found.values[..., 0], [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]])
        assert found.score == 9


def test_no_two_threads_run_the_same_function():
    """Kernels of oneDNN that two threads run at once crash, now and then."""
    compiled = open_model("digits")._compiled
    form = Form("read", (compiled.frozen.output,), 1)
    first, second = compiled._taken(form), compiled._taken(form)
    assert first is not second
    point = np.zeros((1, *compiled.frozen.shape), np.float32)
    compiled.run(form, point)  # gives back what it took
    (idle,) = compiled._functions[form]
    assert idle not in (first, second)
    compiled.run(form, point)
    assert compiled._functions[form] == [idle]
