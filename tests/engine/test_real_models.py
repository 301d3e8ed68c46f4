"""Networks and images that others made: labels as their manifest says, and maps that pass the check.

SALIENCY_REAL names the folder; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saliency_core import explain, open_model
from saliency_core.images import fit, read_image

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        "SALIENCY_REAL" not in os.environ, reason="SALIENCY_REAL names no folder of real models"
    ),
]
REAL = Path(os.environ.get("SALIENCY_REAL", "."))
PREPROCESSING = {  # as the manifest words it
    "x/127.5-1 (RGB or grey 0..255)": "symmetric",
    "(x/255-(0.485,0.456,0.406))/(0.229,0.224,0.225)": "torch",
    "x/255": "unit",
}
NETWORKS = ["resnet20_cifar10", "tiny_vgg", "mobilenet_v2_1_0_224_imagenet1001"]
LEAST = 0.5  # of its images each must get right: mixed-up labels or preprocessing would leave about a tenth


@cache
def manifest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REAL / "manifest.json").read_text(encoding="utf-8"))
    return found


@cache
def opened(name: str) -> Any:
    facts = facts_of(name)
    labels = (REAL / facts["labels"]).read_text(encoding="utf-8").splitlines()
    model = open_model(
        REAL / facts["file"], preprocessing=PREPROCESSING[facts["preprocessing"]], labels=labels
    )
    assert len(labels) == model.card.classes == facts["classes"]
    return model


def facts_of(name: str) -> dict[str, Any]:
    return next(one for one in manifest()["models"] if one["name"] == name)


def images_for(name: str) -> list[dict[str, Any]]:
    return [one for one in manifest()["images"] if one["task"] == facts_of(name)["images_task"]]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_real_network_says_what_its_images_show(name: str) -> None:
    model, offset = opened(name), facts_of(name)["label_offset"]
    assert list(model.card.input) == facts_of(name)["input_shape"]
    first = {one["file"]: model.classify(REAL / one["file"])[0] for one in images_for(name)}
    right = [one for one in images_for(name) if first[one["file"]].index == one["index"] + offset]
    assert len(right) >= LEAST * len(first)
    for one in right:
        assert first[one["file"]].label.lower().split(",")[0] == one["label"].lower().split(",")[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_map_of_a_real_network_passes_the_check(name: str) -> None:
    model = opened(name)
    for one in images_for(name):
        made = explain(model, REAL / one["file"])
        assert made.units == "logit per grey level"
        assert made.evidence.precision == "float64"
        assert made.evidence.good, (one["file"], made.evidence)


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_are_those_of_keras(name: str) -> None:
    """The same pixels through the file as Keras runs it."""
    import keras

    model, facts = opened(name), facts_of(name)
    theirs = keras.models.load_model(REAL / facts["file"], compile=False)
    image = read_image(REAL / images_for(name)[0]["file"])
    pixels = fit(image, *model.card.input)
    scale, shift = {
        "symmetric": (1 / 127.5, -1.0),
        "unit": (1 / 255, 0.0),
        "torch": (1 / (255 * np.array([0.229, 0.224, 0.225])), -np.array([0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
    }[PREPROCESSING[facts["preprocessing"]]]  # fmt: skip
    answers = np.asarray(theirs((pixels[None] * scale + shift).astype(np.float32), training=False))[0]
    found = {one.index: one for one in model.classify(image)}
    ours = [
        found[k].logit if "LOGITS" in facts["output"] else found[k].probability for k in range(len(answers))
    ]
    # float32 through a deep network, folded and unfolded
    np.testing.assert_allclose(ours, answers, rtol=0, atol=1e-4 * np.abs(answers).max())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    "method",
    ["grad_cam", "grad_cam_pp", "hires_cam", "layer_cam", "score_cam(channels=24)", "full_grad",
     "xrai(base=gradient_x_input())"],
)  # fmt: skip
def test_a_real_network_has_a_map_of_regions(name: str, method: str) -> None:
    model, one = opened(name), images_for(name)[0]
    found = explain(model, REAL / one["file"], method=method)
    assert found.values.ndim == 2
    assert found.values.any()
    assert found.notes


@pytest.mark.parametrize("name", NETWORKS)
def test_the_score_of_a_real_network_is_shared_out_whole(name: str) -> None:
    """Piecewise linear, so nothing is left but what float32 loses."""
    facts = explain(opened(name), REAL / images_for(name)[0]["file"], method="full_grad").facts
    largest = max(abs(facts[part]) for part in ("score", "pixels", "biases", "placeless"))
    assert abs(facts["gap"]) < 1e-4 * largest
