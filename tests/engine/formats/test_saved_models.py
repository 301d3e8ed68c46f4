"""SavedModels of TensorFlow 1 and 2: signatures, variables, records, exports of every origin."""

from __future__ import annotations

import numpy as np
import pytest

from saliency_core import explain
from saliency_core.errors import ModelError
from tests.engine.formats.test_graphs import IMAGE, WEIGHTS, column, linear
from tests.engine.formats.trusted import open_model

pytestmark = pytest.mark.engine
tf = pytest.importorskip("tensorflow")
v1 = tf.compat.v1


def served(folder, build, tags=("serve",)):
    """Write a TensorFlow 1 export: `build` returns signatures as name -> (inputs, outputs)."""
    path = folder / "served"
    builder = v1.saved_model.Builder(str(path))
    with v1.Graph().as_default(), v1.Session() as session:
        signatures = {
            name: v1.saved_model.predict_signature_def(inputs, outputs)
            for name, (inputs, outputs) in build().items()
        }
        session.run(v1.global_variables_initializer())
        builder.add_meta_graph_and_variables(session, list(tags), signature_def_map=signatures)
    builder.save()
    return path


@pytest.mark.parametrize("resource", [True, False])
def test_variables_of_tensorflow_1(tmp_path, resource):
    def build():
        pixels = v1.placeholder(tf.float32, [None, 4, 3, 2], "image")
        weights = v1.get_variable("weights", initializer=WEIGHTS, use_resource=resource)
        v1.get_variable("unused", initializer=np.ones(7, np.float32), use_resource=resource)
        logits = tf.matmul(tf.reshape(pixels, [-1, 24]), weights)
        return {"serving_default": ({"image": pixels}, {"chances": tf.nn.softmax(logits)})}

    opened = open_model(served(tmp_path, build))
    assert np.array_equal(explain(opened, IMAGE, "class_logit(1)").values, column(1))
    assert opened.card.description.signature == "serving_default"
    assert opened.card.description.format == f"SavedModel, TensorFlow {tf.__version__}"
    assert opened.card.parameters == 72


def test_several_signatures_are_asked_for_and_chosen(tmp_path):
    def build():
        pixels = v1.placeholder(tf.float32, [None, 4, 3, 2], "image")
        text = v1.placeholder(tf.string, [None], "text")
        logits = linear(pixels)
        return {
            "serving_default": ({"image": pixels}, {"logits": logits}),
            "half": ({"image": pixels}, {"logits": 0.5 * logits, "more": logits[:, :2]}),
            "text": ({"text": text}, {"length": tf.strings.length(text)}),
        }

    path = served(tmp_path, build)
    with pytest.raises(ModelError, match=r"half .*serving_default .*text .*signature='half'"):
        open_model(path)
    assert np.array_equal(
        explain(open_model(path, signature="serving_default"), IMAGE, "class_logit(0)").values, column(0)
    )
    half = open_model(path, signature="half", output="logits")
    assert half.card.description.signatures == ("half", "serving_default", "text")
    assert np.array_equal(explain(half, IMAGE, "class_logit(0)").values, 0.5 * column(0))
    with pytest.raises(ModelError, match="no signature 'whole'"):
        open_model(path, signature="whole")
    with pytest.raises(ModelError, match="serialized records or files"):
        open_model(path, signature="text")


def test_one_image_signature_among_others_is_taken(tmp_path):
    def build():
        pixels = v1.placeholder(tf.float32, [None, 4, 3, 2], "image")
        text = v1.placeholder(tf.string, [None], "text")
        return {
            "serving_default": ({"text": text}, {"length": tf.strings.length(text)}),
            "picture": ({"image": pixels}, {"logits": linear(pixels)}),
        }

    opened = open_model(served(tmp_path, build))
    assert opened.card.description.signature == "picture"
    assert np.array_equal(explain(opened, IMAGE, "class_logit(2)").values, column(2))


def test_two_that_look_alike_are_asked_for_unless_one_is_the_default(tmp_path):
    def build(first):
        def both():
            pixels = v1.placeholder(tf.float32, [None, 4, 3, 2], "image")
            return {
                first: ({"image": pixels}, {"logits": linear(pixels)}),
                "other": ({"image": pixels}, {"logits": -linear(pixels)}),
            }

        return both

    with pytest.raises(ModelError, match="Several signatures"):
        open_model(served(tmp_path / "a", build("one")))
    opened = open_model(served(tmp_path / "b", build("serving_default")))
    assert opened.card.description.signature == "serving_default"


def test_serialized_examples_the_tensor_behind_the_parser(tmp_path):
    def build():
        records = v1.placeholder(tf.string, [None], "records")
        parsed = v1.io.parse_example(records, {"image": v1.FixedLenFeature([4, 3, 2], tf.float32)})
        return {"serving_default": ({"records": records}, {"logits": linear(parsed["image"])})}

    opened = open_model(served(tmp_path, build))
    assert np.array_equal(explain(opened, IMAGE, "class_logit(2)").values, column(2))
    assert opened.card.description.inputs[0].dtype == "string"


def test_serialized_examples_without_an_image_behind_them(tmp_path):
    def build():
        records = v1.placeholder(tf.string, [None], "records")
        numbers = tf.strings.to_number(records)
        return {"serving_default": ({"records": records}, {"logits": numbers[:, None] * [1.0, 2.0]})}

    with pytest.raises(ModelError, match=r"serialized records or files .records.*input='name'"):
        open_model(served(tmp_path, build))


class Plain(tf.Module):
    """A module with a variable, a function in a function, and a signature of a fixed batch."""

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable(WEIGHTS)

    @tf.function(input_signature=[tf.TensorSpec([None, 24], tf.float32)])
    def inner(self, flat):
        return tf.matmul(flat, self.weights)

    @tf.function(input_signature=[tf.TensorSpec([2, 4, 3, 2], tf.float32, name="image")])
    def __call__(self, image):
        flat = tf.reshape(image, [2, 24])
        return {"answer": tf.nn.softmax(self.inner(flat)), "more": flat[:, :2]}


def test_a_plain_module_in_its_fixed_batch(tmp_path):
    module = Plain()
    tf.saved_model.save(module, str(tmp_path / "kept"), signatures={"serving_default": module.__call__})
    opened = open_model(tmp_path / "kept", output="answer")
    assert opened.card.description.batch == 2
    assert np.array_equal(explain(opened, IMAGE, "class_logit(2)").values, column(2))
    assert opened.kernel_gradient.__doc__
    points = np.random.default_rng(0).uniform(0, 255, (5, 4, 3, 2)).astype(np.float32)
    assert np.allclose(opened.head_values(points)[0], points.reshape(5, 24) @ WEIGHTS, rtol=1e-4)


class Own(tf.Module):
    """A module with a gradient rule of its own: tenfold."""

    @tf.function(input_signature=[tf.TensorSpec([None, 4, 3, 2], tf.float32, name="image")])
    def __call__(self, image):
        @tf.custom_gradient
        def same(x):
            return tf.identity(x) * 1.0, lambda upstream: 10.0 * upstream

        return linear(same(image))


def test_a_gradient_rule_of_its_own_is_told_and_the_derivative_is_true(tmp_path):
    module = Own()
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=True)
    tf.saved_model.save(
        module, str(tmp_path / "kept"), signatures={"serving_default": module.__call__}, options=options
    )
    opened = open_model(tmp_path / "kept")
    made = explain(opened, IMAGE, "class_logit(1)")
    assert np.array_equal(made.values, column(1))
    assert made.evidence.error < 1e-5
    (told,) = opened.card.description.custom_gradients
    assert "brings its own gradient rule" in told


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(ModelError, match="not a SavedModel"):
        open_model(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ModelError, match="holds no graph"):
        open_model(tmp_path)
    with pytest.raises(ModelError, match="one part of a SavedModel"):
        open_model(tmp_path / "saved_model.pb")


def test_optimizer_slots_do_not_matter(tmp_path):
    """A trackable with slot variables, as tf.keras 2 saved them, is read through its signature."""

    class Trained(Plain):
        def __init__(self):
            super().__init__()
            self.optimizer = v1.train.MomentumOptimizer(0.1, 0.9)
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(self.inner(tf.ones([1, 24])))
            self.optimizer.apply_gradients([(tape.gradient(loss, self.weights), self.weights)])

    module = Trained()
    tf.saved_model.save(module, str(tmp_path / "kept"), signatures={"serving_default": module.__call__})
    made = explain(open_model(tmp_path / "kept", output="answer"), IMAGE, "class_logit(0)")
    assert np.array_equal(made.values, module.weights.numpy()[:, 0].reshape(4, 3, 2))
