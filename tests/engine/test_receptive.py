"""Receptive fields: hand-computed sizes, gradients of exactly 0 outside, and boxes that are tight."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from saliency_core.models.anatomy import Field, Layer, Span
from saliency_core.models.model import Model
from saliency_core.models.opening import open_model
from saliency_core.targets import LayerUnit, OutputSeed
from tests.engine.networks import shaken

pytestmark = pytest.mark.engine
SIZE = (29, 37, 3)


def opened(make: Any, size: tuple[int, ...] = SIZE) -> Model:
    import keras

    image = keras.Input(size)
    return open_model(keras.Model(image, make(keras.layers, image)))


def ones(make: Any, size: tuple[int, ...] = SIZE) -> Model:
    """Open a network whose weights are all 1 and whose biases are 0, so that nothing can cancel."""
    import keras

    image = keras.Input(size)
    model = keras.Model(image, make(keras.layers, image))
    model.set_weights([np.full(w.shape, float(w.ndim > 1)) for w in model.get_weights()])
    return open_model(model)


def strided(layers: Any, x: Any) -> Any:
    x = layers.Conv2D(4, 5, strides=2, padding="valid", name="first")(x)
    x = layers.Conv2D(4, (3, 5), strides=(1, 2), padding="same", name="second")(x)
    return layers.Conv2D(4, 3, dilation_rate=2, padding="same", name="dilated")(x)


def branches(layers: Any, x: Any) -> Any:
    x = layers.Conv2D(4, 3, padding="same", name="stem")(x)
    wide = layers.Conv2D(4, 7, padding="same", name="wide")(x)
    narrow = layers.ZeroPadding2D(((2, 1), (1, 2)), name="padded")(x)
    narrow = layers.AveragePooling2D(4, 1, "valid", name="pooled")(narrow)
    added = layers.Add(name="added")([wide, narrow])
    return layers.Concatenate(name="joined")([added, layers.Cropping2D(0, name="kept")(x)])


def growing(layers: Any, x: Any) -> Any:
    x = layers.Conv2D(3, 3, strides=2, padding="same", name="down")(x)
    x = layers.Conv2DTranspose(3, 3, strides=2, padding="same", name="up")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", name="smooth")(x)
    x = layers.UpSampling2D(2, name="blocks")(x)
    return layers.Cropping2D(((3, 2), (1, 4)), name="cropped")(x)


def depthwise(layers: Any, x: Any) -> Any:
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="depth")(x)
    x = layers.Dense(6, name="each_cell")(x)
    x = layers.Permute((2, 1, 3), name="turned")(x)
    x = layers.MaxPooling2D((2, 3), name="pooled")(x)
    return layers.Permute((2, 1, 3), name="back")(x)


NETWORKS = (strided, branches, growing, depthwise)


def cells(layer: Layer, count: int, seed: int = 0) -> Iterator[tuple[int, int, int]]:
    """Return corners and random cells of a feature map."""
    rows, cols, channels = layer.shape
    draw = np.random.default_rng(seed)
    yield from ((r, c, 0) for r in {0, rows - 1} for c in {0, cols - 1})
    for _ in range(count):
        yield int(draw.integers(rows)), int(draw.integers(cols)), int(draw.integers(channels))


def outside(model: Model, layer: Layer, cell: tuple[int, int, int], point: np.ndarray) -> tuple[float, Any]:
    """Return the largest gradient outside the box of a unit, and the whole gradient, (H, W)."""
    gradient = np.abs(model.probe(LayerUnit(layer.name, *cell)).gradient(point[None])[0]).max(-1)
    top, left, bottom, right = layer.field.box(cell[0], cell[1], model.card.input)
    beyond = gradient.copy()
    beyond[top:bottom, left:right] = 0
    return float(beyond.max()), gradient


def noise(model: Model) -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 255, model.card.input).astype(np.float32)


@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make.__name__)
def test_the_gradient_is_exactly_zero_outside(make: Any) -> None:
    model = ones(make)
    point = noise(model)
    for layer in model.layers:
        turned = make is depthwise and layer.name in ("turned", "pooled")  # rows and columns have swapped
        assert layer.field.whole == turned, layer
        for cell in cells(layer, 6):
            assert outside(model, layer, cell, point)[0] == 0, (layer, cell)


@pytest.mark.parametrize("make", [strided, branches], ids=lambda make: make.__name__)
def test_a_box_is_tight_where_nothing_can_cancel(make: Any) -> None:
    model = ones(make)
    point = noise(model)
    for layer in model.layers:
        if layer.name == "padded":  # what has been put around an image reads no pixel
            continue
        for row, col, _ in cells(layer, 6):
            cell = row, col, 0  # of channels put together, the first see most
            gradient = outside(model, layer, cell, point)[1]
            top, left, bottom, right = layer.field.box(cell[0], cell[1], model.card.input)
            box = gradient[top:bottom, left:right]
            assert all(side.any() for side in (box[0], box[-1], box[:, 0], box[:, -1])), (layer, cell)


@pytest.mark.parametrize("name", ["digits", "scenes", "conv4x4"])
def test_the_gradient_of_the_bundled_models_is_exactly_zero_outside(name: str) -> None:
    model = open_model(name)
    point = noise(model)
    seen = 0
    for layer in model.layers:
        if layer.spatial:
            for cell in cells(layer, 4):
                beyond, gradient = outside(model, layer, cell, point)
                assert beyond == 0, (layer, cell)
                seen += bool(gradient.any())
    assert seen


def test_the_gradient_of_a_mobile_network_is_exactly_zero_outside() -> None:
    import keras

    base = keras.applications.MobileNetV2((64, 64, 3), 0.35, weights=None, classes=5)
    model = open_model(shaken(base), preprocessing="symmetric")
    point = noise(model)
    maps = [layer for layer in model.layers if layer.spatial and not layer.field.whole]
    assert len(maps) > 100
    for layer in maps[::12]:
        for cell in cells(layer, 1):
            assert outside(model, layer, cell, point)[0] == 0, (layer, cell)
    assert maps[-1].field.rows.step == 32


def test_sizes_of_a_deep_stack_of_threes_are_those_worked_out_by_hand() -> None:
    def stack(layers: Any, x: Any) -> Any:
        for block, depth in enumerate((2, 2, 3, 3, 3), 1):
            for place in range(1, depth + 1):
                x = layers.Conv2D(1, 3, padding="same", name=f"block{block}_conv{place}")(x)
            x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
        return layers.Dense(2, name="dense")(layers.Flatten(name="flat")(x))

    layers = {layer.name: layer.field for layer in opened(stack, (224, 224, 1)).layers}
    by_hand = {
        "block1_conv1": (3, 1, -1), "block1_conv2": (5, 1, -2), "block1_pool": (6, 2, -2),
        "block2_conv2": (14, 2, -6), "block2_pool": (16, 4, -6), "block3_conv3": (40, 4, -18),
        "block3_pool": (44, 8, -18), "block4_pool": (100, 16, -42), "block5_conv3": (196, 16, -90),
        "block5_pool": (212, 32, -90),
    }  # fmt: skip
    for name, told in by_hand.items():
        for span in (layers[name].rows, layers[name].cols):
            assert (span.size, span.step, span.first) == told, name
    assert layers["flat"].whole
    assert layers["dense"].whole


def test_rows_and_columns_are_followed_apart() -> None:
    fields = {layer.name: layer.field for layer in opened(strided).layers}
    assert fields["first"] == Field(Span(0, 4, 2), Span(0, 4, 2))
    # 17 columns at stride 2 take 9 cells of 5: two more on each side; rows: one more on each side.
    assert fields["second"] == Field(Span(-2, 6, 2), Span(-4, 8, 4))
    assert fields["dilated"] == Field(Span(-6, 10, 2), Span(-12, 16, 4))


def test_branches_that_move_apart_and_global_steps_see_the_whole_image() -> None:
    def apart(layers: Any, x: Any) -> Any:
        gate = layers.GlobalAveragePooling2D(keepdims=True, name="gate")(x)
        gated = layers.Multiply(name="gated")([x, gate])
        return layers.Dense(2, name="dense")(layers.GlobalMaxPooling2D(name="largest")(gated))

    assert all(layer.field.whole for layer in opened(apart).layers)


def test_a_step_that_is_not_known_is_never_too_small() -> None:
    import keras

    class Rolled(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return keras.ops.roll(x, 5, axis=1)

    def rolled(layers: Any, x: Any) -> Any:
        return layers.Conv2D(2, 3, name="after")(Rolled(name="rolled")(x))

    model = ones(rolled)
    layer = next(layer for layer in model.layers if layer.name == "after")
    assert layer.field.whole
    assert outside(model, layer, (0, 0, 0), noise(model))[0] == 0


def resize(how: str, height: int, width: int, **flags: bool) -> Any:
    def step(tf: Any, x: Any) -> Any:
        op = {"bilinear": "ResizeBilinear", "nearest": "ResizeNearestNeighbor", "bicubic": "ResizeBicubic"}[
            how
        ]
        return getattr(tf.raw_ops, op)(images=x, size=[height, width], **flags)

    return step


def shuffled(tf: Any, x: Any) -> Any:
    first, *_, last = tf.split(tf.gather(x, [2, 0, 1], axis=-1), 3, axis=-1)
    return tf.concat([tf.reverse(last, [1]), tf.reverse(first, [1])], -1)


def explicit(tf: Any, x: Any) -> Any:
    kernel = tf.ones((3, 2, 3, 2))
    return tf.nn.conv2d(x, kernel, [1, 2, 3, 1], [[0, 0], [2, 1], [0, 3], [0, 0]])


def token_mix(tf: Any, x: Any) -> Any:
    flat = tf.reshape(x, [-1, 28 * 36, 3])
    return tf.reshape(tf.matmul(flat, tf.ones((3, 4))), [-1, 28, 36, 4])


STEPS: dict[str, tuple[Any, bool]] = {  # the step, and whether its lines can be followed
    "halves": (lambda tf, x: x[:, 3:25:2, ::-3], True),
    "one row": (lambda tf, x: x[:, 4][:, None], False),
    "dots": (lambda tf, x: x[..., 1:][:, -20:], True),
    "slice": (lambda tf, x: tf.slice(x, [0, 5, 2, 1], [-1, 11, 12, 2]), True),
    "depth": (lambda tf, x: tf.nn.depth_to_space(tf.nn.space_to_depth(x, 4), 2), True),
    "mirror": (lambda tf, x: tf.pad(x, [[0, 0], [3, 3], [0, 0], [0, 0]], "REFLECT"), False),
    "grow": (resize("bilinear", 61, 90, half_pixel_centers=True), True),
    "shrink": (resize("bilinear", 11, 13, half_pixel_centers=True), True),
    "old": (resize("bilinear", 41, 17), True),
    "corners": (resize("bilinear", 41, 17, align_corners=True), True),
    "nearest": (resize("nearest", 61, 13, half_pixel_centers=True), True),
    "nearest old": (resize("nearest", 61, 13), True),
    "nearest corners": (resize("nearest", 61, 13, align_corners=True), True),
    "cubic": (resize("bicubic", 61, 13, half_pixel_centers=True), True),
    "shuffled": (shuffled, True),
    "explicit": (explicit, True),
    "summed": (lambda tf, x: x + tf.reduce_max(x, 1, keepdims=True), False),
    "tokens": (token_mix, False),
    "local": (lambda tf, x: tf.nn.softmax(tf.nn.lrn(x)), True),
    "over columns": (lambda tf, x: tf.nn.softmax(x, axis=2), False),
    "tiled": (lambda tf, x: tf.tile(x, [1, 2, 1, 1]), False),
    "drift": (lambda tf, x: x[:, ::2, :] + x[:, :14, :], False),
}


@pytest.mark.parametrize("name", STEPS)
def test_no_step_reads_more_than_is_told(name: str) -> None:
    import keras
    import tensorflow as tf

    make, followed = STEPS[name]

    class Step(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return make(tf, x)

    def steps(layers: Any, x: Any) -> Any:
        x = layers.Conv2D(3, (3, 2), padding="same", name="before")(x)
        return layers.Conv2D(2, 2, padding="same", name="after")(Step(name="step")(x))

    model = ones(steps, (28, 36, 3))
    point = noise(model)
    maps = [layer for layer in model.layers if layer.spatial]
    field = maps[-1].field
    assert (field.rows is not None and field.cols is not None) == followed
    for layer in maps:
        for cell in cells(layer, 25):
            assert outside(model, layer, cell, point)[0] == 0, (layer, cell)


def test_a_box_is_clipped_to_the_image_and_travels_as_json() -> None:
    from dataclasses import asdict

    field = Field(Span(-3, 6, 4), None)
    assert field.box(0, 9, (20, 11, 3)) == (0, 0, 7, 11)
    assert field.box(5, 0, (20, 11, 3)) == (17, 0, 20, 11)
    assert field.box(9, 0, (20, 11, 3)) == (20, 0, 20, 11)
    layer = Layer("conv", "conv/Relu:0", (5, 4, 2), "Relu", field)
    assert Layer.from_json(asdict(layer)) == layer


def test_the_output_and_inner_tensors_have_fields_too() -> None:
    model = open_model("conv4x4")
    probe = model.probe(OutputSeed([[1, 1, 0, 1.0]]))
    found = model._compiled.anatomy.find(probe.tensors[0])
    assert found.field.box(1, 1, (4, 4)) == (0, 0, 3, 3)
