"""The table of ground truth: its scenes hold what it says of them, and its figures can be made again."""

from __future__ import annotations

import numpy as np
import pytest

from saliency_core import open_model
from saliency_core.methods.base import Refining
from saliency_core.registry import table
from saliency_core.scenes import LAST_TRAINING_SEED, render_scene
from tools import ground_truth, located, marked

DOCUMENT = ground_truth.DOCUMENT.read_text(encoding="utf-8")
NAMES = [*(id for id, cls in table("method").items() if not cls.hidden), "random", "edges", "centre"]
LEAST = {"scenes": 500, "scenes_shortcut": 40}  # scenes behind a row
EMPTY = "".join("".join(marked.marks(name, ground_truth.SCRIPT)) for name in ground_truth.HEADS)


@pytest.mark.parametrize("name", ground_truth.HEADS)
def test_the_document_has_a_row_for_every_registered_method_and_baseline(name):
    rows = marked.rows_of(DOCUMENT, name, ground_truth.SCRIPT)
    assert sorted(rows) == sorted(NAMES), "run python tools/ground_truth.py --only METHOD"
    for id, row in rows.items():
        assert len(row) == len(ground_truth.HEADS[name])
        assert int(row[2].split(",")[0]) >= LEAST[name], (id, "was made from too few scenes")


def test_a_method_that_costs_too_much_does_less_of_the_same():
    for method in (cls() for cls in table("method").values()):
        cheaper = ground_truth.affordable(method)
        if isinstance(method, Refining) and method.cost > ground_truth.MOST_POINTS:
            assert cheaper.cost <= ground_truth.MOST_POINTS
            assert method.continues(cheaper)
        else:
            assert cheaper is method


@pytest.mark.engine
def test_the_scenes_were_not_trained_on_and_their_truth_is_known():
    assert located.FIRST_SEED > LAST_TRAINING_SEED
    honest, misled = open_model("scenes"), open_model("scenes_shortcut")
    for seed in located.chosen(located.OBJECT, 5)[0]:
        scene = located.scene_of(located.OBJECT, seed)
        assert scene.mark_box is None
        assert honest.classify(scene.image)[0].index == scene.label
    seeds, looked_at = located.chosen(located.MARK, 5)
    assert seeds[-1] == located.FIRST_SEED + looked_at - 1
    for seed in seeds:
        scene, bare = located.scene_of(located.MARK, seed), render_scene(seed)
        assert scene.mark_label == misled.classify(scene.image)[0].index != scene.label
        assert misled.classify(bare.image)[0].index != scene.mark_label
        top, left, bottom, right = scene.mark_box
        changed = (scene.image != bare.image).any(-1)
        assert changed[top:bottom, left:right].any()
        assert changed.sum() == changed[top:bottom, left:right].sum()  # all that differs is the mark


@pytest.mark.engine
def test_the_script_makes_the_same_figures_again(tmp_path):
    """Two processes and one give the same rows, but for the seconds; other rows of the table stay."""
    document = tmp_path / "table.md"
    old = marked.with_table(
        EMPTY, "scenes", ground_truth.SCRIPT, ("Method",), [("edges", "kept"), ("gone", "")]
    )
    document.write_text(f"Before.\n{old}\nAfter.\n", encoding="utf-8")
    words = ["--count", "3", "--document", str(document), "--only", "gradient", "--only", "random"]
    assert ground_truth.main(words) == 0
    text = document.read_text(encoding="utf-8")
    assert text.startswith("Before.\n")
    assert text.endswith("\nAfter.\n")
    rows = marked.rows_of(text, "scenes", ground_truth.SCRIPT)
    assert list(rows) == ["gradient", "random", "edges"]
    seeds, _ = located.chosen("scenes", 3)
    found = located.located("scenes", "scenes", "gradient()", seeds)
    alone = ground_truth.row("scenes", "gradient", "gradient()", found, [])
    assert rows["gradient"][:-1] == list(alone[:-1])
    marks = marked.rows_of(text, "scenes_shortcut", ground_truth.SCRIPT)
    assert list(marks) == ["gradient", "random"]


@pytest.mark.engine
def test_a_map_that_is_the_truth_itself_would_win_every_column(monkeypatch):
    seeds, _ = located.chosen(located.MARK, 3)
    truth = {seed: located.scene_of(located.MARK, seed) for seed in seeds}

    def on_mark(image, seed):
        top, left, bottom, right = truth[seed].mark_box
        heat = np.zeros(image.shape[:2], np.float32)
        heat[top:bottom, left:right] = 1
        return heat

    monkeypatch.setitem(located.BASELINES, "mark", on_mark)
    monkeypatch.setitem(located.BASELINES, "object", lambda image, seed: truth[seed].mask.astype(np.float32))
    for one in located.located(located.MARK, located.MARK, "mark", seeds):
        assert (one.object[:2], one.mark) == ((0, 0), (1, 1, 1))
    for one in located.located(located.MARK, located.MARK, "object", seeds):
        assert (one.object, one.mark[:2]) == ((1, 1, 1), (0, 0))


@pytest.mark.engine
def test_a_method_that_refuses_gets_a_row_that_says_why(monkeypatch):
    from saliency_core.errors import ModelError

    def refuse(*words):
        raise ModelError("This network has no such layer.")

    monkeypatch.setattr(located, "explain", refuse)
    seeds, _ = located.chosen("scenes", 2)
    row = ground_truth.row("scenes", "x", "x()", located.located("scenes", "scenes", "x()", seeds), [])
    assert row == ("x", "`x()`: This network has no such layer.", "2", "-", "-", "-", "-")


def test_tables_are_read_back_as_written_and_a_missing_place_is_told():
    rows = [("a", "1 | 2"), ("b", "")]
    text = marked.with_table(EMPTY, "scenes", ground_truth.SCRIPT, ("N", "What"), rows)
    assert marked.rows_of(text, "scenes", ground_truth.SCRIPT) == {"a": ["a", "1 | 2"], "b": ["b", ""]}
    again = marked.with_table(text, "scenes", ground_truth.SCRIPT, ("N", "What"), rows)
    assert again == text
    with pytest.raises(ValueError, match="'other'"):
        marked.rows_of(text, "other", ground_truth.SCRIPT)
    assert marked.merged({"a": ("a", "old"), "c": ("c",)}, {"a": ("a", "new")}, ["c", "x", "a"]) == [
        ("c",),
        ("a", "new"),
    ]
