"""A file opened in a confined process is the same model as in this one: same card, answers and gradients."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from saliency_core import explain, open_model
from saliency_core.checks.doctor import examine
from saliency_core.errors import ModelError, NotFiniteError, SettingError, TargetError, WorkerError
from saliency_core.models.confined import Elsewhere
from saliency_core.workers.private import PrivateLimits
from saliency_core.workers.remote import Remote
from tests.engine.formats.test_real_models import PREPROCESSINGS
from tests.engine.networks import NETWORKS, shaken
from tests.workers.conftest import interrupted_after, until
from tests.workers.test_faults import alive

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")
pytestmark = pytest.mark.engine
FORMATS = ("keras", "h5", "saved_model", "zip", "pb")
IMAGE = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
UNIT = {"preprocessing": "unit"}
SETTINGS = {"preprocessing": "unit", "labels": ("ant", "bee", "cat", "dog", "eel"), "name": "mine"}
ROOT = Path(__file__).resolve().parents[2]
REAL = Path(os.environ.get("SALIENCY_REAL", "/nowhere"))
MANIFEST = json.loads((REAL / "manifest.json").read_text()) if (REAL / "manifest.json").exists() else {}


def stored(folder: Path) -> dict[str, Path]:
    """One network in every format."""
    model = shaken(NETWORKS["sequential"](keras))
    for ending in ("keras", "h5"):
        model.save(folder / f"kept.{ending}")
    model.export(folder / "kept", verbose=False)
    shutil.make_archive(str(folder / "kept"), "zip", folder / "kept")
    traced = tf.function(lambda x: model(x, training=False)).get_concrete_function(
        tf.TensorSpec((None, 9, 7, 3), tf.float32, name="image")
    )
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    graph = convert_variables_to_constants_v2(traced).graph.as_graph_def()
    (folder / "kept.pb").write_bytes(graph.SerializeToString())
    files = {ending: folder / f"kept.{ending}" for ending in ("keras", "h5", "zip", "pb")}
    return {**files, "saved_model": folder / "kept"}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("stored"))


@pytest.fixture(scope="module")
def pairs(paths):
    """Each file opened in its own process, all at once, and in this one; an archive here as its folder."""
    confined = {format: open_model(paths[format], **SETTINGS) for format in FORMATS}
    trusted = {
        format: open_model(paths["saved_model" if format == "zip" else format], trusted=True, **SETTINGS)
        for format in FORMATS
    }
    yield {format: (confined[format], trusted[format]) for format in FORMATS}
    for model in confined.values():
        model._compiled.close()


@pytest.fixture(scope="module")
def model(pairs):
    return pairs["keras"][0]


@pytest.mark.parametrize("format", FORMATS)
def test_it_is_the_same_model(format, pairs):
    there, here = pairs[format]
    assert isinstance(there._compiled, Elsewhere)
    assert there.card == replace(here.card, notices=there.card.notices)
    assert there.layers == here.layers
    assert there.head == here.head
    assert there.signs == here.signs
    assert there._compiled.anatomy == here._compiled.anatomy
    assert there.labels == SETTINGS["labels"]


@pytest.mark.parametrize("format", FORMATS)
def test_it_gives_the_same_numbers_to_the_bit(format, pairs):
    there, here = pairs[format]
    assert list(there.classify(IMAGE)) == list(here.classify(IMAGE))
    for target in ("top_class()", "class_logit(3)", "class_probability(0)"):
        one, other = explain(there, IMAGE, target), explain(here, IMAGE, target)
        assert np.array_equal(one.values, other.values)
        assert one.values.any()
        assert (one.score, one.units, one.words) == (other.score, other.units, other.words)
        assert list(one.predictions) == list(other.predictions)
    many = np.random.default_rng(1).uniform(0, 255, (30, 9, 7, 3)).astype(np.float32)
    for ask in ("score", "gradient"):
        answers = [getattr(model.probe("class_logit(1)"), ask)(many) for model in (there, here)]
        assert np.array_equal(*answers)


@pytest.mark.parametrize("format", FORMATS)
def test_the_evidence_is_computed_there_in_float64(format, pairs):
    there, here = (explain(model, IMAGE, "class_logit(2)") for model in pairs[format])
    assert there.evidence.good
    assert there.evidence.precision == "float64"
    assert there.evidence == here.evidence


@pytest.mark.parametrize("format", FORMATS)
def test_kernels_and_layers_answer_through_the_boundary(format, pairs):
    there, here = pairs[format]
    one, other = (model.kernel_gradient(IMAGE, "class_logit(2)") for model in (there, here))
    assert one.layer == other.layer
    assert one.difference == other.difference < 1e-4
    for name in ("kernel", "at_output", "carried_back", "gradient"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    back = [model.way_back(IMAGE, one.at_output) for model in (there, here)]
    assert np.array_equal(*back)
    layer = here.layers[2].name
    (found, values), (_, expected) = (model.activation(IMAGE, layer) for model in (there, here))
    assert found == here.layers[2]
    assert np.array_equal(values, expected)
    unit = [
        explain(model, IMAGE, f"layer_unit('{layer}', row=1, col=1, channel=0)") for model in (there, here)
    ]
    assert np.array_equal(unit[0].values, unit[1].values)


@pytest.mark.parametrize("format", FORMATS)
def test_the_doctor_finds_the_same(format, pairs):
    there, here = ([one.facts() for one in examine(model, IMAGE)] for model in pairs[format])
    assert there == here


def test_a_doctor_with_something_to_say_says_it_through_the_boundary(tmp_path):
    from tests.engine import broken

    image = np.random.default_rng(7).integers(0, 256, broken.SHAPE, dtype=np.uint8)
    broken.dying(keras).save(tmp_path / "dying.keras")
    found = [
        [one.facts() for one in examine(open_model(tmp_path / "dying.keras", trusted=trusted), image)]
        for trusted in (False, True)
    ]
    assert found[0] == found[1]
    assert "dead_relu" in [one["id"] for one in found[0]]


@pytest.mark.parametrize("name", ["poisoned", "overflowing"])
def test_numbers_that_are_not_finite_reach_the_doctor_and_no_map(name, tmp_path):
    from tests.engine import broken

    image = np.random.default_rng(7).integers(0, 256, broken.SHAPE, dtype=np.uint8)
    getattr(broken, name)(keras).export(tmp_path / name, verbose=False)
    there, here = (open_model(tmp_path / name, trusted=trusted, **UNIT) for trusted in (False, True))
    found = [[one.facts() for one in examine(model, image)] for model in (there, here)]
    assert found[0] == found[1]
    assert found[0][0]["severity"] == "stop"
    for model in (there, here):
        with pytest.raises(NotFiniteError):
            explain(model, image)


def test_a_network_of_a_hundred_rectifiers_goes_to_the_doctor(tmp_path):
    layers = keras.layers
    blocks = [layer for _ in range(100) for layer in (layers.Conv2D(2, 1), layers.ReLU())]
    made = keras.Sequential([layers.Input((9, 7, 3)), *blocks, layers.Flatten(), layers.Dense(3)])
    shaken(made).save(tmp_path / "deep.keras")
    found = [
        [one.facts() for one in examine(open_model(tmp_path / "deep.keras", trusted=trusted, **UNIT), IMAGE)]
        for trusted in (False, True)
    ]
    assert found[0] == found[1]


def test_errors_of_the_questions_are_those_of_this_process(model, pairs):
    here = pairs["keras"][1]
    for asked, kind in (
        (lambda m: explain(m, IMAGE, "class_logit(9)"), TargetError),
        (lambda m: explain(m, IMAGE, "layer_channel('nothing', 0)"), TargetError),
        (lambda m: m.way_back(IMAGE, np.zeros((2, 2, 2))), ModelError),
    ):
        told = []
        for one in (model, here):
            with pytest.raises(kind) as caught:
                asked(one)
            told.append(str(caught.value))
        assert told[0] == told[1]


def test_several_models_answer_in_turn_and_from_threads(pairs):
    expected = {format: explain(here, IMAGE, "class_logit(0)").values for format, (_, here) in pairs.items()}
    answers = {}

    def ask(format):
        answers[format] = [explain(pairs[format][0], IMAGE, "class_logit(0)").values for _ in range(3)]

    threads = [threading.Thread(target=ask, args=(format,)) for format in FORMATS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({pairs[format][0]._compiled._remote.pid for format in FORMATS}) == len(FORMATS)
    for format in FORMATS:
        assert all(np.array_equal(values, expected[format]) for values in answers[format])


def test_functions_are_traced_once(model):
    explain(model, IMAGE, "class_logit(0)")
    before = model.traces
    for k in range(5):
        explain(model, IMAGE, f"class_logit({k})")
    assert model.traces == before > 0


def test_a_model_that_is_forgotten_or_closed_takes_its_process_along(paths):
    models = [open_model(paths["keras"]) for _ in range(2)]
    pids = [model._compiled._remote.pid for model in models]
    assert all(map(alive, pids))
    models[0]._compiled.close()
    assert until(lambda: not alive(pids[0]), 5)
    with pytest.raises(WorkerError, match=r"has ended\. Open the model again"):
        models[0].classify(IMAGE)
    assert alive(pids[1])
    models.clear()
    gc.collect()
    assert until(lambda: not alive(pids[1]), 5)


def test_a_process_killed_in_the_middle_is_one_error_with_a_way_out(paths):
    model = open_model(paths["keras"])
    remote = model._compiled._remote
    many = np.zeros((20_000, 9, 7, 3), np.float32)
    probe = model.probe("class_logit(0)")
    probe.gradient(many[:25])
    threading.Timer(0.2, os.kill, (remote.pid, signal.SIGKILL)).start()
    with pytest.raises(WorkerError, match="SIGKILL") as caught:
        probe.gradient(many)
    assert caught.value.hint
    with pytest.raises(WorkerError, match="Open the model again"):
        model.classify(IMAGE)
    again = open_model(paths["keras"])
    assert list(again.classify(IMAGE)) == list(open_model(paths["keras"], trusted=True).classify(IMAGE))


def test_the_keyboard_stops_a_question_and_the_model_goes_on(model):
    probe = model.probe("class_logit(0)")
    many = np.zeros((50_000, 9, 7, 3), np.float32)
    began = time.monotonic()
    with interrupted_after(0.2), pytest.raises(KeyboardInterrupt):
        probe.gradient(many)
    assert time.monotonic() - began < 3
    assert len(model.classify(IMAGE)) == 5


def test_what_on_progress_raises_stops_the_opening_and_the_explaining(paths, model):
    class Enough(Exception):
        pass

    heard = []

    def stop(*news):
        heard.append(news)
        raise Enough

    with pytest.raises(Enough):
        open_model(paths["keras"], on_progress=stop)
    assert heard == [(0, 2, "checking the file")]
    with pytest.raises(Enough):
        explain(model, IMAGE, on_progress=stop)
    assert len(model.classify(IMAGE)) == 5
    news = []
    open_model(paths["keras"], on_progress=lambda *one: news.append(one))
    assert news == [(0, 2, "checking the file"), (1, 2, "opening the model")]


class Liar:
    """Passes questions on to a process, and answers with something else."""

    def __init__(self, remote, change):
        self.remote, self.change, self.closed = remote, change, False

    def call(self, *given, **more):
        message, arrays = self.remote.call(*given, **more)
        return self.change(dict(message), dict(arrays))

    def close(self):
        self.closed = True


def last(arrays, change):
    """The same answers, the last of them changed."""
    place = max(arrays)
    return {**arrays, place: change(arrays[place])}


@pytest.mark.parametrize(
    "change",
    [
        lambda message, arrays: (message, last(arrays, lambda a: a[..., 1:])),
        lambda message, arrays: (message, last(arrays, lambda a: a[..., None])),
        lambda message, arrays: (message, last(arrays, lambda a: np.concatenate([a, a]))),
        lambda message, arrays: (message, last(arrays, lambda a: a.astype(np.int64))),
        lambda message, arrays: (message, last(arrays, lambda a: a[0])),
        lambda message, arrays: (message, {}),
        lambda message, arrays: (message, {**arrays, "9": np.zeros(3)}),
        lambda message, arrays: (message, {f"{name}x": value for name, value in arrays.items()}),
        lambda message, arrays: (message, {**arrays, "not finite 0": np.ones(7, np.uint8)}),
        lambda message, arrays: (
            message,
            {**arrays, "not finite 0": np.full(arrays["0"].shape, 9, np.uint8)},
        ),
        lambda message, arrays: ({}, arrays),
        lambda message, arrays: ({"traces": "many"}, arrays),
        lambda message, arrays: ({"traces": True}, arrays),
    ],
)
def test_a_wrong_answer_is_refused(change, model):
    honest = model._compiled
    liar = Elsewhere(Liar(honest._remote, change), honest.frozen, honest.anatomy, honest.norms_folded)
    other = type(model)(liar, model.card)
    points = np.zeros((1, 9, 7, 3), np.float32)
    for ask in (
        lambda: explain(other, IMAGE),
        lambda: explain(other, IMAGE, "class_logit(1)"),
        lambda: other.activation(IMAGE, model.layers[0].name),
        lambda: other.classify(IMAGE),
        lambda: other.probe("class_logit(1)").score(points),
        lambda: other.probe("class_logit(1)").at_layer(points, model.layers[0].name),
    ):
        with pytest.raises(WorkerError, match="process of this model answered"):
            ask()


def edit(*keys, to):
    """A change of one fact that a process tells of its model."""

    def change(message, arrays):
        told = json.loads(json.dumps(message))
        inner = told
        for key in keys[:-1]:
            inner = inner[key]
        if to is None:
            del inner[keys[-1]]
        else:
            inner[keys[-1]] = to
        return told, arrays

    return change


@pytest.mark.parametrize(
    "change",
    [
        edit("card", to="a card"),
        edit("card", to=None),
        edit("card", "name", to=None),
        edit("card", "input", to=[9, 7]),
        edit("card", "input", to=[9, 7, -3]),
        edit("card", "input", to=[0, 7, 3]),
        edit("card", "input", to=[60_000, 60_000, 3]),
        edit("card", "classes", to="5"),
        edit("card", "surprise", to=1),
        edit("card", "labels", to=["ant", 7]),
        edit("output", to=7),
        edit("anatomy", to=[]),
        edit("anatomy", "batch", to=10**9),
        edit("anatomy", "batch", to=-1),
        edit("anatomy", "head", to=None),
        edit("anatomy", "layers", 0, "shape", to=[10**6, 10**6, 10]),
        edit("anatomy", "layers", 0, "shape", to=[-1, 7, 3]),
        edit("anatomy", "tensors", "large:0", to=[10**6, 10**6]),
        edit("anatomy", "signs", "rectifiers", to=[{"name": "relu"}]),
    ],
)
def test_a_nonsense_card_is_refused_and_the_process_ended(change, model, paths, monkeypatch):
    honest = model._compiled._remote
    liar = Liar(honest, change)
    monkeypatch.setattr(Remote, "start", lambda *given: liar)
    with pytest.raises(WorkerError, match="nonsense"):
        open_model(paths["keras"], **SETTINGS)
    assert liar.closed
    monkeypatch.setattr(Remote, "start", lambda *given: Liar(honest, lambda *same: same))
    assert open_model(paths["keras"], **SETTINGS).card == model.card


def refused(path, **more):
    with pytest.raises(ModelError) as caught:
        open_model(path, **more)
    told = caught.value
    assert "\n" not in str(told)
    assert "/" not in told.problem.replace(str(path)[:80], "")
    return told


def test_refusals_come_through_with_the_users_own_name(tmp_path):
    own = tmp_path / "My network (2).keras"
    own.write_bytes(b"not a model at all")
    told = refused(own)
    assert told.problem.startswith("My network (2).keras was not opened: ")
    assert told.hint
    assert refused(own, name="Sunday's").problem.startswith("Sunday's was not opened: ")
    (tmp_path / "empty.h5").write_bytes(b"")
    assert "it is empty" in refused(tmp_path / "empty.h5").problem
    (tmp_path / "folder").mkdir()
    assert refused(tmp_path / "folder").problem.startswith("folder was not opened: ")
    assert "no such file" in refused(tmp_path / "missing.keras").problem


def test_a_lambda_comes_with_the_way_out(tmp_path):
    layers = keras.layers
    made = keras.Sequential(
        [layers.Input((9, 7, 3)), layers.Lambda(lambda x: x * 2), layers.Flatten(), layers.Dense(3)]
    )
    made.save(tmp_path / "doubled.keras")
    told = refused(tmp_path / "doubled.keras")
    assert told.problem.startswith("doubled.keras was not opened: in ")
    assert "program code" in told.problem
    assert "open_model(the_live_model)" in told.hint
    assert "model.export('folder')" in told.hint
    assert len(open_model(made).classify(IMAGE)) == 3


def test_size_and_output_are_passed_on(tmp_path):
    made = shaken(NETWORKS["open_size"](keras))
    two = keras.Model(made.inputs, [made.outputs[0], made.layers[0].output])
    two.save(tmp_path / "two.keras")
    with pytest.raises(ModelError, match=r"leaves the image size open\. .*size=\(height, width\)"):
        open_model(tmp_path / "two.keras")
    image = np.random.default_rng(3).integers(0, 256, (10, 8, 3), dtype=np.uint8)
    for output in (0, 1):
        there, here = (
            open_model(tmp_path / "two.keras", size=(10, 8), output=output, trusted=trusted)
            for trusted in (False, True)
        )
        assert there.card.input == (10, 8, 3)
        assert there.card == here.card
    assert np.array_equal(explain(there, image, "layer_channel('output', 0)").values,
                          explain(here, image, "layer_channel('output', 0)").values)  # fmt: skip
    with pytest.raises(ModelError, match="output"):
        open_model(tmp_path / "two.keras", size=(10, 8), output=7)


def test_signature_and_labels_are_passed_on(tmp_path):
    class Two(tf.Module):
        def __init__(self):
            super().__init__()
            self.kernel = tf.Variable(np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4))

        @tf.function(input_signature=[tf.TensorSpec((None, 9, 7, 3), tf.float32)])
        def plain(self, images):
            return {"out": tf.reduce_mean(images, (1, 2)) @ self.kernel}

        @tf.function(input_signature=[tf.TensorSpec((None, 9, 7, 3), tf.float32)])
        def double(self, images):
            return {"out": 2 * (tf.reduce_mean(images, (1, 2)) @ self.kernel)}

    two = Two()
    tf.saved_model.save(two, str(tmp_path / "two"), {"plain": two.plain, "double": two.double})
    with pytest.raises(ModelError, match="Several signatures"):
        open_model(tmp_path / "two")
    with pytest.raises(ModelError, match="no signature 'whole'"):
        open_model(tmp_path / "two", signature="whole")
    names = tmp_path / "names.txt"
    names.write_text("ant\nbee\ncat\ndog\n")
    logits = {}
    for signature in ("plain", "double"):
        model = open_model(tmp_path / "two", signature=signature, labels=names)
        assert model.labels == ("ant", "bee", "cat", "dog")
        assert model.card.description.signature == signature
        logits[signature] = {one.label: one.logit for one in model.classify(IMAGE)}
    for label, logit in logits["plain"].items():
        assert logits["double"][label] == pytest.approx(2 * logit, rel=1e-6)


def test_a_wrong_setting_is_told_before_a_process_starts(paths, monkeypatch):
    def start(*given):
        raise AssertionError("a process started")

    monkeypatch.setattr(Remote, "start", start)
    with pytest.raises(SettingError):
        open_model(paths["keras"], preprocessing="magic")
    with pytest.raises(ModelError, match="no such file"):
        open_model(paths["keras"].with_name("other.keras"))


def test_too_little_memory_and_time_are_errors_of_the_worker(paths, monkeypatch):
    start = Remote.start.__func__
    for limits, words in (
        (PrivateLimits(start_s=0.01), "did not start in time"),
        (PrivateLimits(wall_s=0.01), "took longer"),
        (PrivateLimits(memory_mib=120), "ended in the middle"),
    ):
        monkeypatch.setattr(
            Remote, "start", classmethod(lambda cls, path, limits=limits: start(cls, path, limits=limits))
        )
        with pytest.raises(WorkerError, match=words):
            open_model(paths["keras"])


def test_this_process_loads_no_tensorflow_for_a_file(paths):
    code = (
        "import sys\n"
        "import numpy as np\n"
        "from saliency_core import explain, open_model\n"
        f"model = open_model({str(paths['keras'])!r})\n"
        "made = explain(model, np.zeros((9, 7, 3), np.uint8))\n"
        "assert made.evidence.good\n"
        "assert not {'tensorflow', 'keras', 'h5py'} & set(sys.modules)\n"
        "print('alone', model._compiled._remote.pid)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert until(lambda: not alive(int(done.stdout.split()[1])), 5)


@pytest.mark.skipif(not MANIFEST, reason="SALIENCY_REAL names no folder of real models")
@pytest.mark.parametrize("entry", MANIFEST.get("models", []), ids=lambda entry: entry["name"])
def test_a_real_model_answers_there_as_here(entry):
    settings = {"preprocessing": PREPROCESSINGS[entry["preprocessing"]], "labels": REAL / entry["labels"]}
    there, here = (open_model(REAL / entry["file"], trusted=trusted, **settings) for trusted in (False, True))
    assert there.card == replace(here.card, notices=there.card.notices)
    assert there.layers == here.layers
    images = [one for one in MANIFEST["images"] if one["task"] == entry["images_task"]]
    shown = images or [one for one in MANIFEST["images"] if one["task"] == "mnist"]
    one, other = (explain(model, REAL / shown[0]["file"]) for model in (there, here))
    assert one.evidence.good, one.evidence
    assert [each.index for each in one.predictions[:5]] == [each.index for each in other.predictions[:5]]
    # the process computes with one thread, this one with all: float32 sums may be rounded in another order
    assert one.score == pytest.approx(other.score, rel=1e-5)
    assert np.linalg.norm(one.values - other.values) <= 1e-5 * np.linalg.norm(other.values)
    there._compiled.close()
