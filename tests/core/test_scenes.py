"""Rendered scenes: the truth that other tests and pages lean on."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest

from saliency_core.errors import SettingError
from saliency_core.scenes import (
    FIRST_HELD_OUT_SEED,
    FIRST_TRAINING_SEED,
    LABELS,
    LAST_TRAINING_SEED,
    mark_glyph,
    render_scene,
    scenes,
)
from saliency_core.scenes.backdrop import distractors
from saliency_core.scenes.scene import _SMALLEST
from saliency_core.scenes.shapes import OUTLINES, cover

SEEDS = range(FIRST_HELD_OUT_SEED, FIRST_HELD_OUT_SEED + len(LABELS))


def test_same_seed_same_bytes():
    digest = [hashlib.sha256(b"".join(s.image.tobytes() for s in scenes(40, 10))).digest() for _ in "ab"]
    assert digest[0] == digest[1]
    assert (render_scene(40).image != render_scene(41).image).any()


def test_scenes_are_the_scenes_of_consecutive_seeds():
    for seed, scene in enumerate(scenes(7, 3, mark="own"), start=7):
        np.testing.assert_array_equal(scene.image, render_scene(seed, mark="own").image)


def test_every_class_appears_equally_often():
    labels = [scene.label for scene in scenes(FIRST_HELD_OUT_SEED, 2 * len(LABELS))]
    np.testing.assert_array_equal(np.bincount(labels), np.full(len(LABELS), 2))
    assert len(LABELS) >= 8


@pytest.mark.parametrize("seed", SEEDS)
def test_another_colour_changes_the_mask_and_nothing_else(seed: int):
    black, white = (render_scene(seed, colour=(v, v, v)) for v in (0, 255))
    np.testing.assert_array_equal((black.image != white.image).any(axis=2), black.mask)
    np.testing.assert_array_equal(black.mask, white.mask)


@pytest.mark.parametrize("seed", SEEDS)
def test_another_class_changes_nothing_outside_the_two_objects(seed: int):
    one, other = render_scene(seed, 0), render_scene(seed, 5)
    outside = ~(one.mask | other.mask)
    np.testing.assert_array_equal(one.image[outside], other.image[outside])
    assert (one.mask != other.mask).any()


@pytest.mark.parametrize("label", range(len(LABELS)))
def test_the_object_is_whole_and_of_its_size(label: int):
    for seed in range(300, 308):
        mask = render_scene(seed, label).mask
        assert mask[1:-1, 1:-1].sum() == mask.sum()
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        # The slimmest outline, a bolt, is 0.71 across in its slimmest direction; stretched, 0.65.
        assert min(np.ptp(rows), np.ptp(columns)) >= 0.65 * _SMALLEST * 96
        assert mask.sum() >= 100


def test_classes_differ_in_outline():
    sheets = [
        cover(outline.moved(np.eye(2) * 30, np.array([48.0, 48.0])), 96) for outline in OUTLINES.values()
    ]
    masks = np.zeros((len(sheets), 96, 96))
    for mask, sheet in zip(masks, sheets, strict=True):
        mask[sheet.window] = sheet.share
    for one, other in itertools.combinations(range(len(masks)), 2):
        assert abs(masks[one] - masks[other]).sum() > 200, (LABELS[one], LABELS[other])


def test_distractors_are_smaller_than_any_object():
    smallest_object = min(render_scene(seed).mask.sum() for seed in range(60))
    for seed in range(60):
        for outline, _ in distractors(np.random.default_rng(seed), 96):
            assert cover(outline, 96).share.sum() < smallest_object


@pytest.mark.parametrize("size", [32, 96, 128])
def test_any_size_has_the_object_inside(size: int):
    scene = render_scene(3, size=size, mark="own")
    assert scene.image.shape == (size, size, 3)
    assert scene.image.dtype == np.uint8
    assert scene.mask.shape == (size, size)
    assert 0.02 < scene.mask.mean() < 0.5


def test_cover_is_one_inside_zero_outside_and_sixteenths_at_the_edge():
    outline = OUTLINES["square"].moved(np.eye(2) * 2**0.5 * 10, np.array([20.0, 20.0]))
    cut = cover(outline, 40)
    share = np.zeros((40, 40))
    share[cut.window] = cut.share
    assert (share[11:29, 11:29] == 1).all()
    share[9:31, 9:31] = 0
    assert not share.any()
    assert {round(16 * v) / 16 for v in np.unique(cut.share)} == {0, 0.0625, 0.25, 1}


def test_the_mark_is_the_class_and_changes_its_corner_only():
    for seed in SEEDS:
        plain, own, drawn = (render_scene(seed, mark=mark) for mark in ("none", "own", "random"))
        assert plain.mark_box is None
        assert plain.mark_label is None
        assert own.mark_label == own.label
        top, left, bottom, right = own.mark_box
        np.testing.assert_array_equal(own.image[top:bottom, left:right], mark_glyph(own.label))
        np.testing.assert_array_equal(drawn.image[top:bottom, left:right], mark_glyph(drawn.mark_label))
        for marked in (own, drawn):
            outside = np.ones((96, 96), bool)
            outside[top:bottom, left:right] = False
            np.testing.assert_array_equal(marked.image[outside], plain.image[outside])
            np.testing.assert_array_equal(marked.mask, plain.mask & outside)


def test_every_class_has_a_mark_of_its_own():
    assert len({mark_glyph(label).tobytes() for label in range(len(LABELS))}) == len(LABELS)


def test_held_out_seeds_are_never_training_seeds():
    assert FIRST_TRAINING_SEED <= LAST_TRAINING_SEED < FIRST_HELD_OUT_SEED


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"seed": -1}, "-1"),
        ({"seed": 0, "label": len(LABELS)}, f"class {len(LABELS)}"),
        ({"seed": 0, "label": -1}, "class -1"),
        ({"seed": 0, "size": 8}, "8 pixels"),
        ({"seed": 0, "mark": "hidden"}, "hidden"),
    ],
)
def test_what_cannot_be_rendered_is_said(arguments: dict, says: str):
    with pytest.raises(SettingError, match=says) as caught:
        render_scene(**arguments)
    assert caught.value.hint
