"""The models that ship: what their cards say is measured again from the graph in the repository."""

from __future__ import annotations

import hashlib
import importlib
import json
from typing import Any

import numpy as np
import pytest

from saliency_core import explain, open_model
from saliency_core.gallery import gallery, sample
from saliency_core.models.known import (
    CONV_SIDE,
    TEMPLATE_LABELS,
    conv4x4_gradient,
    template_picture,
    template_weights,
)
from saliency_core.models.opening import BUNDLED
from saliency_core.scenes import FIRST_HELD_OUT_SEED, render_scene

pytestmark = pytest.mark.engine

NAMES = ("digits", "scenes", "scenes_shortcut", "conv4x4", "template")
MARKS = {
    "held-out scenes without a mark": "none",
    "held-out scenes with the mark of their own class": "own",
    "held-out scenes with the mark of a random class": "random",
}


def card(name: str) -> dict[str, Any]:
    return json.loads((BUNDLED / f"{name}.json").read_text(encoding="utf-8"))


def claim(name: str, on: str) -> tuple[float, int]:
    """What a card says it measured: share of right answers, number of images."""
    (one,) = [row for row in card(name)["measured"] if row["on"] == on]
    return one["value"], one["count"]


def share_right(name: str, points: np.ndarray, labels: np.ndarray) -> float:
    logits = open_model(name).head_values(points.astype(np.float32))[0]
    return float((logits.argmax(axis=1) == labels).mean())


def test_shipped_is_all_there_is():
    assert {path.stem for path in BUNDLED.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_file_is_small_and_is_the_one_on_the_card(name: str):
    graph = (BUNDLED / f"{name}.pb").read_bytes()
    assert len(graph) <= 3_000_000
    assert hashlib.sha256(graph).hexdigest() == card(name)["sha256"] == open_model(name).card.digest


@pytest.mark.parametrize("name", NAMES)
def test_card_is_complete(name: str):
    facts = card(name)
    assert facts["name"] == name
    assert facts["title"]
    assert facts["about"]
    assert facts["licence"]
    assert {"script", "seed", "data", "epochs"} <= set(facts["trained"])
    assert (BUNDLED.parents[2] / facts["trained"]["script"]).is_file()
    assert len(facts["labels"]) == open_model(name).card.classes
    assert tuple(facts["input"]) == open_model(name).card.input


@pytest.mark.parametrize(
    ("name", "script", "images", "epochs"),
    [
        ("digits", "train_digits", "IMAGES", "EPOCHS"),
        ("scenes", "train_scenes", "IMAGES", "EPOCHS"),
        ("scenes_shortcut", "train_scenes", "SHORTCUT_IMAGES", "SHORTCUT_EPOCHS"),
    ],
)
def test_script_would_train_what_the_card_says(
    name: str, script: str, images: str, epochs: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(str(BUNDLED.parents[2] / "tools"))
    module = importlib.import_module(script)
    trained, count = card(name)["trained"], getattr(module, images)
    assert (trained["seed"], trained["epochs"]) == (module.SEED, getattr(module, epochs))
    assert f"{count:,} varied" in trained["data"] or f"seeds 0 to {count - 1}" in trained["data"]
    network = module.build() if name == "digits" else module.build(name)
    assert network.count_params() == card(name)["parameters"]


def test_networks_are_small():
    assert card("digits")["parameters"] < 250_000
    assert card("scenes")["parameters"] == card("scenes_shortcut")["parameters"] < 600_000


@pytest.mark.parametrize("ink", ["white on black", "black on white"])
def test_digits_reads_every_held_out_digit_as_its_card_says(ink: str):
    from tools import digits

    data = digits.split()
    pictures = np.stack([digits.picture(digit) for digit in data.held_out])[..., None]
    points = pictures if ink == "white on black" else 255 - pictures
    value, count = claim("digits", f"held-out digits, {ink}")
    right = share_right("digits", points, data.held_out_labels)
    assert count == len(points)
    # One digit may fall to the other side of a tie on another machine.
    assert right == pytest.approx(value, abs=1.5 / count)
    assert right >= 0.985


@pytest.mark.parametrize(
    ("name", "on"),
    [("scenes", "held-out scenes without a mark"), *(("scenes_shortcut", on) for on in MARKS)],
)
def test_scenes_answer_as_their_cards_say(name: str, on: str):
    value, count = claim(name, on)
    assert count >= 2_000
    here = 500
    rendered = [render_scene(FIRST_HELD_OUT_SEED + row, mark=MARKS[on]) for row in range(here)]
    points = np.stack([scene.image for scene in rendered])
    right = share_right(name, points, np.array([scene.label for scene in rendered]))
    # The first 500 of the card's scenes: four standard errors of a sample of that size, or two scenes.
    assert right == pytest.approx(value, abs=max(4 * (value * (1 - value) / here) ** 0.5, 2 / here))


def test_scenes_knows_objects_and_the_shortcut_knows_marks():
    assert claim("scenes", "held-out scenes without a mark")[0] >= 0.97
    assert claim("scenes_shortcut", "held-out scenes with the mark of their own class")[0] >= 0.95
    assert claim("scenes_shortcut", "held-out scenes without a mark")[0] < 0.6


@pytest.mark.parametrize("name", ["digits", "scenes", "template"])
def test_every_gallery_image_of_a_model_is_read_rightly(name: str):
    model = open_model(name)
    wrong = [
        one.id
        for one in gallery()
        if one.suits[0] == name and model.classify(one.read())[0].label != one.label
    ]
    assert wrong == []


def test_a_false_mark_leads_the_shortcut_astray():
    model = open_model("scenes_shortcut")
    for one in gallery():
        if one.mark == "random":
            scene = one.scene()
            assert model.classify(one.read())[0].index == scene.mark_label != scene.label


def test_the_shortcut_gives_itself_away():
    """Its map is dense in the mark's corner, and that of the honest network on the object."""
    marked = sample("star_marked")
    top, left, bottom, right = marked.scene().mark_box
    density = {}
    for name in ("scenes", "scenes_shortcut"):
        values = np.abs(explain(name, marked.read(), "top_class()", "gradient()").values).sum(axis=2)
        density[name] = values[top:bottom, left:right].mean() / values.mean()
    assert density["scenes_shortcut"] > 3 * density["scenes"]
    assert density["scenes_shortcut"] > 3


ONE_CELL = np.zeros((CONV_SIDE, CONV_SIDE), int)
ONE_CELL[1, 1] = 1
MANY_CELLS = np.random.default_rng(1).integers(-9, 10, (CONV_SIDE, CONV_SIDE))


@pytest.mark.parametrize("arriving", [ONE_CELL, MANY_CELLS], ids=["one cell", "many cells"])
def test_conv4x4_answers_as_on_paper(arriving: np.ndarray):
    cells = [[row, col, 0, float(weight)] for (row, col), weight in np.ndenumerate(arriving)]
    result = explain("conv4x4", sample("ones_4x4").read(), f"output_seed(weights={cells})", "gradient()")
    np.testing.assert_array_equal(result.values[..., 0], conv4x4_gradient(arriving))


def test_the_answer_on_paper():
    np.testing.assert_array_equal(
        conv4x4_gradient(ONE_CELL), [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]
    )


@pytest.mark.parametrize("label", range(len(TEMPLATE_LABELS)))
def test_the_gradient_of_template_is_its_template(label: int):
    result = explain("template", template_picture(label), f"class_logit({label})", "gradient()")
    np.testing.assert_array_equal(result.values, template_weights()[label])
    # Powers of two times whole numbers below 2**24: the logit is exact too.
    assert result.score == (template_weights()[label] * template_picture(label).astype(np.float64)).sum()
