"""Several inputs, several outputs, fixed batches, flat inputs, any number of channels."""

from __future__ import annotations

import numpy as np
import pytest

from saliency_core import explain
from saliency_core.errors import ImageError, ModelError
from tests.engine.formats.trusted import open_model
from tests.engine.networks import shaken

pytestmark = pytest.mark.engine
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")
draw = np.random.default_rng(4)
LEFT, RIGHT = (6, 5, 3), (8, 4, 1)


def two_images():
    """Two image inputs of different size and channels, a vector beside them, two outputs."""
    layers = keras.layers
    left, right = keras.Input(LEFT, name="left"), keras.Input(RIGHT, name="right")
    extra = keras.Input((2,), name="extra")
    parts = [layers.Flatten()(layers.Conv2D(3, 3, activation="tanh")(one)) for one in (left, right)]
    joined = layers.Concatenate()([*parts, extra])
    classes = layers.Dense(4, activation="softmax", name="classes")(joined)
    score = layers.Dense(1, name="score")(joined)
    return shaken(keras.Model([left, right, extra], [classes, score]))


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return two_images()


def images():
    return [np.random.default_rng(k).integers(0, 256, s, dtype=np.uint8) for k, s in enumerate((LEFT, RIGHT))]


def by_hand(model, pixels, extra, number, unit):
    inputs = [tf.constant(one[None].astype(np.float32)) for one in pixels]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        answer = model([one / 255.0 for one in inputs] + [tf.constant([extra], tf.float32)], training=False)
        score = answer[number][:, unit]
    return [found.numpy()[0] for found in tape.gradient(score, inputs)]


@pytest.mark.parametrize("extra", [(0.0, 0.0), (2.0, -1.0)])
@pytest.mark.parametrize("format", ["live", "keras", "h5", "saved_model"])
def test_one_map_for_each_image_input_side_by_side(model, extra, format, tmp_path):
    source = model
    if format == "saved_model":
        model.export(str(tmp_path / "kept"), verbose=False)
        source = tmp_path / "kept"
    elif format != "live":
        source = tmp_path / f"kept.{format}"
        model.save(source)
    others = {} if extra == (0.0, 0.0) else {"extra": list(extra)}
    output = "output_0" if format == "saved_model" else "classes"
    opened = open_model(source, preprocessing="unit", output=output, others=others)
    assert opened.card.input == (8, 9, 3)
    assert [(p.name, p.column, p.width) for p in opened.places] == [("left", 0, 5), ("right", 5, 4)]
    assert list(opened.card.description.held) == ["extra"]
    pair = images()
    made = explain(opened, pair, "class_probability(2)")
    left, right = by_hand(model, pair, extra, 0, 2)
    assert np.abs(made.values[:6, :5] - left).max() <= 2e-5 * np.abs(left).max()
    assert np.abs(made.values[:8, 5:9, :1] - right).max() <= 2e-5 * np.abs(right).max()
    assert not made.values[6:, :5].any()
    assert not made.values[:, 5:, 1:].any()
    assert made.evidence.error < 1e-5


def test_outputs_are_chosen_by_number_or_name(model):
    pair = images()
    for output in (1, "1", "score"):
        opened = open_model(model, preprocessing="unit", output=output)
        assert opened.card.description.output == "score"
        left, _ = by_hand(model, pair, (0, 0), 1, 0)
        assert opened.card.classes == 0  # one number without a sigmoid may be anything
        made = explain(opened, pair, "layer_unit(layer='output')")
        assert np.abs(made.values[:6, :5] - left).max() <= 2e-5 * np.abs(left).max()
    assert open_model(model).card.description.output == "classes"
    for wrong in (2, "nothing"):
        with pytest.raises(ModelError, match="outputs 0 to 1: classes, score"):
            open_model(model, output=wrong)


def test_the_same_image_is_given_to_each_input_or_one_each(model):
    opened = open_model(model)
    same = opened.prepare(np.full((20, 20, 3), 7, np.uint8))
    assert (same[:6, :5] == 7).all()
    assert (same[:8, 5:] == 7).all()
    assert not same[6:, :5].any()
    assert np.array_equal(opened.prepare(same.astype(np.uint8)), same)
    with pytest.raises(ImageError, match="3 images were given, the model has 2"):
        opened.prepare([images()[0]] * 3)
    with pytest.raises(ImageError, match="one image input"):
        open_model("digits").prepare([images()[1]] * 2)
    with pytest.raises(ModelError, match=r"no input 'further'.*left, right, extra"):
        open_model(model, others={"further": 1})
    with pytest.raises(ModelError, match="does not fit its shape"):
        open_model(model, others={"extra": [1, 2, 3]})


@pytest.mark.parametrize("format", ["live", "keras", "h5"])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_fixed_batch_is_called_in_that_batch(batch, format, tmp_path):
    layers = keras.layers
    image = keras.Input(batch_shape=(batch, 6, 5, 2))
    features = layers.Conv2D(3, 3, activation="tanh")(image)
    if format == "live":  # Keras cannot load this operation, which works for its batch alone
        flat = keras.ops.reshape(features, (batch, -1))
    else:
        flat = layers.Flatten()(features)
    model = shaken(keras.Model(image, layers.Dense(3, activation="softmax")(flat)))
    source = model
    if format != "live":
        source = tmp_path / f"kept.{format}"
        model.save(source)
    opened = open_model(source)
    assert opened.card.description.batch == batch
    points = np.random.default_rng(0).uniform(0, 255, (7, 6, 5, 2)).astype(np.float32)
    probe = opened.probe("class_probability(1)")
    assert probe.rows == batch
    gradient = probe.gradient(points)
    assert gradient.shape == (7, 6, 5, 2)
    for row in (0, 6):
        with tf.GradientTape() as tape:
            pixels = tf.constant(np.repeat(points[row : row + 1], batch, 0))
            tape.watch(pixels)
            score = model(pixels)[0, 1]
        wanted = tape.gradient(score, pixels).numpy()[0]
        assert np.abs(gradient[row] - wanted).max() <= 2e-5 * np.abs(wanted).max()
    image = points[0].round().astype(np.uint8)
    made = explain(opened, image)
    assert made.evidence.error < 1e-5
    assert opened.kernel_gradient(image).difference < 1e-5
    assert opened.activation(image, opened.layers[0].name)[1].shape == (4, 3, 3)
    assert len(opened.head_values(points)[0]) == 7


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_any_number_of_channels(channels):
    layers = keras.layers
    weights = np.random.default_rng(channels).normal(size=(5 * 3 * channels, 2)).astype(np.float32)
    model = keras.Sequential([layers.Input((5, 3, channels)), layers.Flatten(), layers.Dense(2)])
    model.set_weights([weights, np.zeros(2, np.float32)])
    image = np.random.default_rng(0).integers(0, 256, (5, 3, channels), dtype=np.uint8)
    made = explain(open_model(model), image, "class_logit(1)")
    assert np.array_equal(made.values, weights[:, 1].reshape(5, 3, channels))


def test_a_flat_input_is_the_image_that_it_is_said_to_be():
    layers = keras.layers
    weights = np.random.default_rng(0).normal(size=(24, 2)).astype(np.float32)
    model = keras.Sequential([layers.Input((24,)), layers.Dense(2)])
    model.set_weights([weights, np.zeros(2, np.float32)])
    image = np.random.default_rng(0).integers(0, 256, (4, 2, 3), dtype=np.uint8)
    made = explain(open_model(model, size=(4, 2, 3)), image, "class_logit(0)")
    assert np.array_equal(made.values, weights[:, 0].reshape(4, 2, 3))
    assert open_model(model, size=(4, 6)).card.input == (4, 6, 1)
    with pytest.raises(ModelError, match=r"size=\(height, width, channels\)"):
        open_model(model)
    with pytest.raises(ModelError, match=r"has 27 values; the input .* takes 24"):
        open_model(model, size=(3, 3, 3))


def test_channels_first_is_shown_as_an_image():
    layers = keras.layers
    image = keras.Input((3, 8, 6))
    conv = layers.Conv2D(4, 3, padding="same", data_format="channels_first", activation="relu")(image)
    pooled = layers.MaxPooling2D(2, data_format="channels_first")(conv)
    model = shaken(keras.Model(image, layers.Dense(3)(layers.Flatten()(pooled))))
    opened = open_model(model)
    assert opened.card.input == (8, 6, 3)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    given = tf.constant(pixels[None].astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(given)
        score = model(tf.transpose(given, [0, 3, 1, 2]))[:, 1]
    wanted = tape.gradient(score, given).numpy()[0]
    made = explain(opened, pixels, "class_logit(1)")
    assert np.abs(made.values - wanted).max() <= 2e-5 * np.abs(wanted).max()
    assert made.evidence.error < 1e-5


def test_a_loop_is_refused_by_name():
    layers = keras.layers
    image = keras.Input((5, 4))
    model = keras.Model(image, layers.Dense(2)(layers.SimpleRNN(3)(image)))
    with pytest.raises(ModelError, match=r"loop \((Stateless)?While"):
        open_model(model)
