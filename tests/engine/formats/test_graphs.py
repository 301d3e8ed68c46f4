"""Frozen graphs and SavedModels of TensorFlow 1, made by hand, with answers known on paper."""

from __future__ import annotations

import numpy as np
import pytest

from saliency_core import explain
from saliency_core.errors import ModelError
from tests.engine.formats.trusted import open_model

pytestmark = pytest.mark.engine
tf = pytest.importorskip("tensorflow")
v1 = tf.compat.v1
WEIGHTS = np.random.default_rng(0).normal(size=(4 * 3 * 2, 3)).astype(np.float32)
IMAGE = np.random.default_rng(1).integers(0, 256, (4, 3, 2), dtype=np.uint8)


def frozen(folder, build, name="kept.pb"):
    """Write a graph as one .pb file."""
    with v1.Graph().as_default() as graph:
        build()
    path = folder / name
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def linear(pixels, weights=WEIGHTS):
    """Three logits, linear in the pixels: the gradient of logit k is column k of the weights."""
    return tf.matmul(tf.reshape(pixels, [-1, len(weights)]), tf.constant(weights))


def column(k, shape=(4, 3, 2)):
    return WEIGHTS[:, k].reshape(shape)


def test_softmax_then_reshape_is_a_head(tmp_path):
    def build():
        pixels = v1.placeholder(tf.float32, [None, 4, 3, 2], "image")
        chances = tf.nn.softmax(linear(pixels), name="chances")
        tf.reshape(chances, [-1, 3], name="answer")

    opened = open_model(frozen(tmp_path, build))
    assert opened.card.head == "softmax; logit: input of Softmax (chances)"
    assert np.array_equal(explain(opened, IMAGE, "class_logit(1)").values, column(1))
    told = opened.card.description
    assert (told.format, told.output) == ("Frozen graph of TensorFlow 1 (.pb)", "answer")
    assert [port.name for port in told.inputs] == ["image"]


def test_a_batch_of_one_and_no_channel_axis(tmp_path):
    weights = np.random.default_rng(3).normal(size=(12, 2)).astype(np.float32)

    def build():
        pixels = v1.placeholder(tf.float32, [1, 4, 3], "image")
        tf.matmul(tf.reshape(pixels, [1, 12]), tf.constant(weights), name="answer")

    opened = open_model(frozen(tmp_path, build))
    assert opened.card.input == (4, 3, 1)
    assert opened.card.description.batch == 1
    made = explain(opened, IMAGE[..., 0], "class_logit(1)")
    assert np.array_equal(made.values[..., 0], weights[:, 1].reshape(4, 3))
    assert made.evidence.error < 1e-5
    several = np.random.default_rng(0).uniform(0, 255, (3, 4, 3, 1)).astype(np.float32)
    assert np.allclose(opened.head_values(several)[0], several.reshape(3, 12) @ weights, rtol=1e-5)


def test_fake_quantisation_lets_the_gradient_pass_inside_its_range(tmp_path):
    def build():
        pixels = v1.placeholder(tf.float32, [None, 4, 3, 2], "image")
        rounded = tf.quantization.fake_quant_with_min_max_args(pixels, 0, 100, 8)
        tf.identity(linear(rounded), "answer")

    opened = open_model(frozen(tmp_path, build))
    inside = (IMAGE <= 100).astype(np.float32)
    assert 0 < inside.mean() < 1
    assert np.array_equal(explain(opened, IMAGE, "class_logit(0)").values, column(0) * inside)
    assert "FakeQuant" in opened.card.description.custom_gradients[0]


def test_further_placeholders_are_held_as_a_network_that_answers_has_them(tmp_path):
    def build():
        pixels = v1.placeholder(tf.float32, [None, 4, 3, 2], "image")
        keep = v1.placeholder(tf.float32, [], "keep_prob")
        learning = v1.placeholder_with_default(True, [], "default_learning")
        training = v1.placeholder(tf.bool, [], "is_training")
        bias = v1.placeholder(tf.float32, [None, 3], "bias")
        dropped = v1.nn.dropout(pixels, keep_prob=keep)
        chosen = v1.cond(training, lambda: dropped * 0.0, lambda: dropped * 2.0)
        tf.add(linear(chosen), bias, "answer")
        tf.identity(tf.cast(learning, tf.float32), "not_an_answer")

    with v1.Graph().as_default():  # conditions as TensorFlow 1 wrote them
        v1.disable_control_flow_v2()
        try:
            path = frozen(tmp_path, build)
        finally:
            v1.enable_control_flow_v2()
    kinds = {node.op for node in v1.GraphDef.FromString(path.read_bytes()).node}
    assert {"Switch", "Merge", "RandomUniform"} <= kinds
    opened = open_model(path)
    assert dict(opened.card.description.held) == {"keep_prob": 1, "is_training": False, "bias": 0}
    assert np.allclose(explain(opened, IMAGE, "class_logit(2)").values, 2 * column(2), rtol=1e-6)
    assert opened.card.description.training == ()
    moved = open_model(path, others={"bias": [5.0, 0.0, 0.0]})
    points = IMAGE[None].astype(np.float32)
    gap = moved.head_values(points)[0] - opened.head_values(points)[0]
    assert np.allclose(gap, [[5.0, 0.0, 0.0]], atol=1e-3)
    learning = open_model(path, others={"is_training": True, "keep_prob": 0.5})
    assert "dropout" in learning.card.description.training[0]


def test_branches_of_functions_with_a_fixed_condition(tmp_path):
    def build():
        pixels = v1.placeholder(tf.float32, [None, 4, 3, 2], "image")
        training = v1.placeholder(tf.bool, [], "is_training")
        tf.identity(linear(v1.cond(training, lambda: pixels * 0.0, lambda: pixels * 2.0)), "answer")

    path = frozen(tmp_path, build)
    assert "If" in {
        node.op.removeprefix("Stateless") for node in v1.GraphDef.FromString(path.read_bytes()).node
    }
    assert np.array_equal(explain(open_model(path), IMAGE, "class_logit(2)").values, 2 * column(2))


def test_a_branch_that_the_image_decides_is_refused_by_name(tmp_path):
    def build():
        pixels = v1.placeholder(tf.float32, [None, 4, 3, 2], "image")
        bright = tf.reduce_mean(pixels) > 100.0
        tf.identity(linear(v1.cond(bright, lambda: pixels, lambda: 2 * pixels)), "answer")

    with pytest.raises(ModelError, match=r"depends on its input.*cond"):
        open_model(frozen(tmp_path, build))


def test_input_and_output_are_chosen_by_name(tmp_path):
    def build():
        pixels = v1.placeholder(tf.float32, [None, 4, 3, 2], "image")
        halved = tf.multiply(pixels, 0.5, name="halved")
        tf.identity(linear(halved), "first")
        tf.identity(3.0 * linear(halved), "second")

    path = frozen(tmp_path, build)
    opened = open_model(path)
    assert {port.name for port in opened.card.description.outputs} == {"first", "second"}
    first = explain(open_model(path, output="first"), IMAGE, "class_logit(0)").values
    assert np.array_equal(first, 0.5 * column(0))
    second = explain(open_model(path, output="second:0", input="halved"), IMAGE, "class_logit(0)").values
    assert np.allclose(second, 3 * column(0), rtol=1e-6)
    with pytest.raises(ModelError, match=r"no tensor 'secnd' for an output.*second"):
        open_model(path, output="secnd")
    with pytest.raises(ModelError, match=r"no tensor 'imag' for an input.*image"):
        open_model(path, input="imag")


def test_a_flat_placeholder_of_a_stated_shape(tmp_path):
    def build():
        tf.identity(linear(v1.placeholder(tf.float32, [None, 24], "x")), "answer")

    path = frozen(tmp_path, build)
    made = explain(open_model(path, size=(4, 3, 2)), IMAGE, "class_logit(1)")
    assert np.array_equal(made.values, column(1))
    with pytest.raises(ModelError, match=r"No input looks like an image \(x: \(None, 24\)"):
        open_model(path)


def test_choices_on_the_command_line(tmp_path, capsys):
    import json

    import PIL.Image

    from saliency_core.__main__ import main

    weights = WEIGHTS[:12]

    def build():
        flat = v1.placeholder(tf.float32, [None, 12], "x")
        tf.identity(linear(flat, weights), "first")
        tf.identity(2 * linear(flat, weights), "second")

    path = frozen(tmp_path, build)
    (tmp_path / "names.txt").write_text("ant\nbee\ncat\n")
    PIL.Image.fromarray(np.full((4, 3), 9, np.uint8)).save(tmp_path / "grey.png")
    given = [
        "explain",
        str(tmp_path / "grey.png"),
        "--model",
        str(path),
        "--json",
        "--target",
        "class_logit(1)",
    ]
    more = ["--size", "4x3", "--output", "first", "--labels", str(tmp_path / "names.txt")]
    assert main([*given, *more]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["shape"] == [4, 3, 1]
    assert told["score"] == pytest.approx(9 * float(weights[:, 1].sum()), rel=1e-5)
    assert {one["label"] for one in told["predictions"]} == {"ant", "bee", "cat"}
    assert main(given) == 2
    assert "No input looks like an image" in capsys.readouterr().err
    assert main([*given, "--size", "4by3"]) == 2
    assert "--size '4by3' is no size. Write --size 224x224" in capsys.readouterr().err


def test_a_placeholder_of_unknown_shape_takes_the_size_given(tmp_path):
    def build():
        pixels = v1.placeholder(tf.float32, None, "x")
        tf.identity(linear(tf.reshape(pixels, [-1, 24])), "answer")

    made = explain(open_model(frozen(tmp_path, build), size=(4, 3, 2)), IMAGE, "class_logit(1)")
    assert np.array_equal(made.values, column(1))


def test_channels_first_graph(tmp_path):
    kernel = np.random.default_rng(0).normal(size=(2, 2, 3, 5)).astype(np.float32)

    def build(order):
        def made():
            shape = [None, 3, 6, 5] if order == "NCHW" else [None, 6, 5, 3]
            pixels = v1.placeholder(tf.float32, shape, "image")
            steps = [1, 1, 2, 1] if order == "NCHW" else [1, 2, 1, 1]
            found = v1.nn.conv2d(pixels, tf.constant(kernel), steps, "SAME", data_format=order)
            found = tf.nn.bias_add(found, tf.range(5.0) - 2, order)
            window = [1, 1, 2, 2] if order == "NCHW" else [1, 2, 2, 1]
            found = tf.nn.max_pool2d(tf.nn.relu(found), window, window, "VALID", order)
            tf.reduce_mean(found, [2, 3] if order == "NCHW" else [1, 2], name="answer")

        return made

    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    first, last = (open_model(frozen(tmp_path, build(order), f"{order}.pb")) for order in ("NCHW", "NHWC"))
    assert first.card.input == last.card.input == (6, 5, 3)
    for k in range(5):
        one, two = (explain(model, pixels, f"class_logit({k})") for model in (first, last))
        assert np.allclose(one.values, two.values, atol=1e-6)
        assert one.score == pytest.approx(two.score, rel=1e-5)
        assert one.evidence.error < 1e-5


def test_grouped_convolution_in_a_graph(tmp_path):
    kernel = np.random.default_rng(0).normal(size=(2, 2, 2, 6)).astype(np.float32)

    def build():
        pixels = v1.placeholder(tf.float32, [None, 5, 4, 4], "image")
        tf.reduce_sum(tf.nn.conv2d(pixels, tf.constant(kernel), 1, "VALID"), [1, 2], name="answer")

    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 4), dtype=np.uint8)
    made = explain(open_model(frozen(tmp_path, build)), pixels, "class_logit(4)")
    wanted = np.zeros((5, 4, 4), np.float32)
    for row in range(4):
        for col in range(3):
            wanted[row : row + 2, col : col + 2, 2:] += kernel[..., 4]
    assert np.allclose(made.values, wanted, atol=1e-5)


def test_foreign_gradient_rules_are_told_and_left_out(tmp_path):
    name = "a rule that lies"

    def build():
        pixels = v1.placeholder(tf.float32, [None, 4, 3, 2], "image")
        graph = v1.get_default_graph()
        with graph.gradient_override_map({"Relu": name}):
            positive = tf.nn.relu(pixels, name="patched")
        tf.identity(linear(positive), "answer")

    opened = open_model(frozen(tmp_path, build))
    assert np.array_equal(explain(opened, np.maximum(IMAGE, 1), "class_logit(1)").values, column(1))
    (told,) = opened.card.description.custom_gradients
    assert "patched (Relu)" in told
    assert name in told


@pytest.mark.parametrize(
    ("data", "match"),
    [(b"\x00\x01not a graph", "not a frozen graph"), (b"", "holds no operations")],
)
def test_broken_files_are_one_sentence(tmp_path, data, match):
    (tmp_path / "broken.pb").write_bytes(data)
    with pytest.raises(ModelError, match=match):
        open_model(tmp_path / "broken.pb")


def test_loops_and_variables_are_refused_by_name(tmp_path):
    def loop():
        pixels = v1.placeholder(tf.float32, [None, 4, 3, 2], "image")
        _, found = v1.while_loop(lambda k, x: k < 3, lambda k, x: (k + 1, x * 2), [0, pixels])
        tf.identity(linear(found), "answer")

    def variable():
        pixels = v1.placeholder(tf.float32, [None, 4, 3, 2], "image")
        tf.multiply(linear(pixels), v1.get_variable("factor", [], use_resource=False), name="answer")

    with pytest.raises(ModelError, match="loop"):
        open_model(frozen(tmp_path, loop))
    with pytest.raises(ModelError, match=r"variables without values \(factor\)"):
        open_model(frozen(tmp_path, variable))
