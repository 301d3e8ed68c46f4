"""Real trained models, where a folder of them is at hand (SALIENCY_REAL): they open and answer as stated."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from saliency_core import explain
from saliency_core.models.labels import read_labels
from tests.engine.formats.trusted import open_model

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif("SALIENCY_REAL" not in os.environ, reason="SALIENCY_REAL names no folder"),
]
ROOT = Path(os.environ.get("SALIENCY_REAL", "."))
MANIFEST = json.loads((ROOT / "manifest.json").read_text()) if (ROOT / "manifest.json").exists() else {}
MODELS = {entry["name"]: entry for entry in MANIFEST.get("models", [])}
CIFAR_MEAN, CIFAR_STD = (125.307, 122.95, 113.865), (62.9932, 62.0887, 66.7048)
PREPROCESSINGS = {
    "x/127.5-1 (RGB or grey 0..255)": "symmetric()",
    "x/255": "unit()",
    "(x/255-(0.485,0.456,0.406))/(0.229,0.224,0.225)": "torch()",
    "(x-(125.307,122.95,113.865))/(62.9932,62.0887,66.7048)": (
        f"affine({[1 / s for s in CIFAR_STD]}, {[-m / s for m, s in zip(CIFAR_MEAN, CIFAR_STD, strict=True)]})"
    ),
}
# Right answers of each model on its images, as they were when this was written; small networks err.
RIGHT = {
    "mobilenet_v2_1_0_224_imagenet1001": 7,
    "mobilenet_v1_0.25_224_tf1_frozen": 5,
    "mobilenet_v1_0.25_224_imagenet_savedmodel": 5,
    "resnet20_cifar10": 20,
    "tiny_vgg": 14,
    "refused_h5_listconfig": 17,
}


def opened(entry):
    return open_model(
        ROOT / entry["file"],
        preprocessing=PREPROCESSINGS[entry["preprocessing"]],
        labels=ROOT / entry["labels"],
    )


@pytest.mark.parametrize("entry", MODELS.values(), ids=MODELS)
def test_a_real_model_opens_and_answers_as_stated(entry):
    model = opened(entry)
    assert model.card.input == tuple(entry["input_shape"])
    assert model.card.classes == entry["classes"] == len(model.labels)
    assert model.card.head.split(";")[0] == ("logits" if "LOGITS" in entry["output"] else "softmax")
    assert model.card.description.training == ()
    assert model.card.description.custom_gradients == ()
    assert model.labels == read_labels(ROOT / entry["labels"])
    images = [one for one in MANIFEST["images"] if one["task"] == entry["images_task"]]
    right = 0
    for one in images:
        best = model.classify(ROOT / one["file"])[0]
        right += best.index == one["index"] + entry["label_offset"]
        assert best.label == model.labels[best.index]
    assert right >= RIGHT.get(entry["name"], 0)
    shown = images or [one for one in MANIFEST["images"] if one["task"] == "mnist"]
    for one in shown[:2]:
        found = explain(model, ROOT / one["file"])
        assert found.evidence.good, found.evidence
        assert abs(found.values).max() > 0


def test_the_same_network_in_two_formats_gives_the_same_map():
    """The frozen graph and the SavedModel hold the same weights, one with a background class before."""
    graph = opened(MODELS["mobilenet_v1_0.25_224_tf1_frozen"])
    saved = opened(MODELS["mobilenet_v1_0.25_224_imagenet_savedmodel"])
    image = ROOT / "images" / "elephant.jpg"
    one, two = explain(graph, image, "class_logit(387)"), explain(saved, image, "class_logit(386)")
    assert one.score == pytest.approx(two.score, rel=1e-4)
    assert abs(one.values - two.values).max() <= 1e-3 * abs(one.values).max()
