"""The gallery: every image is there, readable, licensed, and what the manifest says."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from saliency_core.errors import ImageError
from saliency_core.gallery import ASSETS, IMAGENET, Sample, for_model, gallery, sample
from saliency_core.scenes import LABELS, LAST_TRAINING_SEED

BUNDLED = ("digits", "scenes", "scenes_shortcut", "conv4x4", "template")


@pytest.mark.parametrize("one", gallery(), ids=lambda one: one.id)
def test_sample_can_be_read_and_is_licensed(one: Sample):
    with Image.open(io.BytesIO(one.read())) as image:
        image.load()
        assert image.format in ("PNG", "JPEG")
        assert max(image.size) <= 640
    assert one.title
    assert one.source
    assert one.credit
    assert one.licence
    assert one.suits
    assert set(one.suits) <= {*BUNDLED, IMAGENET}


def test_ids_and_files_are_each_others_only_ones():
    ids = [one.id for one in gallery()]
    assert len(set(ids)) == len(ids)
    on_disk = {f"gallery/{path.name}" for path in (ASSETS / "gallery").iterdir()}
    assert {one.file for one in gallery()} == on_disk
    assert sum(path.stat().st_size for path in ASSETS.rglob("*") if path.is_file()) <= 2_000_000


def test_every_file_stands_in_the_table_of_licences():
    table = (ASSETS / "LICENCES.md").read_text(encoding="utf-8")
    for one in gallery():
        assert f"| {one.file} | {one.title} | {one.source} | {one.licence} | {one.credit} |" in table


@pytest.mark.parametrize("name", [*BUNDLED, IMAGENET])
def test_suited_samples_come_first_and_none_is_lost(name: str):
    ordered = for_model(name)
    suited = [name in one.suits for one in ordered]
    assert suited[0]
    assert suited == sorted(suited, reverse=True)
    assert sorted(ordered, key=lambda one: one.id) == sorted(gallery(), key=lambda one: one.id)


def test_a_model_nobody_named_gets_the_photographs():
    assert for_model("somebodys_own_network") == for_model(IMAGENET)


def test_best_suited_come_before_suited():
    assert for_model("scenes")[0].suits[0] == "scenes"
    assert for_model("scenes_shortcut")[0].suits[0] == "scenes_shortcut"


def test_scenes_are_what_their_seed_renders_and_held_out():
    rendered = [one for one in gallery() if one.seed is not None]
    assert len(rendered) >= 10
    for one in rendered:
        scene = one.scene()
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(one.read()))), scene.image)
        assert LABELS[scene.label] == one.label
        assert one.seed > LAST_TRAINING_SEED
    assert sample("coffee").scene() is None


def test_false_marks_are_false():
    for one in gallery():
        if one.mark == "random":
            assert one.scene().mark_label != one.scene().label
            assert LABELS[one.scene().mark_label] in one.note


def test_ones_are_ones():
    ones = np.asarray(Image.open(io.BytesIO(sample("ones_4x4").read())))
    np.testing.assert_array_equal(ones, np.ones((4, 4), np.uint8))


def test_one_digit_of_each_class():
    assert {one.label for one in gallery() if "digits" in one.suits} == set("0123456789")


@pytest.mark.parametrize("id", ["no_such", "../gallery", "/etc/hostname", "gallery/coffee.jpg", ""])
def test_only_ids_of_the_manifest_are_known(id: str):
    with pytest.raises(ImageError, match="no image") as caught:
        sample(id)
    assert caught.value.hint.endswith(".")
    assert any(one.id in caught.value.hint for one in gallery())


def test_the_gallery_loads_without_tensorflow():
    code = "import sys, saliency_core.gallery as g; g.gallery(); print('tensorflow' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
