"""Every Keras kind in every format gives the gradient that a GradientTape gives for the live model."""

from __future__ import annotations

import numpy as np
import pytest

from saliency_core import explain
from tests.engine.formats.trusted import open_model
from tests.engine.networks import NETWORKS, SIZES, gradient_by_hand, shaken

pytestmark = pytest.mark.engine
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

FORMATS = ("live", "keras", "h5", "saved_model")
OPEN_SIZE = {"open_size": (10, 8)}


def grouped(keras):
    """Two groups with three channels each, and one of one channel a group."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((9, 7, 6)),
            layers.Conv2D(8, 3, groups=2, padding="same", activation="relu", name="halves"),
            layers.Conv2D(16, 3, groups=8, strides=2, name="singles"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, activation="softmax"),
        ]
    )


def deep(keras):
    """A model as a layer, two levels down, called twice."""
    layers = keras.layers
    core = keras.Sequential([layers.Input((8, 6, 3)), layers.Conv2D(3, 3, padding="same", activation="elu")])
    image = keras.Input((8, 6, 3))
    middle = keras.Model(image, core(core(image)), name="middle")
    outer = keras.Input((8, 6, 3))
    mean = layers.GlobalAveragePooling2D()(middle(outer))
    return keras.Model(outer, layers.Dense(4, activation="softmax")(mean))


def rescaled(keras):
    """Preprocessing inside, and an activation with a gradient rule of TensorFlow's own."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((9, 7, 3)),
            layers.Rescaling(4.0, offset=-1.0),
            layers.Conv2D(6, 3, activation="swish"),
            layers.SeparableConv2D(5, 3, activation="gelu"),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(3, activation="sigmoid"),
        ]
    )


def whole_numbers(keras):
    """An input of uint8 pixels, cast inside."""
    layers = keras.layers
    image = keras.Input((6, 5, 3), dtype="uint8")
    floating = layers.Rescaling(1 / 255.0)(image)
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(layers.Conv2D(4, 3)(floating))))


def half(keras):
    """Computed in half precision, weights in float32."""
    layers = keras.layers
    image = keras.Input((9, 7, 3))
    first = layers.Conv2D(6, 3, activation="relu", dtype="mixed_float16")(image)
    mean = layers.GlobalAveragePooling2D(dtype="float32")(first)
    return keras.Model(image, layers.Dense(4, activation="softmax", dtype="float32")(mean))


KINDS = {**NETWORKS, "grouped": grouped, "deep": deep, "rescaled": rescaled, "half": half}


def outputs(model, shape):
    flat = len(getattr(model, "input_shape", ())) == 3
    return int(model(np.zeros((1, *(shape[:2] if flat else shape)), np.float32)).shape[-1])


CLOSE = {"half": 2e-3}  # half precision rounds to 1 part in 2,000; the tape rounds elsewhere
_made: dict[str, tuple] = {}


def network(kind):
    """Return the Keras model, an image and the gradient by the tape, made once."""
    if kind not in _made:
        keras.utils.set_random_seed(5)
        model = shaken(KINDS[kind](keras))
        shape = SIZES.get(kind) or tuple(model.inputs[0].shape[1:])
        channels = shape if len(shape) == 3 else (*shape, 3 if kind == "open_size" else 1)
        image = np.random.default_rng(0).integers(0, 256, channels, dtype=np.uint8)
        flat = kind == "gray_without_channels"
        weights = np.random.default_rng(1).normal(size=outputs(model, channels)).astype(np.float32)

        def pick(answer):
            return tf.reduce_sum(tf.cast(answer, tf.float32) * weights, -1)

        def prepare(pixels):
            return pixels[..., 0] / 255.0 if flat else pixels / 255.0

        wanted = gradient_by_hand(tf, model, image[None].astype(np.float32), prepare, pick)[0]
        _made[kind] = (model, image, weights, wanted)
    return _made[kind]


def stored(model, format, folder):
    """Return what open_model is given: the model itself, or where it was written."""
    if format == "live":
        return model
    if format == "saved_model":
        model.export(str(folder / "exported"), verbose=False)
        return folder / "exported"
    path = folder / f"kept.{format}"
    model.save(path)
    return path


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_gradient_is_the_tape_s(kind, format, tmp_path):
    model, image, weights, wanted = network(kind)
    if kind == "subclassed" and format in ("keras", "h5"):
        pytest.skip("Keras needs the class itself to load a subclassed model")
    opened = open_model(stored(model, format, tmp_path), preprocessing="unit", size=OPEN_SIZE.get(kind))
    seed = [[k, float(weight)] for k, weight in enumerate(weights)]
    made = explain(opened, image, f"output_seed({seed})")
    assert np.abs(made.values - wanted).max() <= CLOSE.get(kind, 2e-5) * np.abs(wanted).max()
    assert np.abs(wanted).max() > 0
    if kind != "half":
        assert made.evidence.error < 1e-5


@pytest.mark.parametrize("format", FORMATS)
def test_pixels_of_whole_numbers_have_the_gradient_of_the_numbers(format, tmp_path):
    """A tape cannot pass a cast to uint8; the same network of float pixels tells what is right."""
    model = shaken(whole_numbers(keras))
    floating = keras.Input((6, 5, 3))
    following = floating
    for layer in model.layers[1:]:
        following = layer(following)
    same = keras.Model(floating, following)
    image = np.random.default_rng(2).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    opened = open_model(stored(model, format, tmp_path))
    wanted = gradient_by_hand(tf, same, image[None].astype(np.float32), lambda x: x, lambda y: y[:, 1])[0]
    made = explain(opened, image, "class_logit(1)")
    assert np.abs(made.values - wanted).max() <= 2e-5 * np.abs(wanted).max()
    assert made.evidence.error < 1e-5


def test_the_card_tells_what_is_inside():
    opened = open_model(shaken(rescaled(keras)))
    told = opened.card.facts()["description"]
    assert told["activations"] == {"Gelu": 1, "Sigmoid": 1, "Swish": 1}
    assert "Mul" in told["preprocessing_inside"]
    assert "Add" in told["preprocessing_inside"]
    assert told["training"] == ()
    assert told["custom_gradients"] == ()
    assert told["batch"] == 0
    assert told["inputs"][0]["shape"] == (None, 9, 7, 3)
    plain = open_model(NETWORKS["functional"](keras), preprocessing="unit").card.description
    assert plain.preprocessing_inside == ""
    assert plain.activations == {"Relu": 1, "Swish": 1}


def test_settings_of_keras_stay_as_they_were(tmp_path):
    before = (keras.config.floatx(), keras.config.dtype_policy().name, keras.config.image_data_format())
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = keras.Sequential([keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, activation="relu"),
                                  keras.layers.Flatten(), keras.layers.Dense(3, dtype="float32")])  # fmt: skip
        model.save(tmp_path / "half.keras")
        model.save(tmp_path / "half.h5")
    finally:
        keras.config.set_dtype_policy(before[1])
    image = np.zeros((8, 8, 3), np.uint8)
    for name in ("half.keras", "half.h5"):
        explain(open_model(tmp_path / name), image)
        now = (keras.config.floatx(), keras.config.dtype_policy().name, keras.config.image_data_format())
        assert now == before


def test_opening_leaves_the_live_model_as_it_was():
    model = shaken(grouped(keras))
    points = np.random.default_rng(0).uniform(0, 255, (1, 9, 7, 6)).astype(np.float32)
    before = np.asarray(model(points))
    kept = [w.copy() for w in model.get_weights()]
    opened = open_model(model)
    answers = opened.head_values(points)
    assert np.allclose(answers[1], before, atol=1e-6)
    model.set_weights([np.zeros_like(w) for w in kept])
    assert np.array_equal(opened.head_values(points)[0], answers[0])  # frozen means frozen
    assert np.array_equal(np.asarray(model(points)), np.full((1, 5), 0.2, np.float32))
