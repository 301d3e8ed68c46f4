"""The catalogue of Keras Applications: whole, consistent, plain data."""

import json
import re

import pytest

from saliency_core.errors import ModelError
from saliency_core.grammar import parse
from saliency_core.models.catalogue import CATALOGUE, LABELS, application

PROMISED = {
    "vgg16": "VGG16",
    "resnet50": "ResNet50",
    "resnet50_v2": "ResNet50V2",
    "mobilenet_v2": "MobileNetV2",
    "mobilenet_v3_small": "MobileNetV3Small",
    "efficientnet_b0": "EfficientNetB0",
    "densenet121": "DenseNet121",
    "inception_v3": "InceptionV3",
    "convnext_tiny": "ConvNeXtTiny",
}


def test_the_promised_networks_are_there():
    assert {id: entry.keras_name for id, entry in CATALOGUE.items()} == PROMISED
    assert all(entry.id == id for id, entry in CATALOGUE.items())


def test_files_have_names_of_their_own():
    files = [entry.weights.file for entry in CATALOGUE.values()] + [LABELS.file]
    assert len(set(files)) == len(files)
    assert all(re.fullmatch(r"[\w.]+\.(h5|json)", file) for file in files)


@pytest.mark.parametrize(
    "item", [*(entry.weights for entry in CATALOGUE.values()), LABELS], ids=lambda w: w.file
)
def test_weights_are_fetched_from_a_safe_address_and_say_how_they_are_checked(item):
    assert item.url.startswith("https://storage.googleapis.com/")
    assert re.fullmatch(r"([0-9a-f]{32}|[0-9a-f]{64})?", item.digest)
    assert item.algorithm == {0: "", 32: "md5", 64: "sha256"}[len(item.digest)]
    assert ("no checksum" in item.check) == (item.digest == "")


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.id)
def test_facts_agree_with_each_other(entry):
    assert parse("preprocessing", entry.preprocessing).spelling == entry.preprocessing
    assert 0.6 < entry.top1 < 1
    assert entry.top5 == 0 or entry.top1 < entry.top5 < 1
    # four bytes a parameter, and never less in the file; EfficientNet's holds 40 % more
    assert 0.95 < entry.megabytes / (entry.parameters * 4 / 2**20) < 1.5
    assert entry.memory_mb > 2 * entry.megabytes
    assert entry.cites
    assert entry.about.endswith(".")


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.id)
def test_facts_are_plain_data_and_name_their_source(entry):
    facts = entry.facts()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["source"].startswith("https://keras.io/api/applications")
    assert [m["value"] for m in facts["measured"]] == [v for v in (entry.top1, entry.top5) if v]


def test_an_unknown_name_is_answered_with_the_list():
    with pytest.raises(ModelError, match=r"no network 'alexnet'.*mobilenet_v2.*vgg16"):
        application("alexnet")
    assert application("vgg16") is CATALOGUE["vgg16"]
